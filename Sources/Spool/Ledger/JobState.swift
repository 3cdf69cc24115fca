// The words of the ledger: where a job stands, how it ended, in which folder its file is. Every state says how a job comes
// into it and how it leaves; the ledger makes no other transition.

/// Where a job stands (DESIGN "Life of a job").
public enum JobState: String, Sendable, Codable, CaseIterable {
    /// The file waits in the drop folder. Entered when it is seen, approved, retried, or given back by a runner that stopped
    /// before it started. Left by a claim, by `cancel`, or when the user takes the file away.
    case queued
    /// As queued, but not before a time. Entered by a retry with a delay or by a rate limit. Left as queued is.
    case deferred
    /// The file is claimed and stands in `active/`. Entered by a claim. Left when the attempt ends, when preflight holds or
    /// blocks it, or when a stopping runner gives it back.
    case active
    /// Waits in `held/` for a person. Left by `approve`, `reject`, `cancel`.
    case held
    /// Succeeded; in `done/` (or back in its place). Left by `retry` or by moving the file back.
    case done
    /// Failed, blocked or rejected; in `failed/`. Left as done is.
    case failed
    /// Ended by `cancel`, or its file was taken away while it waited. Left as done is.
    case cancelled

    public var isTerminal: Bool { self == .done || self == .failed || self == .cancelled }
    public var isWaiting: Bool { self == .queued || self == .deferred }
}

/// How a finished job ended.
public enum JobStatus: String, Sendable, Codable, CaseIterable {
    case success, failed, blocked, rejected, interrupted, cancelled
}

/// The folder that a job's file belongs in.
public enum Place: String, Sendable, Codable, CaseIterable {
    /// The spool folder itself.
    case drop
    case active, held, done, failed
    /// No file: the user took it away.
    case none
}

/// What became of an attempt. `running` is what a crash leaves behind.
public enum AttemptOutcome: String, Sendable, Codable {
    case running, success, failed, interrupted, cancelled
}
