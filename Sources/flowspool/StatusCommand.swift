// `flowspool status`: how a spool stands, from counters that the ledger keeps, so that it costs the same at any size and needs no
// runner.

import ArgumentParser
import Spool

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the spool stands: runner, hold, jobs by state.",
        discussion: """
            Exit status 0 also while the spool is on hold: the hold is an answer.

            EXAMPLE
              flowspool status
              flowspool status --json | jq .counts.failed
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Flag(help: "Print one JSON document.")
    var json = false

    func run() async throws {
        try await reportingErrors {
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let ledger = try Ledger.look(at: spool)
            let status = try SpoolStatus(spool, ledger)
            let now = SystemClock().wallMilliseconds()
            let limits = try ledger.read { try $0.runnerLimits() }.filter { $0.until > now }
            if json {
                try StandardOutput.write(Self.document(spool, status, limits))
            } else {
                let active = try ledger.read { try $0.newest([.active], limit: 20) }
                let waits = try status.runner == nil && spool.hasWaitingFile(ledger)
                try StandardOutput.write(Self.text(spool, status, active, limits, hasWaitingFile: waits))
            }
        }
    }

    static func document(_ spool: SpoolFolder, _ status: SpoolStatus, _ limits: [RunnerLimit] = []) -> JSON {
        [
            "spool": .string(spool.path), "on_hold": .bool(status.hold != nil), "hold_reason": JSON(status.hold?.reason),
            "hold_kind": JSON(status.hold?.kind.rawValue),
            "runner": status.runner.map {
                ["pid": .int(Int($0.pid)), "since_utc": .string(utcText($0.since)), "command": .string($0.command)]
            } ?? .null,
            "counts": .object(JobState.allCases.map { ($0.rawValue, .int(status.counts[$0] ?? 0)) }),
            "fail_streak": .int(status.failures.streak), "fail_total": .int(status.failures.total),
            "overflows": .int(Int(status.overflows)), "rescans": .int(Int(status.rescans)), "backlog": .int(Int(status.backlog)),
            "limits": .array(
                limits.map {
                    ["runner": .string($0.runner), "until_utc": .string(utcText($0.until)), "why": .string($0.why)]
                }),
        ]
    }

    private static func text(
        _ spool: SpoolFolder, _ status: SpoolStatus, _ active: [Job], _ limits: [RunnerLimit], hasWaitingFile: Bool
    ) -> String {
        var lines = ["spool     \(printable(spool.path))"]
        if let runner = status.runner {
            lines.append(
                "runner    \(printable(runner.command)), process \(runner.pid), since \(JobView.clock(runner.since)) UTC")
        } else {
            lines.append("runner    none; `flowspool watch` starts one")
        }
        if let hold = status.hold {
            let since = hold.since > 0 ? "since \(JobView.clock(hold.since)) UTC: " : ""
            lines.append("on hold   \(since)\(printable(hold.reason)); `flowspool resume` goes on")
        }
        let counts = JobState.allCases.map { "\(status.counts[$0] ?? 0) \($0.rawValue)" }
        lines.append("jobs      \(counts.joined(separator: ", "))")
        if status.backlog > 0 { lines.append("          and \(status.backlog) prompts that wait in the folder for their turn") }
        if hasWaitingFile { lines.append("waiting   prompts wait in the folder for a runner") }
        lines.append(
            "failures  \(status.failures.streak) in a row, \(status.failures.total) in all since the last resume or the last batch began"
        )
        for limit in limits {
            lines.append("limited   \(printable(limit.runner)) until \(JobView.clock(limit.until)) UTC: \(printable(limit.why))")
        }
        for job in active { lines.append("active    \(job.title), attempt \(job.attempts)") }
        if status.counts[.held] ?? 0 > 0 { lines.append("held      jobs wait for your yes or no: `flowspool list --state held`") }
        return lines.map { $0 + "\n" }.joined()
    }
}
