// A job as people and programs see it: the JSON keys of DESIGN "Commands", and the columns of `list`. The keys are a contract:
// added, never renamed.

import Foundation
import Spool

/// Turns what the ledger has into what is printed.
struct JobView {
    let spool: SpoolFolder

    /// One element of `list --json`.
    func json(_ job: Job) -> JSON { .object(members(job)) }

    private func members(_ job: Job) -> [(String, JSON)] {
        [
            ("job", .int(Int(job.id))), ("prompt_id", JSON(job.promptID)), ("name", .string(job.name)),
            ("state", .string(job.state.rawValue)), ("status", JSON(job.status?.rawValue)), ("reason", .string(job.reason)),
            ("attempts", .int(job.attempts)), ("profile", JSON(job.profile)), ("lane", JSON(job.lane)),
            ("priority", .int(job.priority)), ("path", JSON(spool.pathOf(job))), ("created_utc", Self.time(job.created)),
            ("started_utc", Self.time(job.started)), ("finished_utc", Self.time(job.finished)),
            ("duration_ms", job.duration.map { .int(Int($0)) } ?? .null), ("not_before_utc", Self.time(job.notBefore)),
            ("exec_mode", JSON(job.mode)), ("runner", JSON(job.runner)), ("tokens", JSON(job.tokens)),
            ("cost_usd", job.costUSD.map { .double($0) } ?? .null), ("pruned_utc", Self.time(job.pruned)),
        ]
    }

    /// The document of `show --json`.
    func json(_ job: Job, findings: [Finding], attempts: [AttemptRecord], transitions: [Transition]) -> JSON {
        .object(
            members(job) + [
                ("prompt_sha", JSON(job.promptSHA)), ("policy", Self.stored(job.policyJSON)),
                ("policy_source", Self.stored(job.policySourceJSON)), ("findings", .array(findings.map(Self.json))),
                ("attempt_list", .array(attempts.map(json))),
                (
                    "transitions",
                    .array(
                        transitions.map {
                            ["at": Self.time($0.at), "from": .string($0.from), "to": .string($0.to), "why": .string($0.why)]
                        })
                ),
            ])
    }

    private func json(_ attempt: AttemptRecord) -> JSON {
        [
            "attempt": .int(attempt.attempt), "outcome": .string(attempt.outcome.rawValue),
            "failure_class": JSON(attempt.failureClass?.rawValue), "exit_code": JSON(attempt.exitCode.map(Int.init)),
            "failed_block": JSON(attempt.failedBlock), "completion_gate": .string(attempt.gate.rawValue),
            "message": .string(attempt.message), "run_dir": .string(spool.root.pathOf(attempt.runDirectory)),
            "started_utc": Self.time(attempt.started), "duration_ms": attempt.duration.map { .int(Int($0)) } ?? .null,
            "blocks": Self.stored(attempt.blocksJSON), "usage": attempt.usage?.json ?? .null,
        ]
    }

    static func json(_ finding: Finding) -> JSON {
        var members: [(String, JSON)] = [
            ("code", .string(finding.code.rawValue)), ("severity", .string(finding.severity.rawValue)),
            ("line", JSON(finding.line)),
            ("column", JSON(finding.column)), ("message", .string(finding.message)), ("advice", .string(finding.advice)),
        ]
        if let waiver = finding.waiver { members.append(("waiver", .string(waiver))) }
        return .object(members)
    }

    /// A document that the ledger keeps as text; null where there is none yet.
    static func stored(_ text: String?) -> JSON {
        // Written by flowspool itself; what cannot be read is not there for a reader either.
        text.flatMap { try? JSON.parse($0) } ?? .null
    }

    static func time(_ milliseconds: Int64?) -> JSON { milliseconds.map { .string(utcText($0)) } ?? .null }

    // MARK: For people

    /// What the job is, in one word: how it ended, else where it stands.
    static func word(_ job: Job) -> String {
        guard let status = job.status, job.state.isTerminal else { return job.state.rawValue }
        return status == .success ? "done" : status.rawValue
    }

    /// `codex, 1234 tokens, $0.0123`; nil for a script.
    static func usage(runner: String?, tokens: Int?, costUSD: Double?) -> String? {
        guard let runner else { return nil }
        var parts = [printable(runner)]
        if let tokens { parts.append("\(tokens) tokens") }
        if let costUSD { parts.append(UsageMeter.dollars(costUSD)) }
        return parts.joined(separator: ", ")
    }

    static let header = ["JOB", "STATE", "TRIES", "WHEN (UTC)", "TOOK", "NAME", "WHY"]

    static func row(_ job: Job) -> [String] {
        let used =
            job.tokens == nil && job.costUSD == nil ? nil : usage(runner: job.runner, tokens: job.tokens, costUSD: job.costUSD)
        let why = [job.reason.isEmpty ? nil : printable(job.reason), used].compactMap { $0 }.joined(separator: " · ")
        return [
            "\(job.id)", word(job), "\(job.attempts)", clock(job.finished ?? job.started ?? job.created),
            job.duration.map { took($0) } ?? "", printable(job.name), why,
        ]
    }

    /// `2026-01-02 03:04:05`
    static func clock(_ milliseconds: Int64) -> String {
        String(utcText(milliseconds, fraction: false).dropLast()).replacing("T", with: " ")
    }

    /// `0.4 s`, `3 min 20 s`, `2 h 5 min`
    static func took(_ milliseconds: Int64) -> String {
        let tenths = (milliseconds + 50) / 100
        if tenths < 600 { return "\(tenths / 10).\(tenths % 10) s" }
        let seconds = milliseconds / 1000
        if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
