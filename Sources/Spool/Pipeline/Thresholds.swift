// When too much fails. Only counting: who acts on a crossing (hold file, exit code) is elsewhere. What always holds: a crossing
// is told once, by the outcome that caused it, so that of several running jobs exactly one halts the spool.

/// The two failure counts of a batch or, under `watch`, since the last resume, and their limits.
public struct Thresholds: Sendable, Hashable {
    /// How a job ended, as far as the counts care.
    public enum Outcome: String, Sendable, CaseIterable {
        case success
        /// Attempts used up, gate failed, interrupted for good. A person's `reject` counts neither way and is not recorded here.
        case failed
        /// Preflight said no. Counts as a failure.
        case blocked
        /// Waits for a person. Counts neither way.
        case held
        /// Comes back later. Counts neither way.
        case deferred
        /// Ended by a user. Counts neither way.
        case cancelled
    }

    /// The threshold that was crossed.
    public enum Crossing: String, Sendable, CaseIterable {
        case failFast = "fail_fast"
        case totalFailures = "total_failures"

        /// DESIGN "Commands", exit codes.
        public var exitCode: Int32 { self == .failFast ? 10 : 11 }
    }

    /// Failures in a row that halt, ≥ 1.
    public var failFast: Int
    /// Failures in all that halt, ≥ 1.
    public var totalMax: Int
    public private(set) var failStreak: Int
    public private(set) var failTotal: Int

    /// - Parameters:
    ///   - failFast: at least 1 (`PolicyResolver` has made sure).
    ///   - failStreak: as recorded by an earlier process; counts survive restarts.
    public init(failFast: Int, totalMax: Int, failStreak: Int = 0, failTotal: Int = 0) {
        precondition(failFast >= 1 && totalMax >= 1, "thresholds are at least 1")
        self.failFast = failFast
        self.totalMax = totalMax
        self.failStreak = max(0, failStreak)
        self.failTotal = max(0, failTotal)
    }

    public init(_ policy: Policy, failStreak: Int = 0, failTotal: Int = 0) {
        self.init(
            failFast: policy.failFastThreshold, totalMax: policy.totalFailuresMax, failStreak: failStreak, failTotal: failTotal)
    }

    /// The threshold that the counts have reached; where both, the streak's.
    public var crossing: Crossing? {
        if failStreak >= failFast { return .failFast }
        return failTotal >= totalMax ? .totalFailures : nil
    }

    /// The limit of a threshold.
    public func limit(of crossing: Crossing) -> Int {
        crossing == .failFast ? failFast : totalMax
    }

    /// Counts one job's end.
    ///
    /// - Returns: the threshold that this outcome crossed; nil where none is, or where one was crossed before.
    public mutating func record(_ outcome: Outcome) -> Crossing? {
        let before = crossing
        switch outcome {
        case .success:
            failStreak = 0
            return nil
        case .failed, .blocked:
            failStreak += 1
            failTotal += 1
            return before == nil ? crossing : nil
        case .held, .deferred, .cancelled:
            return nil
        }
    }

    /// `resume`: both counts begin again.
    public mutating func reset() {
        failStreak = 0
        failTotal = 0
    }
}
