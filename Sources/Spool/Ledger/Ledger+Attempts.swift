// Attempts and findings. An attempt is in the ledger, as `running`, before anything of it is started; whatever is still
// `running` when a runner opens the ledger was cut off.

import Foundation
import GRDB

extension LedgerTransaction {
    /// Notes that an attempt is about to start; the job's `attempts` must already count it.
    func startAttempt(_ job: Job, runDirectory: String, now: Int64) throws {
        try execute(
            "INSERT INTO attempts (job, attempt, outcome, run_dir, started) VALUES (?, ?, 'running', ?, ?)",
            [job.id, job.attempts, runDirectory, now])
    }

    /// Takes back the attempt of a job that was recorded ahead of its turn and never began; without one it does nothing. Whoever
    /// calls it writes the job's own counts as well: see `Job.takeBackAttempt`.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    func removeUnbegunAttempt(of job: Int64) throws -> Bool {
        try execute("DELETE FROM attempts WHERE job = ? AND outcome = 'running'", [job])
        return db.changesCount > 0
    }

    /// Notes how an attempt ended.
    ///
    /// - Parameter started: when it began, where it was recorded ahead of that.
    func finishAttempt(job: Int64, attempt: Int, _ result: AttemptResult, started: Int64? = nil) throws {
        try execute(
            """
            UPDATE attempts SET outcome = ?, failure_class = ?, exit_code = ?, failed_block = ?, last_ok_block = ?, gate = ?,
              message = ?, duration = ?, blocks = ?, started = coalesce(?, started) WHERE job = ? AND attempt = ?
            """,
            [
                result.outcome.rawValue, result.failureClass?.rawValue, result.exitCode, result.failedBlock, result.lastOKBlock,
                result.gate.rawValue, result.message, result.durationMilliseconds, Self.json(result.blocks), started, job,
                attempt,
            ])
        if let usage = result.usage { try setUsage(usage, job: job, attempt: attempt) }
    }

    /// Attempts that no runner is making any more.
    func runningAttempts() throws -> [AttemptRecord] {
        try rows("SELECT \(Self.attemptColumns) FROM attempts WHERE outcome = 'running' ORDER BY job").map(Self.attempt)
    }

    public func attempts(of job: Int64) throws -> [AttemptRecord] {
        try rows("SELECT \(Self.attemptColumns) FROM attempts WHERE job = ? ORDER BY attempt", [job]).map(Self.attempt)
    }

    public func transitions(of job: Int64) throws -> [Transition] {
        try rows(#"SELECT at, "from", "to", why FROM transitions WHERE job = ? ORDER BY id"#, [job]).map {
            Transition(at: $0[0], from: $0[1], to: $0[2], why: $0[3])
        }
    }

    public func findings(of job: Int64) throws -> [Finding] {
        try rows(
            #"SELECT code, severity, line, "column", message, advice, waiver FROM findings WHERE job = ? ORDER BY number"#, [job]
        )
        .compactMap { row in
            guard let code = Finding.Code(rawValue: row[0]), let severity = Finding.Severity(rawValue: row[1]) else { return nil }
            var finding = Finding(code, line: row[2], column: row[3], message: row[4], advice: row[5])
            finding.severity = severity
            finding.waiver = row[6]
            return finding
        }
    }

    /// Replaces what preflight said about a job.
    ///
    /// - Parameter isNew: nothing was said about it before.
    func setFindings(_ findings: [Finding], of job: Int64, isNew: Bool = false) throws {
        if !isNew { try execute("DELETE FROM findings WHERE job = ?", [job]) }
        var rest = Array(findings.enumerated())[...]
        while !rest.isEmpty {
            // By groups: a statement for each would cost more than the rows, and one of any length could not be kept prepared.
            let group = rest.prefix(Self.findingsAtOnceMax)
            rest = rest.dropFirst(group.count)
            var values: [(any StatementBinding)?] = []
            for (index, finding) in group {
                values += [
                    job, index + 1, finding.code.rawValue, finding.severity.rawValue, finding.line, finding.column,
                    finding.message, finding.advice, finding.waiver,
                ]
            }
            try execute(Self.insertFindingsSQL[group.count - 1], values)
        }
    }

    private static let findingsAtOnceMax = 8
    /// For each number of findings at once, from 1.
    private static let insertFindingsSQL = (1...findingsAtOnceMax).map { count in
        "INSERT INTO findings VALUES " + repeatElement("(?, ?, ?, ?, ?, ?, ?, ?, ?)", count: count).joined(separator: ", ")
    }

    /// Whether somebody has said yes to a prompt with such warnings. The same bytes may have others: run in another mode, or judged by another
    /// version.
    public func isApproved(sha: String, codes: Set<Finding.Code>) throws -> Bool {
        guard let row = try row("SELECT codes FROM approvals WHERE prompt_sha = ?", [sha]) else { return false }
        guard let text: String = row[0] else { return true }
        return Set(codes.map(\.rawValue)).isSubset(of: text.split(separator: " ").map(String.init))
    }

    func approve(sha: String, codes: Set<Finding.Code>, job: Int64, now: Int64) throws {
        let before: String? = try row("SELECT codes FROM approvals WHERE prompt_sha = ?", [sha])?[0]
        let all = Set(codes.map(\.rawValue)).union((before ?? "").split(separator: " ").map(String.init))
        try execute(
            "INSERT INTO approvals (prompt_sha, at, job, codes) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (prompt_sha) DO UPDATE SET codes = ?4",
            [sha, now, job, all.sorted().joined(separator: " ")])
    }

    private static let attemptColumns = """
        job, attempt, outcome, failure_class, exit_code, failed_block, last_ok_block, gate, run_dir, message, started, duration, blocks, \
        \(usageColumns)
        """

    private static func attempt(_ row: Row) -> AttemptRecord {
        AttemptRecord(
            job: row[0], attempt: row[1], outcome: AttemptOutcome(rawValue: row[2]) ?? .interrupted,
            failureClass: (row[3] as String?).flatMap(FailureClass.init(rawValue:)), exitCode: row[4], failedBlock: row[5],
            lastOKBlock: row[6], gate: GateResult(rawValue: row[7]) ?? .skipped, runDirectory: row[8], message: row[9],
            started: row[10], duration: row[11], blocksJSON: row[12], usage: usage(row, from: 13))
    }

    static func json(_ blocks: [BlockResult]) -> String {
        JSON.array(blocks.map(\.json)).compact
    }
}

extension BlockResult {
    /// As `show` prints it.
    var json: JSON {
        .object([
            ("block", .int(block)), ("exit_code", exitCode.map { .int(Int($0)) } ?? .null),
            ("duration_ms", .int(durationMilliseconds)), ("log", log.map { .string($0) } ?? .null),
            ("mark", mark.map { .string($0) } ?? .null),
            ("failure_class", failureClass.map { .string($0.rawValue) } ?? .null),
        ])
    }
}
