// File names and other data from outside may hold newlines, ANSI escapes or bytes that are no UTF-8. Whatever reaches a
// terminal, a log or a message goes through here first.

/// `text` with every control character, and every character that could change how a terminal shows the rest, escaped:
/// `\n`, `\t`, `\u{1B}` as in Swift source. Text without such characters comes back unchanged.
public func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnsafeToPrint) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isUnsafeToPrint(scalar) {
            result += scalar.escaped(asASCII: true)
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// Whether a terminal could take this character for a command, or show what follows it otherwise than it is.
func isUnsafeToPrint(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: true
    default: false
    }
}

/// `1 job`, `2 jobs`: a count with its noun, for messages.
///
/// - Parameter noun: one whose plural ends in `s`.
public func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Whether `text` may stand between double quotes as it is, in JSON as in YAML: printable ASCII, and neither a quote nor a backslash.
func needsNoEscape(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
        for byte in bytes where !(32...126).contains(byte) || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            return false
        }
        return true
    }
}
