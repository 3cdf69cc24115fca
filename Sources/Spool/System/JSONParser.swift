// A strict RFC 8259 reader that keeps where each value stands and every duplicate key, so that a fault in a file can be
// named by line. Foundation's decoder loses both. Input is bounded in size and depth; bad input is an error, never a crash.

/// Where in a text something stands.
public struct TextPosition: Sendable, Hashable, Comparable {
    /// Counted from 1.
    public var line: Int
    /// Counted from 1, in Unicode scalars.
    public var column: Int

    public static func < (left: TextPosition, right: TextPosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// Text that is not JSON.
public struct JSONSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    public let position: TextPosition
    /// What was expected or found, without a full stop.
    public let message: String
    public var description: String { "line \(position.line), column \(position.column): \(message)" }
}

/// A value and where it stands.
struct JSONNode: Sendable {
    enum Kind: Sendable {
        case null
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string(String)
        case array([JSONNode])
        case object([JSONMember])
    }
    var kind: Kind
    /// Of its first byte.
    var offset: Int

    /// The value without positions; of duplicate keys all are kept.
    var json: JSON {
        switch kind {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .double(let value): .double(value)
        case .string(let value): .string(value)
        case .array(let nodes): .array(nodes.map(\.json))
        case .object(let members): .object(members.map { ($0.key, $0.value.json) })
        }
    }
}

/// One key of an object, its value, and where the key stands.
struct JSONMember: Sendable {
    var key: String
    var keyOffset: Int
    var value: JSONNode
}

extension JSON {
    /// Reads one JSON text, whole.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8; a byte-order mark at the start is skipped (RFC 8259, 8.1).
    ///   - bytesMax: longer input is an error.
    /// - Throws: `JSONSyntaxError`: not JSON, more than 64 levels deep, too long, or a key that an object has twice.
    ///   - mends: half a surrogate pair in an escape, which JavaScript's `JSON.stringify` writes for text that is cut within a character, becomes
    ///     U+FFFD. For what other programs print.
    public static func parse(
        _ bytes: some Sequence<UInt8>, bytesMax: Int = 64 << 20, mends: Bool = false
    ) throws(JSONSyntaxError) -> JSON {
        var parser = JSONParser(Array(bytes), bytesMax: bytesMax, allowsDuplicateKeys: false, mends: mends)
        return try parser.parse().json
    }

    /// Reads one JSON text, whole.
    public static func parse(_ text: String) throws(JSONSyntaxError) -> JSON { try parse(text.utf8) }
}

/// One pass over one text.
struct JSONParser {
    private static let depthMax = 64

    private let bytes: [UInt8]
    private let bytesMax: Int
    private let allowsDuplicateKeys: Bool
    private let mends: Bool
    private var index = 0
    private var depth = 0

    /// - Parameter allowsDuplicateKeys: when true they are left in the tree, for a caller that names them all.
    init(_ bytes: [UInt8], bytesMax: Int, allowsDuplicateKeys: Bool, mends: Bool = false) {
        self.mends = mends
        self.bytes = bytes
        self.bytesMax = bytesMax
        self.allowsDuplicateKeys = allowsDuplicateKeys
    }

    mutating func parse() throws(JSONSyntaxError) -> JSONNode {
        guard bytes.count <= bytesMax else { throw fail("larger than \(bytesMax) bytes", at: 0) }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        skipSpace()
        guard index < bytes.count else { throw fail("the text is empty") }
        let node = try value()
        skipSpace()
        guard index == bytes.count else { throw fail("text after the end of the value") }
        return node
    }

    /// Line and column of a byte; linear in `offset`.
    func position(of offset: Int) -> TextPosition {
        var result = TextPosition(line: 1, column: 1)
        for byte in bytes.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                result = TextPosition(line: result.line + 1, column: 1)
            } else if byte & 0xC0 != 0x80 {
                result.column += 1
            }
        }
        return result
    }

    // MARK: Values

    private mutating func value() throws(JSONSyntaxError) -> JSONNode {
        let start = index
        guard index < bytes.count else { throw fail("the text ends where a value should stand") }
        switch bytes[index] {
        case UInt8(ascii: "{"):
            return JSONNode(kind: .object(try nested { parser throws(JSONSyntaxError) in try parser.object() }), offset: start)
        case UInt8(ascii: "["):
            return JSONNode(kind: .array(try nested { parser throws(JSONSyntaxError) in try parser.array() }), offset: start)
        case UInt8(ascii: "\""): return JSONNode(kind: .string(try string()), offset: start)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return JSONNode(kind: try number(), offset: start)
        default:
            for (word, kind) in [("true", JSONNode.Kind.bool(true)), ("false", .bool(false)), ("null", .null)]
            where bytes[index...].starts(with: word.utf8) {
                index += word.utf8.count
                return JSONNode(kind: kind, offset: start)
            }
            throw fail("expected a value, found \(here)")
        }
    }

    private mutating func nested<R>(
        _ body: (inout JSONParser) throws(JSONSyntaxError) -> R
    ) throws(JSONSyntaxError) -> R {
        guard depth < Self.depthMax else { throw fail("more than \(Self.depthMax) levels deep") }
        depth += 1
        index += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    private mutating func object() throws(JSONSyntaxError) -> [JSONMember] {
        var members: [JSONMember] = []
        var keys: Set<String> = []
        skipSpace()
        if accept("}") { return members }
        while true {
            skipSpace()
            let keyOffset = index
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                throw fail("expected a key in double quotes, found \(here)")
            }
            let key = try string()
            if !allowsDuplicateKeys, !keys.insert(key).inserted {
                throw fail("the key \"\(printable(key))\" stands here a second time", at: keyOffset)
            }
            skipSpace()
            guard accept(":") else { throw fail("expected ':' after the key, found \(here)") }
            skipSpace()
            members.append(JSONMember(key: key, keyOffset: keyOffset, value: try value()))
            skipSpace()
            if accept("}") { return members }
            guard accept(",") else { throw fail("expected ',' or '}', found \(here)") }
        }
    }

    private mutating func array() throws(JSONSyntaxError) -> [JSONNode] {
        var elements: [JSONNode] = []
        skipSpace()
        if accept("]") { return elements }
        while true {
            skipSpace()
            elements.append(try value())
            skipSpace()
            if accept("]") { return elements }
            guard accept(",") else { throw fail("expected ',' or ']', found \(here)") }
        }
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONNode.Kind {
        let start = index
        var isInteger = true
        _ = accept("-")
        if !accept("0") {
            guard skipDigits() else { throw fail("expected a digit, found \(here)") }
        }
        if accept(".") {
            isInteger = false
            guard skipDigits() else { throw fail("expected a digit after the point, found \(here)") }
        }
        if accept("e") || accept("E") {
            isInteger = false
            _ = accept("+") || accept("-")
            guard skipDigits() else { throw fail("expected a digit in the exponent, found \(here)") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let value = Int(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else { throw fail("the number is out of range", at: start) }
        return .double(value)
    }

    // MARK: Strings

    private mutating func string() throws(JSONSyntaxError) -> String {
        let open = index
        index += 1
        var run = index
        var pieces: [UInt8] = []
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                pieces += bytes[run..<index]
                guard let text = String(validating: pieces, as: UTF8.self) else {
                    throw fail("the string is not UTF-8", at: open)
                }
                index += 1
                return text
            case UInt8(ascii: "\\"):
                pieces += bytes[run..<index]
                pieces += try escape()
                run = index
            case 0..<0x20:
                throw fail("a control character in a string must be escaped")
            default:
                index += 1
            }
        }
        throw fail("the string is not closed", at: open)
    }

    /// The bytes that the escape at `index` stands for; leaves `index` after it.
    private mutating func escape() throws(JSONSyntaxError) -> [UInt8] {
        let start = index
        let letter = index + 1 < bytes.count ? bytes[index + 1] : 0
        index += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try hexadecimal(start)
            if (0xD800..<0xDC00).contains(code) {
                guard bytes[min(index, bytes.count)...].starts(with: #"\u"#.utf8) else {
                    if mends { return Array("\u{FFFD}".utf8) }
                    throw fail("half a surrogate pair", at: start)
                }
                let behind = index
                index += 2
                let low = try hexadecimal(start)
                guard (0xDC00..<0xE000).contains(low) else {
                    guard mends else { throw fail("half a surrogate pair", at: start) }
                    // What follows is a character of its own.
                    index = behind
                    return Array("\u{FFFD}".utf8)
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                if mends { return Array("\u{FFFD}".utf8) }
                throw fail("half a surrogate pair", at: start)
            }
            return Array(String(scalar).utf8)
        default:
            throw fail("an unknown escape in a string", at: start)
        }
    }

    private mutating func hexadecimal(_ start: Int) throws(JSONSyntaxError) -> UInt32 {
        let digits = bytes[min(index, bytes.count)..<min(index + 4, bytes.count)]
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw fail("expected four hexadecimal digits after \\u", at: start) }
        index += 4
        return code
    }

    // MARK: Characters

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    private mutating func skipDigits() -> Bool {
        let start = index
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index += 1 }
        return index > start
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    /// What stands at `index`, for a message.
    private var here: String {
        guard index < bytes.count else { return "the end of the text" }
        let end = bytes[index...].dropFirst().firstIndex { $0 & 0xC0 != 0x80 } ?? bytes.count
        return "'\(printable(String(decoding: bytes[index..<end], as: UTF8.self)))'"
    }

    private func fail(_ message: String, at offset: Int? = nil) -> JSONSyntaxError {
        JSONSyntaxError(position: position(of: offset ?? index), message: message)
    }
}
