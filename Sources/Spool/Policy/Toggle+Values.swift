// What may be written for a toggle, wherever it is written: one table for flags, environment, configuration and front matter.
// A spelling that is not here is an error at the place where it stands, never a default.

extension Toggle {
    /// The values that a person may choose from, for messages.
    public var allowedValues: String {
        switch self {
        case .warnMode: "ask, auto-approve, halt"
        case .warnGate: "yes, no"
        case .retryMax: "0, 1"
        case .failFastThreshold, .totalFailuresMax: "a whole number from 1 up"
        }
    }

    /// The environment name, and the older name that is read as well.
    public var environmentNames: (name: String, alias: String) {
        let upper = rawValue.uppercased()
        switch self {
        case .warnMode, .warnGate, .retryMax: return ("PROMPT_FLOW_\(upper)", "PROMPT_EXEC_\(upper)")
        case .failFastThreshold, .totalFailuresMax: return ("PROMPT_FLOW_\(upper)", upper)
        }
    }

    /// The value that `text` spells, in its one normal spelling (`yes`, `auto-approve`, `3`); nil where it spells none.
    public func normalize(_ text: String) -> String? {
        switch self {
        case .warnMode:
            switch text {
            case "auto_approve", "autoapprove": WarnMode.autoApprove.rawValue
            default: WarnMode(rawValue: text)?.rawValue
            }
        case .warnGate:
            switch text {
            case "yes", "true", "1": "yes"
            case "no", "false", "0": "no"
            default: nil
            }
        case .retryMax:
            text == "0" || text == "1" ? text : nil
        case .failFastThreshold, .totalFailuresMax:
            // "+3" and "03" are numbers to Swift but not to the reader of the next tool in line.
            Int(text).flatMap { $0 >= 1 && String($0) == text ? text : nil }
        }
    }
}

extension Policy {
    /// Sets one toggle from a value that `Toggle.normalize` returned.
    mutating func set(_ toggle: Toggle, toNormalized text: String) {
        switch toggle {
        case .warnMode: warnMode = WarnMode(rawValue: text) ?? warnMode
        case .warnGate: warnGate = text == "yes"
        case .retryMax: retryMax = Int(text) ?? retryMax
        case .failFastThreshold: failFastThreshold = Int(text) ?? failFastThreshold
        case .totalFailuresMax: totalFailuresMax = Int(text) ?? totalFailuresMax
        }
    }
}
