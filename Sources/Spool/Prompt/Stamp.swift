// The facts that flowspool writes into a prompt: one top-level key, `prompt_flow`. `StampWriter` turns them into bytes and
// back; this file only says what they are.

import Foundation

/// What is stamped. A stage that is nil is left as the file has it; a stage that is set replaces that stage whole.
public struct Stamp: Sendable, Hashable {
    public var promptID: String
    public var promptSHA: String
    public var preflight: Preflight?
    public var exec: Exec?
    public var pipeline: Pipeline?

    public init(promptID: String, promptSHA: String, preflight: Preflight? = nil, exec: Exec? = nil, pipeline: Pipeline? = nil) {
        self.promptID = promptID
        self.promptSHA = promptSHA
        self.preflight = preflight
        self.exec = exec
        self.pipeline = pipeline
    }

    public struct Preflight: Sendable, Hashable {
        public enum Status: String, Sendable, Codable { case ready, warned, held, blocked }
        public struct Mark: Sendable, Hashable {
            public var code: String
            public var line: Int?
            public var waiver: String?
            public init(code: String, line: Int?, waiver: String? = nil) {
                self.code = code
                self.line = line
                self.waiver = waiver
            }
        }
        /// The command that checked: `watch`, `pipeline`, `preflight`, `exec`.
        public var source: String
        public var status: Status
        public var isReady: Bool
        public var reason: String
        /// How often this prompt has been checked, counted from 1.
        public var revision: Int
        public var resolved: ResolvedPolicy
        public var findings: [Mark]
        public var updated: Date
        public init(
            source: String, status: Status, isReady: Bool, reason: String, revision: Int, resolved: ResolvedPolicy,
            findings: [Mark], updated: Date
        ) {
            self.source = source
            self.status = status
            self.isReady = isReady
            self.reason = reason
            self.revision = revision
            self.resolved = resolved
            self.findings = findings
            self.updated = updated
        }
    }

    public struct Exec: Sendable, Hashable {
        public enum Status: String, Sendable, Codable { case success, failed, blocked, interrupted }
        public var source: String
        public var status: Status
        /// Run folder, relative to the spool.
        public var runRef: String
        public var promptSHA: String
        public var gate: GateResult
        public var failedBlock: Int?
        public var failureClass: FailureClass?
        public var lastOKBlock: Int
        public var warningCount: Int
        public var attempts: Int
        public var exitCode: Int32?
        public var durationMilliseconds: Int
        public var updated: Date
        /// Further facts of a runner (runner, model, tokens …), written in this order after the others.
        public var extra: [Fact] = []
        public struct Fact: Sendable, Hashable {
            public var key: String
            public var value: String
            /// The value is a number, and is written as one.
            public var isNumber: Bool
            public init(_ key: String, _ value: String, isNumber: Bool = false) {
                self.key = key
                self.value = value
                self.isNumber = isNumber
            }
        }
        public init(
            source: String, status: Status, runRef: String, promptSHA: String, gate: GateResult, failedBlock: Int?,
            failureClass: FailureClass?, lastOKBlock: Int, warningCount: Int, attempts: Int, exitCode: Int32?,
            durationMilliseconds: Int, updated: Date
        ) {
            self.source = source
            self.status = status
            self.runRef = runRef
            self.promptSHA = promptSHA
            self.gate = gate
            self.failedBlock = failedBlock
            self.failureClass = failureClass
            self.lastOKBlock = lastOKBlock
            self.warningCount = warningCount
            self.attempts = attempts
            self.exitCode = exitCode
            self.durationMilliseconds = durationMilliseconds
            self.updated = updated
        }
    }

    public struct Pipeline: Sendable, Hashable {
        public enum Status: String, Sendable, Codable { case success, failed, hold, done }
        public var source: String
        public var status: Status
        public var runID: String
        public var attempt: Int
        public var failStreak: Int
        public var failTotal: Int
        public var profile: String
        public var failFastThreshold: Int
        public var totalFailuresMax: Int
        public var lastEvent: String
        public var updated: Date
        public init(
            source: String, status: Status, runID: String, attempt: Int, failStreak: Int, failTotal: Int, profile: String,
            failFastThreshold: Int, totalFailuresMax: Int, lastEvent: String, updated: Date
        ) {
            self.source = source
            self.status = status
            self.runID = runID
            self.attempt = attempt
            self.failStreak = failStreak
            self.failTotal = failTotal
            self.profile = profile
            self.failFastThreshold = failFastThreshold
            self.totalFailuresMax = totalFailuresMax
            self.lastEvent = lastEvent
            self.updated = updated
        }
    }
}
