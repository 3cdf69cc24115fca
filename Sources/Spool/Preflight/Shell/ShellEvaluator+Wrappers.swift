// Commands that run another command: looked through, so that the rules see what is really run. Which options and operands
// stand before that command is in `CommandGrammar`; this file says what a wrapper does beside it.

/// How a wrapper hands its command on.
struct WrapperRow: Sendable {
    /// Name and verbs, as rules write them.
    let command: String
    /// Operands that stand before the command: `timeout 5s CMD`, `docker exec NAME CMD`.
    var skip = 0
    /// `NAME=value` words may stand before the command.
    var takesAssignments = false
    /// Options whose value is a string of code: `su -c`.
    var codeOptions: Set<String> = []
    /// The words are joined and run by a shell: `watch`, `ssh`.
    var joins = false
    /// Without one of these options the command has no input.
    var inputOptions: Set<String>?
    /// With one of these options nothing is run.
    var excuses: Set<String> = []

    static let rows: [WrapperRow] = [
        WrapperRow(
            command: "sudo|doas|run0", takesAssignments: true, excuses: ["-l", "-v", "-k", "-K", "-V", "--list", "--validate"]),
        WrapperRow(command: "env", takesAssignments: true, codeOptions: ["-S", "--split-string"]),
        WrapperRow(command: "command", excuses: ["-v", "-V"]),
        WrapperRow(
            command: "builtin|exec|nohup|setsid|busybox|toybox|fakeroot|eatmydata|caffeinate|time|gtime|nice|ionice|stdbuf|strace"
                + "|ltrace|nsenter|unshare|setpriv|systemd-run|systemd-inhibit|xvfb-run|sshpass|unbuffer|torsocks|proxychains"
                + "|proxychains4|entr|firejail|tini|dumb-init|pkexec|catchsegv|ccache|dbus-run-session|linux32|linux64|setarch"
                + "|pdm-run|rtk|doppler-run|valgrind|perf-stat|chronic|numactl|lxc-attach"),
        WrapperRow(command: "perf stat|record"), WrapperRow(command: "sg", skip: 1, codeOptions: ["-c"]),
        WrapperRow(command: "pdsh", joins: true),
        WrapperRow(command: "screen", joins: true, excuses: ["-r", "-R", "-x", "-l", "-X"]),
        WrapperRow(command: "timeout|gtimeout|taskset|chrt|chroot|gosu|su-exec|s6-setuidgid|faketime|autossh-x", skip: 1),
        WrapperRow(command: "flock", skip: 1, codeOptions: ["-c", "--command"]),
        WrapperRow(command: "cross-env|dotenvx|dotenv", takesAssignments: true),
        WrapperRow(command: "su|runuser", codeOptions: ["-c", "--command"]),
        WrapperRow(command: "script", codeOptions: ["-c", "--command"]),
        WrapperRow(command: "watch", joins: true),
        WrapperRow(command: "npx|bunx", codeOptions: ["-c", "--call"]),
        WrapperRow(command: "poetry|pipenv|uv|pdm|hatch|rye|conda|mamba|micromamba|doppler|op|devbox|heroku|bun run"),
        WrapperRow(command: "hatch env", skip: 1), WrapperRow(command: "uvx|pipx run"),
        WrapperRow(command: "npm exec|x", codeOptions: ["-c", "--call"]),
        WrapperRow(command: "bundle|npm|pnpm|yarn|mise exec"), WrapperRow(command: "pnpm|yarn|bun dlx|x"),
        WrapperRow(command: "direnv|aws-vault|chamber exec", skip: 1),
        WrapperRow(command: "docker exec", skip: 1, inputOptions: ["-i", "--interactive"]),
        WrapperRow(command: "docker container exec", skip: 1, inputOptions: ["-i", "--interactive"]),
        WrapperRow(command: "docker compose exec|run", skip: 1),
        WrapperRow(command: "docker run", skip: 1, inputOptions: ["-i", "--interactive"]),
        WrapperRow(command: "docker container run", skip: 1, inputOptions: ["-i", "--interactive"]),
        WrapperRow(command: "lxc|incus|multipass exec", skip: 1), WrapperRow(command: "ip netns exec", skip: 1),
        WrapperRow(command: "vagrant ssh", codeOptions: ["-c", "--command"]),
        WrapperRow(command: "gcloud compute ssh", codeOptions: ["--command"]),
        WrapperRow(command: "fly|flyctl ssh console", codeOptions: ["-C", "--command"]),
        WrapperRow(command: "nix-shell", codeOptions: ["--run", "--command"]),
        WrapperRow(command: "git bisect run"),
        WrapperRow(command: "git rebase", codeOptions: ["-x", "--exec"]),
        WrapperRow(
            command: "git filter-branch",
            codeOptions: ["--tree-filter", "--index-filter", "--msg-filter", "--env-filter", "--setup"]),
    ]

    static let byName: [String: [(verbs: [Set<String>], row: WrapperRow)]] = rows.reduce(into: [:]) { table, row in
        let parts = row.command.split(separator: " ").map { Set($0.split(separator: "|").map(String.init)) }
        for name in parts[0] { table[name, default: []].append((Array(parts.dropFirst()), row)) }
    }
}

extension ShellEvaluator {
    /// Runs what a wrapper runs; nil if the call is no wrapper.
    func runWrapped(_ call: ShellCall) -> [ShellValue]? {
        switch call.name {
        case "xargs": return runXargs(call)
        case "parallel": return runParallel(call)
        case "find": return runFind(call)
        case "ssh", "autossh": return runRemote(call)
        case "kubectl": return runKubectl(call)
        case "nix": return runNix(call)
        case "ansible": return runAnsible(call)
        case "git" where call.operands.first?.text == "submodule": return runForeach(call)
        case "fd", "fdfind": return runFd(call)
        case "tmux": return runTmux(call)
        case "salt" where call.operands.count > 2 && call.operands[1].text.hasPrefix("cmd."):
            return runEach([call.operands[2]], as: "salt")
        // Both run a program of the project by its name.
        case "pnpm", "yarn":
            if let name = call.operands.first?.text, Self.projectPrograms.contains(name) {
                return execute(Array(call.words.drop { $0.text != name }), at: call.position, isProgram: true)
            }
        case "hyperfine": return runEach(call.operands, as: "hyperfine")
        case "at", "batch": return inOtherProcess { runCode(streams.input.texts, as: call.name) }
        default: break
        }
        guard let candidates = WrapperRow.byName[call.name] else { return nil }
        for (verbs, row) in candidates where zip(verbs, call.operands).allSatisfy({ $0.contains($1.text) }) {
            guard call.operands.count >= verbs.count else { continue }
            return run(row, call, behind: verbs.count)
        }
        return nil
    }

    private func run(_ row: WrapperRow, _ call: ShellCall, behind verbs: Int) -> [ShellValue]? {
        if call.has(row.excuses) {
            return call.name == "command" ? [call.operands.first ?? ShellValue()] : [.unknown("$(\(call.name))")]
        }
        if !row.codeOptions.isEmpty {
            let codes = call.values(of: row.codeOptions)
            if !codes.isEmpty { return runEach(codes, as: call.name) }
            if call.name == "su" || call.name == "runuser" && !call.has(["-u", "--user"]) || call.name == "script" {
                return runShellInput(call)
            }
            if call.name == "git" || call.name == "vagrant" || call.name == "gcloud" { return nil }
        }
        var words = Array(call.operands.dropFirst(verbs + row.skip))
        if row.takesAssignments {
            while let text = words.first?.text, let equals = text.firstIndex(of: "="), equals != text.startIndex,
                text[..<equals].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" })
            {
                assign(
                    String(text[..<equals]),
                    .scalar([words[0].dropping(text.distance(from: text.startIndex, to: equals) + 1) ?? .unknown("$")]))
                checkPlaceholders([words[0]], at: call.position)
                words.removeFirst()
            }
        }
        // `flock FILE -c CODE`: behind the operand it is still the wrapper's.
        if words.count > 1, row.codeOptions.contains(words[0].text) { return runEach([words[1]], as: call.name) }
        if words.isEmpty {
            // `sudo -i <<EOF`: a shell reads the input.
            if call.has(["-i", "-s", "--login", "--shell"]), call.name == "sudo" || call.name == "doas" {
                return runShellInput(call)
            }
            return nil
        }
        if call.name == "docker", let program = call.value(of: ["--entrypoint"]) {
            words = Array(call.operands.dropFirst(verbs))
            words[0] = program
        }
        let outer = streams
        defer { streams = outer }
        if let options = row.inputOptions, !call.has(options) { streams.input = .closed }
        if call.name == "docker", let name = call.value(of: ["--name"]), call.operands.first?.text == "run" {
            ownContainers.insert(name.text)
        }
        if row.joins { return runEach([Self.spaced(words)], as: call.name) }
        let inner = execute(words, at: call.position, isProgram: true)
        // `docker run -d` prints the container's number.
        if call.name == "docker", call.has(["-d", "--detach"]) { return [.unknown("$(docker run)", .own)] }
        return inner
    }

    /// Runs strings that a program hands to a shell of its own.
    private func runEach(_ codes: [ShellValue], as name: String) -> [ShellValue] {
        var output = [ShellValue()]
        for code in codes where !budget.isSpent { add(inOtherProcess { runCode([code], as: name) }, to: &output) }
        return output
    }

    private func runXargs(_ call: ShellCall) -> [ShellValue] {
        var items: [ShellValue] = []
        for text in streams.input.texts {
            for field in budget.fields(of: text) where items.count < 8 && !items.contains(field) {
                var field = field
                if field.hasUnknown {
                    field = ShellValue(
                        field.pieces.map { piece in
                            if case .unknown(let name, let taints) = piece { return .unknown(name, taints.union(.item)) }
                            return piece
                        })
                }
                items.append(field)
            }
        }
        if call.has(["-a", "--arg-file"]) || items.isEmpty { items.append(.unknown("{}", streams.input.taints.union(.item))) }
        let replaced = call.value(of: ["-I"])?.text ?? (call.has(["-i", "--replace"]) ? "{}" : nil)
        let words = call.operands.isEmpty ? [ShellValue("echo")] : call.operands
        let outer = streams
        defer { streams = outer }
        streams.input = call.has(["-o", "--open-tty"]) ? .terminal : .closed
        return handOn(words, items: items, marker: replaced, call)
    }

    /// Runs a command once with each item in the marker's place, or with all items behind it.
    private func handOn(_ words: [ShellValue], items: [ShellValue], marker: String?, _ call: ShellCall) -> [ShellValue] {
        var output = [ShellValue()]
        guard let marker else { return execute(words + items, at: call.position, isHandedOn: true, isProgram: true) }
        for item in items {
            let filled = words.map { $0.substituting(marker, item) }
            guard budget.pay(for: filled) else { break }
            add(execute(filled, at: call.position, isHandedOn: true, isProgram: true), to: &output)
        }
        return output
    }

    private static let projectPrograms: Set<String> = [
        "prisma", "rimraf", "del-cli", "sequelize", "typeorm", "knex", "drizzle-kit", "mikro-orm", "wrangler", "vercel",
        "netlify",
        "kill-port", "firebase", "serverless", "cdk",
    ]

    /// `fd PATTERN -x CMD`: what it lists is somewhere below the folder.
    private func runFd(_ call: ShellCall) -> [ShellValue]? {
        let starts: Set<String> = ["-x", "-X", "--exec", "--exec-batch"]
        guard let index = call.words.firstIndex(where: { starts.contains($0.text) }) else { return nil }
        let words = Array(call.words[(index + 1)...].prefix { $0.text != ";" })
        let listed = ShellValue([.glob("*")])
        let isMarked = words.contains { $0.text.contains("{}") }
        return handOn(words, items: [listed], marker: isMarked ? "{}" : nil, call)
    }

    /// `tmux new-session -d CODE`, `tmux send-keys -t NAME CODE Enter`: a shell runs it.
    private func runTmux(_ call: ShellCall) -> [ShellValue]? {
        let verbs: Set<String> = [
            "new", "new-session", "neww", "new-window", "splitw", "split-window", "send", "send-keys", "respawn-pane",
            "run-shell",
        ]
        guard let verb = call.operands.first?.text, verbs.contains(verb) else { return nil }
        let words = call.operands.dropFirst().filter { !["Enter", "C-m", "C-c"].contains($0.text) }
        return words.isEmpty ? nil : runEach([Self.spaced(words)], as: "tmux")
    }

    private func runParallel(_ call: ShellCall) -> [ShellValue] {
        var words: [ShellValue] = []
        var items: [ShellValue] = []
        var isItem = false
        for operand in call.operands {
            if [":::", "::::", ":::+"].contains(operand.text) {
                isItem = true
            } else if isItem {
                items.append(operand)
            } else {
                words.append(operand)
            }
        }
        if items.isEmpty { items = streams.input.texts.flatMap(budget.lines) }
        if items.isEmpty { items = [.unknown("{}", .item)] }
        let outer = streams
        defer { streams = outer }
        streams.input = .closed
        if words.isEmpty { return runEach(items, as: "parallel") }
        let hasMarker = words.contains { $0.text.contains("{") }
        if words.count == 1, words[0].text.contains(" ") {
            let codes = items.map { hasMarker ? words[0].substituting("{}", $0) : Self.spaced([words[0], $0]) }
            return runEach(codes, as: "parallel")
        }
        return handOn(words, items: items, marker: hasMarker ? "{}" : nil, call)
    }

    /// `find ROOT… -exec CMD {} \;`: a listed path is the root with something unknown behind it.
    private func runFind(_ call: ShellCall) -> [ShellValue] {
        let words = Array(call.words.dropFirst())
        let isOption: (ShellValue) -> Bool = { $0.text.hasPrefix("-") || $0.text == "(" || $0.text == "!" || $0.text == "\\(" }
        var roots = Array(words.drop { ["-H", "-L", "-P"].contains($0.text) }.prefix { !isOption($0) })
        if roots.isEmpty { roots = [ShellValue(".")] }
        let name = Self.onlyName(words)
        let listed = roots.map { $0 + ShellValue([.text("/"), name.map { .text($0) } ?? .glob("*")]) }
        if words.contains(where: { $0.text == "-delete" }) {
            inEachFolder {
                let deleted = name == nil ? roots : listed
                let isUnsafe = deleted.contains { !isDisposable(ShellPath($0, in: environment.folder)) }
                if isUnsafe { hit(rules.handedDeletion, at: call.position, excerpt: call.shown) }
            }
        }
        for (index, word) in words.enumerated() where ["-exec", "-execdir", "-ok", "-okdir"].contains(word.text) {
            let inner = words[(index + 1)...].prefix { $0.text != ";" && $0.text != "+" }
            guard !inner.isEmpty else { continue }
            for path in listed {
                _ = execute(
                    inner.map { $0.substituting("{}", path) }, at: call.position, isHandedOn: true, isProgram: true)
            }
        }
        for (index, word) in words.enumerated() where word.text.hasPrefix("-fprint") || word.text == "-fls" {
            guard words.indices.contains(index + 1) else { continue }
            let path = ShellPath(words[index + 1], in: environment.folder)
            if path.isSensitive { hit(rules.sensitiveRedirect, at: call.position, excerpt: call.shown) }
        }
        return listed.map { $0 + ShellValue("\n") }
    }

    /// The one name of all that find lists, as in `find . -name __pycache__`; nil where it may list others.
    private static func onlyName(_ words: [ShellValue]) -> String? {
        let names = words.indices.filter { words[$0].text == "-name" }
        let isWider = words.contains { ["-o", "-or", ",", "!", "-not"].contains($0.text) }
        guard names.count == 1, !isWider, names[0] + 1 < words.count, let name = words[names[0] + 1].literal,
            !name.contains(where: { "*?[/".contains($0) })
        else { return nil }
        return name
    }

    private func runRemote(_ call: ShellCall) -> [ShellValue]? {
        if call.has(["-N", "-O", "-V", "-G", "-Q", "-W"]) { return nil }
        var words = call.operands.dropFirst()
        // ssh takes options behind the host's name too.
        let valued = CommandGrammar.named("ssh")?.valued ?? []
        while let text = words.first?.text, text.hasPrefix("-"), text.count > 1 {
            words = words.dropFirst(valued.contains(text) ? 2 : 1)
        }
        let outer = streams
        defer { streams = outer }
        return inOtherProcess(isElsewhere: true) {
            environment.enter([nil])
            if call.has(["-n", "-f"]) { streams.input = .closed }
            if words.isEmpty { return runShellInput(call) }
            return runCode([Self.spaced(Array(words))], as: "ssh")
        }
    }

    private func runKubectl(_ call: ShellCall) -> [ShellValue]? {
        guard let verb = call.operands.first?.text, ["exec", "run", "debug", "rsh"].contains(verb) else { return nil }
        let outer = streams
        defer { streams = outer }
        if !call.has(["-i", "--stdin"]) { streams.input = .closed }
        let dash = call.words.firstIndex { $0.text == "--" }
        let words =
            dash.map { Array(call.words[($0 + 1)...]) }
            ?? (verb == "exec" || verb == "rsh" ? Array(call.operands.dropFirst(2)) : [])
        return words.isEmpty ? nil : execute(words, at: call.position, isProgram: true)
    }

    /// `nix develop -c CMD…`, `nix shell PKG -c CMD…`: everything behind -c.
    private func runNix(_ call: ShellCall) -> [ShellValue]? {
        guard let index = call.words.firstIndex(where: { $0.text == "-c" || $0.text == "--command" }),
            index + 1 < call.words.count
        else { return nil }
        return execute(Array(call.words[(index + 1)...]), at: call.position, isProgram: true)
    }

    private func runAnsible(_ call: ShellCall) -> [ShellValue]? {
        let module = call.value(of: ["-m", "--module-name"])?.text ?? "command"
        guard ["shell", "command", "raw", "ansible.builtin.shell", "ansible.builtin.command", "script"].contains(module),
            !call.has(["-C", "--check"]), let code = call.value(of: ["-a", "--args"])
        else { return nil }
        return runEach([code], as: "ansible")
    }

    private func runForeach(_ call: ShellCall) -> [ShellValue]? {
        guard let index = call.operands.firstIndex(where: { $0.text == "foreach" }) else { return nil }
        let words = Array(call.operands[(index + 1)...])
        guard !words.isEmpty else { return nil }
        return runEach([Self.spaced(words)], as: "git submodule foreach")
    }
}

extension ShellValue {
    /// Each `marker` in the known text replaced by a value.
    func substituting(_ marker: String, _ value: ShellValue) -> ShellValue {
        guard !marker.isEmpty, text.contains(marker) else { return self }
        var result = ShellValue()
        for piece in pieces {
            guard case .text(let text) = piece else {
                result.append(piece)
                continue
            }
            var rest = Substring(text)
            while let range = rest.firstRange(of: marker) {
                result.append(.text(String(rest[..<range.lowerBound])))
                result.append(value)
                rest = rest[range.upperBound...]
            }
            result.append(.text(String(rest)))
        }
        return result
    }
}
