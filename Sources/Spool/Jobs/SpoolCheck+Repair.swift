// Mends what a check found, as far as that loses nothing: no file is deleted or overwritten, no history rewritten. It does what a
// runner's start does (recovery), counts again, gives files back to the jobs that miss them, and files what no job owns.

import Foundation

extension SpoolCheck {
    /// What a repair did.
    public struct Repair: Sendable {
        public var before: [Violation]
        public var after: [Violation]
        public var mended: [Violation] { before.filter { !after.contains($0) } }
    }

    /// Mends the spool. The caller holds the runner's lock, or nothing may be touched.
    ///
    /// On return everything that was mended is durable. What is left is in `after`: damage that only a person can judge.
    /// - Parameter executor: ends what a dead runner left running.
    public func repair(lock: borrowing RunnerLock, executor: any Executor, clock: any SpoolClock = SystemClock()) async throws
        -> Repair
    {
        let before = try look()
        guard !before.contains(where: { $0.code == .ledgerDamaged }) else { return Repair(before: before, after: before) }
        let filing = Filing(spool: spool, ledger: ledger)
        do {
            try await Recovery(spool: spool, ledger: ledger, filing: filing, executor: executor, clock: clock).run()
            try countAgain()
            for violation in try look() where violation.code == .fileMissing {
                if let id = violation.job { try find(id, now: clock.wallMilliseconds()) }
            }
            for violation in try look() where violation.code == .orphan {
                if let path = violation.path { try fileOrphan(path, filing, now: clock.wallMilliseconds()) }
            }
            for folder in [spool.active, spool.root, spool.done, spool.failed, spool.held] { try folder.sync() }
        } catch let error as SystemCallError {
            throw error.forUser
        }
        return Repair(before: before, after: try look())
    }

    /// As if no runner lived: the lock is ours.
    private func look() throws -> [Violation] { try stillViolations() }

    private func countAgain() throws {
        try ledger.write { tx in
            try tx.execute("UPDATE counts SET n = (SELECT count(*) FROM jobs WHERE jobs.state = counts.state)")
            let failures = try tx.failureCounts()
            if failures.streak < 0 || failures.total < failures.streak {
                let streak = max(0, failures.streak)
                try tx.setFailureCounts(FailureCounts(streak: streak, total: max(streak, failures.total)))
            }
        }
    }

    /// A job without its file: where a file of its very bytes and name stands in another place, that is its file. Else nobody has
    /// it any more, and the ledger says so.
    private func find(_ id: Int64, now: Int64) throws {
        guard var job = try ledger.read({ try $0.job(id) }) else { return }
        job.fromPlace = nil
        job.fromFile = nil
        let isFinished = job.state.isTerminal
        for place in [Place.active, .held, .done, .failed] {
            guard let sha = job.promptSHA, let folder = spool.directory(place), let status = try folder.status(job.file),
                status.kind == .regular, try ledger.read({ try $0.owners(place, job.file) }) == 0
            else { continue }
            guard let bytes = try folder.openForReading(job.file).readAllStamped(),
                PromptFile.read(name: job.name, bytes: bytes).sha == sha
            else { continue }
            job.place = place
            try ledger.write { try $0.place(job) }
            return
        }
        guard isFinished || job.state == .held else { return }
        let was = job.state
        job.place = .none
        if !isFinished {
            job.state = .cancelled
            job.status = .cancelled
            job.reason = "its file is gone"
            job.finished = now
            try ledger.write { try $0.save(job, expecting: was, why: job.reason, now: now) }
        } else {
            try ledger.write { try $0.place(job) }
        }
    }

    /// It may have run, so it is filed as failed and never run unasked.
    private func fileOrphan(_ path: String, _ filing: Filing, now: Int64) throws {
        let parts = path.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2, let place = Place(rawValue: parts[0]), spool.directory(place) != nil else { return }
        let reason = "orphan: found in \(place.rawValue)/ without a job; it may have run before"
        let target = try filing.freeName(parts[1], job: 0, in: .failed)
        let job = try ledger.write { try $0.admitRefused(name: parts[1], file: target, reason: reason, from: place, now: now) }
        let moved = try filing.finishMove(job)
        try filing.explain(moved, "\(printable(parts[1])): \(reason)")
        try spool.failed.sync()
        try ledger.write { try $0.confirmMoves([moved]) }
    }
}

extension LedgerTransaction {
    /// How many jobs say that they own this file.
    func owners(_ place: Place, _ file: String) throws -> Int {
        try row("SELECT count(*) FROM jobs WHERE place = ? AND file = ?", [place.rawValue, file])?[0] ?? 0
    }

    /// Notes where the file of a job is, with no move left to make.
    func place(_ job: Job) throws {
        try execute(
            "UPDATE jobs SET place = ?, file = ?, from_place = NULL, from_file = NULL WHERE id = ?",
            [job.place.rawValue, job.file, job.id])
    }
}
