// A small shell parser for text that a block runs as code: `bash -c '…'`, `eval`, a here-document fed to ssh. shfmt parses
// the block itself with one child; starting it again for every such string would cost a child each, so these are parsed
// here, into the same tree. A test holds both parsers against each other. Depth is bounded; nothing is ever run.

/// Text that is no shell program, as far as this parser can tell.
struct ShellSyntaxError: Error, Sendable, Equatable {
    var message: String
    var position: ShellPosition
    /// The text may be valid; it is nested more deeply than is followed.
    var isTooDeep = false
}

struct NestedShellParser {
    static let depthMax = 150
    /// Commands that `|`, `&&` and `||` may join: they are nested in the tree.
    static let chainMax = 1_000
    /// Words, commands and pipelines; what was read in vain counts too. A tree of so many is some 100 MB.
    static let workMax = 400_000
    /// The text, a zero byte behind it.
    let bytes: [UInt8]
    var at = 0
    var depth = 0
    private var work = 0
    private let newlines: [Int]
    /// Whether the statements of the outermost list are kept as they are read, for a text whose end cannot be.
    private var keepsTop = false
    private var top: [ShellStatement] = []
    /// How many lists are open.
    private var lists = 0
    /// The command that was read last is a compound one: behind it a reserved word needs no `;`.
    private var isBehindCompound = false
    /// Where the line holding a here-document's operator ends, and where reading goes on behind the documents' bodies.
    var documentLineEnd: Int?
    var documentResume = 0
    let base: ShellPosition

    /// Parses `text`, whose first byte stands at `base`.
    static func parse(
        _ text: String, base: ShellPosition = .start, depth: Int = 0
    ) throws(ShellSyntaxError) -> [ShellStatement] {
        var parser = NestedShellParser(bytes: Array(text.utf8), depth: depth, base: base)
        return try parser.program()
    }

    /// Parses as much of `text` as is a program: a shell that reads it runs that much before it finds the fault.
    static func parseBeginning(
        _ text: String, base: ShellPosition
    ) -> (statements: [ShellStatement], fault: ShellSyntaxError?) {
        var parser = NestedShellParser(bytes: Array(text.utf8), depth: 0, base: base)
        parser.keepsTop = true
        do throws(ShellSyntaxError) {
            return (try parser.program(), nil)
        } catch {
            return (parser.top, error)
        }
    }

    private mutating func program() throws(ShellSyntaxError) -> [ShellStatement] {
        let statements = try list(stops: [])
        guard at >= bytes.count else { throw error("unexpected \(shown)") }
        return statements
    }

    init(bytes: [UInt8], depth: Int, base: ShellPosition) {
        self.bytes = bytes
        self.depth = depth
        self.base = base
        newlines = bytes.indices.filter { bytes[$0] == 0x0A }
    }

    // MARK: bytes

    func byte(_ offset: Int = 0) -> UInt8 { at + offset < bytes.count ? bytes[at + offset] : 0 }
    var isAtEnd: Bool { at >= bytes.count }
    func starts(with text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count else { return false }
        for index in 0..<count where bytes[at + index] != text.utf8Start[index] { return false }
        return true
    }
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    var shown: String { isAtEnd ? "end of text" : "'\(String(decoding: [byte()], as: UTF8.self))'" }

    /// Line and column of an offset.
    func position(_ offset: Int? = nil) -> ShellPosition {
        let offset = min(offset ?? at, bytes.count)
        // The newlines before it, by halving.
        var low = 0
        var high = newlines.count
        while low < high {
            let middle = (low + high) / 2
            if newlines[middle] < offset { low = middle + 1 } else { high = middle }
        }
        let column = low == 0 ? base.column + offset : offset - newlines[low - 1]
        return ShellPosition(line: base.line + low, column: column)
    }
    func error(_ message: String) -> ShellSyntaxError { ShellSyntaxError(message: message, position: position()) }

    mutating func enter() throws(ShellSyntaxError) {
        depth += 1
        work += 1
        if depth > Self.depthMax || work > Self.workMax { throw tooDeep() }
    }

    /// Goes back to `start`, to read the same text as something else. What is nested in it may do the same, and so on.
    mutating func back(to start: Int) throws(ShellSyntaxError) {
        work += (at - start) / 16 + 1
        if work > Self.workMax { throw tooDeep() }
        at = start
    }

    private func tooDeep() -> ShellSyntaxError {
        ShellSyntaxError(message: "nested too deeply", position: position(), isTooDeep: true)
    }

    // MARK: space

    mutating func skipBlanks() {
        while true {
            if byte() == 0x20 || byte() == 0x09 {
                at += 1
            } else if byte() == UInt8(ascii: "\\"), byte(1) == 0x0A {
                at += 2
            } else if byte() == UInt8(ascii: "#"), at == 0 || Self.isMeta(bytes[at - 1]) {
                while !isAtEnd, byte() != 0x0A { at += 1 }
            } else {
                return
            }
        }
    }

    mutating func newline() {
        if let end = documentLineEnd, at >= end {
            at = max(documentResume, at + 1)
            documentLineEnd = nil
        } else {
            at += 1
        }
    }

    /// Blanks, comments and newlines.
    mutating func skipSpace() {
        while true {
            skipBlanks()
            guard byte() == 0x0A, !isAtEnd else { return }
            newline()
        }
    }

    static func isMeta(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x09, 0x0A, UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "("), UInt8(ascii: ")"):
            true
        default: false
        }
    }

    static func isName(_ byte: UInt8, first: Bool = false) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): !first
        default: false
        }
    }

    /// The unquoted word ahead, without moving: how reserved words are seen.
    func plainWordAhead() -> String {
        var end = at
        while end < bytes.count, !Self.isMeta(bytes[end]) {
            switch bytes[end] {
            case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"), UInt8(ascii: "`"): return ""
            default: end += 1
            }
        }
        return text(at..<end)
    }

    mutating func take(word: String) throws(ShellSyntaxError) {
        skipSpace()
        guard plainWordAhead() == word else { throw error("'\(word)' expected, not \(shown)") }
        at += word.utf8.count
    }

    // MARK: lists

    /// Statements up to `)`, `;;`, the end, or one of `stops` where a command may begin.
    mutating func list(stops: Set<String>) throws(ShellSyntaxError) -> [ShellStatement] {
        var statements: [ShellStatement] = []
        lists += 1
        defer { lists -= 1 }
        while true {
            skipSpace()
            if isAtEnd || byte() == UInt8(ascii: ")") || starts(with: ";;") || starts(with: ";&") { return statements }
            if stops.contains(plainWordAhead()) { return statements }
            var statement = try andOr()
            skipBlanks()
            if byte() == UInt8(ascii: "&"), byte(1) != UInt8(ascii: "&") {
                statement.isBackground = true
                at += 1
            } else if byte() == UInt8(ascii: ";"), byte(1) != UInt8(ascii: ";"), byte(1) != UInt8(ascii: "&") {
                at += 1
            } else if byte() != 0x0A, !isAtEnd, byte() != UInt8(ascii: ")"), byte() != UInt8(ascii: ";") {
                guard isBehindCompound, stops.contains(plainWordAhead()) else { throw error("unexpected \(shown)") }
            }
            statements.append(statement)
            if keepsTop, lists == 1 { top.append(statement) }
        }
    }

    private mutating func andOr() throws(ShellSyntaxError) -> ShellStatement {
        var left = try pipeline()
        var count = 1
        while true {
            skipBlanks()
            guard starts(with: "&&") || starts(with: "||") else { return left }
            count += 1
            if count > Self.chainMax { throw tooDeep() }
            let isOr = byte() == UInt8(ascii: "|")
            at += 2
            skipSpace()
            left = ShellStatement(command: .sequence(left, try pipeline(), isOr: isOr), position: left.position)
        }
    }

    private mutating func pipeline() throws(ShellSyntaxError) -> ShellStatement {
        try enter()
        defer { depth -= 1 }
        skipBlanks()
        let start = position()
        if plainWordAhead() == "!" {
            at += 1
            var statement = try pipeline()
            statement.position = start
            statement.isNegated.toggle()
            return statement
        }
        if plainWordAhead() == "time" {
            at += 4
            skipBlanks()
            if plainWordAhead() == "-p" { at += 2 }
            skipBlanks()
            let isAlone = isAtEnd || byte() == 0x0A || byte() == UInt8(ascii: ";") || byte() == UInt8(ascii: ")")
            return ShellStatement(command: .timed(isAlone ? nil : try pipeline()), position: start)
        }
        var left = try command()
        var count = 1
        while true {
            skipBlanks()
            guard byte() == UInt8(ascii: "|"), byte(1) != UInt8(ascii: "|") else { return left }
            count += 1
            if count > Self.chainMax { throw tooDeep() }
            at += byte(1) == UInt8(ascii: "&") ? 2 : 1
            skipSpace()
            left = ShellStatement(command: .pipe(left, try command()), position: left.position)
        }
    }

    // MARK: commands

    mutating func command() throws(ShellSyntaxError) -> ShellStatement {
        try enter()
        defer { depth -= 1 }
        skipBlanks()
        var statement = ShellStatement(position: position())
        if let compound = try compoundCommand() {
            statement.command = compound
            while let redirect = try redirect() { statement.redirects.append(redirect) }
            isBehindCompound = true
            return statement
        }
        try simpleCommand(into: &statement)
        isBehindCompound = false
        return statement
    }

    private mutating func simpleCommand(into statement: inout ShellStatement) throws(ShellSyntaxError) {
        var assignments: [ShellAssignment] = []
        var words: [ShellWord] = []
        var declaration: String?
        var arguments: [ShellAssignment] = []
        while true {
            skipBlanks()
            if let redirect = try redirect() {
                statement.redirects.append(redirect)
                continue
            }
            if isAtEnd || Self.isMeta(byte()) && !starts(with: "<(") && !starts(with: ">(") { break }
            if words.isEmpty || declaration != nil, let assignment = try assignment() {
                if declaration == nil { assignments.append(assignment) } else { arguments.append(assignment) }
                continue
            }
            let start = position()
            let word = try word()
            if words.isEmpty, let name = word.plainText, Self.declarations.contains(name) {
                declaration = name
                words.append(word)
            } else if declaration == nil {
                words.append(word)
            } else if let name = word.plainText, name.utf8.allSatisfy({ Self.isName($0) }) {
                arguments.append(ShellAssignment(name: name, isNaked: true, position: start))
            } else {
                arguments.append(ShellAssignment(isNaked: true, value: word, position: start))
            }
        }
        if byte() == UInt8(ascii: "("), !isAtEnd { throw error("unexpected '('") }
        if let declaration, assignments.isEmpty {
            statement.command = .declaration(variant: declaration, arguments: arguments)
        } else if !assignments.isEmpty || !words.isEmpty {
            statement.command = .call(assignments: assignments, words: words)
        } else if statement.redirects.isEmpty {
            throw error("a command expected, not \(shown)")
        }
    }

    private static let declarations: Set<String> = ["declare", "local", "export", "readonly", "typeset", "nameref"]
}
