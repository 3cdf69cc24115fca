// The facts of a stamp in the order and form of DESIGN "The prompt file". Times are UTC to the second.

import Foundation

extension Stamp {
    /// Most findings that a stamp lists; `findings_omitted` counts the others.
    static let findingsMax = 100

    /// The stages that are set, by name.
    var stages: [StampValue.Pair] {
        var stages: [StampValue.Pair] = []
        if let preflight { stages.append(.init("preflight", preflight.value)) }
        if let exec { stages.append(.init("exec", exec.value)) }
        if let pipeline { stages.append(.init("pipeline", pipeline.value)) }
        return stages
    }

    /// `2026-01-02T03:04:05Z`: UTC, cut to the second; outside years 1970 to 9999 the nearest time inside.
    public static func utc(_ date: Date) -> String {
        let seconds = date.timeIntervalSince1970
        let whole = seconds.isNaN ? 0 : Int64(min(max(seconds.rounded(.down), 0), 253_402_300_799))
        return utcText(whole * 1000, fraction: false)
    }
}

extension Stamp.Preflight {
    fileprivate var value: StampValue {
        let normalized = resolved.policy.normalized
        let policy = Toggle.allCases.map { toggle in
            let text = normalized[toggle] ?? ""
            return StampValue.Pair(toggle.rawValue, Int(text).map { .number($0) } ?? .text(text))
        }
        let sources = Toggle.allCases.map { toggle in
            StampValue.Pair(toggle.rawValue, .optional(resolved.sources[toggle]?.rawValue))
        }
        var pairs: [StampValue.Pair] = [
            .init("source", .text(source)), .init("status", .text(status.rawValue)),
            .init("ready", .text(isReady ? "yes" : "no")), .init("reason", .text(reason)), .init("revision", .number(revision)),
            .init("profile", .optional(resolved.profile)), .init("config_sha", .optional(resolved.configSHA)),
            .init("policy", .map(policy)), .init("policy_source", .map(sources)),
            .init("findings", .list(findings.prefix(Stamp.findingsMax).map(\.value))),
        ]
        if findings.count > Stamp.findingsMax {
            pairs.append(.init("findings_omitted", .number(findings.count - Stamp.findingsMax)))
        }
        return .map(pairs + [.init("updated_utc", .text(Stamp.utc(updated)))])
    }
}

extension Stamp.Preflight.Mark {
    fileprivate var value: StampValue {
        var pairs: [StampValue.Pair] = [.init("code", .text(code)), .init("line", .optional(line))]
        if let waiver { pairs.append(.init("waiver", .text(waiver))) }
        return .map(pairs)
    }
}

extension Stamp.Exec {
    fileprivate var value: StampValue {
        var pairs: [StampValue.Pair] = [
            .init("source", .text(source)), .init("status", .text(status.rawValue)), .init("run_ref", .text(runRef)),
            .init("prompt_sha", .text(promptSHA)), .init("completion_gate", .text(gate.rawValue)),
            .init("failed_block", .optional(failedBlock)), .init("failure_class", .optional(failureClass?.rawValue)),
            .init("last_ok_block", .number(lastOKBlock)), .init("warning_count", .number(warningCount)),
            .init("attempts", .number(attempts)), .init("exit_code", .optional(exitCode.map(Int.init))),
            .init("duration_ms", .number(durationMilliseconds)), .init("updated_utc", .text(Stamp.utc(updated))),
        ]
        // A fact under a name that is taken would be a duplicate key, which is no YAML.
        for fact in extra where !pairs.contains(where: { $0.key == fact.key }) {
            pairs.append(.init(fact.key, fact.isNumber ? .decimal(fact.value) : .text(fact.value)))
        }
        return .map(pairs)
    }
}

extension Stamp.Pipeline {
    fileprivate var value: StampValue {
        .map([
            .init("source", .text(source)), .init("status", .text(status.rawValue)), .init("run_id", .text(runID)),
            .init("attempt", .number(attempt)), .init("fail_streak", .number(failStreak)),
            .init("fail_total", .number(failTotal)),
            .init(
                "policy",
                .map([
                    .init("profile", .text(profile)),
                    .init(Toggle.failFastThreshold.rawValue, .number(failFastThreshold)),
                    .init(Toggle.totalFailuresMax.rawValue, .number(totalFailuresMax)),
                ])), .init("last_event", .text(lastEvent)), .init("updated_utc", .text(Stamp.utc(updated))),
        ])
    }
}
