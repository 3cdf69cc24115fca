// The nested parser's compound commands: groups, branches, loops and functions, each recognised by its reserved word where a
// command may begin.

extension NestedShellParser {
    mutating func compoundCommand() throws(ShellSyntaxError) -> ShellCommand? {
        if starts(with: "(("), let words = try arithmeticCommand() { return .evaluation(words: words) }
        if byte() == UInt8(ascii: "(") {
            at += 1
            let body = try list(stops: [])
            guard byte() == UInt8(ascii: ")") else { throw error("')' expected") }
            at += 1
            return .subshell(body)
        }
        switch plainWordAhead() {
        case "{":
            at += 1
            let body = try list(stops: ["}"])
            try take(word: "}")
            return .group(body)
        case "if":
            at += 2
            return try conditional()
        case "while", "until":
            at += 5
            let condition = try list(stops: ["do"])
            return .loop(condition: condition, body: try doGroup())
        case "for", "select": return try forClause()
        case "case": return try caseClause()
        case "[[":
            at += 2
            return .evaluation(words: try testWords())
        case "function":
            at += 8
            skipBlanks()
            let name = plainWordAhead()
            guard !name.isEmpty else { throw error("a function's name expected") }
            at += name.utf8.count
            skipBlanks()
            if byte() == UInt8(ascii: "(") {
                let start = at
                at += 1
                skipBlanks()
                if byte() == UInt8(ascii: ")") { at += 1 } else { try back(to: start) }
            }
            skipSpace()
            return .function(name: name, body: try command())
        case "coproc":
            at += 6
            skipBlanks()
            return .coprocess(name: try coprocessName(), try command())
        case "then", "else", "elif", "fi", "do", "done", "esac", "}", "in": throw error("unexpected '\(plainWordAhead())'")
        case let name where !name.isEmpty: return try functionDeclaration(name)
        default: return nil
        }
    }

    /// The name in `coproc NAME { …; }`: only a compound command can have one.
    private mutating func coprocessName() throws(ShellSyntaxError) -> String? {
        let start = at
        let name = plainWordAhead()
        guard !name.isEmpty, name.utf8.allSatisfy({ Self.isName($0) }), !Self.compoundWords.contains(name) else { return nil }
        at += name.utf8.count
        skipBlanks()
        if byte() == UInt8(ascii: "(") || Self.compoundWords.contains(plainWordAhead()) { return name }
        try back(to: start)
        return nil
    }

    private static let compoundWords: Set<String> = ["{", "if", "while", "until", "for", "select", "case", "[["]

    private mutating func functionDeclaration(_ name: String) throws(ShellSyntaxError) -> ShellCommand? {
        let start = at
        at += name.utf8.count
        skipBlanks()
        guard byte() == UInt8(ascii: "("), !name.contains("=") else {
            at = start
            return nil
        }
        at += 1
        skipBlanks()
        guard byte() == UInt8(ascii: ")") else { throw error("')' expected") }
        at += 1
        skipSpace()
        return .function(name: name, body: try command())
    }

    private mutating func conditional() throws(ShellSyntaxError) -> ShellCommand {
        let condition = try list(stops: ["then"])
        try take(word: "then")
        let then = try list(stops: ["elif", "else", "fi"])
        skipSpace()
        switch plainWordAhead() {
        case "elif":
            let start = position()
            at += 4
            try enter()
            defer { depth -= 1 }
            let nested = ShellStatement(command: try conditional(), position: start)
            return .conditional(condition: condition, then: then, otherwise: [nested])
        case "else":
            at += 4
            let otherwise = try list(stops: ["fi"])
            try take(word: "fi")
            return .conditional(condition: condition, then: then, otherwise: otherwise)
        default:
            try take(word: "fi")
            return .conditional(condition: condition, then: then, otherwise: nil)
        }
    }

    private mutating func doGroup() throws(ShellSyntaxError) -> [ShellStatement] {
        skipSpace()
        if byte() == UInt8(ascii: ";") {
            at += 1
            skipSpace()
        }
        let isBraced = plainWordAhead() == "{"
        try take(word: isBraced ? "{" : "do")
        let body = try list(stops: isBraced ? ["}"] : ["done"])
        try take(word: isBraced ? "}" : "done")
        return body
    }

    private mutating func forClause() throws(ShellSyntaxError) -> ShellCommand {
        let isSelect = plainWordAhead() == "select"
        at += isSelect ? 6 : 3
        skipBlanks()
        if starts(with: "(("), let words = try arithmeticCommand() {
            return .countedLoop(words: words, body: try doGroup())
        }
        let name = plainWordAhead()
        guard !name.isEmpty else { throw error("a variable's name expected") }
        at += name.utf8.count
        skipSpace()
        var items: [ShellWord]?
        if plainWordAhead() == "in" {
            at += 2
            var words: [ShellWord] = []
            while true {
                skipBlanks()
                if isAtEnd || byte() == 0x0A || byte() == UInt8(ascii: ";") { break }
                words.append(try word())
            }
            items = words
        }
        return .iteration(name: name, items: items, body: try doGroup(), isSelect: isSelect)
    }

    private mutating func caseClause() throws(ShellSyntaxError) -> ShellCommand {
        at += 4
        skipBlanks()
        let subject = try word()
        try take(word: "in")
        var items: [ShellCaseItem] = []
        while true {
            skipSpace()
            if plainWordAhead() == "esac" { break }
            if byte() == UInt8(ascii: "(") { at += 1 }
            var patterns: [ShellWord] = []
            while true {
                skipBlanks()
                patterns.append(try word())
                skipBlanks()
                guard byte() == UInt8(ascii: "|") else { break }
                at += 1
            }
            guard byte() == UInt8(ascii: ")") else { throw error("')' expected") }
            at += 1
            items.append(ShellCaseItem(patterns: patterns, body: try list(stops: ["esac"])))
            skipSpace()
            if starts(with: ";;&") { at += 3 } else if starts(with: ";;") || starts(with: ";&") { at += 2 }
        }
        at += 4
        return .choice(subject: subject, items: items)
    }
}
