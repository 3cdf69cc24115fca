// File names may hold newlines; the contract's line files may not. One escape makes any name one line and gives it back.
// What always holds: `decode(encode(x)) == x`, and a name without control characters and backslashes is its own line.

/// Names and paths as single lines of a contract file.
enum LineText {
    /// `text` with backslash and control characters as `\\`, `\n`, `\r`, `\t`, `\xHH`.
    static func encode(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..<" ", "\u{7F}":
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count < 2 ? "0" + hex : hex)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text that `line` stands for; nil where a backslash stands before anything that `encode` does not write.
    static func decode(_ line: String) -> String? {
        guard line.utf8.contains(UInt8(ascii: "\\")) else { return line }
        var result = String.UnicodeScalarView()
        var rest = line.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "\\" else {
                result.append(scalar)
                continue
            }
            switch rest.popFirst() {
            case "\\": result.append("\\")
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "t": result.append("\t")
            case "x":
                let digits = String(rest.prefix(2))
                guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
                result.append(Unicode.Scalar(value))
                rest = rest.dropFirst(2)
            default: return nil
            }
        }
        return String(result)
    }
}

extension LineText {
    /// Whether `text` can stand in a line file as it is.
    static func isOneLine(_ text: String) -> Bool {
        !text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }
}
