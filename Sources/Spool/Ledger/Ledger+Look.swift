// Looking at a spool: questions of people and programs that change nothing, each answered by an index, so that a million jobs
// cost no more than ten. A look never makes a ledger where none is, and works beside a runner.

import Foundation
import GRDB

extension Ledger {
    /// The ledger of a spool that has one, for changes.
    public convenience init(existingIn spool: SpoolFolder) throws {
        try Self.requireFile(spool)
        try self.init(path: spool.ledgerPath)
    }

    /// The ledger of a spool that has one, for reading only.
    public static func look(at spool: SpoolFolder) throws -> Ledger {
        try requireFile(spool)
        let path = spool.ledgerPath
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        configuration.label = "look"
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            if try queue.read({ try migrator.hasCompletedMigrations($0) }) { return Ledger(queue: queue, path: path) }
        } catch let error as DatabaseError {
            throw userError(error, path: path)
        }
        // Written by an older flowspool: opening it for changes brings it up to date.
        return try Ledger(path: path)
    }

    /// The ledger of a spool as it stands: for reading only, and never brought up to date.
    static func examine(_ spool: SpoolFolder) throws -> Ledger {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        configuration.label = "examine"
        do {
            return Ledger(queue: try DatabaseQueue(path: spool.ledgerPath, configuration: configuration), path: spool.ledgerPath)
        } catch let error as DatabaseError {
            throw userError(error, path: spool.ledgerPath)
        }
    }

    /// Whether every table is as this version makes it.
    func isUpToDate() throws -> Bool {
        do {
            return try queue.read { try Self.migrator.hasCompletedMigrations($0) }
        } catch let error as DatabaseError {
            throw Self.userError(error, path: path)
        }
    }

    private static func requireFile(_ spool: SpoolFolder) throws {
        do {
            if try spool.control.status(fileName) != nil { return }
        } catch {
            throw error.forUser
        }
        throw FlowspoolError(
            .invalidInput, "\(printable(spool.path)) has no ledger",
            hint: "`flowspool init \(shellQuoted(spool.path))` makes one; what waits in the folder stays as it is")
    }
}

extension SpoolFolder {
    /// Where the file of `job` belongs; nil for a job that has none any more.
    public func pathOf(_ job: Job) -> String? { directory(job.place)?.pathOf(job.file) }

    /// Whether a runner is about to file jobs that have ended: it does a moment after it has recorded their end. What is not filed by then
    /// may not be moved, or waits for a disk.
    public func isFiling(_ ledger: Ledger, now: Int64) throws -> Bool {
        guard try RunnerLock.holder(self) != nil else { return false }
        do {
            return try ledger.read { try $0.unconfirmedMoves(limit: 1000) }.contains { job in
                guard let finished = job.finished, now - finished < Self.filingMaxMilliseconds, let folder = directory(job.place)
                else { return false }
                return try folder.status(job.file) == nil
            }
        } catch let error as SystemCallError {
            throw error.forUser
        }
    }

    private static let filingMaxMilliseconds: Int64 = 5000

    /// Whether a prompt of this file name waits in the drop folder that has no job yet.
    ///
    /// - Parameter ledger: knows what has one.
    public func isWaiting(_ name: String, _ ledger: Ledger) throws -> Bool {
        guard let prompt = PromptName(bytes: Array(name.utf8)), prompt.kind == .prompt else { return false }
        do {
            guard let status = try root.status(name), status.kind != .folder else { return false }
            return try ledger.read { tx in
                if let moving = try tx.jobLeaving(.drop, file: name), moving.fileSignature == status.identity { return false }
                return try tx.waitingJob(file: name) == nil && !tx.finishedJobs(file: name).contains(where: \.isKept)
            }
        } catch let error as SystemCallError {
            throw error.forUser
        }
    }

    /// Whether a prompt waits in the drop folder that no finished job has been put back as. Ends at the first one.
    ///
    /// - Parameter ledger: knows what was put back (`move_to_completed: no`).
    public func hasWaitingFile(_ ledger: Ledger) throws -> Bool {
        let kept = try ledger.read { try $0.keptFiles() }
        var isFound = false
        do {
            try root.forEachEntry { bytes, type in
                if type == UInt8(DT_DIR) { return true }
                guard let name = PromptName(bytes: Array(bytes)), name.kind == .prompt else { return true }
                if let job = kept[ExactText(name.text)],
                    try job.fromPlace != nil || KeptPrompt.isAsItWas(job, in: root, sizeMax: OpenFile.stampedMax)
                {
                    return true
                }
                isFound = true
                return false
            }
        } catch let error as SystemCallError {
            throw error.forUser
        }
        return isFound
    }
}

extension LedgerTransaction {
    /// The newest jobs, oldest of them first.
    ///
    /// - Parameters:
    ///   - states: nil: all.
    ///   - before: only jobs with a lower number.
    public func newest(_ states: Set<JobState>?, limit: Int, before: Int64 = .max) throws -> [Job] {
        guard let states else { return try jobs("WHERE id < ? ORDER BY id DESC LIMIT ?", [before, limit]).reversed() }
        // One query for each state, so that each is answered by the index on (state, id).
        var found: [Job] = []
        for state in states {
            found += try jobs("WHERE state = ? AND id < ? ORDER BY id DESC LIMIT ?", [state.rawValue, before, limit])
        }
        return found.sorted { $0.id < $1.id }.suffix(limit)
    }

    /// Jobs with a higher number than `after`, in order: a page of all of them.
    public func page(_ states: Set<JobState>?, after: Int64, limit: Int) throws -> [Job] {
        guard let states else { return try jobs("WHERE id > ? ORDER BY id LIMIT ?", [after, limit]) }
        var found: [Job] = []
        for state in states {
            found += try jobs("WHERE state = ? AND id > ? ORDER BY id LIMIT ?", [state.rawValue, after, limit])
        }
        return Array(found.sorted { $0.id < $1.id }.prefix(limit))
    }

    /// The job that a person means: a number, where its file stands (`held/name.md`), the name of a prompt (its newest job), or a
    /// prompt id.
    ///
    /// - Parameter states: what it must be in for what is to be done to it; empty: any. A name is of a job in one of them where there is one.
    /// - Throws: `invalidInput` where there is none, and where several jobs in `states` have that name.
    public func find(_ text: String, in states: Set<JobState> = []) throws -> Job {
        let digits = text.hasPrefix("#") ? text.dropFirst() : text[...]
        if let number = Int64(digits), let job = try job(number) { return job }
        let parts = text.split(separator: "/").map(String.init)
        let name = parts.last ?? text
        if parts.count > 1, let place = Place(rawValue: parts[parts.count - 2]), place != .drop, place != .none,
            let job = try jobs(of: name).first(where: { $0.place == place && $0.file == name })
        {
            return job
        }
        if !states.isEmpty {
            let meant = try jobs(of: name).filter { states.contains($0.state) }
            if meant.count > 1 { throw Steering.ambiguous(name, meant) }
            if let job = meant.first { return job }
        }
        if let job = try job(named: name) { return job }
        // `<name>--<12 hex digits>`
        if let cut = name.range(of: "--", options: .backwards) {
            let named = String(name[..<cut.lowerBound])
            if let job = try jobs("WHERE name = ? AND prompt_id = ? ORDER BY id DESC LIMIT 1", [named, name]).first {
                return job
            }
        }
        if let job = try jobs(of: name).first { return job }
        throw Steering.unknown(text)
    }

    /// The jobs of a prompt's name, and those whose files are named so where they stand; the newest first, of each kind at most 1000.
    private func jobs(of name: String) throws -> [Job] {
        var found = try jobs("WHERE name = ? ORDER BY id DESC LIMIT 1000", [name])
        // Another name than its own: the place beside another job's file was taken.
        for job in try heldJobs(file: name) + finishedJobs(file: name) where !found.contains(where: { $0.id == job.id }) {
            found.append(job)
        }
        return found.sorted { $0.id > $1.id }
    }

    /// Failed jobs whose last attempt failed for this reason, oldest first; all failed jobs where `failureClass` is nil. Not those whose
    /// files `prune` has removed.
    public func failedJobs(_ failureClass: FailureClass?) throws -> [Int64] {
        let failed = "SELECT id FROM jobs WHERE state = 'failed' AND (pruned IS NULL OR place = 'drop')"
        guard let failureClass else { return try rows(failed + " ORDER BY id").map { $0[0] } }
        if failureClass == .blocked { return try rows(failed + " AND status = 'blocked' ORDER BY id").map { $0[0] } }
        return try rows(
            """
            SELECT jobs.id FROM jobs JOIN attempts ON attempts.job = jobs.id AND attempts.attempt = jobs.attempts
            WHERE jobs.state = 'failed' AND (pruned IS NULL OR place = 'drop') AND jobs.status IN ('failed', 'interrupted') AND attempts.failure_class = ? ORDER BY jobs.id
            """, [failureClass.rawValue]
        ).map { $0[0] }
    }

    /// Numbers of the jobs in this state, oldest first.
    public func jobs(in state: JobState) throws -> [Int64] {
        try rows("SELECT id FROM jobs WHERE state = ? ORDER BY id", [state.rawValue]).map { $0[0] }
    }

    /// The number of the last change of a job's state that was recorded; 0 before the first.
    public func lastTransition() throws -> Int64 { try Int64.fetchOne(db, sql: "SELECT max(id) FROM transitions") ?? 0 }

    /// How many jobs have failed since the change of state with this number, and still are.
    public func failures(since transition: Int64) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(DISTINCT jobs.id) FROM transitions JOIN jobs ON jobs.id = transitions.job
                WHERE transitions.id > ? AND transitions."to" = 'failed' AND jobs.state = 'failed'
                """, arguments: [transition]) ?? 0
    }
}

/// A spool at one moment.
public struct SpoolStatus: Sendable {
    public var counts: [JobState: Int]
    /// The hold in force, whether ledger or file says so.
    public var hold: HoldRecord?
    public var failures: FailureCounts
    public var runner: RunnerLock.Holder?
    /// How often the kernel's event queue overflowed, and how often the whole folder was looked at.
    public var overflows: Int64
    public var rescans: Int64
    /// Prompts in the drop folder that had no job yet at the last look of a runner.
    public var backlog: Int64

    /// Costs the same at any number of jobs.
    public init(_ spool: SpoolFolder, _ ledger: Ledger) throws {
        runner = try RunnerLock.holder(spool)
        let isFileThere = HoldGate.isFileThere(spool)
        (counts, hold, failures, overflows, rescans, backlog) = try ledger.read { tx in
            (
                try tx.counts(), try tx.openHold(), try tx.failureCounts(), try tx.fact(.overflows), try tx.fact(.rescans),
                try tx.fact(.backlog)
            )
        }
        if isFileThere, hold == nil {
            let text = try? HoldFile.read(in: spool.root)?.reason  // Unreadable content does not make it less of a hold.
            hold = HoldRecord(
                since: 0, kind: .byHand, reason: text ?? "set by hand", failStreak: failures.streak, failTotal: failures.total)
        } else if isFileThere, let record = hold, let reason = HoldGate.reasonByHand(instead: record, in: spool) {
            // No runner has seen yet that another hold has taken its place.
            hold = HoldRecord(since: 0, kind: .byHand, reason: reason, failStreak: 0, failTotal: 0)
            failures = FailureCounts()
        } else if !isFileThere, let record = hold, record.fileWritten {
            // Somebody removed the file, and no runner has noted it yet.
            hold = nil
            failures = FailureCounts()
        }
    }
}
