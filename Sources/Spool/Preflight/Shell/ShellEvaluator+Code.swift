// Text that is run: by a shell, by another interpreter, by a database client. The text may hold unknowns; they are carried
// through the nested parser as characters of the private-use plane.

extension ShellEvaluator {
    /// Runs shell code in the present state; returns what it prints.
    /// - Parameter codes: the alternatives that the text may be.
    @discardableResult
    func runCode(_ codes: [ShellValue], as name: String) -> [ShellValue] {
        guard nesting < Self.nestingMax else {
            budget.end(.depth)
            return [ShellValue()]
        }
        nesting += 1
        defer { nesting -= 1 }
        var outputs: [ShellValue] = []
        // A text is paid for each time that it is run: reading it is work, and its tree takes more than it.
        for code in codes.prefix(8) where budget.spend(bytes: code.cost * 4) {
            if code.taints.contains(.cut) { budget.end(.values) }
            if Self.runsDownload(code) {
                let position = pinned ?? sources.last?.words.first?.position ?? .start
                hit(rules.downloadRun, at: position, excerpt: sourceExcerpt(code))
            }
            let text = coded(code)
            let place = place(of: text)
            let (statements, fault) = NestedShellParser.parseBeginning(text, base: place ?? .start)
            // What is too deep to follow is not passed.
            if fault?.isTooDeep ?? false {
                budget.end(.depth)
                continue
            }
            let outer = (pinned, self.text)
            if place == nil, pinned == nil { pinned = sources.last?.words.first?.position }
            // The shell may know what this parser does not; and what stands before the fault is run in any case.
            if let fault { hit(rules.unreadable, at: fault.position, excerpt: "\(name): \(fault.message)") }
            texts += 1
            self.text = texts
            for output in run(statements) where !outputs.contains(output) { outputs.append(output) }
            (pinned, self.text) = outer
        }
        return outputs.isEmpty ? [ShellValue()] : outputs
    }

    /// Where the text stands in the block, if it is written there as it is: in single quotes, in plain double quotes, or in a
    /// here-document.
    private func place(of text: String) -> ShellPosition? {
        guard pinned == nil, text.count > 2 else { return nil }
        for source in sources.reversed() {
            for word in source.words {
                guard word.parts.count == 1 else { continue }
                let start = ShellPosition(line: word.position.line, column: word.position.column + 1)
                switch word.parts[0] {
                case .singleQuoted(let inner, false) where inner == text: return start
                case .doubleQuoted(let parts):
                    if parts.count == 1, case .literal(let inner) = parts[0], inner == text { return start }
                default: break
                }
            }
            if let document = source.document, document.parts.count == 1, case .literal(let inner) = document.parts[0],
                inner == text
            {
                return document.position
            }
        }
        return nil
    }

    private func sourceExcerpt(_ code: ShellValue) -> String {
        let shown = code.shown.split(separator: "\n").first.map(String.init) ?? ""
        guard let words = sources.last?.words, let name = words.first?.plainText else { return shown }
        return "\(name) \(shown)"
    }

    /// Whether something downloaded stands where a command may: at the start, or behind `;`, `&`, `|`, a newline.
    private static func runsDownload(_ code: ShellValue) -> Bool {
        var before = ""
        for piece in code.pieces {
            switch piece {
            case .text(let text), .glob(let text): before += text
            case .home: before += "~"
            case .unknown(_, let taints):
                let tail = before.reversed().first { $0 != " " && $0 != "\t" }
                let isCommand = tail.map { ";&|\n({`".contains($0) } ?? true
                if isCommand, taints.contains(.download) { return true }
                before += "x"
            }
        }
        return false
    }

    /// Runs a file whose content is known: the interpreter is the one its first line names, else a shell.
    func runFile(_ codes: [ShellValue], _ words: [ShellValue], at position: ShellPosition) -> [ShellValue] {
        for rule in codes where rule.taints.contains(.download) {
            hit(rules.downloadRun, at: position, excerpt: Self.spaced(words).shown)
            break
        }
        var output = [ShellValue()]
        for code in codes.prefix(8) {
            let firstLine = String(code.text.prefix { $0 != "\n" })
            if let interpreter = EmbeddedCode.Language.named(in: firstLine) {
                judge(code, interpreter, at: position)
            } else if let shell = Self.shell(namedIn: firstLine) {
                output = inFrame(Array(words.dropFirst()), name: words.first) {
                    environment.expandsAliases = Self.expandsAliases(shell)
                    return runCode([code], as: "file")
                }
            }
        }
        return output
    }

    /// The shell that a script's `#!` line names, `bash` without one; nil for another interpreter.
    private static func shell(namedIn line: String) -> String? {
        guard line.hasPrefix("#!") else { return "bash" }
        let words = line.dropFirst(2).split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "/" })
        return words.map(String.init).first {
            $0 == "bash" || $0 == "fish" || CommandGrammar.canonical[$0] == ["sh"] || $0 == "sh"
        }
    }

    /// Whether a shell of this name expands aliases where nobody types.
    static func expandsAliases(_ shell: String) -> Bool { shell != "bash" && shell != "rbash" && shell != "fish" }

    /// Whether a script may be one of those that were just unpacked: it is none of the block's own, and is named as a script is.
    func isOfUnpackedDownload(_ script: ShellValue) -> Bool {
        guard hasUnpackedDownload, let name = ShellPath(script).components.last else { return false }
        return name.hasSuffix(".sh") || ["install", "setup", "configure", "bootstrap"].contains(name)
    }

    /// Runs code with its own positional parameters; what it sets ends with it.
    private func inFrame<R>(_ positional: [ShellValue], name: ShellValue?, _ body: () -> R) -> R {
        inOtherProcess {
            environment.positional = positional
            environment.scriptName = name
            return body()
        }
    }

    /// A shell without a script: it runs what it reads.
    func runShellInput(_ call: ShellCall) -> [ShellValue] {
        let texts = streams.input.texts
        guard !texts.isEmpty else { return [.unknown("$(\(call.name))")] }
        if streams.input.taints.contains(.download) {
            hit(rules.downloadRun, at: call.position, excerpt: call.shown)
        } else if texts.contains(where: Self.isMadeByProgram) {
            hit(rules.generatedRun, at: call.position, excerpt: call.shown)
        }
        for text in texts { checkPlaceholders(inDocument: text, at: call.position) }
        let outer = streams
        defer { streams = outer }
        // What the shell reads is its script; a command in it that reads gets the rest of that.
        streams.input = .text([.unknown("rest of the script")])
        return inFrame(call.operands, name: nil) { runCode(texts, as: call.name) }
    }

    /// Whether text is what a program has printed of which nothing is known: `awk … | sh`. What is read from a file or held in a
    /// variable stands somewhere, for anybody to see.
    private static func isMadeByProgram(_ text: ShellValue) -> Bool {
        guard case .unknown(let name, _)? = text.pieces.first else { return false }
        return name.hasPrefix("$(")
    }

    /// Runs an interpreter; nil if the call is none.
    func runInterpreter(_ call: ShellCall) -> [ShellValue]? {
        if call.name == "sh" || call.name == "fish" { return runShell(call) }
        guard let language = EmbeddedCode.Language(command: call.name) else { return nil }
        let taints = streams.input.taints
        let codes = call.values(of: language.codeOptions)
        if !codes.isEmpty {
            for code in codes {
                if Self.runsDownload(code) { hit(rules.downloadRun, at: call.position, excerpt: call.shown) }
                judge(code, language, at: call.position)
            }
            return [.unknown("$(\(call.name))", taints)]
        }
        if call.has(["-m", "--version", "-V", "-v", "--help", "-h", "--check", "-c"]) || call.has(["-S", "--test"]) {
            return [.unknown("$(\(call.name))", taints)]
        }
        if language == .awk {
            if let program = call.operands.first { judge(program, .awk, at: call.position) }
            return [.unknown("$(awk)", taints)]
        }
        let script = call.operands.first
        if let script, script.text != "-", script.text != "/dev/stdin" {
            return runScript(script, language, call)
        }
        if taints.contains(.download) { hit(rules.downloadRun, at: call.position, excerpt: call.shown) }
        for text in streams.input.texts {
            judge(text, language, at: call.position)
            checkPlaceholders(inDocument: text, at: call.position, language: language)
        }
        if streams.input.isTerminal, language.hasPrompt {
            hit(Self.prompt, at: call.position, excerpt: call.shown)
        }
        return [.unknown("$(\(call.name))", taints)]
    }

    private func runScript(_ script: ShellValue, _ language: EmbeddedCode.Language, _ call: ShellCall) -> [ShellValue] {
        if script.taints.contains(.download) { hit(rules.downloadRun, at: call.position, excerpt: call.shown) }
        for code in content(of: script) ?? [] {
            if code.taints.contains(.download) { hit(rules.downloadRun, at: call.position, excerpt: call.shown) }
            judge(code, language, at: call.position)
        }
        // `python manage.py flush`, `php artisan db:wipe`: the script is a command to the rules.
        let name = ShellPath(script).components.last ?? ""
        if name == "manage.py" || name == "artisan" {
            return execute([ShellValue(name)] + call.operands.dropFirst(), at: call.position)
        }
        return [.unknown("$(\(call.name))", streams.input.taints)]
    }

    static let prompt = Rule(
        "repl", .interactive, "python", "opens a prompt that waits for input",
        advice: "Give the code as an argument or from a file")

    private func runShell(_ call: ShellCall) -> [ShellValue] {
        if call.has(["--version", "--help", "-n"]) { return [.unknown("$(\(call.name))")] }
        let outer = environment.expandsAliases
        defer { environment.expandsAliases = outer }
        environment.expandsAliases =
            Self.expandsAliases(call.written.first.map { ShellPath($0).components.last ?? "" } ?? "") || call.has(["--posix"])
            || call.options.contains { $0.name == "-o" && $0.value?.text == "posix" }
        if call.options.contains(where: { $0.name == "-o" && $0.value?.text == "noexec" }) { return [ShellValue()] }
        let operands = call.operands
        if call.has(["-c", "--command"]) {
            guard let code = call.value(of: ["-c", "--command"]) ?? operands.first else { return [ShellValue()] }
            let rest = call.name == "fish" ? operands : Array(operands.dropFirst())
            return inFrame(Array(rest.dropFirst()), name: rest.first) { runCode([code], as: call.name) }
        }
        if let script = operands.first, !call.has(["-s"]), script.text != "-", script.text != "/dev/stdin" {
            if script.taints.contains(.download) { hit(rules.downloadRun, at: call.position, excerpt: call.shown) }
            guard let code = content(of: script) else {
                if isOfUnpackedDownload(script) { hit(rules.downloadRun, at: call.position, excerpt: call.shown) }
                return [.unknown("$(\(call.name))")]
            }
            return runFile(code, operands, at: call.position)
        }
        if streams.input.isTerminal {
            hit(Self.prompt, at: call.position, excerpt: call.shown)
            return [ShellValue()]
        }
        return runShellInput(call)
    }

    /// Judges code of another language, and runs the shell commands in it.
    func judge(_ code: ShellValue, _ language: EmbeddedCode.Language, at position: ShellPosition) {
        guard budget.spend(bytes: code.cost * 8) else { return }
        let text = coded(code)
        let finding = EmbeddedCode.examine(text, language)
        inEachFolder {
            if finding.deletes.contains(where: { isUndisposable($0) }) || finding.deletesMany {
                hit(rules.embeddedDeletion, at: position, excerpt: EmbeddedCode.excerpt(text))
            }
        }
        if SQLText.isDestructive(finding.statements) {
            hit(rules.embeddedSQL, at: position, excerpt: EmbeddedCode.excerpt(text))
        }
        if finding.runsDownload { hit(rules.downloadRun, at: position, excerpt: EmbeddedCode.excerpt(text)) }
        if finding.reads, streams.input.isTerminal {
            hit(rules.readFromTerminal, at: position, excerpt: EmbeddedCode.excerpt(text))
        }
        for path in finding.writes where ShellPath(restored(path), in: environment.folder).isSensitive {
            hit(rules.sensitiveRedirect, at: position, excerpt: EmbeddedCode.excerpt(text))
        }
        let outer = pinned
        if pinned == nil { pinned = position }
        inOtherProcess {
            for command in finding.commands { runCode([restored(command)], as: language.rawValue) }
            for words in finding.calls { _ = execute(words.map { restored($0) }, at: position, isProgram: true) }
        }
        pinned = outer
    }

    private func isUndisposable(_ deletion: EmbeddedCode.Deletion) -> Bool {
        guard let path = deletion.path else { return deletion.isTree }
        let place = ShellPath(restored(path), in: environment.folder)
        if deletion.isTree { return !isDisposable(place) }
        return place.isSystem || place.isHomeSecret
    }

    /// All SQL, or other statements, that a call hands to a database client.
    func sql(of call: ShellCall) -> [String] {
        var texts = call.values(of: SQLText.codeOptions(of: call.name))
        switch call.name {
        case "sqlite3", "duckdb", "turso", "bq", "isql", "influx", "usql":
            texts += call.operands.dropFirst()
        case "redis-cli": texts += call.values(of: ["--eval"])
        case "wrangler", "prisma", "athena": texts += call.values(of: ["--command", "--query-string", "--execute"])
        default: break
        }
        for file in call.values(of: SQLText.fileOptions) + (call.name == "mongosh" ? call.operands : []) {
            texts += content(of: file) ?? []
        }
        texts += streams.input.texts
        return texts.map(\.text)
    }
}
