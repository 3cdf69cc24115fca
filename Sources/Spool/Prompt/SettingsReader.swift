// Front-matter keys into `PromptSettings`. Each key that flowspool reads is checked here for its type, and only here; a wrong one is a
// `front_matter_invalid` finding that names the key and the form allowed. Toggle values stay text: `PolicyResolver` judges them.
// Keys that flowspool does not know are never looked at.

import Yams

/// Reads one front matter's settings; used once.
struct SettingsReader {
    /// Most entries that one list (gate checks, waivers) may have.
    static let entriesMax = 200

    private(set) var settings = PromptSettings()
    private(set) var findings: [Finding] = []
    /// Lines of the file before the YAML text.
    private let linesBefore: Int

    init(_ root: Node.Mapping, linesBefore: Int) {
        self.linesBefore = linesBefore
        let keys = Keys(root)
        readToggles(keys)
        readScalars(keys)
        readGate(keys)
        if let allow = keys["allow"] { readWaivers(allow) }
    }

    // MARK: Toggles

    private mutating func readToggles(_ keys: Keys) {
        let policy = keys["prompt_flow"]?.keys?["policy"]
        if let policy, policy.keys == nil, !policy.isNull {
            report("prompt_flow.policy", policy, form: "a mapping of toggles to values")
        }
        for toggle in Toggle.allCases {
            let name = toggle.rawValue
            var spellings: [(String, Node?)] = [("prompt_flow.policy.\(name)", policy?.keys?[name]), (name, keys[name])]
            if toggle == .warnMode || toggle == .warnGate || toggle == .retryMax {
                spellings.append(("codex_preflight_\(name)", keys["codex_preflight_\(name)"]))
            }
            if toggle == .warnMode || toggle == .warnGate {
                spellings.append(("codex_\(name)", keys["codex_\(name)"]))
            }
            for (spelling, node) in spellings {
                guard let node else { continue }
                if let text = node.text {
                    settings.toggles[toggle] = text
                } else {
                    report(spelling, node, form: "one value, as text or number")
                }
                break
            }
        }
    }

    // MARK: Single values

    private mutating func readScalars(_ keys: Keys) {
        if let (key, text, node) = value(keys, "priority", form: "an integer, such as 5") {
            if let number = Int(text), abs(number) <= 1_000_000 {
                settings.priority = number
            } else {
                report(key, node, form: "an integer from -1000000 to 1000000")
            }
        }
        if let (key, text, node) = value(keys, "cwd", "working_directory", form: "a path") {
            if text.isEmpty || text.unicodeScalars.contains("\0") {
                report(key, node, form: "a path")
            } else {
                settings.cwd = text
            }
        }
        if let (key, text, node) = value(keys, "lane", form: "a name") {
            if text.isEmpty || text.utf8.count > 200 || text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 })
            {
                report(key, node, form: "a name of 1 to 200 bytes")
            } else {
                settings.lane = text
            }
        }
        if let (key, text, node) = value(keys, "timeout", form: PromptDuration.form) {
            settings.timeoutSeconds = PromptDuration.seconds(text)
            if settings.timeoutSeconds == nil { report(key, node, form: PromptDuration.form) }
        }
        settings.execMode = value(keys, "exec_mode", form: "script, agent or http")?.text
        settings.movesToCompleted = flag(keys, "move_to_completed", "codex_preflight_move_to_completed")
        settings.allowsNoncritical = flag(keys, "allow_noncritical", "codex_preflight_allow_noncritical")
    }

    private mutating func flag(_ keys: Keys, _ names: String...) -> Bool? {
        let form = "yes or no (or true, false, 1, 0)"
        guard let (key, text, node) = value(keys, names[0], names[1], form: form) else { return nil }
        switch text.lowercased() {
        case "yes", "true", "1": return true
        case "no", "false", "0": return false
        default:
            report(key, node, form: form)
            return nil
        }
    }

    /// The first of `names` that says something. An empty value says nothing; a list or a mapping is an error.
    private mutating func value(_ keys: Keys, _ names: String..., form: String) -> (key: String, text: String, node: Node)? {
        for name in names {
            guard let node = keys[name], !node.isNull else { continue }
            if let text = node.text { return (name, text, node) }
            report(name, node, form: form)
            return nil
        }
        return nil
    }

    // MARK: The gate

    private mutating func readGate(_ keys: Keys) {
        let verify = keys["verify"]
        if let verify, verify.keys == nil, !verify.isNull {
            report("verify", verify, form: "a mapping with files_exist, http_200 or headers")
        }
        func find(_ name: String) -> (String, Node)? {
            let spellings = [
                ("verify.\(name)", verify?.keys?[name]), ("codex_verify_\(name)", keys["codex_verify_\(name)"]),
                ("chatgpt_verify_\(name)", keys["chatgpt_verify_\(name)"]),
            ]
            for case (let key, let node?) in spellings where !node.isNull { return (key, node) }
            return nil
        }
        if let (key, node) = find("files_exist") { settings.gate.filesExist = list(key, node, form: "a list of paths") }
        if let (key, node) = find("http_200") { settings.gate.http200 = list(key, node, form: "a list of URLs") }
        if let (key, node) = find("headers") { readHeaders(key, node) }
    }

    private mutating func readHeaders(_ key: String, _ node: Node) {
        let form = "a mapping of URLs to header lines, such as `https://host/: [\"Name: value\"]`"
        guard let mapping = node.mapping, mapping.count <= Self.entriesMax else { return report(key, node, form: form) }
        var total = 0
        for (url, lines) in mapping {
            guard let url = url.text, !url.isEmpty else { return report(key, node, form: form) }
            let lines = list(key, lines, form: form)
            total += lines.count
            guard total <= Self.entriesMax else { return report(key, node, form: "at most \(Self.entriesMax) header lines") }
            settings.gate.headers[url] = lines
        }
    }

    /// A list of text, or one text. `- Name: value` without quotes is a mapping of one pair to YAML: taken as the text meant.
    private mutating func list(_ key: String, _ node: Node, form: String) -> [String] {
        if let text = node.text, !text.isEmpty { return [text] }
        var result: [String] = []
        var isWrong = node.sequence == nil || (node.sequence?.count ?? 0) > Self.entriesMax
        for item in isWrong ? [] : Array(node.sequence ?? []) {
            if let text = item.text, !text.isEmpty, !text.unicodeScalars.contains("\0") {
                result.append(text)
            } else if let pairs = item.mapping, pairs.count == 1, let pair = pairs.first, let name = pair.key.text,
                let value = pair.value.text
            {
                result.append("\(name): \(value)")
            } else {
                isWrong = true
            }
        }
        if isWrong { report(key, node, form: "\(form), at most \(Self.entriesMax)") }
        return isWrong ? [] : result
    }

    // MARK: Waivers

    /// `allow:` as `code: reason`, as a list of such pairs, or as a list of `{code: …, reason: …}`.
    private mutating func readWaivers(_ node: Node) {
        let form = "a list of `code: reason`"
        var pairs: [(Node, Node?)] = []
        if let mapping = node.mapping {
            pairs = mapping.prefix(Self.entriesMax).map { ($0.key, $0.value) }
        } else if let sequence = node.sequence, sequence.count <= Self.entriesMax {
            for item in sequence {
                if let keys = item.keys, let code = keys["code"] {
                    pairs.append((code, keys["reason"]))
                } else if let mapping = item.mapping, mapping.count <= Self.entriesMax {
                    pairs += mapping.map { ($0.key, $0.value) }
                } else {
                    pairs.append((item, nil))
                }
                guard pairs.count <= Self.entriesMax else { return report("allow", node, form: form) }
            }
        } else if !node.isNull {
            return report("allow", node, form: form)
        }
        for (code, reason) in pairs {
            guard let name = code.text, Finding.Code(rawValue: name) != nil else {
                report("allow", code, form: "codes of findings, such as destructive_fs")
                continue
            }
            guard let reason, let text = reason.text, !reason.isNull, !text.allSatisfy(\.isWhitespace) else {
                report("allow.\(name)", reason ?? code, form: "a code with a reason: `- \(name): why this is right here`")
                continue
            }
            settings.waivers[name] = text
        }
    }

    private mutating func report(_ key: String, _ node: Node, form: String) {
        let what =
            switch node {
            case .scalar(let scalar): "`\(excerpt(scalar.string))`"
            case .mapping: "a mapping"
            case .sequence: "a list"
            case .alias: "an alias"
            }
        findings.append(
            Finding(
                .frontMatterInvalid, line: node.mark.map { $0.line + linesBefore }, column: node.mark?.column,
                message: "`\(key)` is \(what), which is not allowed there", advice: "Write \(form)"))
    }
}

/// A mapping's keys by their text; `<<` fills in what the mapping itself does not say (YAML 1.1 merge), one level deep.
struct Keys {
    private var nodes: [String: Node] = [:]

    init(_ mapping: Node.Mapping) {
        for (key, value) in mapping {
            if let text = key.scalar?.string { nodes[text] = value }
        }
        guard let merged = nodes["<<"] else { return }
        let sources: [Node] = merged.sequence.map { Array($0.prefix(8)) } ?? [merged]
        for case .mapping(let source) in sources {
            for (key, value) in source {
                if let text = key.scalar?.string, nodes[text] == nil { nodes[text] = value }
            }
        }
    }

    subscript(name: String) -> Node? { nodes[name] }
}

extension Node {
    /// The text of a scalar, as written.
    var text: String? { scalar?.string }
    /// A value left empty, or written `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let scalar) = self, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
    var keys: Keys? { mapping.map(Keys.init) }
}
