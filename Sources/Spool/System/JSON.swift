// A JSON value that keeps the order of its keys, with a writer whose output is the same for the same value, always. Every
// JSON document and log line that flowspool writes comes from here; `JSONParser` reads. Nothing here touches the disk.

/// A JSON value (RFC 8259). Keys keep the order in which they were given.
///
/// Literals work, and a dictionary literal keeps its order: `["ok": true, "path": .string(path), "errors": []]`.
public enum JSON: Sendable {
    case null
    case bool(Bool)
    case int(Int)
    /// Finite; JSON has no way to write infinity or "not a number", which are written as `null`.
    case double(Double)
    case string(String)
    case array([JSON])
    /// Keys are expected to be unique; the writer writes what it is given.
    case object([(String, JSON)])
}

extension JSON: Equatable {
    /// Key order counts: two values are equal when they are written alike.
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a.elementsEqual(b) { $0.0 == $1.0 && $0.1 == $1.1 }
        default: false
        }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements) }
}

extension JSON {
    /// A string, or `null` for nil.
    public init(_ value: String?) { self = value.map(JSON.string) ?? .null }
    /// A number, or `null` for nil.
    public init(_ value: Int?) { self = value.map(JSON.int) ?? .null }

    /// The value under `key`, or nil where this is no object or has no such key.
    public subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.0 == key }?.1
    }

    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var intValue: Int? { if case .int(let value) = self { value } else { nil } }
    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var arrayValue: [JSON]? { if case .array(let value) = self { value } else { nil } }
    public var objectValue: [(String, JSON)]? { if case .object(let value) = self { value } else { nil } }
    public var isNull: Bool { if case .null = self { true } else { false } }
}

// MARK: - Writing

extension JSON {
    /// On one line, without spaces and without a final newline: a line of a `.jsonl` file.
    public var compact: String {
        var out: [UInt8] = []
        write(to: &out, indent: nil)
        return String(decoding: out, as: UTF8.self)
    }

    /// Indented by two spaces, ending in a newline: a document.
    public var pretty: String {
        var out: [UInt8] = []
        write(to: &out, indent: 0)
        out.append(UInt8(ascii: "\n"))
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends this value to `out`: on one line where `indent` is nil, else in lines that begin `indent` levels deep.
    func write(to out: inout [UInt8], indent: Int?) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value): out.append(contentsOf: String(value).utf8)
        case .double(let value): out.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
        case .string(let value): JSON.writeString(value, to: &out)
        case .array(let elements):
            JSON.writeList(elements, open: "[", close: "]", to: &out, indent: indent) { element, out, indent in
                element.write(to: &out, indent: indent)
            }
        case .object(let members):
            JSON.writeList(members, open: "{", close: "}", to: &out, indent: indent) { member, out, indent in
                JSON.writeString(member.0, to: &out)
                out.append(UInt8(ascii: ":"))
                if indent != nil { out.append(UInt8(ascii: " ")) }
                member.1.write(to: &out, indent: indent)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element], open: Unicode.Scalar, close: Unicode.Scalar, to out: inout [UInt8], indent: Int?,
        _ writeOne: (Element, inout [UInt8], Int?) -> Void
    ) {
        out.append(UInt8(ascii: open))
        let inner = indent.map { $0 + 1 }
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            startLine(inner, to: &out)
            writeOne(element, &out, inner)
        }
        if !elements.isEmpty { startLine(indent, to: &out) }
        out.append(UInt8(ascii: close))
    }

    private static func startLine(_ indent: Int?, to out: inout [UInt8]) {
        guard let indent else { return }
        out.append(UInt8(ascii: "\n"))
        out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * 2))
    }

    /// Escapes what RFC 8259 demands, and beyond it whatever a terminal could act on (`isUnsafeToPrint`): a reader gets the
    /// same text back either way.
    private static func writeString(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        defer { out.append(UInt8(ascii: "\"")) }
        // Nearly all that is written is plain, and goes as it is.
        if needsNoEscape(text) {
            out.append(contentsOf: text.utf8)
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out.append(contentsOf: #"\""#.utf8)
            case "\\": out.append(contentsOf: #"\\"#.utf8)
            case "\n": out.append(contentsOf: #"\n"#.utf8)
            case "\r": out.append(contentsOf: #"\r"#.utf8)
            case "\t": out.append(contentsOf: #"\t"#.utf8)
            case " "..."~": out.append(UInt8(truncatingIfNeeded: scalar.value))
            case _ where isUnsafeToPrint(scalar):
                for unit in UTF16.encode(scalar) ?? .init() { writeEscape(unit, to: &out) }
            default:
                out.append(contentsOf: UTF8.encode(scalar) ?? .init())
            }
        }
    }

    private static func writeEscape(_ unit: UInt16, to out: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        out.append(contentsOf: #"\u"#.utf8)
        for shift in [12, 8, 4, 0] { out.append(digits[Int(unit >> shift) & 0xF]) }
    }
}
