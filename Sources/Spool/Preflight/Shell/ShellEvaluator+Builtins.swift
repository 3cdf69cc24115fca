// Commands that change the shell's own state, and those that run a string in it.

extension ShellEvaluator {
    /// Runs a builtin; nil if the call is none that matters here.
    func runBuiltin(_ call: ShellCall) -> [ShellValue]? {
        let arguments = Array(call.words.dropFirst())
        let silent = [ShellValue()]
        switch call.name {
        case "cd", "pushd":
            changeFolder(call)
            return silent
        case "popd":
            environment.enter([environment.folders.popLast() ?? startFolder])
            return silent
        case "eval":
            return runCode([Self.spaced(arguments)], as: "eval")
        case "source", ".":
            guard let file = arguments.first else { return silent }
            if let code = content(of: file) { return runCode(code, as: "source") }
            return [.unknown("$(source)")]
        case "trap":
            setTrap(call)
            return silent
        case "read", "mapfile", "readarray":
            readInput(call)
            return silent
        case "set":
            setErrorHandling(arguments)
            if let dash = arguments.firstIndex(where: { $0.text == "--" }) {
                environment.positional = Array(arguments[(dash + 1)...])
            } else if let first = arguments.first?.text, !first.hasPrefix("-"), !first.hasPrefix("+") {
                environment.positional = arguments
            }
            return silent
        case "shift":
            let count = arguments.first?.literal.flatMap { Int($0) } ?? 1
            environment.positional = environment.positional.map { Array($0.dropFirst(max(count, 0))) }
            return silent
        case "unset":
            for name in arguments.compactMap(\.literal) {
                if !call.has(["-v"]) { environment.functions[name] = nil }
                if !call.has(["-f"]) { environment.variables[name] = nil }
            }
            return silent
        case "alias" where call.has(["-p"]) || arguments.isEmpty: return [.unknown("$(alias)")]
        case "alias":
            for value in arguments {
                guard let text = value.literal, let equals = text.firstIndex(of: "=") else { continue }
                environment.aliases[String(text[..<equals])] = ShellValue(String(text[text.index(after: equals)...]))
            }
            return silent
        case "shopt":
            if arguments.contains(where: { $0.text == "expand_aliases" }), call.has(["-s"]) { environment.expandsAliases = true }
            return silent
        case "printf" where call.has(["-v"]) || arguments.first?.text == "-v":
            if arguments.count > 2, let name = arguments[1].literal {
                assign(name, .scalar([PrintedText.format(Array(arguments.dropFirst(2)))]))
            }
            return silent
        case "getopts":
            if arguments.count > 1, let name = arguments[1].literal { assign(name, .scalar([.unknown("$\(name)")])) }
            return silent
        case "exit", "return", ":", "true", "false", "wait", "sleep", "test", "[", "hash", "type", "jobs", "umask", "ulimit",
            "break", "continue", "let", "rm", "cp", "mkdir", "chmod", "touch", "chown", "ln", "rmdir", "kill", "mv", "install":
            return call.name == "jobs" ? nil : filesChanged(call)
        default: return nil
        }
    }

    private func changeFolder(_ call: ShellCall) {
        if call.name == "pushd" { environment.folders.append(environment.folder) }
        guard let target = call.operands.first else {
            if call.name == "cd" { environment.enter([ShellValue([.home])]) }
            return
        }
        if target.text == "-" {
            environment.enter([startFolder])
        } else {
            environment.enter(environment.allFolders.map { folder(target, from: $0) })
        }
    }

    private func folder(_ target: ShellValue, from folder: ShellValue?) -> ShellValue? {
        let path = ShellPath(target, in: folder)
        // A folder known only outside the block tells nothing: relative paths are then judged as the block writes them.
        if path.startsUnknown && !path.isScratch || path.hasWildcard || path.text.isEmpty { return nil }
        guard path.isScratch || path.isHome else { return ShellValue(path.text) }
        let isWhole = target.pieces.first.map { piece in if case .text = piece { false } else { true } } ?? false
        return isWhole ? target : (folder ?? ShellValue()) + ShellValue("/") + target
    }

    /// `set -e` and `set +e`, also as one letter of several.
    private func setErrorHandling(_ arguments: [ShellValue]) {
        for (index, argument) in arguments.enumerated() {
            guard let sign = argument.text.first, sign == "-" || sign == "+", argument.text != "--" else { continue }
            if argument.text.hasSuffix("o"), index + 1 < arguments.count, arguments[index + 1].text == "posix" {
                environment.expandsAliases = sign == "-"
            }
            let isNamed = argument.text.hasSuffix("o") && index + 1 < arguments.count && arguments[index + 1].text == "errexit"
            if isNamed || argument.text.contains("e") { environment.goesOnAfterErrors = sign == "+" }
        }
    }

    /// `trap CODE SIGNAL…` runs later: with what the variables hold then.
    private func setTrap(_ call: ShellCall) {
        guard let code = call.operands.first, call.operands.count > 1, code.text != "-", !code.isEmpty, !call.has(["-p", "-l"])
        else { return }
        if traps.isEmpty { assignedLater = environment.variables }
        traps.append([code])
    }

    private func readInput(_ call: ShellCall) {
        let descriptor = call.value(of: ["-u"])?.text
        let isFed = descriptor.map { streams.opened.contains($0) || $0 != "0" } ?? false
        if streams.input.isTerminal, !isFed, call.value(of: ["-t"])?.text != "0" {
            hit(rules.readFromTerminal, at: call.position, excerpt: call.shown)
        }
        if call.name != "read" {
            let lines = streams.input.texts.map { budget.lines(of: $0).map { $0.trimmingNewlines() } }
            assign(
                call.operands.first?.literal ?? "MAPFILE",
                ShellVariable(alternatives: lines.isEmpty ? [[.unknown("$line")]] : lines))
            return
        }
        var names = call.operands.compactMap(\.literal)
        if let array = call.value(of: ["-a"])?.literal {
            assign(array, ShellVariable(alternatives: streams.input.texts.map(budget.fields)))
            return
        }
        if names.isEmpty { names = ["REPLY"] }
        let lines = streams.input.texts.flatMap(budget.lines)
        for (index, name) in names.enumerated() {
            var values: [ShellValue] = []
            for line in lines.prefix(ShellVariable.alternativesMax) {
                let fields = line.fields()
                let value: ShellValue
                if line.hasUnknown, names.count > 1 {
                    value = .unknown("$\(name)", line.taints)
                } else if index == names.count - 1 {
                    value = names.count == 1 ? line : Self.spaced(Array(fields.dropFirst(index)))
                } else {
                    value = fields.indices.contains(index) ? fields[index] : ShellValue()
                }
                if !values.contains(value) { values.append(value) }
            }
            if values.isEmpty { values = [.unknown("$\(name)", streams.input.taints)] }
            assign(name, .scalar(values))
        }
    }

    /// Keeps track of which files a command makes, moves or copies.
    private func filesChanged(_ call: ShellCall) -> [ShellValue] {
        switch call.name {
        case "mkdir": markMade(call.operands)
        case "ln" where call.has(["-s", "--symbolic"]): markLink(call)
        case "install" where call.has(["-d", "--directory"]): markMade(call.operands)
        case "cp", "mv", "ln", "install":
            let target = call.value(of: ["-t", "--target-directory"])
            let sources = target == nil ? Array(call.operands.dropLast()) : call.operands
            guard let destination = target ?? call.operands.last else { break }
            if call.name == "cp", call.has(["-a", "-r", "-R", "--archive", "--recursive"]) { markMade([destination]) }
            for source in sources {
                guard let code = content(of: source) else { continue }
                let name = ShellPath(source).components.last ?? ""
                let path = ShellPath(destination, in: environment.folder)
                let known = key(of: path)
                files[known] = code
                files[known + "/" + name] = code
                // Moved into a folder of programs, it is run by its bare name.
                let last = path.components.last ?? ""
                if path.components.contains(where: { $0 == "bin" || $0 == "sbin" }) {
                    files["bin:" + (last == "bin" || last == "sbin" ? name : last)] = code
                }
                if call.name == "mv" { files[key(of: ShellPath(source, in: environment.folder))] = nil }
            }
        default: break
        }
        return [ShellValue()]
    }

    /// What is below a link is where the link leads.
    private func markLink(_ call: ShellCall) {
        guard let target = call.operands.first, !ShellPath(target, in: environment.folder).isDisposable(made: made) else {
            return
        }
        let name = ShellPath(target).components.last ?? ""
        let destination = call.operands.count > 1 ? call.operands[call.operands.count - 1] : ShellValue(name)
        let path = ShellPath(destination, in: environment.folder)
        links.formUnion([path.text, path.text + "/" + name])
    }

    /// `git clone` makes its folder; a download that is unpacked may have put a script anywhere.
    func noteUnpacking(_ call: ShellCall) {
        switch call.name {
        case "git" where call.operands.first?.text == "clone": markMade(call.operands.suffix(1))
        case "tar", "bsdtar", "unzip", "7z":
            let archives = call.values(of: ["-f", "--file"]) + call.operands
            let isDownload =
                streams.input.taints.contains(.download)
                || archives.contains { content(of: $0)?.contains { $0.taints.contains(.download) } ?? false }
            if isDownload { hasUnpackedDownload = true }
        default: break
        }
    }

    private func markMade(_ values: some Sequence<ShellValue>) {
        for value in values {
            let path = ShellPath(value, in: environment.folder)
            if path.isAbsolute, path.components.first == "tmp", path.components.count >= 2, !path.components.contains("..") {
                made.insert(path.key)
                // `mkdir -p /tmp/a/b` makes /tmp/a as well.
                for count in 2...min(path.components.count, ShellPath.depthMax) {
                    made.insert("/" + path.components.prefix(count).joined(separator: "/"))
                }
            }
        }
    }
}
