// What the ledger learns when a job's turn is over: the attempt, the job, the failure counts, and the hold where a threshold
// is reached. All of it is one transaction, so that a crash can never separate a failure from its count.

/// The end of a job's turn, ready to be written.
struct EndOfJob: Sendable {
    let job: Job
    /// The job as the ledger has it.
    let saved: Job
    /// nil: it never began.
    let attempt: Int?
    /// When that attempt began, where it was recorded ahead of its turn.
    let started: Int64?
    /// nil for a job that preflight blocked.
    let result: AttemptResult?
    /// What preflight found, where no start has recorded it yet.
    let findings: [Finding]?
    /// Of the run, for its thresholds.
    let policy: Policy
    let runID: String
    let now: Int64
    let filing: Filing

    struct Committed: Sendable {
        var counts: FailureCounts
        /// The hold that this end caused.
        var hold: HoldRecord?
    }

    struct Written: Sendable {
        /// With the name that its file gets.
        var job: Job
        var committed: Committed
    }

    func write(_ tx: LedgerTransaction) throws -> Written {
        var job = job
        if job.state.isWaiting, try tx.takeCancel(of: job.id) { job.cancelInstead(now: now) }
        job.file = try filing.freeName(for: job, tx)
        if let attempt, let result { try tx.finishAttempt(job: job.id, attempt: attempt, result, started: started) }
        // One that was recorded, and whose turn never came.
        if saved.attempts > job.attempts { try tx.removeUnbegunAttempt(of: job.id) }
        let why = job.reason.isEmpty ? job.state.rawValue : job.reason
        guard try tx.save(job, from: saved, expecting: .active, why: why, now: now) else {
            throw FlowspoolError(.bug, "job \(job.id) has just ended, but is not active in the ledger")
        }
        if let findings { try tx.setFindings(findings, of: job.id) }
        return Written(job: job, committed: try Self.count(job, policy, runID: runID, now: now, tx))
    }

    /// Counts the end, and puts the spool on hold when a threshold is reached (DESIGN "Pipeline").
    static func count(
        _ job: Job, _ policy: Policy, runID: String, now: Int64, _ tx: LedgerTransaction
    ) throws -> Committed {
        var counts = try tx.failureCounts()
        guard job.state == .done || job.state == .failed else { return Committed(counts: counts) }
        var tally = Thresholds(policy, failStreak: counts.streak, failTotal: counts.total)
        _ = tally.record(job.state == .done ? .success : job.status == .blocked ? .blocked : .failed)
        let before = counts
        counts = FailureCounts(streak: tally.failStreak, total: tally.failTotal)
        try tx.setFailureCounts(counts, from: before)
        guard job.state == .failed, let crossing = tally.crossing, try tx.openHold() == nil else {
            return Committed(counts: counts)
        }
        let what = crossing == .failFast ? "\(counts.streak) failed in a row" : "\(counts.total) failed in all"
        let limit = tally.limit(of: crossing)
        var hold = HoldRecord(
            since: now, kind: crossing == .failFast ? .failFast : .totalFailures,
            reason: "\(what) (threshold \(limit)); the last was job \(job.id), \(printable(job.name))", runID: runID,
            lastPrompt: job.name, failStreak: counts.streak, failTotal: counts.total, threshold: limit)
        hold.id = try tx.setHold(hold)
        return Committed(counts: counts, hold: hold)
    }
}
