// Walks the tokens of a Python, Perl, Ruby, PHP, Node or awk program and collects its plain dangerous calls, by the tables of
// names below. It follows no control flow: what stands in the program may be run.

import Foundation

/// Walks the tokens of one program.
struct CodeReader {
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
    /// Whether the program lists files or loops; nil: not looked yet.
    private lazy var listsSomething = tokens.contains {
        guard case .name(let name) = $0 else { return false }
        return isListing(name) || name == "for" || name == "foreach" || name == "while"
    }
    private lazy var roots = listedRoots()
    private lazy var importsSubprocess = text.contains("from subprocess import")
    /// Tokens that one call is looked at for: a call is a line, not a program.
    private static let callMax = 512

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
            return Array(
                tokens[at...].prefix(Self.callMax).prefix { $0 != .symbol(";") && $0 != .symbol("\n") && $0 != .symbol("}") })
        }
        var level = 0
        var inner: [Token] = []
        while at < tokens.count, inner.count < Self.callMax {
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

    private mutating func isStarter(_ full: String) -> Bool {
        if language == .node { return true }
        return full.contains("subprocess") || full.hasPrefix("os.") || full.hasPrefix("asyncio.") || full.hasPrefix("sp.")
            || importsSubprocess
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
            let before = tokens[..<index].suffix(Self.callMax).last(where: { if case .string = $0 { true } else { false } }),
            !listsSomething
        {
            if case .string(let value) = before { result.deletes.append(EmbeddedCode.Deletion(path: value, isTree: false)) }
            return
        }
        guard lists || listsSomething else { return }
        if roots.isEmpty { result.deletesMany = true }
        result.deletes += roots.map { EmbeddedCode.Deletion(path: $0, isTree: true) }
    }

    private func isListing(_ name: String) -> Bool {
        name.split(separator: ".").contains { Self.listings.contains(String($0)) }
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
            case .string(let value)? = tokens[..<index].suffix(Self.callMax).last(where: {
                if case .string = $0 { true } else { false }
            })
        {
            result.writes.append(value)
        } else if let first = strings.first {
            result.writes.append(first)
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
