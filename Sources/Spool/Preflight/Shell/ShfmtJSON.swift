// Reads shfmt's typed JSON. A block of ten lines is some 100 KB of it, most of it positions, so this reader keeps only what
// the tree needs and skips the rest without making values of it. The bytes come from another program: every read is bounded,
// and depth is limited because the readers recurse.

/// A value of shfmt's JSON, positions other than `Pos` and `End` left out.
enum ShfmtNode {
    case object([(key: String, value: ShfmtNode)])
    case array([ShfmtNode])
    case string(String)
    case number(Int)
    case bool(Bool)
    case null

    subscript(key: String) -> ShfmtNode? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }
    var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }
    var items: [ShfmtNode] {
        if case .array(let items) = self { return items }
        return []
    }
    var integer: Int? {
        if case .number(let number) = self { return number }
        return nil
    }
    func flag(_ key: String) -> Bool {
        if case .bool(let value)? = self[key] { return value }
        return false
    }
}

/// What makes shfmt's answer useless. Preflight turns each into `parser_failed`.
enum ShellParserFailure: Error, Sendable, Equatable {
    case nonsense(String)
    /// A number that no probe has explained.
    case unknownOperator
    case tooDeep
    /// The walk's budget was short of what the block asks for (`ShellBudget`).
    case tooDeepToFollow, tooManySteps(Int), tooManyValues(bytes: Int), tooSlow(seconds: Double)
    case tooLarge
    case timeout(seconds: Double)
    case crashed(String)
    case notStarted(SystemCallError)
}

struct ShfmtJSONReader {
    /// Levels of JSON; one level of shell nesting takes four to six.
    static let depthMax = 1_500
    private static let skippedKeys: Set<String> = [
        "ValuePos", "ValueEnd", "Left", "Right", "OpPos", "Semicolon", "Position", "Rbrace", "Lbrace", "Lparen",
        "Rparen", "ForPos", "DoPos", "DonePos", "InPos", "ThenPos", "FiPos", "WhilePos", "Comments", "Last", "CondLast",
        "ThenLast", "DoLast", "Case", "In", "Esac", "Hash", "Time", "Coproc", "Let",
    ]

    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Parses one document.
    static func read(_ bytes: [UInt8]) throws(ShellParserFailure) -> ShfmtNode {
        let result: Result<ShfmtNode, ShellParserFailure> = bytes.withUnsafeBufferPointer { buffer in
            var reader = ShfmtJSONReader(buffer)
            do throws(ShellParserFailure) {
                let node = try reader.value(depth: 0)
                try reader.skipSpace()
                guard reader.at == buffer.count else { throw .nonsense("text after the document") }
                return .success(node)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private mutating func skipSpace() throws(ShellParserFailure) {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x09 || bytes[at] == 0x0D { at += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws(ShellParserFailure) {
        try skipSpace()
        guard at < bytes.count, bytes[at] == byte else { throw .nonsense("unexpected byte at offset \(at)") }
        at += 1
    }

    private mutating func peek() throws(ShellParserFailure) -> UInt8 {
        try skipSpace()
        guard at < bytes.count else { throw .nonsense("the document ends early") }
        return bytes[at]
    }

    private mutating func value(depth: Int) throws(ShellParserFailure) -> ShfmtNode {
        guard depth < Self.depthMax else { throw .tooDeep }
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["):
            at += 1
            var items: [ShfmtNode] = []
            if try peek() == UInt8(ascii: "]") {
                at += 1
                return .array(items)
            }
            while true {
                items.append(try value(depth: depth + 1))
                let next = try peek()
                at += 1
                if next == UInt8(ascii: "]") { return .array(items) }
                guard next == UInt8(ascii: ",") else { throw .nonsense("unexpected byte at offset \(at - 1)") }
            }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try keyword("true", .bool(true))
        case UInt8(ascii: "f"): return try keyword("false", .bool(false))
        case UInt8(ascii: "n"): return try keyword("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(ShellParserFailure) -> ShfmtNode {
        at += 1
        var members: [(key: String, value: ShfmtNode)] = []
        if try peek() == UInt8(ascii: "}") {
            at += 1
            return .object(members)
        }
        while true {
            let key = try string()
            try expect(UInt8(ascii: ":"))
            if Self.skippedKeys.contains(key) {
                try skipValue()
            } else {
                members.append((key, try value(depth: depth + 1)))
            }
            let next = try peek()
            at += 1
            if next == UInt8(ascii: "}") { return .object(members) }
            guard next == UInt8(ascii: ",") else { throw .nonsense("unexpected byte at offset \(at - 1)") }
            _ = try peek()
        }
    }

    /// Steps over one value by counting brackets; strings are stepped over as strings.
    private mutating func skipValue() throws(ShellParserFailure) {
        var depth = 0
        repeat {
            switch try peek() {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                at += 1
            case UInt8(ascii: "\""): _ = try string()
            default: at += 1
            }
        } while depth > 0 || (at < bytes.count && !isEndOfValue(bytes[at]))
    }

    private func isEndOfValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x0A, 0x09, 0x0D: true
        default: false
        }
    }

    private mutating func keyword(_ word: StaticString, _ node: ShfmtNode) throws(ShellParserFailure) -> ShfmtNode {
        let count = word.utf8CodeUnitCount
        guard at + count <= bytes.count else { throw .nonsense("the document ends early") }
        for index in 0..<count where bytes[at + index] != word.utf8Start[index] {
            throw .nonsense("unexpected byte at offset \(at)")
        }
        at += count
        return node
    }

    private mutating func number() throws(ShellParserFailure) -> Int {
        let start = at
        var value = 0
        while at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9"), at - start < 12 {
            value = value * 10 + Int(bytes[at] - UInt8(ascii: "0"))
            at += 1
        }
        guard at > start else { throw .nonsense("unexpected byte at offset \(at)") }
        return value
    }

    private mutating func string() throws(ShellParserFailure) -> String {
        try expect(UInt8(ascii: "\""))
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\") { at += 1 }
        guard at < bytes.count else { throw .nonsense("a string without an end") }
        if bytes[at] == UInt8(ascii: "\"") {
            defer { at += 1 }
            return String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
        }
        var units = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") { units.append(contentsOf: try escape()) } else { units.append(byte) }
        }
        throw .nonsense("a string without an end")
    }

    private mutating func escape() throws(ShellParserFailure) -> [UInt8] {
        guard at < bytes.count else { throw .nonsense("a string without an end") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\") {
                at += 2
                let low = try hexadecimal()
                code = 0x10000 + ((code - 0xD800) << 10) + (low &- 0xDC00) & 0x3FF
            }
            guard let scalar = Unicode.Scalar(code) else { return [0xEF, 0xBF, 0xBD] }
            return Array(String(Character(scalar)).utf8)
        default: return [byte]
        }
    }

    private mutating func hexadecimal() throws(ShellParserFailure) -> UInt32 {
        guard at + 4 <= bytes.count else { throw .nonsense("a string without an end") }
        let digits = String(decoding: UnsafeBufferPointer(rebasing: bytes[at..<at + 4]), as: UTF8.self)
        guard let code = UInt32(digits, radix: 16) else { throw .nonsense("a bad escape at offset \(at)") }
        at += 4
        return code
    }
}
