// What a stamp is made of, and its two YAML spellings: lines (block style) and one line (flow style). Text is quoted wherever a YAML
// 1.1 or a YAML 1.2 reader could take it for something else, so `yes`, times and hashes stay text for both. ASCII controls
// and everything that YAML calls a line break or not printable is escaped: one value is always one line.

/// A value of the stamp.
enum StampValue: Equatable {
    case text(String)
    case number(Int)
    /// A number with a fraction, already spelled as JSON does.
    case decimal(String)
    case null
    case map([Pair])
    case list([StampValue])

    struct Pair: Equatable {
        var key: String
        var value: StampValue
        init(_ key: String, _ value: StampValue) {
            self.key = key
            self.value = value
        }
    }

    static func optional(_ text: String?) -> StampValue { text.map { .text($0) } ?? .null }
    static func optional(_ number: Int?) -> StampValue { number.map { .number($0) } ?? .null }

    /// Longest text that is written; the rest is cut. In Unicode scalars: a character has no bound.
    static let scalarsMax = 1000

    /// Appends `key: value` as lines that are indented by `indent` spaces and end in `lineEnd`. `comment` ends the first of them.
    func appendLines(key: String, indent: Int, comment: String = "", lineEnd: String, to result: inout [UInt8]) {
        result.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent))
        Self.appendKey(key, quoted: false, to: &result)
        result.append(UInt8(ascii: ":"))
        switch self {
        case .map(let pairs) where !pairs.isEmpty:
            result.append(contentsOf: comment.utf8)
            result.append(contentsOf: lineEnd.utf8)
            for pair in pairs {
                pair.value.appendLines(key: pair.key, indent: indent + 2, lineEnd: lineEnd, to: &result)
            }
        case .list(let items) where !items.isEmpty:
            result.append(contentsOf: comment.utf8)
            result.append(contentsOf: lineEnd.utf8)
            for item in items {
                result.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent + 2))
                result.append(contentsOf: "- ".utf8)
                item.appendFlow(quoted: false, to: &result)
                result.append(contentsOf: lineEnd.utf8)
            }
        default:
            result.append(UInt8(ascii: " "))
            appendFlow(quoted: false, to: &result)
            result.append(contentsOf: comment.utf8)
            result.append(contentsOf: lineEnd.utf8)
        }
    }

    /// Appends the value on one line. `quoted`: every text in quotes, which makes the result JSON too.
    func appendFlow(quoted: Bool, to result: inout [UInt8]) {
        switch self {
        case .text(let text):
            if !quoted, Self.isPlain(text) {
                result.append(contentsOf: text.utf8)
            } else {
                Self.appendQuoted(text, to: &result)
            }
        case .number(let number): result.append(contentsOf: String(number).utf8)
        case .decimal(let text): result.append(contentsOf: text.utf8)
        case .null: result.append(contentsOf: "null".utf8)
        case .map(let pairs):
            result.append(UInt8(ascii: "{"))
            for (index, pair) in pairs.enumerated() {
                if index > 0 { result.append(contentsOf: ", ".utf8) }
                Self.appendKey(pair.key, quoted: quoted, to: &result)
                result.append(contentsOf: ": ".utf8)
                pair.value.appendFlow(quoted: quoted, to: &result)
            }
            result.append(UInt8(ascii: "}"))
        case .list(let items):
            result.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { result.append(contentsOf: ", ".utf8) }
                item.appendFlow(quoted: quoted, to: &result)
            }
            result.append(UInt8(ascii: "]"))
        }
    }

    private static func appendKey(_ key: String, quoted: Bool, to result: inout [UInt8]) {
        if !quoted, isPlain(key) { result.append(contentsOf: key.utf8) } else { appendQuoted(key, to: &result) }
    }

    /// Whether every YAML reader takes `text` without quotes for that text: a letter, then letters, digits and `_-./`.
    private static func isPlain(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count <= 40, let first = bytes.first, isLetter(first) else { return false }
            for byte in bytes where !(isLetter(byte) || (45...57).contains(byte) || byte == 95) { return false }
            // Only a short word can be one that YAML 1.1 or 1.2 takes for something else.
            guard bytes.count <= 5 else { return true }
            return !ambiguous.contains(number(bytes))
        }
    }

    private static let ambiguous = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].map { number($0.utf8) }

    /// A word of up to eight ASCII characters as one number, capitals as small letters.
    private static func number(_ word: some Sequence<UInt8>) -> UInt64 {
        word.reduce(0) { $0 << 8 | UInt64($1 | 0x20) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (65...90).contains(byte) || (97...122).contains(byte) }

    private static func appendQuoted(_ text: String, to result: inout [UInt8]) {
        result.append(UInt8(ascii: "\""))
        defer { result.append(UInt8(ascii: "\"")) }
        if text.utf8.count <= scalarsMax, needsNoEscape(text) {
            result.append(contentsOf: text.utf8)
            return
        }
        for (count, scalar) in text.unicodeScalars.enumerated() {
            if count == scalarsMax {
                result.append(contentsOf: "…".utf8)
                break
            }
            appendEscaped(scalar, to: &result)
        }
    }

    private static func appendEscaped(_ scalar: Unicode.Scalar, to result: inout [UInt8]) {
        switch scalar.value {
        case 0x22: result.append(contentsOf: "\\\"".utf8)
        case 0x5C: result.append(contentsOf: "\\\\".utf8)
        case 0x0A: result.append(contentsOf: "\\n".utf8)
        case 0x0D: result.append(contentsOf: "\\r".utf8)
        case 0x09: result.append(contentsOf: "\\t".utf8)
        // JSON's escape rather than YAML's \x, so that flow style stays JSON.
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x200B...0x200F, 0x202A...0x202E, 0x2066...0x2069, 0xFEFF, 0xFFFE, 0xFFFF:
            let hex = String(scalar.value, radix: 16, uppercase: true)
            result.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8)
        default: result.append(contentsOf: Character(scalar).utf8)
        }
    }
}
