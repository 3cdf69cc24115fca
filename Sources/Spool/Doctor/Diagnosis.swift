// One line of what `doctor` says. A value: nothing here looks at anything or prints.

/// What was found of one thing that a run needs.
public struct Diagnosis: Sendable, Hashable {
    public enum Level: String, Sendable, CaseIterable {
        case ok
        /// A run works, but less well than it could, or something waits for a person.
        case warn
        /// A run refuses to begin, or what it promises does not hold.
        case fail
    }

    /// What was looked at, one word: `ledger`, `clock`.
    public var name: String
    public var level: Level
    /// What was found; may hold text from outside, so it is escaped when it is printed.
    public var message: String
    /// A command, or what to do, that mends it; nil only where all is well.
    public var remedy: String?

    public static func ok(_ name: String, _ message: String) -> Diagnosis {
        Diagnosis(name: name, level: .ok, message: message, remedy: nil)
    }

    public static func warn(_ name: String, _ message: String, mend remedy: String) -> Diagnosis {
        Diagnosis(name: name, level: .warn, message: message, remedy: remedy)
    }

    public static func fail(_ name: String, _ message: String, mend remedy: String) -> Diagnosis {
        Diagnosis(name: name, level: .fail, message: message, remedy: remedy)
    }

    /// An error that a run would end with.
    static func fail(_ name: String, _ error: any Error, mend remedy: String) -> Diagnosis {
        let shown = (error as? FlowspoolError) ?? (error as? SystemCallError)?.forUser
        return .fail(name, shown?.message ?? "\(error)", mend: shown?.hint ?? remedy)
    }
}
