// Takes away what finished jobs have left: their files in `done/` and `failed/` and their run folders. What always holds: a job
// that is not finished is never touched, nor a prompt that keeps its place in the drop folder; the job itself, its attempts and
// its history stay in the ledger. The ledger says first that a job is given up, then everything goes, then it says that nothing
// is left; what a crash cuts off is finished by the next prune, and no check takes it for a loss. Works beside a runner.

import Foundation

/// Removes what the retention rule gives up.
public struct Pruning: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let clock: any SpoolClock

    /// Jobs that are given up in one transaction at most.
    static let chunkMax = 64

    public init(spool: SpoolFolder, ledger: Ledger, clock: any SpoolClock = SystemClock()) {
        self.spool = spool
        self.ledger = ledger
        self.clock = clock
    }

    /// What was removed.
    public struct Report: Sendable, Hashable {
        public var jobs: [Int64] = []
        /// In `done/` and `failed/`, with what explains them.
        public var files = 0
        /// One for each attempt.
        public var runFolders = 0
        public init() {}
    }

    /// The jobs that `retention` gives up, oldest first. Those that were pruned before do not count, neither as newest.
    public func candidates(_ retention: Retention) throws -> [Int64] {
        let items = try ledger.read { try $0.prunableItems() }
        return retention.selection(from: items, now: clock.wallMilliseconds())
    }

    /// Removes file and run folders of these jobs, as far as they are (still) finished, and of those that an earlier prune left.
    ///
    /// On return all of it is durable. Safe to repeat.
    /// - Throws: `unavailable` where ledger or folders refuse; what was begun is finished by the next prune.
    public func remove(_ jobs: [Int64]) throws -> Report {
        var report = Report()
        do {
            try finish(try ledger.read { try $0.unfinishedPrunes() }, &report)
            var rest = jobs[...]
            while !rest.isEmpty {
                let chunk = Array(rest.prefix(Self.chunkMax))
                rest = rest.dropFirst(Self.chunkMax)
                let now = clock.wallMilliseconds()
                let begun = try ledger.write { tx in try chunk.filter { try tx.beginPrune($0, now: now) } }
                try finish(begun, &report)
            }
            try removeEmptyDays()
        } catch let error as SystemCallError {
            throw error.forUser
        }
        return report
    }

    /// Run folders first, which nobody else can want; then the files, within the transaction that says so, because a name
    /// in `done/` that is free may be another job's a moment later.
    private func finish(_ jobs: [Int64], _ report: inout Report) throws {
        guard !jobs.isEmpty else { return }
        for id in jobs { report.runFolders += try removeRuns(of: id) }
        try spool.runs.sync()
        let files = try ledger.write { tx in
            var files = 0
            for id in jobs where try tx.isBeingPruned(id) {
                if let job = try tx.job(id) { files += try removeFile(of: job, tx) }
            }
            for folder in [spool.done, spool.failed] { try folder.sync() }
            for id in jobs { try tx.finishPrune(id) }
            return files
        }
        report.files += files
        report.jobs += jobs
    }

    private func removeFile(of job: Job, _ tx: LedgerTransaction) throws -> Int {
        guard job.state.isTerminal, job.place == .done || job.place == .failed, let folder = spool.directory(job.place),
            try !tx.isClaimed(job.file, in: job.place, byOtherThan: job.id)
        else { return 0 }
        var count = 0
        var names = [job.file]
        if job.place == .failed, let why = PromptName(job.file)?.why, try !tx.isClaimed(why, in: .failed, byOtherThan: job.id) {
            names.append(why)
        }
        // Its author has put something else there, or has mended it.
        guard try isAsFiled(job, in: folder) else { return 0 }
        for name in names where try folder.status(name) != nil {
            try folder.removeTree(name)
            count += 1
        }
        return count
    }

    /// Whether what stands under a job's name is its prompt, as far as that is known.
    private func isAsFiled(_ job: Job, in folder: Directory) throws -> Bool {
        guard let status = try folder.status(job.file) else { return true }
        guard let sha = job.promptSHA else { return true }
        guard let prompt = try KeptPrompt.read(job.file, status, in: folder, sizeMax: OpenFile.stampedMax) else { return false }
        return PromptFile.read(name: job.name, bytes: prompt.bytes).sha == sha
    }

    /// - Returns: how many attempts had a folder.
    private func removeRuns(of id: Int64) throws -> Int {
        guard let job = try ledger.read({ try $0.job(id) }) else { return 0 }
        var count = 0
        for attempt in try ledger.read({ try $0.attempts(of: id) }) where attempt.outcome != .running {
            // `runs/<yyyy-mm-dd>/<job>/attempt-<n>`, as the ledger has it; anything else is not ours to remove.
            let parts = attempt.runDirectory.split(separator: "/").map(String.init)
            guard parts.count == 4, parts[0] == "runs", parts[2] == "\(id)", !parts.contains("..") else { continue }
            guard let day = try folder(spool.runs, parts[1]), let own = try folder(day, parts[2]) else { continue }
            if try own.status(parts[3]) != nil {
                try own.removeTree(parts[3])
                count += 1
            }
            // A job that keeps its place may be starting its next attempt in here at this moment.
            if job.place != .drop { try day.removeFolderIfEmpty(parts[2]) }
        }
        return count
    }

    private func folder(_ parent: Directory, _ name: String) throws(SystemCallError) -> Directory? {
        guard let status = try parent.status(name), status.kind == .folder else { return nil }
        return try parent.folder(name)
    }

    /// Folders of days in which nothing is left. Those of the last two are let be: a runner may be making a folder in them.
    private func removeEmptyDays() throws {
        let recent = utcText(clock.wallMilliseconds() - 86_400_000).prefix(10)
        var days: [String] = []
        try spool.runs.forEachEntry { bytes, _ in
            let name = String(decoding: bytes, as: UTF8.self)
            if name.utf8.count == 10, name.allSatisfy({ $0.isNumber || $0 == "-" }), name < recent { days.append(name) }
            return days.count < 100_000
        }
        for day in days {
            guard let open = try folder(spool.runs, day) else { continue }
            var jobs: [String] = []
            try open.forEachEntry { bytes, _ in
                jobs.append(String(decoding: bytes, as: UTF8.self))
                return jobs.count < 1000
            }
            for job in jobs { try open.removeFolderIfEmpty(job) }
            try spool.runs.removeFolderIfEmpty(day)
        }
    }
}

extension LedgerTransaction {
    /// Finished jobs of which something is left, and whose files stand still.
    func prunableItems() throws -> [Retention.Item] {
        try rows("SELECT id, state, finished FROM jobs WHERE finished IS NOT NULL AND pruned IS NULL AND from_place IS NULL")
            .compactMap { row in
                JobState(rawValue: row[1]).map { Retention.Item(job: row[0], state: $0, finishedMilliseconds: row[2]) }
            }
    }

    /// Says that a job is given up.
    ///
    /// - Returns: false, with nothing written, where it is not finished (any more) or its file is on the move.
    func beginPrune(_ job: Int64, now: Int64) throws -> Bool {
        try execute(
            """
            UPDATE jobs SET pruned = ? WHERE id = ? AND pruned IS NULL AND from_place IS NULL
              AND state IN ('done', 'failed', 'cancelled')
            """, [now, job])
        guard db.changesCount == 1 else { return false }
        try execute("INSERT OR IGNORE INTO prunes VALUES (?)", [job])
        return true
    }

    func unfinishedPrunes() throws -> [Int64] { try rows("SELECT job FROM prunes ORDER BY job").map { $0[0] } }

    func isBeingPruned(_ job: Int64) throws -> Bool { try row("SELECT 1 FROM prunes WHERE job = ?", [job]) != nil }

    /// Whether a job other than this one owns a file in `done/` or `failed/`; answered by the index on finished jobs' files.
    func isClaimed(_ file: String, in place: Place, byOtherThan job: Int64) throws -> Bool {
        try number(
            """
            SELECT 1 FROM jobs WHERE file = ? AND \(Self.isOver) AND place = '\(place.rawValue)' AND id <> ?
              AND pruned IS NULL LIMIT 1
            """, [file, job]) != nil
    }

    /// Says that nothing is left of it.
    func finishPrune(_ job: Int64) throws {
        try execute("UPDATE jobs SET place = 'none' WHERE id = ? AND pruned IS NOT NULL AND place IN ('done', 'failed')", [job])
        try execute("DELETE FROM prunes WHERE job = ?", [job])
    }
}
