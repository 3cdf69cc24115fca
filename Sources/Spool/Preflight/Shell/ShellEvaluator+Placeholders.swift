// Which words are looked at for placeholders: those that are executed. What is only printed, searched for, sent as a message
// or used as a template of the tool itself is not.

extension ShellEvaluator {
    /// Commands whose words are text, patterns or programs of their own.
    private static let inert: Set<String> = [
        "echo", "printf", "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "sed", "awk", "jq", "yq", "xq", "tr", ":", "true",
        "false", "test", "[", "mktemp", "logger", "notify-send", "figlet", "cowsay", "ansible", "ansible-playbook", "chezmoi",
        "gomplate", "jinja2", "j2", "consul-template", "envsubst", "mustache", "say", "expr", "eval", "trap", "xargs", "parallel",
        "watch", "alias", "git-grep", "confd", "ctemplate", "banner", "toilet", "help", "type", "hash", "man", "unset",
    ]
    /// Commands whose operands are names of files: `cat TODO`.
    private static let readers: Set<String> = [
        "cat", "less", "more", "head", "tail", "wc", "ls", "touch", "rm", "cp", "mv", "vim", "vi", "nano", "bat", "stat", "file",
        "diff", "sort", "uniq", "tee", "chmod", "find", "git",
    ]
    private static let messageOptions: Set<String> = [
        "-m", "--message", "-t", "--title", "-b", "--body", "--notes", "--description", "--subject", "--grep", "-S", "-G",
        "--author", "--pretty",
    ]
    /// Options that take a template of the tool's own, and the short ones of each tool.
    private static let templateOptions: Set<String> = [
        "--format", "--template", "-o", "--output", "--filter", "--jq", "--go-template",
    ]
    private static let shortTemplateOptions: [String: Set<String>] = [
        "go": ["-f"], "gh": ["-t", "-q"], "glab": ["-t", "-q"], "nomad": ["-t"], "crictl": ["-o"],
    ]
    private static let inspectors: Set<String> = [
        "inspect", "ps", "images", "info", "version", "ls", "list", "search", "top", "stats",
    ]
    private static let messengers: Set<String> = [
        "git", "gh", "glab", "hub", "svn", "hg", "jj", "slack", "mail", "bd", "linear", "jira",
    ]
    private static let templaters: Set<String> = [
        "docker", "kubectl", "go", "gh", "glab", "crictl", "buildah", "skopeo", "helm", "nomad", "vault", "hugo", "golangci-lint",
        "crane", "oras", "cosign", "ctr", "logcli", "syft", "grype", "trivy", "goreleaser", "minikube", "kind", "tkn", "gum",
    ]

    func checkPlaceholders(of call: ShellCall) {
        if Self.inert.contains(call.name) { return }
        if call.name == "git", call.operands.first?.text == "grep" { return }
        for option in call.options {
            guard let value = option.value else { continue }
            if Self.messengers.contains(call.name), Self.messageOptions.contains(option.name) { continue }
            let isTemplate = takesTemplate(option.name, call)
            if isCode(option.name, of: call) { continue }
            report(value, braces: !isTemplate && !option.name.contains("format") && !option.name.contains("template"), call)
        }
        for operand in outerOperands(of: call) {
            if Self.readers.contains(call.name), operand.literal == "TODO" || operand.literal == "FIXME" { continue }
            report(operand, braces: true, call)
        }
        // A manifest or a statement that a client is fed.
        if ["kubectl", "psql", "mysql", "sqlite3", "mongosh", "redis-cli", "duckdb", "curl", "helm"].contains(call.name) {
            for text in streams.input.texts { checkPlaceholders(inDocument: text, at: call.position) }
        }
    }

    private func takesTemplate(_ option: String, _ call: ShellCall) -> Bool {
        guard Self.templaters.contains(call.name) else { return false }
        if Self.templateOptions.contains(option) || Self.shortTemplateOptions[call.name]?.contains(option) ?? false {
            return true
        }
        // `docker inspect -f`; for `docker build -f` it is a file.
        return call.name == "docker" && option == "-f" && call.operands.prefix(3).contains { Self.inspectors.contains($0.text) }
    }

    /// Options whose value is code is looked at when the code is run.
    private func isCode(_ option: String, of call: ShellCall) -> Bool {
        if call.name == "sh" || call.name == "fish" { return option == "-c" || option == "--command" }
        if let language = EmbeddedCode.Language(command: call.name), language.codeOptions.contains(option) { return true }
        return WrapperRow.byName[call.name]?.contains { $0.row.codeOptions.contains(option) } ?? false
    }

    /// The operands that are a wrapper's own; those of the command that it runs are looked at when that is run.
    private func outerOperands(of call: ShellCall) -> [ShellValue] {
        switch call.name {
        case "sh", "fish": return call.has(["-c", "--command"]) ? [] : call.operands
        case "ssh", "autossh": return Array(call.operands.prefix(1))
        case "kubectl" where ["exec", "run", "debug"].contains(call.operands.first?.text ?? ""):
            return Array(call.operands.prefix(call.operands.count - call.dashed))
        case "find": return Array(call.operands.prefix { !$0.text.hasPrefix("-") && $0.text != "!" && $0.text != "(" })
        default: break
        }
        for (verbs, row) in WrapperRow.byName[call.name] ?? [] {
            guard call.operands.count >= verbs.count, zip(verbs, call.operands).allSatisfy({ $0.contains($1.text) }) else {
                continue
            }
            return Array(call.operands.prefix(verbs.count + row.skip))
        }
        return call.operands
    }

    private func report(_ value: ShellValue, braces: Bool, _ call: ShellCall) {
        if let found = PlaceholderPatterns.find(in: value.text, braces: braces) {
            hit(rules.placeholder, at: call.position, excerpt: printableHole(found))
        }
    }

    private func printableHole(_ text: String) -> String { text.replacing(String(ShellValue.hole), with: "$…") }

    /// Assignments and redirection targets.
    func checkPlaceholders(_ values: [ShellValue], at position: ShellPosition) {
        for value in values {
            if let found = PlaceholderPatterns.find(in: value.text, braces: true) {
                hit(rules.placeholder, at: position, excerpt: printableHole(found))
            }
        }
    }

    /// Words of a list: `for x in <A> …`, an array's elements.
    func checkPlaceholders(in words: [ShellWord]) {
        for word in words {
            guard let text = word.plainText ?? Self.quotedText(word) else { continue }
            if let found = PlaceholderPatterns.find(in: text, braces: true) {
                hit(rules.placeholder, at: word.position, excerpt: found)
            }
        }
    }

    private static func quotedText(_ word: ShellWord) -> String? {
        guard word.parts.count == 1 else { return nil }
        switch word.parts[0] {
        case .singleQuoted(let text, _): return text
        case .doubleQuoted(let parts):
            guard parts.count == 1, case .literal(let text) = parts[0] else { return nil }
            return text
        default: return nil
        }
    }

    /// A here-document that something executes: its comments do not count.
    func checkPlaceholders(
        inDocument value: ShellValue, at position: ShellPosition, language: EmbeddedCode.Language? = nil
    ) {
        for line in value.text.split(separator: "\n") {
            let start = line.drop { $0 == " " || $0 == "\t" }
            if start.hasPrefix("#") || start.hasPrefix("--") || start.hasPrefix("//") { continue }
            if let found = PlaceholderPatterns.find(in: String(line), braces: language == nil) {
                hit(rules.placeholder, at: position, excerpt: printableHole(found))
                return
            }
        }
    }
}
