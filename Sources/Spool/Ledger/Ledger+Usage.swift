// What agents and models used, attempt by attempt, and the limits that their accounts have reached.

import GRDB

/// A runner whose account has reached a limit.
public struct RunnerLimit: Sendable, Hashable {
    public var runner: String
    /// Milliseconds since 1970 UTC.
    public var until: Int64
    /// Limits in a row without a success between them.
    public var strikes: Int
    public var why: String
}

/// What several attempts used together.
public struct UsageSum: Sendable, Hashable {
    public var attempts = 0
    public var tokensIn = 0
    public var tokensOut = 0
    public var turns = 0
    public var costUSD = 0.0
    public var milliseconds: Int64 = 0
    public init() {}

    mutating func add(_ usage: RunUsage, milliseconds: Int) {
        attempts += 1
        tokensIn += usage.tokensIn ?? 0
        tokensOut += usage.tokensOut ?? 0
        turns += usage.turns ?? 0
        costUSD += usage.costUSD ?? 0
        self.milliseconds += Int64(milliseconds)
    }

    /// As summaries print it.
    public var json: JSON {
        [
            "attempts": .int(attempts), "tokens_in": .int(tokensIn), "tokens_out": .int(tokensOut), "turns": .int(turns),
            "cost_usd": .double(costUSD), "duration_ms": .int(Int(milliseconds)),
        ]
    }

    /// In the form in which a meter begins its day.
    public var total: UsageMeter.Total {
        var total = UsageMeter.Total()
        total.seconds = Double(milliseconds) / 1000
        total.turns = turns
        total.tokens = tokensIn + tokensOut
        total.costUSD = costUSD
        return total
    }
}

extension LedgerTransaction {
    static let usageColumns = "runner, model, tokens_in, tokens_out, cost_usd, turns, session, worktree, branch"

    static func usage(_ row: Row, from index: Int) -> RunUsage? {
        guard let runner: String = row[index] else { return nil }
        var usage = RunUsage(runner: runner)
        usage.model = row[index + 1]
        usage.tokensIn = row[index + 2]
        usage.tokensOut = row[index + 3]
        usage.costUSD = row[index + 4]
        usage.turns = row[index + 5]
        usage.session = row[index + 6]
        usage.worktree = row[index + 7]
        usage.branch = row[index + 8]
        return usage
    }

    func setUsage(_ usage: RunUsage, job: Int64, attempt: Int) throws {
        try execute(
            """
            UPDATE attempts SET runner = ?, model = ?, tokens_in = ?, tokens_out = ?, cost_usd = ?, turns = ?, session = ?,
              worktree = ?, branch = ? WHERE job = ? AND attempt = ?
            """,
            [
                usage.runner, usage.model, usage.tokensIn, usage.tokensOut, usage.costUSD, usage.turns, usage.session,
                usage.worktree,
                usage.branch, job, attempt,
            ])
        let tells = usage.tokensIn != nil || usage.tokensOut != nil
        try execute(
            """
            UPDATE jobs SET tokens = CASE WHEN ?1 IS NULL THEN tokens ELSE ifnull(tokens, 0) + ?1 END,
              cost_usd = CASE WHEN ?2 IS NULL THEN cost_usd ELSE ifnull(cost_usd, 0) + ?2 END WHERE id = ?3
            """, [tells ? usage.tokens : nil, usage.costUSD, job])
    }

    /// What all attempts of a job used together; nil where no agent or model worked on it.
    public func usage(of job: Int64) throws -> UsageSum? {
        let sum = try self.sum("job = ?", [job])
        return sum.attempts > 0 ? sum : nil
    }

    /// What the attempts that started at or after `time` used.
    public func usage(since time: Int64) throws -> UsageSum { try sum("started >= ?", [time]) }

    private func sum(_ condition: String, _ arguments: StatementArguments) throws -> UsageSum {
        var sum = UsageSum()
        let found = try row(
            """
            SELECT count(*), ifnull(sum(tokens_in), 0), ifnull(sum(tokens_out), 0), ifnull(sum(turns), 0), ifnull(sum(cost_usd), 0.0),
              ifnull(sum(duration), 0) FROM attempts WHERE runner IS NOT NULL AND \(condition)
            """, arguments)
        guard let found else { return sum }
        sum.attempts = found[0]
        sum.tokensIn = found[1]
        sum.tokensOut = found[2]
        sum.turns = found[3]
        sum.costUSD = found[4]
        sum.milliseconds = found[5]
        return sum
    }

    // MARK: Limits

    /// Every limit that is noted, those that are over included.
    public func runnerLimits() throws -> [RunnerLimit] {
        try rows("SELECT runner, until, strikes, why FROM runner_limits ORDER BY runner").map {
            RunnerLimit(runner: $0[0], until: $0[1], strikes: $0[2], why: $0[3])
        }
    }

    func setLimit(_ limit: RunnerLimit) throws {
        try execute(
            "INSERT OR REPLACE INTO runner_limits (runner, until, strikes, why) VALUES (?, ?, ?, ?)",
            [limit.runner, limit.until, limit.strikes, limit.why])
    }

    func clearLimit(of runner: String) throws {
        try execute("DELETE FROM runner_limits WHERE runner = ?", [runner])
    }
}
