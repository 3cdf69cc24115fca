// Front matter as people already have it: Copilot and VS Code prompts and agents, Claude commands, Dotprompt, Prompty and
// claude-code-queue, beside flowspool's own keys for agents and models. A key that is flowspool's own and has a wrong value is
// a finding; a key that another tool defines and that does not read as expected is left alone. No dialect can widen what an
// agent may do: `tools` and `mode` only narrow it.

import Yams

/// Reads what a front matter says to agents and models; used once.
struct DialectReader {
    private(set) var agent = AgentSettings()
    private(set) var gate: GateSpecification
    /// `retry_max` as another tool's `max_retries` comes to.
    private(set) var retryMax: String?
    /// How the names of values are spelled, by what they fold to.
    private var spelled: [String: String] = [:]
    private(set) var findings: [Finding] = []
    private let linesBefore: Int

    init(_ root: Node.Mapping, gate: GateSpecification, linesBefore: Int) {
        self.gate = gate
        self.linesBefore = linesBefore
        let keys = FoldedKeys(root)
        readModel(keys)
        readOwn(keys)
        readBudget(keys)
        readGate(keys)
        readInputs(keys)
        readTools(keys)
        agent.contextFiles = Array((keys["context_files"]?.texts ?? []).prefix(SettingsReader.entriesMax))
        if let text = keys["max_retries"]?.text, let count = Int(text), count >= 0 { retryMax = count == 0 ? "0" : "1" }
    }

    // MARK: Model

    /// `model` as text, as a list of which the first counts, or as Prompty's mapping.
    private mutating func readModel(_ keys: FoldedKeys) {
        if let node = keys["model"] {
            if let text = node.text ?? node.sequence?.first?.text {
                agent.model = text
            } else if let model = node.folded {
                let configuration = model["configuration"]?.folded
                agent.model =
                    model["id", "name"]?.text ?? configuration?["name", "model", "azure_deployment", "deployment"]?.text
                if let api = model["api", "api_type"]?.text { agent.api = Self.api(api) }
                let options = model["options", "parameters"]?.folded
                agent.temperature = Self.number(options?["temperature"])
                agent.tokensMax = Self.count(options?["max_tokens", "max_output_tokens", "max_completion_tokens"])
                let address = configuration?["base_url", "azure_endpoint"] ?? model["connection"]?.folded?["endpoint", "base_url"]
                // `${env:NAME}` is for Prompty's own runtime.
                if let url = address?.text, !url.contains("${") { agent.baseURL = url }
            }
        }
        if let config = keys["config"]?.folded {
            agent.temperature = Self.number(config["temperature"]) ?? agent.temperature
            agent.tokensMax = Self.count(config["max_output_tokens", "max_tokens"]) ?? agent.tokensMax
        }
        if let node = keys["temperature"] {
            agent.temperature = Self.number(node)
            if agent.temperature == nil { fault("temperature", node, form: "a number from 0 to 2") }
        }
        if let node = keys["max_tokens", "max_output_tokens"] {
            agent.tokensMax = Self.count(node)
            if agent.tokensMax == nil { fault("max_tokens", node, form: "a whole number from 1 up") }
        }
        if let node = keys["api"], let text = node.text {
            agent.api = Self.api(text)
            if agent.api == nil { fault("api", node, form: "chat, completions") }
        }
        if let node = keys["system", "system_prompt"] {
            agent.system = node.text
            if node.sequence != nil { fault("system", node, form: "a text") }
        }
    }

    private static func api(_ text: String) -> AgentSettings.API? {
        switch text.lowercased() {
        case "chat": .chat
        case "completion", "completions": .completions
        default: nil
        }
    }

    private static func number(_ node: Node?) -> Double? {
        guard let text = node?.text, let value = Double(text), (0...2).contains(value) else { return nil }
        return value
    }

    private static func count(_ node: Node?) -> Int? {
        guard let text = node?.text, let value = Int(text), value > 0 else { return nil }
        return value
    }

    // MARK: Own keys

    private mutating func readOwn(_ keys: FoldedKeys) {
        agent.runner = name(keys, "runner", form: "the name of a runner (`flowspool runners` lists them)")
        if let url = text(keys, "base_url", form: "a URL") { agent.baseURL = url }
        agent.apiKeyEnvironment = name(keys, "api_key_env", form: "the name of an environment variable, or none")
        // A mapping is something else's: GitHub workflows have a `permissions:` of their own, Dotprompt an `output:`.
        if let node = keys["permissions"], node.sequence != nil {
            fault("permissions", node, form: SpoolConfiguration.Permissions.allCases.map(\.rawValue).joined(separator: ", "))
        } else if let node = keys["permissions"], node.text != nil {
            agent.permissions = word(keys, "permissions", SpoolConfiguration.Permissions.self)
        }
        if let node = keys["output"], node.sequence != nil {
            fault("output", node, form: "the path of one file below the repo root")
        } else if let node = keys["output"], let path = node.text {
            if !AnswerFile.isAllowed(path) {
                report("output", node, form: "the path of a file below the repo root, without `..`, not in .git or a spool")
            } else {
                agent.output = path
            }
        }
        agent.isolation = word(keys, "isolation", AgentSettings.Isolation.self)
    }

    private static let budgets = ["time", "idle", "turns", "tokens", "cost_usd"]

    private mutating func readBudget(_ keys: FoldedKeys) {
        if let turns = keys["max_turns"] { agent.budget.turns = wholeNumber("max_turns", turns) }
        guard let node = keys["budget"] else { return }
        guard let budget = node.folded else {
            return report("budget", node, form: "a mapping with \(Self.budgets.joined(separator: ", "))")
        }
        let inside = (node.mapping ?? [:]).map { ($0.key.text ?? "", $0.key) }
        findings += SettingsReader.unknownKeys(in: "budget", inside, known: Self.budgets, linesBefore: linesBefore)
        if let node = budget["time"] { agent.budget.timeSeconds = duration("budget.time", node) }
        if let node = budget["idle"] { agent.budget.idleSeconds = duration("budget.idle", node) }
        if let node = budget["turns"] { agent.budget.turns = wholeNumber("budget.turns", node) }
        if let node = budget["tokens"] { agent.budget.tokens = wholeNumber("budget.tokens", node) }
        if let node = budget["cost_usd"] {
            if let text = node.text, let amount = Double(text), amount > 0, amount.isFinite {
                agent.budget.costUSD = amount
            } else {
                report("budget.cost_usd", node, form: "a number above 0")
            }
        }
    }

    // MARK: Gate

    private mutating func readGate(_ keys: FoldedKeys) {
        let verify = keys["verify"]?.folded
        if let node = verify?["command"] ?? keys["verify.command", "codex_verify_command"] {
            if let text = node.text, !text.isEmpty, !text.utf8.contains(0) {
                gate.command = text
                gate.commandLine = node.mark.map { $0.line + linesBefore }
            } else {
                report("verify.command", node, form: "a shell command that exits 0 when all is well")
            }
        }
        if let node = verify?["diff"] ?? keys["verify.diff"] {
            switch node.text?.lowercased() {
            case "required", "yes", "true": gate.requiresDiff = true
            case "no", "false", "optional": gate.requiresDiff = false
            default: report("verify.diff", node, form: "`required`")
            }
        }
        if let node = verify?["schema"] ?? keys["verify.schema"] {
            if let path = node.text, !path.isEmpty, !path.hasPrefix("/"), !path.split(separator: "/").contains("..") {
                gate.schemaPath = path
            } else if node.mapping != nil, let schema = node.json() {
                gate.schema = schema.compact
                if let problem = JSONSchema(schema).problem { report("verify.schema", node, form: "a JSON schema: \(problem)") }
            } else {
                report("verify.schema", node, form: "a JSON schema, or the path of one below the repo root")
            }
        } else if let schema = keys["output"]?.folded?["schema"], let found = Picoschema.convert(schema) {
            gate.schema = found.compact
        }
    }

    // MARK: Inputs

    /// The value of a placeholder, in the place of one that was given by another spelling of its name.
    private mutating func set(_ name: String, _ text: String) {
        let folded = FoldedKeys.fold(name)
        if let earlier = spelled.updateValue(name, forKey: folded), earlier != name { agent.values[earlier] = nil }
        agent.values[name] = text
    }

    private mutating func readInputs(_ keys: FoldedKeys) {
        // The weakest first.
        take(keys["sample"])
        if let inputs = keys["inputs"] {
            for item in (inputs.sequence ?? []).prefix(SettingsReader.entriesMax) {
                guard let input = item.folded, let name = input["name"]?.text else { continue }
                declare(name, isOptional: input["required"]?.text?.lowercased() == "false")
                if let value = input["default", "value", "sample", "example"] { set(name, value.flatText) }
            }
            for (key, value) in (inputs.mapping ?? [:]).prefix(SettingsReader.entriesMax) {
                guard let name = key.text else { continue }
                declare(name, isOptional: false)
                if let described = value.folded {
                    if let value = described["default", "value", "sample", "example"] { set(name, value.flatText) }
                } else if !value.isNull {
                    set(name, value.flatText)
                }
            }
        }
        if let input = keys["input"]?.folded {
            Picoschema.names(input["schema"]).forEach { declare($0.name, isOptional: $0.isOptional) }
            take(input["default"])
        }
        take(keys["vars", "variables"])
    }

    private mutating func declare(_ name: String, isOptional: Bool) {
        guard agent.inputs.count < SettingsReader.entriesMax, !agent.inputs.contains(name) else { return }
        agent.inputs.append(name)
        if isOptional { agent.optionalInputs.insert(name) }
    }

    private mutating func take(_ node: Node?) {
        guard let mapping = node?.mapping else { return }
        for (key, value) in mapping.prefix(SettingsReader.entriesMax) {
            if let name = key.text { set(name, value.flatText) }
        }
    }

    // MARK: Tools

    /// `tools`, `allowed-tools` and `mode` narrow what an agent may do: to reading, where nothing in them writes or runs.
    private mutating func readTools(_ keys: FoldedKeys) {
        let node = keys["allowed_tools"] ?? keys["tools"]
        var tools = node?.texts ?? []
        // `Read Grep Glob`
        if let text = node?.text, tools.count == 1, !text.contains("(") { tools = text.split(separator: " ").map(String.init) }
        agent.tools = Array(tools.prefix(SettingsReader.entriesMax))
        let mode = (keys["mode"] ?? keys["agent"])?.text?.lowercased()
        // A list without a tool is one, too.
        // Of one that describes its tools, each may do anything.
        let isList = node?.sequence.map { $0.allSatisfy { $0.text != nil } } ?? !agent.tools.isEmpty
        if mode == "ask" || mode == "plan" || (isList && agent.tools.allSatisfy(Self.onlyReads)) {
            agent.permissionsImplied = .read
        } else if mode == "edit" || mode == "agent" {
            agent.permissionsImplied = .edit
        }
    }

    /// Names of reading tools in Copilot's, VS Code's and Claude's files. An unknown name is taken for one that writes.
    private static func onlyReads(_ tool: String) -> Bool {
        let reading: Set<String> = [
            "read", "search", "codebase", "usages", "problems", "changes", "fetch", "web", "webfetch", "websearch", "grep",
            "glob",
            "ls", "todo", "think", "findtestfiles", "searchresults", "githubrepo", "readfile", "listdirectory", "filesearch",
            "textsearch", "testfailure", "notebookread",
        ]
        // `Read(src/**)`: what it may read is for the tool itself.
        let bare = tool.prefix { $0 != "(" }
        let name = bare.split(separator: "/").first.map(String.init) ?? String(bare)
        return reading.contains(FoldedKeys.fold(name))
    }

    // MARK: Values

    private mutating func text(_ keys: FoldedKeys, _ name: String, form: String) -> String? {
        guard let node = keys[name] else { return nil }
        if let text = node.text, !text.isEmpty, !text.utf8.contains(0) { return text }
        report(name, node, form: form)
        return nil
    }

    /// Letters, digits, `.`, `_` and `-`.
    private mutating func name(_ keys: FoldedKeys, _ name: String, form: String) -> String? {
        guard let node = keys[name] else { return nil }
        if let text = node.text, !text.isEmpty, text.utf8.count <= 64,
            text.utf8.allSatisfy({ $0.isASCIILetterOrDigit || "._-".utf8.contains($0) })
        {
            return text
        }
        report(name, node, form: form)
        return nil
    }

    private mutating func word<Word: RawRepresentable & CaseIterable>(
        _ keys: FoldedKeys, _ name: String, _ type: Word.Type
    ) -> Word? where Word.RawValue == String {
        guard let node = keys[name] else { return nil }
        if let text = node.text, let word = Word(rawValue: text.lowercased()) { return word }
        report(name, node, form: Word.allCases.map(\.rawValue).joined(separator: ", "))
        return nil
    }

    private mutating func wholeNumber(_ name: String, _ node: Node) -> Int? {
        if let count = Self.count(node) { return count }
        report(name, node, form: "a whole number from 1 up")
        return nil
    }

    private mutating func duration(_ name: String, _ node: Node) -> Double? {
        if let seconds = node.text.flatMap(PromptDuration.seconds), seconds > 0 { return seconds }
        report(name, node, form: PromptDuration.form)
        return nil
    }

    /// Wrong for an agent or a model; in a script's front matter the key may be anybody's.
    private mutating func fault(_ key: String, _ node: Node, form: String) {
        agent.faults.append(SettingsReader.wrongValue(key, node, form: form, linesBefore: linesBefore))
    }

    private mutating func report(_ key: String, _ node: Node, form: String) {
        findings.append(SettingsReader.wrongValue(key, node, form: form, linesBefore: linesBefore))
    }
}
