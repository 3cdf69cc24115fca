// Programs of other languages inside a block: `python -c`, `perl -e`, `node -e`, their here-documents. They are cut into
// tokens, comments left out, and only the plain dangerous calls are looked for, by the tables below. It is no interpreter:
// a path that is not a string, or a name bound to one, counts as unknown.

struct EmbeddedCode {
    enum Language: String, Sendable {
        case python, perl, ruby, php, node, awk, lua

        init?(command: String) {
            switch command {
            case "python", "ipython": self = .python
            case "deno", "bun", "tsx", "ts-node": self = .node
            default: self.init(rawValue: command)
            }
        }

        /// The interpreter that a script's `#!` line names; nil for a shell or none.
        static func named(in line: String) -> Language? {
            guard line.hasPrefix("#!") else { return nil }
            for language in [Language.python, .perl, .ruby, .php, .node] where line.contains(language.rawValue) {
                return language
            }
            return nil
        }

        var codeOptions: Set<String> {
            switch self {
            case .python: ["-c"]
            case .perl: ["-e", "-E"]
            case .ruby, .lua: ["-e"]
            case .php: ["-r"]
            case .node: ["-e", "-p", "--eval", "--print"]
            case .awk: []
            }
        }
        /// Without a program it prompts for one.
        var hasPrompt: Bool { self == .python || self == .node || self == .lua || self == .php }
        var hasSlashComments: Bool { self == .node || self == .php }
    }

    struct Deletion: Sendable, Hashable {
        /// nil: not known.
        var path: String?
        var isTree: Bool
    }

    var deletes: [Deletion] = []
    /// Files found by a pattern are deleted, and where they are is not known.
    var deletesMany = false
    /// Strings that a shell runs.
    var commands: [String] = []
    /// Programs run with their words.
    var calls: [[String]] = []
    var runsDownload = false
    var reads = false
    var writes: [String] = []
    var statements: [String] = []

    static func excerpt(_ text: String) -> String {
        let line = text.split(separator: "\n").first { !$0.allSatisfy(\.isWhitespace) } ?? ""
        return String(line.unicodeScalars.filter { $0.value < 0xF0000 })
    }

    static func examine(_ text: String, _ language: Language) -> EmbeddedCode {
        var reader = CodeReader(text: text, language: language)
        return reader.examine()
    }
}

/// Walks the tokens of one program.
private struct CodeReader {
    enum Token: Equatable {
        case name(String)
        case string(String)
        case symbol(Character)
    }

    let language: EmbeddedCode.Language
    let text: String
    var tokens: [Token] = []
    var result = EmbeddedCode()
    /// Names bound to strings.
    var bound: [String: String] = [:]
    /// Names bound to folders that the program made for itself.
    var scratch: Set<String> = []

    private static let treeDeletions: Set<String> = [
        "rmtree", "remove_tree", "rm_rf", "rm_r", "remove_dir", "remove_entry_secure", "rimraf", "rimrafSync", "emptyDirSync",
        "emptyDir", "deleteSync", "removeSync", "rmtree_safe",
    ]
    private static let recursiveDeletions: Set<String> = ["rmSync", "rm", "rmdirSync", "rmdir"]
    private static let fileDeletions: Set<String> = [
        "os.remove", "os.unlink", "unlink", "unlinkSync", "File.delete", "File.unlink", "fs.unlink", "FileUtils.rm",
        "FileUtils.rm_f",
        "os.rmdir", "remove", "Deno.remove", "Deno.removeSync",
    ]
    private static let shells: Set<String> = [
        "os.system", "os.popen", "system", "popen", "execSync", "exec", "shell_exec", "passthru", "getoutput",
        "getstatusoutput", "qx", "os.execute", "io.popen", "Open3.capture2", "Open3.capture3", "$", "create_subprocess_shell",
    ]
    private static let starters: Set<String> = [
        "run", "call", "check_call", "check_output", "Popen", "spawn", "spawnSync", "execFile", "execFileSync", "execvp", "execv",
        "execlp", "create_subprocess_exec", "execa", "execaSync",
    ]
    private static let listings: Set<String> = [
        "glob", "iglob", "rglob", "iterdir", "walk", "listdir", "scandir", "readdirSync", "readdir", "globSync", "Dir", "find",
    ]

    init(text: String, language: EmbeddedCode.Language) {
        self.text = text
        self.language = language
    }

    mutating func examine() -> EmbeddedCode {
        tokenize()
        for index in tokens.indices { bind(index) }
        for index in tokens.indices { judge(index) }
        let fetches = [
            "urlopen", "requests.get", "httpx.get", "fetch(", "LWP", "open-uri", "URI.open", "file_get_contents('http",
        ]
        if tokens.contains(where: { if case .name(let name) = $0 { name == "exec" || name == "eval" } else { false } }),
            fetches.contains(where: { text.contains($0) }), language != .awk
        {
            result.runsDownload = true
        }
        return result
    }

    private mutating func bind(_ index: Int) {
        guard case .name(let name) = tokens[index], index + 2 < tokens.count else { return }
        if tokens[index + 1] == .symbol("="), case .string(let value) = tokens[index + 2] { bound[name] = value }
        let isTemporary = tokens[(index + 1)...].prefix(4).contains {
            if case .name(let other) = $0 {
                return other.hasSuffix("mkdtemp") || other.hasSuffix("mkdtempSync") || other.hasSuffix("tempdir")
                    || other.hasSuffix("mktmpdir")
            }
            return false
        }
        if tokens[index + 1] == .symbol("="), isTemporary { scratch.insert(name) }
        if name.hasSuffix("TemporaryDirectory"),
            let place = tokens[index...].prefix(12).firstIndex(of: .name("as")), place + 1 < tokens.count,
            case .name(let other) = tokens[place + 1]
        {
            scratch.insert(other)
        }
    }

    /// Tokens between the brackets behind a name; without brackets (perl, ruby) those up to the statement's end.
    private func arguments(_ index: Int) -> [Token] {
        var at = index + 1
        guard at < tokens.count else { return [] }
        guard tokens[at] == .symbol("(") else {
            guard language == .perl || language == .ruby else { return [] }
            return Array(tokens[at...].prefix { $0 != .symbol(";") && $0 != .symbol("\n") && $0 != .symbol("}") })
        }
        var level = 0
        var inner: [Token] = []
        while at < tokens.count {
            if tokens[at] == .symbol("(") { level += 1 }
            if tokens[at] == .symbol(")") { level -= 1 }
            if level == 0 { break }
            inner.append(tokens[at])
            at += 1
        }
        return Array(inner.dropFirst())
    }

    private mutating func judge(_ index: Int) {
        guard case .name(let full) = tokens[index] else { return }
        let name = full.split(separator: ".").last.map(String.init) ?? full
        let isCall = index + 1 < tokens.count && tokens[index + 1] == .symbol("(") || language == .perl || language == .ruby
        guard isCall else { return }
        if language == .awk, name != "system" { return }
        let inner = arguments(index)
        if Self.treeDeletions.contains(name) {
            delete(inner, isTree: true, index)
        } else if Self.recursiveDeletions.contains(name), language == .node {
            delete(inner, isTree: inner.contains(.name("recursive")), index)
        } else if Self.fileDeletions.contains(full) || name == "unlink" || name == "unlinkSync" {
            deleteFile(inner, index)
        } else if Self.shells.contains(full) || Self.shells.contains(name) && full != "re.exec" {
            start(inner, name: name, isShell: !(language == .python && full == "exec"))
        } else if Self.starters.contains(name), isStarter(full) {
            start(inner, name: name, isShell: inner.containsPair("shell", "True") || inner.containsPair("shell", "true"))
        } else if full == "input" || name == "getpass" || full == "gets" {
            if language == .python || language == .ruby { result.reads = true }
        } else if name == "open" || name == "write_text" || name == "writeFileSync" || name == "appendFileSync" {
            write(inner, name, index)
        } else if name == "execute" || name == "executescript" || name == "query" || name == "do" {
            if case .string(let statement)? = inner.first { result.statements.append(statement) }
        }
    }

    private func isStarter(_ full: String) -> Bool {
        if language == .node { return true }
        return full.contains("subprocess") || full.hasPrefix("os.") || full.hasPrefix("asyncio.") || full.hasPrefix("sp.")
            || text.contains("from subprocess import")
    }

    /// What the first argument is: a string, a name bound to one, `Path("…")`.
    private func path(_ inner: [Token]) -> (known: String?, isScratch: Bool) {
        for token in inner {
            switch token {
            case .string(let value): return (value.contains("\u{2}") ? nil : value, false)
            case .name(let name):
                if scratch.contains(name) || scratch.contains(name.split(separator: ".").first.map(String.init) ?? "") {
                    return (nil, true)
                }
                if let value = bound[name] { return (value, false) }
            case .symbol(","): return (nil, false)
            case .symbol: break
            }
        }
        return (nil, false)
    }

    private mutating func delete(_ inner: [Token], isTree: Bool, _ index: Int) {
        let (known, isScratch) = path(inner)
        if isScratch { return }
        result.deletes.append(EmbeddedCode.Deletion(path: known, isTree: isTree))
    }

    private mutating func deleteFile(_ inner: [Token], _ index: Int) {
        let lists = inner.contains { if case .name(let name) = $0 { isListing(name) } else { false } }
        if !lists, case .string(let value)? = inner.first {
            let isPattern = language == .perl && value.hasPrefix("<") || value.contains("*")
            result.deletes.append(EmbeddedCode.Deletion(path: value, isTree: isPattern))
            return
        }
        // `Path("x").unlink()`: the path stands before the name.
        if inner.isEmpty, index >= 4, tokens[index - 1] == .symbol(")") || tokens[index - 1] == .symbol("."),
            let before = tokens[..<index].last(where: { if case .string = $0 { true } else { false } }), !listsSomething
        {
            if case .string(let value) = before { result.deletes.append(EmbeddedCode.Deletion(path: value, isTree: false)) }
            return
        }
        guard lists || listsSomething else { return }
        let roots = listedRoots()
        if roots.isEmpty { result.deletesMany = true }
        result.deletes += roots.map { EmbeddedCode.Deletion(path: $0, isTree: true) }
    }

    private func isListing(_ name: String) -> Bool {
        name.split(separator: ".").contains { Self.listings.contains(String($0)) }
    }

    private var listsSomething: Bool {
        tokens.contains {
            if case .name(let name) = $0 {
                isListing(name) || name == "for" || name == "foreach" || name == "while"
            } else {
                false
            }
        }
    }

    /// Folders and patterns that the program lists.
    private func listedRoots() -> [String] {
        var roots: [String] = []
        for (index, token) in tokens.enumerated() {
            guard case .name(let name) = token, index + 2 < tokens.count, tokens[index + 1] == .symbol("("),
                case .string(let value) = tokens[index + 2]
            else { continue }
            let last = name.split(separator: ".").last.map(String.init) ?? name
            if last == "Path" { return [value] }
            if ["glob", "iglob", "walk", "listdir", "scandir", "readdirSync", "globSync"].contains(last), !name.hasPrefix(".") {
                roots.append(value)
            }
        }
        return roots
    }

    private mutating func start(_ inner: [Token], name: String, isShell: Bool) {
        var words: [String] = []
        var isList = false
        for token in inner {
            switch token {
            case .string(let value): words.append(value.replacing("\u{2}", with: "$embedded"))
            case .symbol("["): isList = true
            case .symbol("]"): isList = false
            case .name(let name) where words.isEmpty && bound[name] != nil: words.append(bound[name] ?? "")
            case .name(let name) where !["shell", "check", "True", "cwd", "text", "stdio"].contains(name):
                if !words.isEmpty, isList { words.append("$embedded") }
            default: break
            }
        }
        guard let first = words.first else { return }
        let takesList = inner.first == .symbol("[") || words.count > 1 && first.split(separator: " ").count == 1
        if takesList {
            if first.contains(" "), isShell { result.commands.append(first) } else { result.calls.append(words) }
        } else if isShell || Self.shells.contains(name) {
            result.commands.append(first)
        } else {
            result.calls.append(first.split(separator: " ").map(String.init))
        }
    }

    private mutating func write(_ inner: [Token], _ name: String, _ index: Int) {
        let strings = inner.compactMap { if case .string(let value) = $0 { value } else { nil } }
        if name == "open" {
            if strings.count > 1, let mode = strings.dropFirst().first, mode.contains(where: { "wax+>".contains($0) }),
                mode.count <= 3
            {
                result.writes.append(strings[0])
            }
        } else if name == "write_text", index > 2,
            case .string(let value)? = tokens[..<index].last(where: { if case .string = $0 { true } else { false } })
        {
            result.writes.append(value)
        } else if let first = strings.first {
            result.writes.append(first)
        }
    }

    // MARK: tokens

    private mutating func tokenize() {
        let characters = Array(text)
        var index = 0
        func at(_ offset: Int) -> Character? { index + offset < characters.count ? characters[index + offset] : nil }
        while let next = at(0) {
            if next == "#", language != .node, language != .lua, index == 0 || at(-1) != "$" {
                while let inner = at(0), inner != "\n" { _ = inner; index += 1 }
            } else if language.hasSlashComments, next == "/", at(1) == "/", index == 0 || at(-1) != ":" {
                while let inner = at(0), inner != "\n" { _ = inner; index += 1 }
            } else if language.hasSlashComments, next == "/", at(1) == "*" {
                index += 2
                while index < characters.count, !(at(0) == "*" && at(1) == "/") { index += 1 }
                index += 2
            } else if next == "'" || next == "\"" || next == "`" {
                string(characters, &index, next)
            } else if next.isLetter || next == "_" || next == "$" && language == .node {
                name(characters, &index)
            } else if next == "<", language == .perl, let close = characters[index...].prefix(60).firstIndex(of: ">"),
                !characters[index...close].contains(" ")
            {
                tokens.append(.string(String(characters[index...close])))
                index = close + 1
            } else {
                if !next.isWhitespace || next == "\n" { tokens.append(.symbol(next)) }
                index += 1
            }
        }
    }

    private mutating func string(_ characters: [Character], _ index: inout Int, _ quote: Character) {
        let isTriple =
            language == .python && index + 2 < characters.count && characters[index + 1] == quote
            && characters[index + 2] == quote
        var isFormatted = quote == "`" && language == .node
        if language == .python, case .name(let prefix)? = tokens.last, ["f", "r", "b", "rf", "fr", "F", "R"].contains(prefix) {
            tokens.removeLast()
            isFormatted = prefix.lowercased().contains("f")
        }
        index += isTriple ? 3 : 1
        var value = ""
        while index < characters.count {
            let next = characters[index]
            if next == "\\", index + 1 < characters.count {
                value.append(characters[index + 1])
                index += 2
            } else if next == quote, !isTriple {
                break
            } else if isTriple, next == quote, characters[index...].prefix(3).allSatisfy({ $0 == quote }) {
                index += 2
                break
            } else if isFormatted, next == "{" {
                // An expression in the string: unknown.
                while index < characters.count, characters[index] != "}", characters[index] != quote { index += 1 }
                if index < characters.count, characters[index] == "}" { index += 1 }
                if value.last == "$" { value.removeLast() }
                value.append("\u{2}")
            } else {
                value.append(next)
                index += 1
            }
        }
        index += 1
        // Backquotes run their text in perl, ruby and php.
        if quote == "`", language == .perl || language == .ruby || language == .php {
            result.commands.append(value)
        } else {
            tokens.append(.string(value))
        }
    }

    private mutating func name(_ characters: [Character], _ index: inout Int) {
        var value = ""
        while index < characters.count {
            let next = characters[index]
            if next.isLetter || next.isNumber || next == "_" || next == "$" && value.isEmpty {
                value.append(next)
                index += 1
            } else if next == ".", index + 1 < characters.count, characters[index + 1].isLetter || characters[index + 1] == "_" {
                value.append(".")
                index += 1
            } else if next == ":" || next == "-", index + 2 < characters.count,
                next == ":" && characters[index + 1] == ":" || next == "-" && characters[index + 1] == ">"
            {
                value.append(".")
                index += 2
            } else {
                break
            }
        }
        // `require('fs').rmSync(…)`, `Path("x").unlink()`: a name behind a bracket keeps its dot off.
        tokens.append(.name(value))
        // qx{…}, qx(…): perl's other backquotes.
        if language == .perl, value == "qx", index < characters.count {
            let pairs: [Character: Character] = ["{": "}", "(": ")", "[": "]", "/": "/", "!": "!", "|": "|"]
            if let close = pairs[characters[index]], let end = characters[(index + 1)...].firstIndex(of: close) {
                result.commands.append(String(characters[(index + 1)..<end]))
                index = end + 1
            }
        }
    }
}

extension [CodeReader.Token] {
    /// `name = value` among the tokens, as in `shell=True` or `{shell: true}`.
    fileprivate func containsPair(_ name: String, _ value: String) -> Bool {
        for index in indices where self[index] == .name(name) && index + 2 < count {
            if self[index + 2] == .name(value) { return true }
        }
        return false
    }
}
