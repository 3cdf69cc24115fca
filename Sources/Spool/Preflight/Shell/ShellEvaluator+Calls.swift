// Simple commands: assignments, redirections, and the one place where a command's words reach functions, wrappers, builtins
// and the rules.

extension ShellEvaluator {
    // MARK: redirections

    struct WriteTarget {
        var path: ShellValue
        var isAppending: Bool
    }

    /// Applies a statement's redirections to `streams`; returns the files that take standard output.
    func redirect(_ statement: ShellStatement) -> [WriteTarget] {
        var targets: [WriteTarget] = []
        let placeholders = Self.placeholderRedirects(statement)
        for (index, redirect) in statement.redirects.enumerated() {
            if placeholders.contains(index) {
                hit(rules.placeholder, at: redirect.position, excerpt: "<\(redirect.word.plainText ?? "")>")
            }
            switch redirect.operation {
            case .hereDocument, .hereDocumentTabs:
                guard redirect.descriptor == nil || redirect.descriptor == "0" else { continue }
                streams.input = .text(document(redirect))
            case .hereString:
                streams.input = .text(expandWhole(redirect.word).map { $0 + ShellValue("\n") })
            case .input, .inputOutput, .duplicateInput:
                read(from: redirect)
            case .output, .append, .clobber, .outputAll, .appendAll, .duplicateOutput:
                targets += write(to: redirect)
            }
        }
        return targets
    }

    private func document(_ redirect: ShellRedirect) -> [ShellValue] {
        guard let body = redirect.document else { return [ShellValue()] }
        let isQuoted = redirect.word.parts.contains { part in
            switch part {
            case .literal(let text): text.contains("\\")
            default: true
            }
        }
        guard isQuoted else { return expandQuoted(body.parts, isQuoted: true) }
        let text = body.parts.reduce(into: "") { if case .literal(let text) = $1 { $0 += text } }
        return [restored(text)]
    }

    private func read(from redirect: ShellRedirect) {
        let values = expandWhole(redirect.word)
        let path = values.first?.text ?? ""
        if let descriptor = redirect.descriptor, descriptor != "0" {
            if redirect.operation != .inputOutput { streams.opened.insert(descriptor) }
            return
        }
        if redirect.operation == .duplicateInput {
            streams.input = path == "-" ? .closed : .text([.unknown("&\(path)")])
        } else if path == "/dev/null" {
            streams.input = .closed
        } else if path == "/dev/tty" {
            streams.input = .terminal
        } else if path != "/dev/stdin" {
            streams.input = .text(values.flatMap { content(of: $0) ?? [.unknown("content of \($0.shown)")] })
        }
        if redirect.operation == .inputOutput { judgeWriting(values, redirect) }
    }

    private func write(to redirect: ShellRedirect) -> [WriteTarget] {
        let values = expandWhole(redirect.word)
        guard let first = values.first else { return [] }
        let text = first.text
        let isDescriptor = redirect.operation == .duplicateOutput && (text == "-" || text.allSatisfy { $0.isNumber })
        if isDescriptor { return [] }
        judgeWriting(values, redirect)
        let takesOutput =
            redirect.descriptor == nil || redirect.descriptor == "1" || redirect.operation == .outputAll
            || redirect.operation == .appendAll
        guard takesOutput else { return [] }
        if text != "/dev/tty" { streams.outputIsTerminal = false }
        let isAppending = redirect.operation == .append || redirect.operation == .appendAll
        return [WriteTarget(path: first, isAppending: isAppending)]
    }

    private func judgeWriting(_ values: [ShellValue], _ redirect: ShellRedirect) {
        for value in values { judgeWriting(value, redirect) }
        checkPlaceholders(values, at: redirect.position)
    }

    private func judgeWriting(_ value: ShellValue, _ redirect: ShellRedirect) {
        inEachFolder {
            let path = ShellPath(value, in: environment.folder)
            let excerpt = "\(redirect.operation.rawValue) \(value.shown)"
            // A redirection to `/` itself writes nothing: `<owner>/<repo>` looks like one.
            if path.isSensitive, !path.isRoot { hit(rules.sensitiveRedirect, at: redirect.position, excerpt: excerpt) }
            if path.isDevice || value.isNamedAsDevice { hit(rules.deviceRedirect, at: redirect.position, excerpt: excerpt) }
        }
    }

    /// Indexes of redirections that are `<NAME>`: `<` with a word that touches it, and a `>` that touches the word.
    private static func placeholderRedirects(_ statement: ShellStatement) -> Set<Int> {
        var result: Set<Int> = []
        for (index, redirect) in statement.redirects.enumerated() where redirect.operation == .input {
            guard let name = redirect.word.plainText, let first = name.first, first.isLetter,
                name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }),
                redirect.word.position.line == redirect.position.line,
                redirect.word.position.column == redirect.position.column + 1
            else { continue }
            let isClosed = statement.redirects.contains {
                ($0.operation == .output || $0.operation == .append) && $0.position == redirect.word.end
            }
            if isClosed { result.insert(index) }
        }
        return result
    }

    /// What the block has put into a file, if it has.
    func content(of value: ShellValue) -> [ShellValue]? {
        files[key(of: ShellPath(value, in: environment.folder))]
    }

    /// Under which name the content of a file is kept.
    func key(of path: ShellPath) -> String { startFolder == nil ? path.keyInRepo : path.key }

    func write(_ output: [ShellValue], to value: ShellValue, appending: Bool) {
        let path = ShellPath(value, in: environment.folder)
        guard !path.text.isEmpty, path.text != "/dev/null" else { return }
        // A program put into a folder of the path is run by its bare name.
        let folder = path.components.dropLast().last
        if folder == "bin" || folder == "sbin", let name = path.components.last { files["bin:" + name] = output }
        let known = key(of: path)
        if appending, files[known] != nil {
            add(output, to: &files[known, default: []])
        } else {
            files[known] = output
        }
    }

    // MARK: assignments

    func assign(_ name: String, _ variable: ShellVariable) {
        var variable = variable
        if variable.alternatives.count > ShellVariable.alternativesMax {
            variable.alternatives = Array(variable.alternatives.prefix(ShellVariable.alternativesMax))
        }
        environment.variables[name] = variable
        guard !traps.isEmpty else { return }
        if assignedLater[name] == nil { assignedLater[name] = variable } else { assignedLater[name]?.add(variable) }
    }

    func variableValues(_ name: String) -> [ShellValue] {
        environment.variables[name]?.alternatives.compactMap(\.first) ?? []
    }

    func assign(_ assignment: ShellAssignment) {
        guard let name = assignment.name else { return }
        if let elements = assignment.elements {
            var lists: [[ShellValue]] = [[]]
            for element in elements {
                if let index = element.index, index.plainText == nil { _ = expandWhole(index) }
                let fields = element.value.map { expand($0) } ?? [[ShellValue()]]
                extend(&lists, by: fields) { $0 += $1 }
                if let value = element.value { checkPlaceholders(in: [value]) }
            }
            var alternatives = assignment.isAppend ? environment.variables[name]?.alternatives ?? [[]] : [[]]
            extend(&alternatives, by: lists) { $0 += $1 }
            assign(name, ShellVariable(alternatives: alternatives))
            return
        }
        let values = assignment.value.map { expandWhole($0) } ?? [ShellValue()]
        checkPlaceholders(values, at: assignment.position)
        if let index = assignment.index {
            if index.plainText == nil { _ = expandWhole(index) }
            // Which element it is may not be known: each alternative keeps what it had, with the new value added.
            var alternatives = environment.variables[name]?.alternatives ?? [[]]
            extend(&alternatives, by: values) { $0.append($1) }
            assign(name, ShellVariable(alternatives: alternatives))
        } else if assignment.isAppend {
            var alternatives = environment.variables[name]?.alternatives ?? [[ShellValue()]]
            extend(&alternatives, by: values) { list, value in
                if list.isEmpty { list = [value] } else { list[0].append(value) }
            }
            // The first element is the one that has grown.
            if alternatives.contains(where: { $0.first?.isCut ?? false }) { budget.end(.values) }
            assign(name, ShellVariable(alternatives: alternatives))
        } else {
            assign(name, .scalar(values))
        }
    }

    func declare(_ variant: String, _ arguments: [ShellAssignment]) -> [ShellValue] {
        let flags = arguments.filter { $0.name == nil }.compactMap { $0.value?.plainText }.filter { $0.hasPrefix("-") }.joined()
        if flags.contains("f") {
            guard variant == "export" || flags.contains("x") else { return [printed(functions: arguments.compactMap(\.name))] }
            for name in arguments.compactMap(\.name) { environment.functions[name]?.isExported = true }
            return [ShellValue()]
        }
        if flags.contains("p") { return [.unknown("$(\(variant) -p)")] }
        for argument in arguments {
            guard let name = argument.name else {
                for value in argument.value.map({ expandWhole($0) }) ?? [] {
                    // `export "$name=value"`: the words are assignments once they are expanded.
                    guard let text = value.literal, let equals = text.firstIndex(of: "="), !text.hasPrefix("-") else { continue }
                    assign(String(text[..<equals]), .scalar([ShellValue(String(text[text.index(after: equals)...]))]))
                }
                continue
            }
            let isLocal = variant == "local" || variant == "declare" || variant == "typeset"
            if isLocal, !locals.isEmpty, locals[locals.count - 1][name] == nil {
                locals[locals.count - 1][name] = .some(environment.variables[name])
            }
            if !argument.isNaked { assign(argument) } else if variant == "local" { assign(name, .scalar([ShellValue()])) }
        }
        return [ShellValue()]
    }

    /// What `declare -f` prints: code that defines the functions again, wherever it is run.
    private func printed(functions names: [String]) -> ShellValue {
        let wanted = names.isEmpty ? environment.functions.keys.sorted() : names
        var text = ""
        for name in wanted {
            for function in environment.functions[name]?.definitions ?? [] {
                printedFunctions.append(function)
                text += "\(name)() { \(Self.printedPrefix)\(printedFunctions.count - 1) \"$@\"; }\n"
            }
        }
        return text.isEmpty ? .unknown("$(declare -f)") : ShellValue(text)
    }

    /// Stands in printed code for the body of a function.
    static let printedPrefix = "flowspool:function:"

    // MARK: calls

    func call(_ assignments: [ShellAssignment], _ words: [ShellWord], _ statement: ShellStatement) -> [ShellValue] {
        guard !words.isEmpty else {
            assignments.forEach(assign)
            return [ShellValue()]
        }
        // `VAR=x command`: the values hold for this command only.
        var saved: [(String, ShellVariable?)] = []
        for assignment in assignments {
            if let name = assignment.name { saved.append((name, environment.variables[name])) }
            assign(assignment)
        }
        defer { for (name, old) in saved { environment.variables[name] = old } }

        var alternatives: [[ShellValue]] = [[]]
        for word in words where !budget.isSpent { extend(&alternatives, by: expand(word)) { $0 += $1 } }
        sources.append((words, statement.redirects.last { $0.document != nil }?.document))
        defer { sources.removeLast() }
        return inEachWay(alternatives.filter { !$0.isEmpty }) { execute($0, at: statement.position) }
    }

    /// Runs one command whose words are resolved, and returns what it prints.
    ///
    /// - Parameters:
    ///   - isHandedOn: the words come from find or xargs.
    ///   - isProgram: a program runs it, not this shell: functions and aliases do not hide it.
    func execute(
        _ words: [ShellValue], at position: ShellPosition, isHandedOn: Bool = false, isProgram: Bool = false
    ) -> [ShellValue] {
        guard budget.spendStep(), let first = words.first, nesting < Self.nestingMax else {
            if nesting >= Self.nestingMax { budget.end(.depth) }
            return [ShellValue()]
        }
        nesting += 1
        defer { nesting -= 1 }
        // `[` is a wildcard in any other word.
        guard let written = first.pieces == [.glob("[")] ? "[" : first.literal else { return executeUnknown(words, at: position) }
        if written.isEmpty { return [ShellValue()] }
        if written.hasPrefix(Self.printedPrefix), let index = Int(written.dropFirst(Self.printedPrefix.count)),
            printedFunctions.indices.contains(index)
        {
            return callFunction(printedFunctions[index], written, words)
        }
        if !isProgram, let functions = environment.functions[written] {
            // nil: the program of that name.
            let ways: [ShellFunction?] = functions.definitions + (functions.mayBeProgram ? [nil] : [])
            return inEachWay(ways) { function in
                function.map { callFunction($0, written, words) }
                    ?? executeProgram(first, written, words, at: position, isHandedOn: isHandedOn)
            }
        }
        if environment.expandsAliases, !isProgram, let alias = environment.aliases[written],
            // `alias ls='ls -l'`: the name in its own text is the program.
            aliasesUsed.insert(written).inserted
        {
            defer { aliasesUsed.remove(written) }
            return runCode([Self.spaced([alias] + words.dropFirst().map(Self.quoted))], as: "alias")
        }
        return executeProgram(first, written, words, at: position, isHandedOn: isHandedOn)
    }

    private func executeProgram(
        _ first: ShellValue, _ written: String, _ words: [ShellValue], at position: ShellPosition, isHandedOn: Bool
    ) -> [ShellValue] {
        let path = ShellPath(first, in: environment.folder)
        if written.contains("/"), let code = files[key(of: path)] { return runFile(code, words, at: position) }
        if written.contains("/"), isOfUnpackedDownload(first) {
            hit(rules.downloadRun, at: position, excerpt: Self.spaced(words).shown)
        }
        if written.contains("/"), !written.hasPrefix("/") {
            let name = String(written.split(separator: "/").last ?? "")
            return finish(words, names: [name], at: position, isHandedOn: isHandedOn)
        }
        if !written.contains("/"), let code = files["bin:" + written] { return runFile(code, words, at: position) }
        let name = written.contains("/") ? String(written.split(separator: "/").last ?? "") : written
        if Self.isTranscriptPrompt(name) { hit(Self.transcript, at: position, excerpt: Self.spaced(words).shown) }
        if !written.contains("/"), !ShellBuiltins.names.contains(name) { commands.insert(name) }
        return finish(words, names: [name], at: position, isHandedOn: isHandedOn)
    }

    private func finish(
        _ words: [ShellValue], names: [String], at position: ShellPosition, isHandedOn: Bool
    ) -> [ShellValue] {
        let written = words
        var words = words
        var name = names[0]
        if let canonical = CommandGrammar.canonical[name] ?? Self.versioned(name) {
            name = canonical[0]
            words = canonical.map { ShellValue($0) } + words.dropFirst()
        } else if name.hasPrefix("mkfs."), CommandGrammar.named(name) == nil {
            name = "mkfs"
        }
        let call = ShellCall(words, written: written, name: name, position: position)
        inEachFolder {
            for rule in rules.broken(by: call, self, isHandedOn: isHandedOn) { hit(rule, at: position, excerpt: call.shown) }
        }
        checkPlaceholders(of: call)
        noteUnpacking(call)
        if let output = runBuiltin(call) { return output }
        if let output = runWrapped(call) { return output }
        if let output = runInterpreter(call) { return output }
        return produce(call)
    }

    /// `python3.12`, `pip3`, `ruby3.3`.
    private static func versioned(_ name: String) -> [String]? {
        for base in ["python", "perl", "ruby", "php", "lua", "pypy"] where name.hasPrefix(base) {
            let rest = name.dropFirst(base.count)
            if rest.allSatisfy({ $0.isNumber || $0 == "." }) { return [base == "pypy" ? "python" : base] }
        }
        return nil
    }

    /// The name is not known: `$SUDO rm …`, `"$@"`, `$(curl …)`.
    private func executeUnknown(_ words: [ShellValue], at position: ShellPosition) -> [ShellValue] {
        let first = words[0]
        if first.taints.contains(.download) { hit(rules.downloadRun, at: position, excerpt: Self.spaced(words).shown) }
        if case .unknown? = first.pieces.first, first.pieces.count == 1, words.count > 1 {
            // It may be empty, or a wrapper: then the next word is the command.
            _ = execute(Array(words.dropFirst()), at: position)
        }
        let path = ShellPath(first, in: environment.folder)
        if let code = files[key(of: path)] { return runFile(code, words, at: position) }
        // `"$bin/psql"`: the last part of the path is the program.
        if case .text(let tail)? = first.pieces.last, let slash = tail.lastIndex(of: "/"), !tail.hasSuffix("/") {
            let name = String(tail[tail.index(after: slash)...])
            if !name.isEmpty { return execute([ShellValue(name)] + words.dropFirst(), at: position) }
        }
        checkPlaceholders(words, at: position)
        return [.unknown("$(\(first.shown))", streams.input.taints)]
    }

    func callFunction(_ function: ShellFunction, _ name: String, _ words: [ShellValue]) -> [ShellValue] {
        guard calls.filter({ $0 == name }).count < 3, calls.count < 24 else { return [ShellValue()] }
        calls.append(name)
        locals.append([:])
        let savedPositional = environment.positional
        environment.positional = Array(words.dropFirst())
        let output = run(function.body)
        environment.positional = savedPositional
        for (name, old) in locals.removeLast() { environment.variables[name] = old }
        calls.removeLast()
        return output
    }

    static let transcript = Rule(
        "transcript", .shellSyntax, "$", "is a console transcript, not a script",
        advice: "Leave out the prompts and the output, or mark the fence `console`")

    private static func isTranscriptPrompt(_ name: String) -> Bool { name == "$" || name == "%" || name == "❯" || name == "➜" }

    /// A word as code: quoted, so that it is read back as it is.
    static func quoted(_ value: ShellValue) -> ShellValue {
        guard let text = value.literal, text.contains(where: { !$0.isLetter && !$0.isNumber && !"-_./=:,@%+".contains($0) })
        else { return value }
        return ShellValue("'" + text.replacing("'", with: "'\\''") + "'")
    }
}

/// Names that bash runs itself.
enum ShellBuiltins {
    static let names: Set<String> = [
        ".", ":", "[", "alias", "bg", "bind", "break", "builtin", "caller", "cd", "command", "compgen", "complete", "continue",
        "declare", "dirs", "disown", "echo", "enable", "eval", "exec", "exit", "export", "false", "fc", "fg", "getopts", "hash",
        "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf", "pushd", "pwd", "read",
        "readarray", "readonly", "return", "set", "shift", "shopt", "source", "suspend", "test", "time", "times", "trap", "true",
        "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    ]
}
