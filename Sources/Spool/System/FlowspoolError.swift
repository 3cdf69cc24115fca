// The one error type that reaches a user. It owns the wording: what happened, to which path or job, and what to do next.
// Callers throw it; only the command line prints it. A child that exits non-zero is an outcome, never one of these.

/// An operating error that a person can act on.
///
/// `message` names the path or the job; `hint` names the next command or step. Neither ends in a full stop.
public struct FlowspoolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of trouble this is. The command line maps each code to one exit status (DESIGN "Commands").
    public enum Code: String, Sendable, CaseIterable {
        /// The command line is wrong: exit 64 (`EX_USAGE`, sysexits.h).
        case usage
        /// A prompt, a configuration or an argument's value is invalid: exit 2.
        case invalidInput
        /// The spool is on hold: exit 12.
        case onHold
        /// The file named by `--require-go` does not exist: exit 13.
        case goMissing
        /// Another runner holds the spool's lock: exit 14.
        case spoolBusy
        /// The mini experiment's record is missing or out of date: exit 15.
        case miniNotCurrent
        /// The machine refused (disk full, I/O error, no permission): exit 75 (`EX_TEMPFAIL`), try again later.
        case unavailable
        /// flowspool broke a promise that it makes to itself: exit 70 (`EX_SOFTWARE`).
        case bug
    }

    public let code: Code
    public let message: String
    public let hint: String?
    /// Asking again will not mend it: a person has to, such as a mode that forbids it.
    let isLasting: Bool

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        self.init(code, message, hint: hint, isLasting: false)
    }

    init(_ code: Code, _ message: String, hint: String?, isLasting: Bool) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isLasting = isLasting
    }

    public var description: String {
        hint.map { "\(message)\n  hint: \($0)" } ?? message
    }
}
