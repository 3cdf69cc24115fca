// What the ledger knows of the spool as a whole: failure counts, holds, batches, requests, and the cache of shell analysis.

import GRDB

/// A hold, as the ledger has it.
public struct HoldRecord: Sendable, Hashable {
    public enum Kind: String, Sendable {
        /// `pipeline_fail_fast_threshold` was reached.
        case failFast = "fail_fast"
        /// `pipeline_max_total_failures` was reached.
        case totalFailures = "total_failures"
        /// Somebody ran `hold` or made the file.
        case byHand = "by_hand"
    }
    public var id: Int64 = 0
    public var since: Int64
    public var kind: Kind
    public var reason: String
    public var runID: String?
    public var lastPrompt: String?
    public var failStreak: Int
    public var failTotal: Int
    public var threshold: Int?
    /// Whether the HOLD file stood once: if so, its absence means that a person removed it.
    public var fileWritten = false
}

/// Failures since the last resume, or in this batch.
public struct FailureCounts: Sendable, Hashable {
    public var streak: Int
    public var total: Int
    public init(streak: Int = 0, total: Int = 0) {
        self.streak = streak
        self.total = total
    }
}

/// Something that a person asked of a job which a runner has in hand.
struct JobRequest: Sendable, Hashable {
    var id: Int64
    var job: Int64
    var kind: String
}

extension LedgerTransaction {
    public func failureCounts() throws -> FailureCounts {
        FailureCounts(streak: Int(try fact(.failStreak)), total: Int(try fact(.failTotal)))
    }

    /// - Parameter old: what the ledger has; only what differs is written.
    func setFailureCounts(_ counts: FailureCounts, from old: FailureCounts? = nil) throws {
        if counts.streak != old?.streak { try setFact(.failStreak, Int64(counts.streak)) }
        if counts.total != old?.total { try setFact(.failTotal, Int64(counts.total)) }
    }

    /// The hold in force, or nil.
    public func openHold() throws -> HoldRecord? {
        guard
            let row = try row(
                """
                SELECT id, since, kind, reason, run_id, last_prompt, fail_streak, fail_total, threshold, file_written
                FROM holds WHERE lifted IS NULL ORDER BY id DESC LIMIT 1
                """)
        else { return nil }
        return HoldRecord(
            id: row[0], since: row[1], kind: HoldRecord.Kind(rawValue: row[2]) ?? .byHand, reason: row[3], runID: row[4],
            lastPrompt: row[5], failStreak: row[6], failTotal: row[7], threshold: row[8], fileWritten: row[9])
    }

    /// Puts the spool on hold, and returns the hold's number.
    @discardableResult
    func setHold(_ hold: HoldRecord) throws -> Int64 {
        try execute(
            """
            INSERT INTO holds (since, kind, reason, run_id, last_prompt, fail_streak, fail_total, threshold, file_written)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                hold.since, hold.kind.rawValue, hold.reason, hold.runID, hold.lastPrompt, hold.failStreak, hold.failTotal,
                hold.threshold, hold.fileWritten,
            ])
        return db.lastInsertedRowID
    }

    func noteHoldFileWritten() throws {
        try execute("UPDATE holds SET file_written = 1 WHERE lifted IS NULL")
    }

    /// Lifts every hold and sets both failure counts to 0.
    func liftHolds(why: String, now: Int64) throws {
        try execute("UPDATE holds SET lifted = ?, lifted_why = ? WHERE lifted IS NULL", [now, why])
        try setFailureCounts(FailureCounts())
    }

    func startBatch(runID: String, kind: String, profile: String, now: Int64) throws -> Int64 {
        try execute("INSERT INTO batches (run_id, kind, profile, started) VALUES (?, ?, ?, ?)", [runID, kind, profile, now])
        return db.lastInsertedRowID
    }

    func finishBatch(_ id: Int64, status: String, reason: String, ran: Int, counts: FailureCounts, now: Int64) throws {
        try execute(
            "UPDATE batches SET finished = ?, status = ?, reason = ?, ran = ?, fail_streak = ?, fail_total = ? WHERE id = ?",
            [now, status, reason, ran, counts.streak, counts.total, id])
    }

    func request(_ kind: String, job: Int64, now: Int64) throws {
        try execute("INSERT INTO requests (job, kind, at) VALUES (?, ?, ?)", [job, kind, now])
    }

    func requests() throws -> [JobRequest] {
        try rows("SELECT id, job, kind FROM requests ORDER BY id").map { JobRequest(id: $0[0], job: $0[1], kind: $0[2]) }
    }

    func removeRequests(_ requests: [JobRequest]) throws {
        for request in requests { try execute("DELETE FROM requests WHERE id = ?", [request.id]) }
    }

    /// A run begins, and its contract files lag behind from now on.
    ///
    /// - Returns: the jobs that have ended since the last run began, where that one could not bring them up to date: the newest, in the
    ///   order in which they ended.
    public func beginWritingFiles(now: Int64) throws -> [Job] {
        let since = try fact(.unwrittenSince)
        try setFact(.unwrittenSince, now)
        guard since > 0 else { return [] }
        return try jobs("WHERE finished >= ? ORDER BY finished DESC, id DESC LIMIT 10000", [since]).reversed()
    }

    /// They have all that was recorded.
    public func endWritingFiles() throws { try setFact(.unwrittenSince, 0) }

    /// Takes the request to cancel a job that is about to wait again.
    ///
    /// - Returns: whether there was one.
    func takeCancel(of job: Int64) throws -> Bool {
        try execute("DELETE FROM requests WHERE job = ? AND kind = 'cancel'", [job])
        return db.changesCount > 0
    }

    func takeRequests() throws -> [JobRequest] {
        let found = try requests()
        try removeRequests(found)
        return found
    }
}
