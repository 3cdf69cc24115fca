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
        readGate(keys, root)
        if let allow = keys["allow"] { readWaivers(allow) }
        let dialects = DialectReader(root, gate: settings.gate, linesBefore: linesBefore)
        settings.agent = dialects.agent
        settings.gate = dialects.gate
        if settings.toggles[.retryMax] == nil, let retryMax = dialects.retryMax { settings.toggles[.retryMax] = retryMax }
        findings += dialects.findings
    }

    // MARK: Toggles

    private mutating func readToggles(_ keys: Keys) {
        let policy = keys["prompt_flow"]?.keys?["policy"]
        let policyKeys = policy?.keys
        if let policy, policyKeys == nil, !policy.isNull {
            report("prompt_flow.policy", policy, form: "a mapping of toggles to values")
        }
        for (toggle, nested, flat) in Self.spellings {
            var found = policyKeys?[toggle.rawValue].map { (nested, $0) }
            for name in flat where found == nil { found = keys[name].map { (name, $0) } }
            guard let (spelling, node) = found else { continue }
            if let text = node.text {
                settings.toggles[toggle] = text
            } else {
                report(spelling, node, form: "one value, as text or number")
            }
        }
    }

    /// The spellings of each toggle, strongest first: under `prompt_flow.policy`, then the flat keys.
    private static let spellings: [(toggle: Toggle, nested: String, flat: [String])] = Toggle.allCases.map { toggle in
        let name = toggle.rawValue
        var flat = [name]
        if toggle == .warnMode || toggle == .warnGate || toggle == .retryMax { flat.append("codex_preflight_\(name)") }
        if toggle == .warnMode || toggle == .warnGate { flat.append("codex_\(name)") }
        return (toggle, "prompt_flow.policy.\(name)", flat)
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
        } else {
            // Whoever writes it means the home folder, and would get the repo root.
            for key in ["cwd", "working_directory"] {
                if let node = keys[key], node.isNull, node.text == "~" {
                    report(key, node, form: "a whole path: a bare ~ is an empty value in YAML, and no home folder is looked up")
                }
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

    private mutating func readGate(_ keys: Keys, _ root: Node.Mapping) {
        let verify = keys["verify"]
        if let verify, verify.keys == nil, !verify.isNull {
            report("verify", verify, form: "a mapping with \(Self.gates.joined(separator: ", "))")
        }
        // `verify.files_exist: …` is as good as a mapping.
        let dotted = root.filter { $0.key.text?.hasPrefix("verify.") == true }.map { pair in
            (name: String(pair.key.text?.dropFirst("verify.".count) ?? ""), key: pair.key, value: pair.value)
        }
        let inside = (verify?.mapping ?? [:]).map { ($0.key.text ?? "", $0.key) }
        let all = dotted.map { ($0.name, $0.key) } + inside
        findings += Self.unknownKeys(in: "verify", all, known: Self.gates, linesBefore: linesBefore)
        let (nested, folded) = (verify?.keys, verify?.folded)
        func find(_ name: String, _ spellings: [String]) -> (String, Node)? {
            let plain = dotted.first { FoldedKeys.fold($0.name) == FoldedKeys.fold(name) }?.value
            if let node = nested?[name] ?? folded?[name] ?? plain, !node.isNull { return (spellings[0], node) }
            for spelling in spellings.dropFirst() {
                if let node = keys[spelling], !node.isNull { return (spelling, node) }
            }
            return nil
        }
        if let (key, node) = find("files_exist", Self.filesExist) {
            settings.gate.filesExist = list(key, node, form: "a list of paths")
        }
        if let (key, node) = find("http_200", Self.http200) { settings.gate.http200 = list(key, node, form: "a list of URLs") }
        if let (key, node) = find("headers", Self.headers) { readHeaders(key, node) }
    }

    /// All that stands under `verify`.
    private static let gates = ["files_exist", "http_200", "headers", "command", "diff", "schema"]
    private static let filesExist = ["verify.files_exist", "codex_verify_files_exist", "chatgpt_verify_files_exist"]
    private static let http200 = ["verify.http_200", "codex_verify_http_200", "chatgpt_verify_http_200"]
    private static let headers = ["verify.headers", "codex_verify_headers", "chatgpt_verify_headers"]

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

    /// Keys of a mapping of flowspool's own that it does not know. Left unsaid, a check or a limit that is misspelt would not be there.
    static func unknownKeys(
        in name: String, _ keys: [(text: String, node: Node)], known: [String], linesBefore: Int
    ) -> [Finding] {
        let folded = Set(known.map(FoldedKeys.fold) + ["<<"])
        return keys.filter { !folded.contains(FoldedKeys.fold($0.text)) }.prefix(8).map { text, node in
            Finding(
                .frontMatterInvalid, line: node.mark.map { $0.line + linesBefore }, column: node.mark?.column,
                message: "`\(name).\(excerpt(text))` is nothing that flowspool knows",
                advice: "Write one of \(known.joined(separator: ", "))")
        }
    }

    private mutating func report(_ key: String, _ node: Node, form: String) {
        findings.append(Self.wrongValue(key, node, form: form, linesBefore: linesBefore))
    }

    static func wrongValue(_ key: String, _ node: Node, form: String, linesBefore: Int) -> Finding {
        let what =
            switch node {
            case .scalar(let scalar): "`\(excerpt(scalar.string))`"
            case .mapping: "a mapping"
            case .sequence: "a list"
            case .alias: "an alias"
            }
        return Finding(
            .frontMatterInvalid, line: node.mark.map { $0.line + linesBefore }, column: node.mark?.column,
            message: "`\(key)` is \(what), which is not allowed there", advice: "Write \(form)")
    }
}

/// A mapping's keys by their text; `<<` fills in what the mapping itself does not say (YAML 1.1 merge), one level deep.
struct Keys {
    private let mapping: Node.Mapping
    /// Positions, not nodes: copying a Yams node is dear.
    private var positions: [String: Int] = [:]
    private var merged: [Keys] = []

    init(_ mapping: Node.Mapping) { self.init(mapping, merges: true) }

    private init(_ mapping: Node.Mapping, merges: Bool) {
        self.mapping = mapping
        positions.reserveCapacity(mapping.count)
        for (position, pair) in mapping.enumerated() {
            if let text = pair.key.text { positions[text] = position }
        }
        guard merges, let position = positions["<<"] else { return }
        let value = mapping[position].value
        for case .mapping(let source) in value.sequence.map({ Array($0.prefix(8)) }) ?? [value] {
            merged.append(Keys(source, merges: false))
        }
    }

    subscript(name: String) -> Node? {
        if let position = positions[name] { return mapping[position].value }
        for source in merged {
            if let node = source[name] { return node }
        }
        return nil
    }
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
