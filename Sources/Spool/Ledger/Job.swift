// One row of the ledger's `jobs` table, as a value. Times are milliseconds since 1970 UTC, durations milliseconds.

import GRDB

/// A job as the ledger has it.
public struct Job: Sendable, Hashable {
    public var id: Int64
    /// File name under which the prompt was dropped.
    public var name: String
    public var state: JobState
    /// nil until the job has ended.
    public var status: JobStatus?
    public var reason: String
    /// Where the file belongs, and under which name.
    public var place: Place
    public var file: String
    /// Where the file may still be, while a move is not confirmed.
    public var fromPlace: Place?
    public var fromFile: String?
    public var arrival: Int64
    public var priority: Int
    public var lane: String?
    public var batch: Int64?
    public var promptID: String?
    public var promptSHA: String?
    public var mode: String?
    public var profile: String?
    /// JSON objects as `show` prints them.
    public var policyJSON: String?
    public var policySourceJSON: String?
    /// How often preflight has judged this job.
    public var revision: Int
    /// Attempts made in all; the number of the last one.
    public var attempts: Int
    /// Attempts that count against `retry_max` since the job was last queued by a person.
    public var budgetUsed: Int
    public var nextBlock: Int
    public var carriedJSON: String?
    public var notBefore: Int64?
    /// How long the deferral was meant to be, so that a clock that stepped back cannot make it longer.
    public var delay: Int64?
    /// The prompt goes back to the drop folder when it ends (`move_to_completed: no`).
    public var keepsPlace: Bool
    /// `FileStatus.signature` of the file when it was put back.
    public var fileSignature: String?
    public var created: Int64
    public var started: Int64?
    public var finished: Int64?
    public var duration: Int64?
    /// Who carries it out, in the modes `agent` and `http`; known once it has been prepared.
    public var runner: String?
    /// What all its attempts used; kept by the ledger, `save` leaves it alone. nil: no agent or model told.
    public var tokens: Int?
    public var costUSD: Double?
    /// When `prune` gave up its file and its run folders.
    public var pruned: Int64?

    static let columns = """
        id, name, state, status, reason, place, file, from_place, from_file, arrival, priority, lane, batch, prompt_id, \
        prompt_sha, mode, profile, policy, policy_source, revision, attempts, budget_used, next_block, carried, not_before, \
        delay, keeps_place, file_signature, created, started, finished, duration, runner, \
        tokens, cost_usd, pruned
        """

    /// What `LedgerTransaction.save` writes, in the order of `savedValues`.
    static let savedColumns = [
        "state", "status", "reason", "place", "file", "from_place", "from_file", "arrival", "priority", "lane", "batch",
        "prompt_id",
        "prompt_sha", "mode", "profile", "policy", "policy_source", "revision", "attempts", "budget_used", "next_block",
        "carried",
        "not_before", "delay", "keeps_place", "file_signature", "started", "finished", "duration", "runner",
        "pruned",
    ]

    /// Where in `savedColumns` it says where the file comes from: `from_place`, `from_file`.
    static let moveColumns = 5..<7

    var savedValues: [DatabaseValue] {
        [
            state.rawValue.databaseValue, status.map(\.rawValue).databaseValue, reason.databaseValue,
            place.rawValue.databaseValue,
            file.databaseValue, fromPlace.map(\.rawValue).databaseValue, fromFile.databaseValue, arrival.databaseValue,
            priority.databaseValue, lane.databaseValue, batch.databaseValue, promptID.databaseValue, promptSHA.databaseValue,
            mode.databaseValue, profile.databaseValue, policyJSON.databaseValue, policySourceJSON.databaseValue,
            revision.databaseValue, attempts.databaseValue, budgetUsed.databaseValue, nextBlock.databaseValue,
            carriedJSON.databaseValue, notBefore.databaseValue, delay.databaseValue, keepsPlace.databaseValue,
            fileSignature.databaseValue, started.databaseValue, finished.databaseValue, duration.databaseValue,
            runner.databaseValue, pruned.databaseValue,
        ]
    }

    /// The job that `LedgerTransaction.admit` makes of a file, before it has a number.
    init(waiting file: Admission, now: Int64) {
        id = Self.noNumber
        name = file.name
        state = .queued
        reason = ""
        place = .drop
        self.file = file.name
        arrival = 0
        priority = file.priority
        lane = file.lane
        revision = 0
        attempts = 0
        budgetUsed = 0
        nextBlock = 1
        keepsPlace = false
        created = now
    }

    /// The ledger numbers jobs from 1.
    static let noNumber: Int64 = 0

    /// Reads a row selected with `columns`, in that order.
    init(row: Row) throws {
        func word<T: RawRepresentable>(_ index: Int, _ type: T.Type) throws -> T where T.RawValue == String {
            let text: String = row[index]
            guard let value = T(rawValue: text) else {
                throw FlowspoolError(
                    .bug, "the ledger has the unknown word “\(text)” in job \(row[0] as Int64)",
                    hint: "was it written by a newer flowspool? Use that version")
            }
            return value
        }
        id = row[0]
        name = row[1]
        state = try word(2, JobState.self)
        status = row.hasNull(atIndex: 3) ? nil : try word(3, JobStatus.self)
        reason = row[4]
        place = try word(5, Place.self)
        file = row[6]
        fromPlace = row.hasNull(atIndex: 7) ? nil : try word(7, Place.self)
        fromFile = row[8]
        arrival = row[9]
        priority = row[10]
        lane = row[11]
        batch = row[12]
        promptID = row[13]
        promptSHA = row[14]
        mode = row[15]
        profile = row[16]
        policyJSON = row[17]
        policySourceJSON = row[18]
        revision = row[19]
        attempts = row[20]
        budgetUsed = row[21]
        nextBlock = row[22]
        carriedJSON = row[23]
        notBefore = row[24]
        delay = row[25]
        keepsPlace = row[26]
        fileSignature = row[27]
        created = row[28]
        started = row[29]
        finished = row[30]
        duration = row[31]
        runner = row[32]
        tokens = row[33]
        costUSD = row[34]
        pruned = row[35]
    }
}

/// One attempt, as the ledger has it.
public struct AttemptRecord: Sendable, Hashable {
    public var job: Int64
    public var attempt: Int
    public var outcome: AttemptOutcome
    public var failureClass: FailureClass?
    public var exitCode: Int32?
    public var failedBlock: Int?
    public var lastOKBlock: Int
    public var gate: GateResult
    /// Relative to the spool.
    public var runDirectory: String
    public var message: String
    public var started: Int64
    public var duration: Int64?
    /// JSON array of `BlockResult`s.
    public var blocksJSON: String
    /// Of an agent or a model.
    public var usage: RunUsage?
}

/// One change of a job's state.
public struct Transition: Sendable, Hashable {
    public var at: Int64
    public var from: String
    public var to: String
    public var why: String
}
