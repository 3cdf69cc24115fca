// What a runner does first: end what a dead runner left running, record what it cut off, finish the moves that it began, and
// put every file where the ledger says. What fails for good by that counts as any failure does, and may put the spool on hold.
// Idempotent: a crash in the middle of it is recovered by the next start.

import Foundation

/// What a recovery ended, for the run that begins with it.
public struct Recovered: Sendable, Hashable {
    /// Jobs that failed because a runner died, in the order in which they were found.
    var failed: [Job] = []
    /// The hold that one of them caused.
    var hold: HoldRecord?
    /// What the machine refused for one file each: its move is still noted, and tried again.
    var unmoved: [SystemCallError] = []
    /// Prompts in `held/` that no job has: nobody is asked about them.
    var forgotten: [String] = []
    public init() {}

    public func hasFailed(_ job: Job) -> Bool { failed.contains { $0.id == job.id } }

    mutating func add(_ other: Recovered) {
        failed += other.failed
        unmoved += other.unmoved
        // Each looks at the same folder.
        forgotten += other.forgotten.filter { !forgotten.contains($0) }
        hold = other.hold ?? hold
    }
}

struct Recovery {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    let executor: any Executor
    let clock: any SpoolClock
    /// The policy and the id of the run that begins, for its thresholds; nil: failures are counted, but take no hold.
    var counting: (policy: ResolvedPolicy, runID: String)?

    @discardableResult
    func run() async throws -> Recovered {
        var recovered = Recovered()
        do {
            _ = try await executor.endStrays(runsDirectory: spool.runs.path)
            try removeAsides()
            let requests = try ledger.read { try $0.requests() }
            let cancelled = Set(requests.filter { $0.kind == "cancel" }.map(\.job))
            try takeBackUnbegun()
            try await stamp(try interruptRunning(cancelled, &recovered))
            try finishMoves(&recovered)
            try returnActive(cancelled, &recovered)
            // Only now: should a crash come before, the next start does what was asked.
            try ledger.write { try $0.removeRequests(requests) }
            try fileOrphans(&recovered)
            try findForgotten(&recovered)
            try spool.syncPlaces()
        } catch let error as SystemCallError {
            throw error.forUser
        }
        return recovered
    }

    /// Counts a failure in the transaction that records it.
    private func count(_ job: Job, _ recovered: inout Recovered, _ tx: LedgerTransaction, now: Int64) throws {
        recovered.failed.append(job)
        guard let counting else {
            let counts = try tx.failureCounts()
            return try tx.setFailureCounts(FailureCounts(streak: counts.streak + 1, total: counts.total + 1))
        }
        let counted = try EndOfJob.count(job, counting.policy.policy, runID: counting.runID, now: now, tx)
        recovered.hold = counted.hold ?? recovered.hold
    }

    /// Files that were being written aside are nobody's: what they would have replaced is whole.
    private func removeAsides() throws {
        for folder in [spool.root, spool.active, spool.held, spool.done, spool.failed] {
            var asides: [String] = []
            try folder.forEachEntry { bytes, _ in
                let name = String(decoding: bytes, as: UTF8.self)
                if name.hasPrefix(Directory.asidePrefix) { asides.append(name) }
                return asides.count < 10_000
            }
            // A command may be writing one (`reject`, `hold`): it goes when that does.
            // What is no file was made by somebody else.
            for name in asides where !Directory.isAsideInUse(name) {
                if try folder.status(name)?.kind == .regular { try folder.remove(name) }
            }
        }
        try SpareRuns.removeLeftovers(spool.runs)
    }

    /// Attempts that were recorded ahead of their turn, and whose turn never came, do not count: their jobs were claimed, no more.
    /// Of the others, the move that their claim began is made whole first.
    private func takeBackUnbegun() throws {
        let begun = BegunRecord.read(spool.runs, mark: try ledger.read { try $0.fact(.begunMark) })
        let now = clock.wallMilliseconds()
        for attempt in try ledger.read({ try $0.runningAttempts() }) {
            guard var job = try ledger.read({ try $0.job(attempt.job) }), job.state == .active else { continue }
            if let begun, !begun.contains(BegunRecord.Entry(job: attempt.job, attempt: attempt.attempt)), try !hasTraces(attempt)
            {
                job.takeBackAttempt()
                let unbegun = job
                try ledger.write { tx in
                    try tx.removeUnbegunAttempt(of: unbegun.id)
                    try tx.save(unbegun, expecting: .active, why: nil, now: now)
                }
            } else if job.fromPlace == .drop {
                let moved = try filing.finishMove(job)
                try ledger.write { try $0.confirmMoves([moved]) }
            }
        }
    }

    /// Whether something in the run folder says that the attempt has run, whatever the record says: the ledger may be a copy that was made
    /// while it ran.
    private func hasTraces(_ attempt: AttemptRecord) throws -> Bool {
        let folder: Directory
        do throws(SystemCallError) {
            folder = try RunPath.open(attempt.runDirectory, in: spool)
        } catch {
            // Where one is that cannot be looked into, nobody can say that it did not.
            return error.errno != ENOENT
        }
        var names: [String] = []
        try folder.forEachEntry { bytes, _ in
            names.append(String(decoding: bytes, as: UTF8.self))
            return names.count < 10_000
        }
        // Block files and empty logs are made ahead; of an agent or a model the transcript or the errors tell.
        return try names.contains { name in
            if name == RunFolder.resultName { return true }
            return try (name.hasSuffix(".log") || name.hasPrefix("transcript.")) && folder.status(name)?.size ?? 0 > 0
        }
    }

    /// Attempts that nobody is making any more are interrupted. Each has used up its place in the retry budget.
    ///
    /// - Returns: those that are over with it, and the attempt.
    private func interruptRunning(
        _ cancelled: Set<Int64>, _ recovered: inout Recovered
    ) throws -> [(job: Job, attempt: AttemptRecord)] {
        let now = clock.wallMilliseconds()
        var over: [(job: Job, attempt: AttemptRecord)] = []
        let ended = try ledger.write { tx in
            var ended = Recovered()
            for attempt in try tx.runningAttempts() {
                var result = AttemptResult(
                    outcome: .interrupted, failureClass: .interrupted, message: "the runner ended before the attempt did")
                result.usage = worktree(of: attempt)
                if let path = result.usage?.worktree { result.message += "; its changes are in \(printable(path))" }
                let found = try tx.job(attempt.job)
                let progress = found.flatMap { Progress(of: attempt, $0, in: spool) }
                if let progress { (result.failedBlock, result.lastOKBlock) = (progress.block, progress.block - 1) }
                try tx.finishAttempt(job: attempt.job, attempt: attempt.attempt, result)
                guard var job = found, job.state == .active else { continue }
                if let progress {
                    // What has ended well is not run again.
                    job.nextBlock = progress.block
                    job.carriedJSON = progress.carriedJSON
                }
                let undone = try undoneClaim(job, tx)
                if cancelled.contains(job.id) {
                    job.end(.cancelled, .cancelled, reason: "cancelled while it ran", now: now)
                } else if job.budgetUsed <= retryMax(job) {
                    job.wait(.queued, reason: "interrupted; runs again")
                } else {
                    job.end(.failed, .interrupted, reason: "interrupted: the runner ended before the attempt did", now: now)
                }
                if let undone {
                    job.fromPlace = job.place == .drop ? nil : .drop
                    job.fromFile = job.place == .drop ? nil : job.name
                    job.fileSignature = job.isKept ? undone.signature : undone.identity
                    job.file = job.place == .drop ? job.name : try filing.freeName(for: job, tx)
                } else {
                    job.file = try filing.freeName(for: job, tx)
                }
                try tx.save(job, expecting: .active, why: job.reason, now: now)
                if job.state == .failed { try count(job, &ended, tx, now: now) }
                if job.state.isTerminal {
                    var record = attempt
                    (record.failedBlock, record.lastOKBlock) = (result.failedBlock, result.lastOKBlock)
                    over.append((job, record))
                }
            }
            return ended
        }
        recovered.add(ended)
        return over
    }

    /// Stamps prompts whose attempts were cut off, and files them. What cannot be stamped is filed all the same, by `finishMoves`.
    private func stamp(_ over: [(job: Job, attempt: AttemptRecord)]) async throws {
        let works = try over.filter { $0.job.fromPlace == .active }.map { try filingWork($0.job, $0.attempt) }
        guard !works.isEmpty else { return }
        let swap = SwapFile(spool.active)
        defer { swap.removeSpares() }
        _ = await FilingWork.run(works, swap)
    }

    private func filingWork(_ job: Job, _ attempt: AttemptRecord) throws -> FilingWork {
        let updated = Date(timeIntervalSince1970: Double(clock.wallMilliseconds()) / 1000)
        let sha = job.promptSHA ?? ""
        var stamp = Stamp(promptID: job.promptID ?? job.name, promptSHA: sha)
        stamp.exec = Stamp.Exec(
            source: "recovery", status: .interrupted, runRef: attempt.runDirectory, promptSHA: sha, gate: .skipped,
            failedBlock: attempt.failedBlock, failureClass: .interrupted, lastOKBlock: attempt.lastOKBlock,
            warningCount: try ledger.read { try $0.findings(of: job.id) }.count { $0.severity == .warning },
            attempts: job.attempts,
            exitCode: nil, durationMilliseconds: 0, updated: updated)
        if let counting {
            let (counts, hold) = try ledger.read { (try $0.failureCounts(), try $0.openHold()) }
            let policy = counting.policy.policy
            stamp.pipeline = Stamp.Pipeline(
                source: "recovery", status: hold == nil ? .failed : .hold, runID: counting.runID, attempt: job.attempts,
                failStreak: counts.streak, failTotal: counts.total, profile: counting.policy.profile ?? "none",
                failFastThreshold: policy.failFastThreshold, totalFailuresMax: policy.totalFailuresMax,
                lastEvent: hold == nil ? "prompt_failed" : "pipeline_hold", updated: updated)
        }
        return FilingWork(job: job, spool: spool, filing: filing, stamp: stamp, why: nil)
    }

    /// How far an attempt of a script had come that was cut off: its run folder has the block that ran, and what earlier ones handed on.
    private struct Progress {
        var block: Int
        var carriedJSON: String

        /// - Returns: nil where that cannot be told; then it begins where it began. A block's file is there once all before it have ended.
        init?(of attempt: AttemptRecord, _ job: Job, in spool: SpoolFolder) {
            guard job.mode == ExecMode.script.rawValue, let folder = try? RunPath.open(attempt.runDirectory, in: spool),
                let bytes = try? spool.active.openForReading(job.file).readAllStamped()
            else { return nil }
            let blocks = PromptFile.read(name: job.name, bytes: bytes).blocks
            // What the prompt has written there under such a name is no trace of ours.
            let begun = blocks.last { block in
                let script = try? folder.openForReading(RunFolder.blockName(block.number)).readAll(bytesMax: OpenFile.stampedMax)
                return block.number > job.nextBlock && script == Data(block.text.utf8)
            }
            let environment = try? folder.openForReading(RunFolder.environmentName).readAll(
                bytesMax: RunFolder.environmentBytesMax)
            guard let begun, let environment else { return nil }
            var handed = HandedEnvironment()
            _ = handed.take(environment)
            block = begun.number
            carriedJSON = HandedEnvironment.json(handed.values)
        }
    }

    /// The worktree that an attempt of an agent had, in the form in which an attempt that ends says so; nil without one.
    private func worktree(of attempt: AttemptRecord) -> RunUsage? {
        // What cannot be looked for is not told of; nothing of it is lost.
        guard let folder = try? RunPath.open(attempt.runDirectory, in: spool),
            let note = WorktreeNote.read(in: folder, job: attempt.job, attempt: attempt.attempt),
            let parent = try? spool.control.folder("worktrees"), (try? parent.status(note.name))?.kind == .folder
        else { return nil }
        var usage = RunUsage(runner: note.runner)
        usage.worktree = parent.path + "/" + note.name
        usage.branch = note.branch
        return usage
    }

    /// The file of a job whose claim's rename a power loss has undone: gone from `active/`, and its very bytes are in the drop
    /// folder. Without this it would be a new job there, with a fresh budget.
    ///
    /// - Parameter file: its name in `active/`; nil: the job's own.
    private func undoneClaim(_ job: Job, file: String? = nil, _ tx: LedgerTransaction) throws -> FileStatus? {
        guard try spool.active.status(file ?? job.file) == nil,
            let status = try spool.root.status(job.name), status.kind == .regular,
            let sha = job.promptSHA, try tx.waitingJob(file: job.name) == nil,
            let bytes = try spool.root.openForReading(job.name).readAllStamped()
        else { return nil }
        return PromptFile.read(name: job.name, bytes: bytes).sha == sha ? status : nil
    }

    /// The job's own `retry_max`, as it was when its attempt started. Where that came from the run that was cut off, and not from the
    /// prompt, the run that begins may be more careful, and is heard.
    private func retryMax(_ job: Job) -> Int {
        let name = Toggle.retryMax.rawValue
        let values = job.policyJSON.flatMap { try? JSON.parse($0) }  // Written by us; unreadable counts as 0, the careful value.
        let own = values?[name]?.stringValue.flatMap(Int.init) ?? 0
        let isFromPrompt =
            job.policySourceJSON.flatMap { try? JSON.parse($0) }?[name]?.stringValue == PolicyLayer.frontMatter.rawValue
        guard let resolved = counting?.policy, resolved.sources[.retryMax] != .builtin || !isFromPrompt else { return own }
        return min(own, resolved.policy.retryMax)
    }

    /// Moves that the ledger has and the folders may not.
    private func finishMoves(_ recovered: inout Recovered) throws {
        var stuck: Set<Int64> = []
        while true {
            let jobs = try ledger.read { try $0.unconfirmedMoves(limit: 1000 + stuck.count) }.filter { !stuck.contains($0.id) }
            if jobs.isEmpty { return }
            var moved: [Job] = []
            for job in jobs {
                do {
                    var made = try filing.finishMove(try leavingDrop(job))
                    // It is the ledger's note that is struck out.
                    (made.fromPlace, made.fromFile) = (job.fromPlace, job.fromFile)
                    moved.append(made)
                } catch let error as SystemCallError where error.isOfOneFile {
                    stuck.insert(job.id)
                    recovered.unmoved.append(error)
                }
            }
            try spool.syncPlaces()
            try ledger.write { try $0.confirmMoves(moved, keptIn: spool.root) }
        }
    }

    /// The move as it has to be made where a power loss has undone the claim's rename as well: from the drop folder, where the
    /// file stands again. Not made, it would look as if the user had moved a finished prompt back, and it would run again.
    private func leavingDrop(_ job: Job) throws -> Job {
        guard job.fromPlace == .active, let file = job.fromFile, job.place != .drop,
            try spool.directory(job.place)?.status(job.file) == nil,
            let status = try ledger.read({ try undoneClaim(job, file: file, $0) })
        else { return job }
        var job = job
        (job.fromPlace, job.fromFile, job.fileSignature) = (.drop, job.name, status.identity)
        return job
    }

    /// Jobs that were claimed but not started wait again. A power loss may have undone the claim's rename; then the file
    /// already stands in the drop folder. One that somebody has cancelled meanwhile is filed instead.
    private func returnActive(_ cancelled: Set<Int64>, _ recovered: inout Recovered) throws {
        let now = clock.wallMilliseconds()
        for var job in try ledger.read({ try $0.jobs("WHERE state = 'active' ORDER BY id") }) {
            let isInActive = try spool.active.status(job.file) != nil
            // Where another job waits under that name, the file there is that job's, and this one's is gone.
            let isTaken = try ledger.read { try $0.waitingJob(file: job.name) } != nil
            job.wait(.queued, reason: "")
            job.file = isInActive || isTaken ? try filing.freeName(for: job) : job.name
            if !isInActive {
                job.fromPlace = nil
                job.fromFile = nil
            }
            var why = "given back: the runner ended before it started"
            if cancelled.contains(job.id) {
                let (place, file) = isInActive ? (Place.active, job.fromFile ?? job.file) : (.drop, job.file)
                job.end(.cancelled, .cancelled, reason: "cancelled before it started", now: now)
                (job.fromPlace, job.fromFile) = (place, file)
                if place == .drop { job.fileSignature = try spool.root.status(file)?.identity }
                job.file = try filing.freeName(for: job)
                why = job.reason
            }
            let (saved, reason) = (job, why)
            try ledger.write { try $0.save(saved, expecting: .active, why: reason, now: now) }
            guard saved.fromPlace != nil else { continue }
            do {
                let moved = try filing.finishMove(job)
                try ledger.write { try $0.confirmMoves([moved]) }
            } catch let error as SystemCallError where error.isOfOneFile {
                recovered.unmoved.append(error)
            }
        }
    }

    /// Files in `held/` that no job has, after the ledger was begun anew: they stay, and it is said.
    private func findForgotten(_ recovered: inout Recovered) throws {
        var names: [String] = []
        try spool.held.forEachEntry { bytes, type in
            if type != UInt8(DT_DIR), let name = PromptName(bytes: Array(bytes)), name.kind == .prompt { names.append(name.text) }
            return names.count < 1000
        }
        for name in names.sorted(by: precedes) where try ledger.read({ try $0.heldJobs(file: name).isEmpty }) {
            recovered.forgotten.append(name)
        }
    }

    /// Files in `active/` that no job claims: they may have run, so they are filed as failed, never run again unasked.
    private func fileOrphans(_ recovered: inout Recovered) throws {
        var names: [PromptName] = []
        try spool.active.forEachEntry { bytes, _ in
            if let name = PromptName(bytes: Array(bytes)) { names.append(name) }
            return names.count < 10_000
        }
        for found in names {
            // It may be no text: the ledger has it escaped, and its inode says which it is.
            guard let status = try spool.active.status(rawName: found.bytes) else { continue }
            let name = found.text
            // Of a process that seems to live: it goes with a later start.
            if name.hasPrefix(Directory.asidePrefix) { continue }
            // A job's, which could not be moved.
            if try ledger.read({ try $0.jobLeaving(.active, file: name) }) != nil { continue }
            let reason = "orphan: found in active/ without a job; it may have run before"
            let target = try filing.freeName(name, job: 0, in: .failed)
            let now = clock.wallMilliseconds()
            let (job, ended) = try ledger.write { tx in
                var ended = Recovered()
                let job = try tx.admitRefused(
                    name: name, file: target, reason: reason, from: .active, identity: status.identity, now: now)
                try count(job, &ended, tx, now: now)
                return (job, ended)
            }
            recovered.add(ended)
            let moved = try filing.finishMove(job)
            try filing.explain(moved, "\(printable(name)): \(reason)")
            try ledger.write { try $0.confirmMoves([moved]) }
        }
    }
}
