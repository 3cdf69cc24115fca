// From an ended attempt to a filed prompt: decide (done, failed, again), count, commit, and only then stamp and move. The
// commit of one job's end and of the next one's start is one transaction, so the time between two jobs holds one fsync.

import Foundation

extension Dispatcher {
    /// What could not be committed for lack of disk or the like; kept in order and tried again, with nothing new started.
    enum Unwritten {
        /// A job that was taken in hand goes back to wait.
        case giveBack(Int64, why: String)
        /// An attempt ended.
        case ended(Prepared, AttemptResult?)
        /// A file could not be stamped or moved; the ledger has the move.
        case moved(Int64)
    }

    func attemptEnded(_ id: Int64, _ result: AttemptResult) {
        guard let entry = running.removeValue(forKey: id) else { return }
        wantsWaiting = true
        if let refusal = result.refusal, !entry.cancelsJob {
            trouble(refusal)
            if result.lastOKBlock < entry.prepared.job.nextBlock { return didNotBegin(entry, refusal) }
        } else {
            (pauses, lastingPauses) = (0, 0)
        }
        if entry.prepared.report.mode == .script {
            pace.note(milliseconds: clock.monotonicMilliseconds() - entry.since)
        } else {
            pace.noteAgent()
        }
        var result = result
        if let usage = result.usage { ending.usage.add(usage, milliseconds: result.durationMilliseconds) }
        // However it came to fail: whoever cancelled it does not want it tried again.
        if entry.cancelsJob, result.outcome == .failed { result.outcome = .cancelled }
        if result.outcome == .cancelled, !entry.cancelsJob {
            result.outcome = .interrupted
            result.failureClass = .interrupted
            result.message = "the runner was stopped"
        }
        finish(entry.prepared, result)
    }

    /// The machine would not let an attempt begin: it counts for nothing, its job waits again, and nothing is tried for a while.
    private func didNotBegin(_ entry: Running, _ refusal: SystemCallError) {
        withdrawPermit()
        let job = entry.prepared.job
        // Where that fails, it counts as begun should the runner be killed before it is given back.
        try? begun?.takeBack(job.id)
        RunPath.removeUnused(entry.prepared.runDirectory, in: spool)
        if entry.countsAsRan { ending.ran -= 1 } else { goesOn.insert(job.id) }
        observe(.notBegun(job, refusal))
        giveBack(job, why: "given back: \(refusal)")
    }

    /// Writes down the end of an attempt, or of a job that preflight blocked (`result` nil).
    func finish(_ prepared: Prepared, _ result: AttemptResult?) {
        // Its commit may put the spool on hold.
        withdrawPermit()
        do {
            try finishOrThrow(prepared, result)
        } catch {
            if let known = try? ledger.read({ try $0.job(prepared.job.id) }), known.state != .active {
                // Tried again it would come to the same.
                begun?.forget(known.id)
                let what = "\(known.title) has ended, but somebody else has recorded it as \(known.state.rawValue) meanwhile"
                return trouble(
                    FlowspoolError(
                        .unavailable, what, hint: "two runners at work here? `flowspool show \(known.id)` has what is recorded"))
            }
            unwritten.append(.ended(prepared, result))
            trouble(error)
        }
    }

    private func finishOrThrow(_ prepared: Prepared, _ result: AttemptResult?) throws {
        let now = clock.wallMilliseconds()
        var prepared = prepared
        let attempt = prepared.job.attempts
        let decision = decide(prepared, result)
        apply(decision, to: &prepared.job, result, now: now)
        let job = prepared.job
        if case .tryAgain = decision, let result {
            let began = prepared.began
            try start(prepared) { try $0.finishAttempt(job: job.id, attempt: attempt, result, started: began) }
            observe(.attemptFailed(job, result, triesAgain: true))
            announceStart(of: job.id)
            return
        }
        if job.state == .done, job.place == .drop { try recordKept(job) }
        let end = EndOfJob(
            job: job, saved: prepared.saved, attempt: prepared.isFresh ? nil : attempt, started: prepared.began,
            result: result,
            findings: result == nil ? prepared.report.findings : nil,
            policy: thresholds.policy, runID: settings.runID, now: now, filing: filing)
        // Where this end leaves the door open, the next job starts first, if that is recorded already; or its start is
        // committed with this end. Should the commit fail, the caller notes this end.
        let written: EndOfJob.Written
        let opensDoor = mayStartAfter(job)
        let next = opensDoor ? indexToStart.map { ready.remove(at: $0) } : nil
        if let next, !next.isRecorded {
            do {
                written = try start(next, finishing: end.write)
            } catch {
                unwritten.append(.giveBack(next.job.id, why: Self.unrecorded))
                throw error
            }
        } else {
            if let next { startRecorded(next) }
            written = opensDoor ? try writeRecordingNext(end.write) : try ledger.write(end.write)
        }
        begun?.forget(job.id)
        ended(written.job, result, prepared, crossed: written.committed.hold, counts: written.committed.counts)
        if let next { announceStart(of: next.job.id) }
    }

    /// Whether the outcome leaves the door open for the next job, as far as can be known before the commit.
    private func mayStartAfter(_ job: Job) -> Bool {
        mayStart && job.state == .done && !HoldGate.isFileThere(spool)
    }

    private func ended(_ job: Job, _ result: AttemptResult?, _ prepared: Prepared, crossed: HoldRecord?, counts: FailureCounts) {
        ending.failures = counts
        noteLimit(job, result)
        if let crossed { tookHold(crossed) }
        switch job.state {
        case .done: ending.succeeded += 1
        case .failed: ending.failed += 1
        case .deferred, .queued: goesOn.insert(job.id)
        default: dueAt[job.id] = nil
        }
        if let result, job.state == .deferred || job.state == .queued {
            observe(.attemptFailed(job, result, triesAgain: true))
            if job.state == .deferred { observe(.deferred(job)) }
        } else if result == nil {
            observe(.blocked(job, prepared.report.findings))
        } else {
            observe(.finished(job, result))
        }
        if let crossed { observe(.onHold(crossed)) }
        file(prepared, job, result, counts, isOnHold: crossed != nil)
    }

    // MARK: Decisions

    enum Decision {
        case success, fail, block(String), cancel(started: Bool), interrupt(runsAgain: Bool)
        /// At once, when the spool starts attempts again, or after so many milliseconds.
        case tryAgain, tryWhenStarting, tryLater(Int64)
    }

    private func decide(_ prepared: Prepared, _ result: AttemptResult?) -> Decision {
        guard let result else { return .block(prepared.verdict.reason) }
        let mayRetry = prepared.job.budgetUsed <= prepared.report.resolved.policy.retryMax
        switch result.outcome {
        case .success: return .success
        case .cancelled: return .cancel(started: !prepared.isFresh && result.refusal == nil)
        case .interrupted: return .interrupt(runsAgain: mayRetry)
        case .failed:
            if result.failureClass == .rateLimited {
                return .tryLater(limitWait(result, prepared.job))
            }
            // Goes on where the machine has stopped it.
            if result.refusal != nil { return .tryLater(max(1, pausedUntil - clock.monotonicMilliseconds())) }
            guard mayRetry, result.failureClass?.isRetryable ?? false else { return .fail }
            if settings.retryDelayMilliseconds > 0 { return .tryLater(settings.retryDelayMilliseconds) }
            if stopping == .now { return .interrupt(runsAgain: true) }
            let nothingStarts = stopping != .no || hold != nil || isReplaced || HoldGate.isFileThere(spool)
            return nothingStarts ? .tryWhenStarting : .tryAgain
        }
    }

    private func apply(_ decision: Decision, to job: inout Job, _ result: AttemptResult?, now: Int64) {
        if let result {
            job.nextBlock = result.failedBlock ?? result.lastOKBlock + 1
            job.carriedJSON = HandedEnvironment.json(result.carriedEnvironment)
            job.reason = result.message
            job.duration = (job.duration ?? 0) + Int64(result.durationMilliseconds)
        }
        switch decision {
        case .success: job.end(.done, .success, reason: "", now: now)
        case .fail: job.end(.failed, .failed, reason: result.map { $0.reason } ?? "", now: now)
        case .block(let why): job.end(.failed, .blocked, reason: why, now: now)
        case .cancel(let started):
            job.end(.cancelled, .cancelled, reason: started ? "cancelled while it ran" : "cancelled before it started", now: now)
        case .interrupt(runsAgain: false): job.end(.failed, .interrupted, reason: "interrupted: the runner was stopped", now: now)
        case .interrupt(runsAgain: true): job.wait(.queued, reason: "interrupted: the runner was stopped; runs again")
        case .tryAgain: break
        case .tryWhenStarting: job.wait(.queued, reason: result?.reason ?? "")
        case .tryLater(let delay):
            if result?.failureClass == .rateLimited || result?.refusal != nil { job.budgetUsed -= 1 }
            job.wait(.deferred, reason: result?.reason ?? "")
            job.delay = delay
            job.notBefore = now + delay
            dueAt[job.id] = clock.monotonicMilliseconds() + delay
        }
    }

    // MARK: Stamp and move

    /// The prompt is to be stamped and moved to where the ledger now says.
    private func file(_ prepared: Prepared, _ job: Job, _ result: AttemptResult?, _ counts: FailureCounts, isOnHold: Bool) {
        let work = FilingWork(
            job: job, spool: spool, filing: filing, prompt: prepared.prompt, stampedBytes: prepared.stampedBytes,
            stamp: finalStamp(prepared, job, result, counts, isOnHold: isOnHold),
            why: result == nil ? prepared.report.findings : nil)
        filings.add(work, now: clock.monotonicMilliseconds())
    }

    /// Files what has ended, in a task of its own: at once, or with the next ones where these will end in a moment.
    func fileEnded() {
        let isMoreComing = !running.isEmpty && pace.ahead(slots: 1, usesLanes: false) > 1
        let works = filings.next(now: clock.monotonicMilliseconds(), isMoreComing: isMoreComing)
        guard !works.isEmpty else { return }
        Task(executorPreference: WorkerThreads.shared) { [mailbox, swap = preparer.swap] in
            // Trouble here leaves the move noted in the ledger; the confirmation tries it again.
            let outcomes = await FilingWork.run(works, swap)
            mailbox.post(.filed(zip(works, outcomes).map { ($0.job.id, $1) }))
        }
    }

    private func finalStamp(
        _ prepared: Prepared, _ job: Job, _ result: AttemptResult?, _ counts: FailureCounts, isOnHold: Bool
    ) -> Stamp {
        let updated = settings.sourceDateEpoch ?? Date(timeIntervalSince1970: Double(clock.wallMilliseconds()) / 1000)
        var stamp = Stamp(promptID: prepared.prompt.id, promptSHA: prepared.prompt.sha)
        stamp.preflight = prepared.stage
        stamp.exec = execStage(prepared, job, result, updated)
        stamp.pipeline = Stamp.Pipeline(
            source: settings.command, status: isOnHold ? .hold : job.state == .done ? .success : .failed, runID: settings.runID,
            attempt: job.attempts, failStreak: counts.streak, failTotal: counts.total, profile: thresholds.profile ?? "none",
            failFastThreshold: thresholds.policy.failFastThreshold, totalFailuresMax: thresholds.policy.totalFailuresMax,
            lastEvent: isOnHold
                ? "pipeline_hold" : result == nil ? "prompt_blocked" : job.state == .done ? "prompt_success" : "prompt_failed",
            updated: updated)
        return stamp
    }

    private func execStage(_ prepared: Prepared, _ job: Job, _ result: AttemptResult?, _ updated: Date) -> Stamp.Exec {
        let status: Stamp.Exec.Status =
            switch result?.outcome {
            case nil: .blocked
            case .success: .success
            case .interrupted, .cancelled: .interrupted
            case .failed: .failed
            }
        var stage = Stamp.Exec(
            source: settings.command, status: status, runRef: prepared.runDirectory, promptSHA: prepared.prompt.sha,
            gate: result?.gate ?? .skipped, failedBlock: result?.failedBlock,
            failureClass: result.map { $0.failureClass } ?? .blocked, lastOKBlock: result?.lastOKBlock ?? 0,
            warningCount: prepared.report.warnings.count, attempts: job.attempts, exitCode: result?.exitCode,
            durationMilliseconds: result?.durationMilliseconds ?? 0, updated: updated)
        stage.extra = result?.usage?.facts ?? []
        return stage
    }
}

extension AttemptResult {
    /// Class and message, as `list` shows them.
    var reason: String {
        guard let failureClass else { return message }
        return message.isEmpty ? failureClass.rawValue : "\(failureClass.rawValue): \(message)"
    }
}

extension Job {
    /// The job is over.
    mutating func end(_ state: JobState, _ status: JobStatus, reason: String, now: Int64) {
        self.state = state
        self.status = status
        if !reason.isEmpty || state == .done { self.reason = reason }
        fromPlace = place
        fromFile = file
        place = keepsPlace && state != .cancelled ? .drop : state == .done ? .done : .failed
        finished = now
        fileSignature = nil
    }

    /// The job waits again, in the drop folder.
    mutating func wait(_ state: JobState, reason: String) {
        self.state = state
        self.reason = reason
        fromPlace = place
        fromFile = file
        place = .drop
        fileSignature = nil
    }

    /// It was to wait again, which is not written down yet, and somebody has asked for its cancellation.
    mutating func cancelInstead(now: Int64) {
        if let fromPlace, let fromFile { (place, file) = (fromPlace, fromFile) }
        notBefore = nil
        delay = nil
        end(.cancelled, .cancelled, reason: started == nil ? "cancelled before it started" : "cancelled while it ran", now: now)
    }
}
