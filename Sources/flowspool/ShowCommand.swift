// `flowspool show JOB`: everything the ledger knows of one job: facts, policy and where it came from, findings, attempts, history.

import ArgumentParser
import Foundation
import Spool

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one job: policy, findings, attempts, history.",
        discussion: """
            JOB is a job number, the name of a prompt (its newest job) or a prompt id.

            EXAMPLE
              flowspool show 12
              flowspool show nightly.md --json | jq '.attempt_list[-1]'
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Argument(help: ArgumentHelp("Job number, prompt name or prompt id.", valueName: "job"))
    var job: String

    @Flag(help: "Print one JSON document.")
    var json = false

    @Flag(name: .customLong("prompt"), help: "Print exactly what an agent or a model is sent, and nothing else.")
    var printsPrompt = false

    func run() async throws {
        try await reportingErrors {
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let ledger = try Ledger.look(at: spool)
            let wanted = job
            if printsPrompt { return try printPrompt(spool, ledger, try ledger.read { try $0.find(wanted) }) }
            let facts = try ledger.read { tx in
                let job = try tx.find(wanted)
                return Facts(
                    job: job, findings: try tx.findings(of: job.id), attempts: try tx.attempts(of: job.id),
                    transitions: try tx.transitions(of: job.id), hasRunner: try RunnerLock.holder(spool) != nil,
                    hasBegun: try spool.hasBegun(job, tx))
            }
            if json {
                try StandardOutput.write(
                    JobView(spool: spool).json(
                        facts.job, findings: facts.findings, attempts: facts.attempts, transitions: facts.transitions))
            } else {
                try StandardOutput.write(facts.text(spool))
            }
        }
    }
}

extension ShowCommand {
    private func printPrompt(_ spool: SpoolFolder, _ ledger: Ledger, _ job: Job) throws {
        // What was sent stands in the run folder; what would be sent now may be something else.
        let last = try ledger.read { try $0.attempts(of: job.id) }.last?.runDirectory
        if let last, let sent = FileManager.default.contents(atPath: spool.path + "/" + last + "/prompt.md") {
            return try StandardOutput.write(bytes: TerminalFilter.output(String(decoding: sent, as: UTF8.self)))
        }
        guard let path = spool.pathOf(job), let bytes = FileManager.default.contents(atPath: path) else {
            throw FlowspoolError(
                .invalidInput, "\(job.title): its file is not there", hint: "`flowspool show \(job.id)` says where it was")
        }
        let prompt = PromptFile.read(name: job.name, bytes: bytes)
        let configuration = try SpoolConfiguration.load(spool: spool.path)
        // Before it was prepared, a job has no mode yet.
        let mode = (job.mode ?? prompt.settings.execMode).flatMap(ExecMode.init(rawValue:)) ?? configuration.execMode ?? .script
        let context = try RunnerContext(configuration, environment: environment)
        let text = try PromptRendering.text(for: prompt, mode: mode, context: context)
        try StandardOutput.write(bytes: TerminalFilter.output(text))
    }
}

private struct Facts {
    var job: Job
    var findings: [Finding]
    var attempts: [AttemptRecord]
    var transitions: [Transition]
    var hasRunner: Bool
    /// The attempt that the ledger has as running; the start of a short one is recorded ahead.
    var hasBegun: Bool

    func text(_ spool: SpoolFolder) -> String {
        var lines = head(spool)
        lines += policy()
        if !findings.isEmpty { lines += ["", "findings"] + FindingText.lines(findings).map { "  " + $0 } }
        for attempt in attempts { lines += [""] + self.attempt(attempt, spool) }
        if !transitions.isEmpty { lines += ["", "history"] + history() }
        if let next { lines += ["", "next      \(next)"] }
        return lines.map { $0 + "\n" }.joined()
    }

    private func head(_ spool: SpoolFolder) -> [String] {
        var lines = ["job       \(job.id)", "prompt    \(printable(job.name))", "state     \(state)"]
        if !job.reason.isEmpty { lines.append("why       \(printable(job.reason))") }
        lines.append("file      \(spool.pathOf(job).map { printable($0) } ?? "none")")
        if let id = job.promptID { lines.append("id        \(printable(id))") }
        lines.append("dropped   \(JobView.clock(job.created)) UTC")
        if let started = job.started { lines.append("started   \(JobView.clock(started)) UTC") }
        if let finished = job.finished {
            lines.append("finished  \(JobView.clock(finished)) UTC" + (job.duration.map { ", ran \(JobView.took($0))" } ?? ""))
        }
        if let pruned = job.pruned {
            lines.append("pruned    \(JobView.clock(pruned)) UTC: what it ran and printed is gone")
        }
        if let time = job.notBefore, job.state == .deferred { lines.append("not before \(JobView.clock(time)) UTC") }
        if let usage = JobView.usage(runner: job.runner, tokens: job.tokens, costUSD: job.costUSD) {
            lines.append("runner    \(usage)")
        }
        if let mode = job.mode { lines.append("mode      \(printable(mode))") }
        if let lane = job.lane { lines.append("lane      \(printable(lane))") }
        if job.priority != 0 { lines.append("priority  \(job.priority)") }
        return lines
    }

    private var state: String {
        let word = JobView.word(job)
        return word == job.state.rawValue ? word : "\(job.state.rawValue) (\(word))"
    }

    private func policy() -> [String] {
        let values = JobView.stored(job.policyJSON)
        let sources = JobView.stored(job.policySourceJSON)
        guard let members = values.objectValue else { return [] }
        var table = TextTable()
        for (key, value) in members {
            table.rows.append([
                "  " + printable(key), printable(value.stringValue ?? "?"), "from \(sources[key]?.stringValue ?? "?")",
            ])
        }
        return ["", "policy    profile \(printable(job.profile ?? "none"))"] + table.lines(width: nil)
    }

    private func attempt(_ attempt: AttemptRecord, _ spool: SpoolFolder) -> [String] {
        let isOpen = attempt.outcome == .running
        if isOpen, hasRunner, !hasBegun { return ["attempt \(attempt.attempt)  is next"] }
        var head = "attempt \(attempt.attempt)  \(attempt.outcome.rawValue)"
        if isOpen, !hasRunner { head += " when its runner ended; the next one says what becomes of it" }
        if let failure = attempt.failureClass { head += " (\(failure.rawValue))" }
        head += "  \(JobView.clock(attempt.started)) UTC"
        if let duration = attempt.duration { head += ", \(JobView.took(duration))" }
        if attempt.gate != .skipped { head += ", gate \(attempt.gate.rawValue)" }
        var lines = [head]
        if !attempt.message.isEmpty { lines.append("  \(printable(attempt.message))") }
        lines.append("  \(printable(spool.root.pathOf(attempt.runDirectory)))")
        for fact in attempt.usage?.facts ?? [] { lines.append("  \(fact.key) \(printable(fact.value))") }
        for block in JobView.stored(attempt.blocksJSON).arrayValue ?? [] {
            let exit = block["exit_code"]?.intValue.map { "exit \($0)" } ?? block["failure_class"]?.stringValue ?? "not run"
            let mark = block["mark"]?.stringValue.map { " [\(printable($0))]" } ?? ""
            let log = block["log"]?.stringValue.map { "  \(printable($0))" } ?? ""
            lines.append(
                "    block \(block["block"]?.intValue ?? 0)  \(exit)\(mark)  \(JobView.took(Int64(block["duration_ms"]?.intValue ?? 0)))\(log)"
            )
        }
        return lines
    }

    private func history() -> [String] {
        var table = TextTable()
        table.rows = transitions.map { ["  " + JobView.clock($0.at), "\($0.from) → \($0.to)", printable($0.why)] }
        return table.lines(width: nil)
    }

    /// What a person can do with a job in this state.
    private var next: String? {
        switch job.state {
        case .held: "`flowspool approve \(job.id)` lets it run, `flowspool reject \(job.id)` does not"
        case .failed where job.pruned != nil || job.place == .none: nil
        case .failed:
            attempts.isEmpty
                ? "`flowspool retry \(job.id)` tries again" : "`flowspool logs \(job.id)`, `flowspool retry \(job.id)`"
        case .active where !hasRunner: "`flowspool watch` goes on"
        case .active: "`flowspool logs -f \(job.id)` follows it"
        default: nil
        }
    }
}

/// Findings for a person, until the caret display of the shell analysis joins them.
enum FindingText {
    static func lines(_ findings: [Finding]) -> [String] {
        findings.flatMap { finding in
            let place = finding.line.map { line in " line \(line)" + (finding.column.map { ":\($0)" } ?? "") } ?? ""
            let waived = finding.waiver.map { " (allowed: \(printable($0)))" } ?? ""
            return [
                "\(finding.severity.rawValue) \(finding.code.rawValue)\(place): \(printable(finding.message))\(waived)",
                "  \(printable(finding.advice))",
            ]
        }
    }
}
