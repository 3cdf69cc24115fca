// The nested parser's words: quotes, expansions, arithmetic and tests.

extension NestedShellParser {
    mutating func word() throws(ShellSyntaxError) -> ShellWord {
        let start = position()
        let parts = try parts { $0.isAtEnd || Self.isMeta($0.byte()) && !$0.starts(with: "<(") && !$0.starts(with: ">(") }
        guard !parts.isEmpty else { throw error("a word expected, not \(shown)") }
        return ShellWord(parts: parts, position: start, end: position())
    }

    /// Word parts up to where `isEnd` holds, outside quotes.
    mutating func parts(until isEnd: (Self) -> Bool) throws(ShellSyntaxError) -> [ShellWordPart] {
        try enter()
        defer { depth -= 1 }
        var parts: [ShellWordPart] = []
        var literal: [UInt8] = []
        func flush() {
            if !literal.isEmpty { parts.append(.literal(String(decoding: literal, as: UTF8.self))) }
            literal.removeAll()
        }
        while !isEnd(self), !isAtEnd {
            switch byte() {
            case UInt8(ascii: "\\"):
                if byte(1) == 0x0A {
                    at += 2
                } else {
                    literal += bytes[at..<min(at + 2, bytes.count)]
                    at += 2
                }
            case UInt8(ascii: "'"):
                flush()
                at += 1
                let start = at
                while !isAtEnd, byte() != UInt8(ascii: "'") { at += 1 }
                guard !isAtEnd else { throw error("a quote ' without its end") }
                parts.append(.singleQuoted(text(start..<at), isANSI: false))
                at += 1
            case UInt8(ascii: "\""):
                flush()
                parts.append(try doubleQuoted())
            case UInt8(ascii: "`"):
                flush()
                parts.append(try backquoted(inDouble: false))
            case UInt8(ascii: "$"):
                if let part = try dollar(inDouble: false) {
                    flush()
                    parts.append(part)
                } else {
                    literal.append(byte())
                    at += 1
                }
            case UInt8(ascii: "<") where byte(1) == UInt8(ascii: "("), UInt8(ascii: ">") where byte(1) == UInt8(ascii: "("):
                flush()
                let isOutput = byte() == UInt8(ascii: ">")
                at += 2
                parts.append(.process(try list(stops: []), isOutput: isOutput))
                guard byte() == UInt8(ascii: ")") else { throw error("')' expected") }
                at += 1
            case UInt8(ascii: "?"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "@"), UInt8(ascii: "!"):
                if byte(1) == UInt8(ascii: "(") {
                    flush()
                    at += 2
                    let start = at
                    try skipBalanced()
                    parts.append(.extendedGlob(text(start..<at - 1)))
                } else {
                    literal.append(byte())
                    at += 1
                }
            default:
                literal.append(byte())
                at += 1
            }
        }
        flush()
        return parts
    }

    /// Steps behind the `)` that closes what was opened before.
    private mutating func skipBalanced() throws(ShellSyntaxError) {
        var level = 1
        while !isAtEnd {
            if byte() == UInt8(ascii: "'") || byte() == UInt8(ascii: "\"") {
                let quote = byte()
                at += 1
                while !isAtEnd, byte() != quote { at += byte() == UInt8(ascii: "\\") && quote != UInt8(ascii: "'") ? 2 : 1 }
            }
            if byte() == UInt8(ascii: "(") { level += 1 }
            if byte() == UInt8(ascii: ")") { level -= 1 }
            at += byte() == UInt8(ascii: "\\") ? 2 : 1
            if level == 0 { return }
        }
        throw error("')' expected")
    }

    private mutating func doubleQuoted() throws(ShellSyntaxError) -> ShellWordPart {
        try enter()
        defer { depth -= 1 }
        at += 1
        let parts = try quotedParts { $0.byte() == UInt8(ascii: "\"") && !$0.isAtEnd }
        guard !isAtEnd else { throw error("a quote \" without its end") }
        at += 1
        return .doubleQuoted(parts)
    }

    /// The inside of double quotes, or of an unquoted here-document.
    mutating func quotedParts(until isEnd: (Self) -> Bool) throws(ShellSyntaxError) -> [ShellWordPart] {
        var parts: [ShellWordPart] = []
        var literal: [UInt8] = []
        func flush() {
            if !literal.isEmpty { parts.append(.literal(String(decoding: literal, as: UTF8.self))) }
            literal.removeAll()
        }
        while !isAtEnd, !isEnd(self) {
            if byte() == UInt8(ascii: "\\") {
                if byte(1) != 0x0A { literal += bytes[at..<min(at + 2, bytes.count)] }
                at += 2
            } else if byte() == UInt8(ascii: "`") {
                flush()
                parts.append(try backquoted(inDouble: true))
            } else if byte() == UInt8(ascii: "$"), let part = try dollar(inDouble: true) {
                flush()
                parts.append(part)
            } else {
                literal.append(byte())
                at += 1
            }
        }
        flush()
        return parts
    }

    private mutating func backquoted(inDouble: Bool) throws(ShellSyntaxError) -> ShellWordPart {
        at += 1
        let start = position()
        var inner: [UInt8] = []
        while !isAtEnd, byte() != UInt8(ascii: "`") {
            if byte() == UInt8(ascii: "\\") {
                let next = byte(1)
                let isEscape =
                    next == UInt8(ascii: "`") || next == UInt8(ascii: "\\") || next == UInt8(ascii: "$")
                    || inDouble && next == UInt8(ascii: "\"")
                if !isEscape { inner.append(byte()) }
                inner.append(next)
                at += 2
            } else {
                inner.append(byte())
                at += 1
            }
        }
        guard !isAtEnd else { throw error("a ` without its end") }
        at += 1
        return .command(try Self.parse(String(decoding: inner, as: UTF8.self), base: start, depth: depth + 1))
    }

    /// What `$` begins here; nil if it is only a dollar sign.
    private mutating func dollar(inDouble: Bool) throws(ShellSyntaxError) -> ShellWordPart? {
        switch byte(1) {
        case UInt8(ascii: "("):
            if byte(2) == UInt8(ascii: "("), let words = try arithmeticExpansion() { return .arithmetic(words) }
            at += 2
            try enter()
            defer { depth -= 1 }
            let body = try list(stops: [])
            guard byte() == UInt8(ascii: ")"), !isAtEnd else { throw error("')' expected") }
            at += 1
            return .command(body)
        case UInt8(ascii: "{"):
            at += 2
            return .parameter(try braced())
        case UInt8(ascii: "["):
            // The older form of `$((…))`.
            let start = at
            at += 2
            if let words = try arithmetic(inBrackets: true) { return .arithmetic(words) }
            try back(to: start)
            return nil
        case UInt8(ascii: "'") where !inDouble:
            at += 2
            let start = at
            while !isAtEnd, byte() != UInt8(ascii: "'") { at += byte() == UInt8(ascii: "\\") ? 2 : 1 }
            guard !isAtEnd else { throw error("a quote ' without its end") }
            defer { at += 1 }
            return .singleQuoted(text(start..<at), isANSI: true)
        case UInt8(ascii: "\"") where !inDouble:
            at += 1
            return try doubleQuoted()
        case let next where Self.isName(next, first: true):
            at += 1
            let start = at
            while Self.isName(byte()) { at += 1 }
            return .parameter(ShellParameter(name: text(start..<at)))
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "@"), UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: "?"),
            UInt8(ascii: "-"), UInt8(ascii: "$"), UInt8(ascii: "!"):
            defer { at += 2 }
            return .parameter(ShellParameter(name: text(at + 1..<at + 2)))
        default: return nil
        }
    }

    private mutating func braced() throws(ShellSyntaxError) -> ShellParameter {
        var parameter = ShellParameter(name: "")
        if byte() == UInt8(ascii: "!"), byte(1) != UInt8(ascii: "}") {
            parameter.isIndirect = true
            at += 1
        } else if byte() == UInt8(ascii: "#"), byte(1) != UInt8(ascii: "}"),
            Self.isName(byte(1)) || byte(1) == UInt8(ascii: "@") || byte(1) == UInt8(ascii: "*")
        {
            parameter.isLength = true
            at += 1
        }
        let start = at
        while Self.isName(byte()) { at += 1 }
        if at == start, !isAtEnd, byte() != UInt8(ascii: "}"), byte() != 0x20 { at += 1 }
        parameter.name = text(start..<at)
        guard !parameter.name.isEmpty else { throw error("invalid parameter name") }
        if byte() == UInt8(ascii: "[") {
            at += 1
            parameter.index = ShellWord(parts: try indexParts(), position: position(start), end: position())
            at += 1
        }
        try expansion(of: &parameter)
        guard byte() == UInt8(ascii: "}"), !isAtEnd else { throw error("'}' expected") }
        at += 1
        return parameter
    }

    /// What stands in the brackets of `${a[b[1]]}`, up to the one that closes them.
    private mutating func indexParts() throws(ShellSyntaxError) -> [ShellWordPart] {
        var all: [ShellWordPart] = []
        var level = 0
        while !isAtEnd {
            all += try parts { $0.byte() == UInt8(ascii: "]") || $0.byte() == UInt8(ascii: "[") }
            if byte() == UInt8(ascii: "[") {
                level += 1
            } else if level == 0 {
                return all
            } else {
                level -= 1
            }
            all.append(.literal(String(decoding: [byte()], as: UTF8.self)))
            at += 1
        }
        return all
    }

    private mutating func expansion(of parameter: inout ShellParameter) throws(ShellSyntaxError) {
        let isEnd: (Self) -> Bool = { $0.byte() == UInt8(ascii: "}") }
        func operand(_ parser: inout Self, _ end: (Self) -> Bool) throws(ShellSyntaxError) -> ShellWord? {
            let start = parser.position()
            let parts = try parser.parts(until: end)
            return parts.isEmpty ? nil : ShellWord(parts: parts, position: start, end: parser.position())
        }
        if parameter.isIndirect, byte() == UInt8(ascii: "*") || byte() == UInt8(ascii: "@"), byte(1) == UInt8(ascii: "}") {
            parameter.isNames = true
            at += 1
            return
        }
        if byte() == UInt8(ascii: "/") {
            at += 1
            let all = byte() == UInt8(ascii: "/")
            if all { at += 1 }
            let pattern = try operand(&self) { $0.byte() == UInt8(ascii: "}") || $0.byte() == UInt8(ascii: "/") }
            if byte() == UInt8(ascii: "/") { at += 1 }
            parameter.replacement = (all, pattern, try operand(&self, isEnd))
            return
        }
        if byte() == UInt8(ascii: "~") {
            // Another case, which changes nothing that is looked for.
            at += byte(1) == UInt8(ascii: "~") ? 2 : 1
            _ = try operand(&self, isEnd)
            return
        }
        // The longest operator first: ":-" before ":", "##" before "#".
        let operations = ShellParameter.Operation.allCases.sorted { $0.rawValue.utf8.count > $1.rawValue.utf8.count }
        for operation in operations where bytes[at...].starts(with: operation.rawValue.utf8) {
            at += operation.rawValue.utf8.count
            parameter.operation = operation
            parameter.operand = try operand(&self, isEnd)
            return
        }
        if byte() == UInt8(ascii: ":") {
            at += 1
            let offset = try operand(&self) { $0.byte() == UInt8(ascii: "}") || $0.byte() == UInt8(ascii: ":") }
            var length: ShellWord?
            if byte() == UInt8(ascii: ":") {
                at += 1
                length = try operand(&self, isEnd)
            }
            parameter.slice = (offset, length)
        }
    }

    // MARK: arithmetic and tests

    /// `((…))` at the cursor; nil, and the cursor unmoved, when it is two subshells.
    mutating func arithmeticCommand() throws(ShellSyntaxError) -> [ShellWord]? {
        let start = at
        at += 2
        if let words = try arithmetic() { return words }
        try back(to: start)
        return nil
    }

    private mutating func arithmeticExpansion() throws(ShellSyntaxError) -> [ShellWord]? {
        let start = at
        at += 3
        if let words = try arithmetic() { return words }
        try back(to: start)
        return nil
    }

    private mutating func arithmetic(inBrackets: Bool = false) throws(ShellSyntaxError) -> [ShellWord]? {
        try enter()
        defer { depth -= 1 }
        var level = 0
        var words: [ShellWord] = []
        while !isAtEnd {
            let start = position()
            switch byte() {
            case UInt8(ascii: "(") where inBrackets, UInt8(ascii: ")") where inBrackets: at += 1
            case UInt8(ascii: "("):
                level += 1
                at += 1
            case UInt8(ascii: "[") where inBrackets:
                level += 1
                at += 1
            case UInt8(ascii: "]") where inBrackets:
                at += 1
                if level == 0 { return words }
                level -= 1
            case UInt8(ascii: ")"):
                if level == 0 {
                    guard byte(1) == UInt8(ascii: ")") else { return nil }
                    at += 2
                    return words
                }
                level -= 1
                at += 1
            case UInt8(ascii: "$"), UInt8(ascii: "`"):
                let part = byte() == UInt8(ascii: "`") ? try backquoted(inDouble: false) : try dollar(inDouble: true)
                guard let part else {
                    at += 1
                    continue
                }
                words.append(ShellWord(parts: [part], position: start, end: position()))
            default: at += 1
            }
        }
        return nil
    }

    /// The words of `[[ … ]]`, its operators left out; the cursor is behind `[[`.
    mutating func testWords() throws(ShellSyntaxError) -> [ShellWord] {
        var words: [ShellWord] = []
        while true {
            skipSpace()
            guard !isAtEnd else { throw error("']]' expected") }
            if plainWordAhead() == "]]" {
                at += 2
                return words
            }
            if Self.isMeta(byte()) {
                at += 1
                continue
            }
            words.append(try word())
        }
    }
}
