// The mini experiment: what `flowspool mini` expects of each phase, and the judgement of what it saw. Pure: running the phases
// and looking at folders, stamps and log is elsewhere. What always holds: whatever differs from the expectation is a line that
// names phase, prompt and both values; no difference goes unsaid.

import Foundation

/// The expectations of the mini experiment, and how a phase is judged by them.
public enum MiniExperiment {
    /// The phases, in the order in which they run.
    public enum Phase: String, Sendable, CaseIterable {
        /// `prompts/` under the profile `production`.
        case production
        /// The same prompts under `poc`.
        case poc
        /// `canary/` under `production` with both thresholds 1: must halt at the first prompt.
        case canary
    }

    /// What must have happened in a phase.
    public struct Expectation: Sendable, Hashable {
        public var phase: Phase
        public var profile: String
        /// Sub-folder of `deployment_pipeline/` that the spool is filled from.
        public var source: String
        /// Set for the canary; nil leaves the profile's.
        public var thresholds: Int?
        public var exitCode: Int32
        /// Of the summary.
        public var status: BatchSummary.Status
        public var isOnHold: Bool
        /// What must be true of each prompt that starts.
        public var state: JobState
        public var execStatus: String
        /// Any of these.
        public var pipelineStatuses: [String]
        public var gate: String
        /// Events of each prompt that starts, in order.
        public var promptEvents: [EventLog.Event]
        /// The event by which the batch tells how it ended, and the one that must not be there.
        public var closing: EventLog.Event
        public var excluded: EventLog.Event?
        /// Prompts that may start; nil: all.
        public var startedMax: Int?
        /// Whether each started prompt's artefacts must exist, or none may.
        public var leavesArtefacts: Bool
    }

    /// - Parameter retryMax: how often the canary's policy has a failed attempt tried again.
    public static func expectation(of phase: Phase, retryMax: Int = 0) -> Expectation {
        var value = Expectation(
            phase: phase, profile: phase == .poc ? "poc" : "production", source: "prompts", thresholds: nil, exitCode: 0,
            status: .done, isOnHold: false, state: .done, execStatus: "success", pipelineStatuses: ["success", "done"],
            gate: "pass",
            promptEvents: [.promptStart, .promptRun, .promptSuccess], closing: .pipelineDone, excluded: .pipelineHold,
            startedMax: nil,
            leavesArtefacts: true)
        if phase == .canary {
            value.source = "canary"
            value.thresholds = 1
            value.exitCode = Thresholds.Crossing.failFast.exitCode
            value.status = .hold
            value.isOnHold = true
            value.state = .failed
            value.execStatus = "failed"
            value.pipelineStatuses = ["failed", "hold"]
            value.gate = "skipped"
            value.promptEvents = [.promptStart] + Array(repeating: .promptRun, count: 1 + retryMax) + [.promptFailed]
            value.closing = .pipelineHold
            value.excluded = nil
            value.startedMax = 1
            value.leavesArtefacts = false
        }
        return value
    }

    /// One prompt, as it was found after a phase.
    public struct Prompt: Sendable, Hashable {
        /// File name.
        public var name: String
        /// Artefact paths (`verify.files_exist`) and whether each exists and is not empty.
        public var artefacts: [String: Bool]
        /// nil: no job, or still waiting.
        public var state: JobState?
        /// `status` of the preflight stamp.
        public var preflightStatus: String?
        /// `status` of the exec stamp.
        public var execStatus: String?
        /// `status` of the pipeline stamp.
        public var pipelineStatus: String?
        /// Of the job's last attempt.
        public var gate: String?

        public init(
            name: String, artefacts: [String: Bool], state: JobState?, preflightStatus: String?, execStatus: String?,
            pipelineStatus: String?, gate: String?
        ) {
            self.name = name
            self.artefacts = artefacts
            self.state = state
            self.preflightStatus = preflightStatus
            self.execStatus = execStatus
            self.pipelineStatus = pipelineStatus
            self.gate = gate
        }
    }

    /// A prompt as its file tells it.
    ///
    /// - Parameters:
    ///   - bytes: the file as it stands after the phase, stamp included; nil where it is gone.
    ///   - exists: whether an artefact, relative to the repo root, exists and is not empty.
    public static func prompt(
        name: String, bytes: Data?, state: JobState?, gate: GateResult?, exists: (String) -> Bool
    ) -> Prompt {
        let stamp = bytes.flatMap { ExistingStamp(in: $0) }
        let paths = bytes.map { PromptFile.read(name: name, bytes: $0).settings.gate.filesExist } ?? []
        var artefacts: [String: Bool] = [:]
        for path in paths { artefacts[path] = exists(path) }
        return Prompt(
            name: name, artefacts: artefacts, state: state, preflightStatus: stamp?.preflightStatus,
            execStatus: stamp?.execStatus, pipelineStatus: stamp?.pipelineStatus, gate: gate?.rawValue)
    }

    /// What was found after a phase.
    public struct Observation: Sendable, Hashable {
        public var exitCode: Int32
        /// `status` of the summary; nil where there is none.
        public var status: String?
        public var isOnHold: Bool
        /// Every prompt that the spool was filled with, in name order.
        public var prompts: [Prompt]
        /// The log, in order.
        public var events: [EventLog.Entry]
        public var seconds: Double

        public init(
            exitCode: Int32, status: String?, isOnHold: Bool, prompts: [Prompt], events: [EventLog.Entry], seconds: Double
        ) {
            self.exitCode = exitCode
            self.status = status
            self.isOnHold = isOnHold
            self.prompts = prompts
            self.events = events
            self.seconds = seconds
        }
    }

    /// The judgement of one phase.
    public struct Report: Sendable, Hashable {
        public var phase: Phase
        /// Prompts that started.
        public var prompts: Int
        public var seconds: Double
        /// What was off, one line each.
        public var faults: [String]
        public var isPassed: Bool { faults.isEmpty }
    }

    /// Compares what was seen with what must be.
    public static func judge(_ seen: Observation, by expected: Expectation) -> Report {
        var faults: [String] = []
        func expect(_ what: String, _ found: String, _ wanted: String) {
            if found != wanted { faults.append("\(expected.phase.rawValue): \(what) is \(found), expected \(wanted)") }
        }
        expect("exit code", "\(seen.exitCode)", "\(expected.exitCode)")
        expect("summary status", printable(seen.status ?? "missing"), expected.status.rawValue)
        expect("hold", seen.isOnHold ? "set" : "not set", expected.isOnHold ? "set" : "not set")
        expect("first event", seen.events.first?.event ?? "missing", EventLog.Event.startup.rawValue)
        let words = Set(seen.events.map(\.event))
        expect(
            expected.closing.rawValue, words.contains(expected.closing.rawValue) ? "in the log" : "missing", "in the log")
        if let excluded = expected.excluded?.rawValue {
            expect(excluded, words.contains(excluded) ? "in the log" : "absent", "absent")
        }
        if seen.prompts.isEmpty { faults.append("\(expected.phase.rawValue): \(expected.source)/ holds no prompts") }
        for (index, prompt) in seen.prompts.enumerated() {
            let name = printable(prompt.name)
            let starts = index < expected.startedMax ?? .max
            let events = seen.events.filter { ExactText($0.prompt) == ExactText(prompt.name) && $0.isPromptEvent }.map(\.event)
            let wanted = starts ? expected.promptEvents.map(\.rawValue) : []
            expect("\(name): events", events.joined(separator: " ").orNone, wanted.joined(separator: " ").orNone)
            for (path, exists) in prompt.artefacts.sorted(by: { $0.key < $1.key }) {
                let needed = starts && expected.leavesArtefacts
                expect("\(name): \(printable(path))", exists ? "there" : "missing", needed ? "there" : "missing")
            }
            guard starts else {
                let isWaiting = prompt.state.map(\.isWaiting) ?? true
                expect("\(name)", isWaiting ? "waiting" : prompt.state?.rawValue ?? "", "waiting")
                continue
            }
            expect("\(name): state", prompt.state?.rawValue ?? "waiting", expected.state.rawValue)
            expect("\(name): preflight stamp", printable(prompt.preflightStatus ?? "missing"), "ready")
            expect("\(name): exec stamp", printable(prompt.execStatus ?? "missing"), expected.execStatus)
            let pipeline = prompt.pipelineStatus ?? "missing"
            if !expected.pipelineStatuses.contains(pipeline) {
                expect("\(name): pipeline stamp", printable(pipeline), expected.pipelineStatuses.joined(separator: " or "))
            }
            expect("\(name): completion gate", printable(prompt.gate ?? "missing"), expected.gate)
            if expected.leavesArtefacts, prompt.artefacts.isEmpty { faults.append("\(name): asks for no artefacts") }
        }
        let started = Set(seen.events.filter { $0.event == EventLog.Event.promptStart.rawValue }.map { ExactText($0.prompt) })
        return Report(phase: expected.phase, prompts: started.count, seconds: seen.seconds, faults: faults)
    }

    // MARK: - Report

    /// The table that `flowspool mini` ends with, and below it what was off.
    public static func table(_ reports: [Report]) -> String {
        var text = "phase       prompts  result  seconds\n"
        for report in reports {
            text += report.phase.rawValue.padded(12)
            text += "\(report.prompts)".paddedLeft(7)
            text += "  " + (report.isPassed ? "pass" : "FAIL").padded(8)
            text += hundredths(report.seconds).paddedLeft(7) + "\n"
        }
        for fault in reports.flatMap(\.faults) { text += "\(fault)\n" }
        return text
    }

    /// The document of `flowspool mini --json`.
    public static func json(_ reports: [Report]) -> JSON {
        [
            "passed": .bool(reports.count == Phase.allCases.count && reports.allSatisfy(\.isPassed)),
            "phases": .array(
                reports.map { report in
                    [
                        "phase": .string(report.phase.rawValue), "prompts": .int(report.prompts),
                        "result": .string(report.isPassed ? "pass" : "fail"), "seconds": .double(report.seconds),
                        "faults": .array(report.faults.map(JSON.string)),
                    ]
                }),
        ]
    }

    private static func hundredths(_ seconds: Double) -> String {
        let value = Int(min(max(0, seconds), 1e9) * 100 + 0.5)
        return "\(value / 100).\(value % 100 < 10 ? "0" : "")\(value % 100)"
    }
}

extension String {
    /// With spaces up to `width` characters.
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
    fileprivate func paddedLeft(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
    fileprivate var orNone: String { isEmpty ? "none" : self }
}
