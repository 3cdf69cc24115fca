// From waiting jobs to ones that can start at once: read, preflight, claim, stamp. Runs beside the job that is executing, so
// that the next one never waits for it. Leaves a job in `active/` when it is ready or blocked, in `held/` when a person must
// decide, and in the drop folder when it cannot be claimed yet. What waits for the disk (the commit of the claim, the fsync of
// the stamp) is done once for a group of jobs, and both at the same time.

import Foundation

/// A job that is claimed, checked and stamped.
struct Prepared: Sendable {
    var job: Job
    /// The job as the ledger has it.
    @Boxed var saved: Job
    @Boxed var prompt: PromptFile
    @Boxed var report: PreflightReport
    var verdict: PreflightReport.Verdict
    /// No attempt of this preparation has started yet.
    var isFresh = true
    /// Run folder of the last attempt, relative to the spool; empty before the first.
    var runDirectory = ""
    /// The run folder that was made ahead for the next attempt.
    var ready: ReadyRun?
    /// The next attempt is in the ledger already, or will be with the claim: it is the one that `job.attempts` counts.
    var isRecorded = false
    /// When the attempt began that was recorded ahead of its turn.
    var began: Int64?
    /// The preflight stage as it was stamped.
    @Boxed var stage: Stamp.Preflight? = nil
    /// What the file in `active/` holds since it was stamped; where it holds something else by the end, its block has
    /// changed it, and it is parsed again before the last stamp.
    var stampedBytes: Data?
}

/// A run folder that was made ahead.
struct ReadyRun: Sendable {
    /// Relative to the spool.
    let directory: String
    /// What its runner has made in it.
    let attempt: ReadyAttempt?

    /// Ends what has begun in it: its turn has not come after all.
    func endBegun() { attempt?.first?.giveUp() }
}

/// What came of preparing a job.
enum PrepareOutcome: Sendable {
    case ready(Prepared)
    /// An error, or a warning under `halt`: to be finished as failed.
    case blocked(Prepared)
    case held(Job, [Finding])
    case busy(Job)
    /// Claimed, and then somebody came to write to its file, who waits or has written: to be given back.
    case overtaken(Job)
    case withdrawn(Job)
    case refused(Job)
    /// Somebody else has moved it.
    case lost(Int64)
    /// The machine refused; the jobs are where the ledger says.
    case trouble([Int64], FlowspoolError)

    var isRefused: Bool { if case .refused = self { true } else { false } }

    /// The job whose preparation is over with this; nil where it is not.
    var job: Int64? {
        switch self {
        case .ready(let prepared), .blocked(let prepared): prepared.job.id
        case .held(let job, _), .withdrawn(let job), .refused(let job): job.id
        case .lost(let id): id
        case .busy, .overtaken, .trouble: nil
        }
    }
}

/// Prepares jobs.
struct Preparer: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    var claim: Claim
    var preflight: Preflight
    let clock: any SpoolClock
    let settings: RunSettings
    let swap: SwapFile
    let spareRuns: SpareRuns
    let runners: [ExecMode: any Runner]
    let executor: any Executor

    /// A job on its way: read and checked, perhaps stamped aside.
    struct OnItsWay: Sendable {
        var prompt: OpenPrompt
        var prepared: Prepared
        /// The stamped content, on stable storage but not in its place; nil where there is none.
        var spare: SwapFile.Spare?
    }

    /// Prepares jobs. Each is in exactly one of the outcomes.
    ///
    /// - Parameters:
    ///   - startsRecorded: of so many, the first, the turn has come: a slot is free. The commit that claims them records their
    ///     attempts as started.
    ///   - deliver: given the outcomes, as soon as they are there; what can wait is done afterwards.
    func prepare(_ jobs: [Job], startsRecorded: Int = 0, deliver: ([PrepareOutcome]) -> Void) async {
        var outcomes: [PrepareOutcome] = []
        var prompts: [OpenPrompt] = []
        for job in jobs {
            do {
                switch try claim.open(job) {
                case .open(let prompt): prompts.append(prompt)
                case .busy: outcomes.append(.busy(job))
                case .over(let end): outcomes.append(outcome(end, job))
                }
            } catch {
                outcomes.append(trouble(job, error))
            }
        }
        var group: [OnItsWay] = []
        for (prompt, checked) in zip(prompts, await check(prompts)) {
            switch checked {
            case .success(var prepared):
                if group.count < startsRecorded, prepared.mayBeRecorded { prepared.recordStart(now: clock.wallMilliseconds()) }
                group.append(OnItsWay(prompt: prompt, prepared: prepared))
            case .failure(let error): outcomes.append(trouble(prompt.job, error))
            }
        }
        let claimed = group.isEmpty ? Claimed() : await claim(group)
        deliver(outcomes + claimed.outcomes)
        letWokenThreadBegin()
        // Closed with these.
        (prompts, group) = ([], [])
        keep(claimed.replaced)
    }

    /// Keeps the files that were replaced, as spares; trouble leaves one of them behind, and the next start removes it.
    func keep(_ replaced: [SwapFile.Spare]) {
        for spare in replaced { try? swap.keep(spare) }
    }

    /// What came of a group's claims.
    struct Claimed {
        var outcomes: [PrepareOutcome] = []
        /// The prompts as they were before the stamp, under these spares' names.
        var replaced: [SwapFile.Spare] = []
    }

    /// Claims checked jobs, while their stamps are written aside, and then puts both files of each in their places. One outcome
    /// for each, or one for all.
    private func claim(_ group: [OnItsWay]) async -> Claimed {
        let starting = Dictionary(
            uniqueKeysWithValues: group.filter(\.prepared.isRecorded).map { ($0.prompt.job.id, $0.prepared) })
        let committing = Task(executorPreference: WorkerThreads.shared) {
            Result { try claim.commit(group.map(\.prompt), starting: starting) }
        }
        let stamped = await stampAside(group)
        var claimed = Claimed()
        let prompts: [OpenPrompt?]
        switch await committing.value {
        case .success(let result): prompts = result
        case .failure(let error):
            for case .success(let one) in stamped { giveUp(one) }
            claimed.outcomes = [.trouble(group.map(\.prompt.job.id), Self.forUser(error))]
            return claimed
        }
        for (index, result) in stamped.enumerated() {
            let job = (prompts[index] ?? group[index].prompt).job
            do {
                var one = try result.get()
                if let prompt = prompts[index] {
                    one.prompt = prompt
                    claimed.outcomes.append(try await settle(one, &claimed.replaced))
                } else {
                    giveUp(one)
                    claimed.outcomes.append(.lost(job.id))
                }
            } catch {
                claimed.outcomes.append(trouble(job, error))
            }
        }
        return claimed
    }

    /// What was made for a job that is not ours goes.
    func giveUp(_ one: OnItsWay) {
        if let spare = one.spare { swap.discard(spare) }
        if let ready = one.prepared.ready { giveUp(ready) }
    }

    func giveUp(_ run: ReadyRun) {
        run.endBegun()
        RunPath.removeUnused(run.directory, in: spool)
    }

    private func outcome(_ end: ClaimEnd, _ job: Job) -> PrepareOutcome {
        switch end {
        case .withdrawn(let job): .withdrawn(job)
        case .refused(let job): .refused(job)
        case .lost: .lost(job.id)
        }
    }

    func trouble(_ job: Job, _ error: any Error) -> PrepareOutcome {
        .trouble([job.id], (error as? SystemCallError)?.forUser(job: job) ?? Self.forUser(error))
    }

    static func forUser(_ error: any Error) -> FlowspoolError {
        switch error {
        case let error as FlowspoolError: error
        case let error as SystemCallError: error.forUser
        default: FlowspoolError(.bug, "preparing: \(error)")
        }
    }

    // MARK: Stamp and place

    /// Writes the stamped contents aside, and makes the run folders; one result for each job.
    ///
    /// - Parameter mode: permission bits of the stamped files; nil: those of the files that were read.
    private func stampAside(_ group: [OnItsWay], mode: UInt32? = nil) async -> [Result<OnItsWay, any Error>] {
        let written = group.map { one in
            Result {
                var one = one
                one.spare = try writeStamp(&one.prepared, mode: mode ?? one.prompt.status.mode)
                if one.prepared.verdict.isReady { makeReady(&one.prepared) }
                return one
            }
        }
        // What could not be written has nothing to sync; its error stays its result.
        let synced = await SwapFile.Spare.sync(written.map { try? $0.get().spare })
        return zip(written, synced).map { result, synced in
            result.flatMap { one -> Result<OnItsWay, any Error> in
                guard case .failure(let error) = synced else { return .success(one) }
                giveUp(one)
                return .failure(error)
            }
        }
    }

    /// Writes the content with the preflight stage aside.
    func writeStamp(_ prepared: inout Prepared, mode: UInt32) throws -> SwapFile.Spare? {
        // A blocked prompt is stamped when it is filed.
        guard prepared.prompt.canCarryStamp, prepared.verdict.status != .blocked else { return nil }
        var stamp = Stamp(promptID: prepared.prompt.id, promptSHA: prepared.prompt.sha)
        stamp.preflight = prepared.stage
        let bytes = try StampWriter.apply(stamp, to: prepared.prompt)
        let spare = try swap.write(bytes, mode: mode)
        prepared.stampedBytes = bytes
        return spare
    }

    /// Moves a claimed job's file, and puts its stamped content in its place.
    func settle(_ one: OnItsWay, _ replaced: inout [SwapFile.Spare]) async throws -> PrepareOutcome {
        var one = one
        do {
            switch try claim.move(one.prompt) {
            case .over(let end):
                giveUp(one)
                return outcome(end, one.prompt.job)
            case .moved(let job, nil):
                // The name that was thought of is another job's: the run folder that was made for it names the wrong file.
                if job.file != one.prepared.job.file, let ready = one.prepared.ready {
                    giveUp(ready)
                    one.prepared.ready = nil
                }
                // Its turn needs no commit, so nothing else would say that the file is in its place: see `confirmClaims`.
                one.prepared.saved = one.prepared.isRecorded ? one.prepared.job : job
                one.prepared.saved.file = job.file
                one.prepared.job.file = job.file
            case .moved(let job, let changed?):
                giveUp(one)
                if one.prepared.isRecorded { try takeBack(job) }
                one = try await again(one.prompt, job, changed)
            }
            // The folder is not fsynced: after a power loss the file is there with or without this stage, whole either way.
            guard try putInPlace(&one, &replaced) else {
                giveUp(one)
                return .overtaken(one.prepared.job)
            }
        } catch {
            giveUp(one)
            throw error
        }
        switch one.prepared.verdict.status {
        case .ready, .warned: return .ready(one.prepared)
        case .blocked: return .blocked(one.prepared)
        case .held: return try hold(one.prepared)
        }
    }

    /// Puts a job's stamped content in the place of its author's file.
    ///
    /// - Returns: false, with the author's file in its place, where somebody writes to that or is about to. Nothing of it has run.
    private func putInPlace(_ one: inout OnItsWay, _ replaced: inout [SwapFile.Spare]) throws(SystemCallError) -> Bool {
        defer { one.prompt.endLease() }
        guard try one.prompt.isUntouched() else { return false }
        guard let spare = one.spare else { return true }
        try swap.exchange(spare, with: one.prepared.job.file)
        // Once more, when it has no name any more that anybody else knows: whoever comes later finds the other one.
        guard try one.prompt.isUntouched() else {
            try swap.exchange(spare, with: one.prepared.job.file)
            return false
        }
        one.spare = nil
        replaced.append(spare)
        return true
    }

    /// A claimed job turned out to be another prompt than the one whose attempt was recorded.
    private func takeBack(_ job: Job) throws {
        let now = clock.wallMilliseconds()
        try ledger.write { tx in
            try tx.removeUnbegunAttempt(of: job.id)
            try tx.save(job, expecting: .active, why: nil, now: now)
        }
    }

    /// Checks and stamps a claimed job whose file turned out to hold other content than was checked.
    private func again(_ prompt: OpenPrompt, _ job: Job, _ bytes: Data) async throws -> OnItsWay {
        let one = OnItsWay(prompt: prompt, prepared: try await check(job, bytes))
        return try await stampAside([one], mode: try spool.active.status(job.file)?.mode)[0].get()
    }

    private func hold(_ prepared: Prepared) throws -> PrepareOutcome {
        let now = clock.wallMilliseconds()
        var job = prepared.job
        job.state = .held
        job.reason = prepared.verdict.reason
        job.place = .held
        job.fromPlace = .active
        job.fromFile = job.file
        job.file = try filing.freeName(for: job)
        let findings = prepared.report.findings
        let saved = try ledger.write { tx in
            guard try tx.save(job, expecting: .active, why: job.reason, now: now) else { return false }
            try tx.setFindings(findings, of: job.id)
            return true
        }
        guard saved else { return .lost(job.id) }
        job = try filing.finishMove(job)
        return .held(job, findings)
    }
}

extension SystemCallError {
    /// The same trouble, naming the job that it hit.
    func forUser(job: Job) -> FlowspoolError {
        let error = forUser
        return FlowspoolError(
            error.code, "job \(job.id) (\(printable(job.name))): \(error.message)", hint: error.hint, isLasting: error.isLasting)
    }
}
