// One entry of `runners:` in `spool.yaml` into a preset. Every key is checked; unknown ones are faults, as in the rest of the file.

enum RunnerPresetReader {
    private static let agentKeys = [
        "command", "trailing", "prompt", "prompt_flag", "reader", "answer_flag", "model_flag", "system_flag", "turns_flag",
        "cost_flag",
        "permission_flags", "pass_env", "env", "max_turns",
    ]
    private static let httpKeys = [
        "base_url", "api", "api_key_env", "system", "temperature", "max_tokens", "connect_timeout", "first_token_timeout",
    ]
    private static let commonKeys = ["kind", "default", "model", "models", "permissions", "price"]

    /// - Parameter base: the built-in preset that the entry changes.
    /// - Returns: nil where the kind cannot be told.
    static func read(
        _ name: String, _ node: ConfigurationNode, base: RunnerPreset?, _ faults: inout ConfigurationFaults
    ) -> RunnerPreset? {
        let path = ConfigurationFaults.path("$.runners", name)
        let top = ConfigurationSection(node, path: path, keys: commonKeys + agentKeys + httpKeys, &faults)
        let said = top.node("kind").flatMap { node -> RunnerPreset.Kind? in
            if case .string(let text) = node.kind, let kind = RunnerPreset.Kind(rawValue: text) { return kind }
            faults.add(top.path("kind"), node, allowed: "agent, http")
            return nil
        }
        let implied: RunnerPreset.Kind =
            top.node("command") != nil || top.node("base_url") == nil && top.node("prompt") != nil ? .agent : .http
        let kind = base?.kind ?? said ?? implied
        var preset = base ?? RunnerPreset(name: name, kind: kind)
        preset.isBuiltIn = false
        preset.isDefault = top.bool("default", &faults) ?? preset.isDefault
        for key in kind == .agent ? httpKeys : agentKeys {
            if let node = top.node(key) {
                faults.add(top.path(key), at: node.position, "not a key of a runner of kind \(kind.rawValue)")
            }
        }
        readCommon(top, &preset, &faults)
        if kind == .agent { readAgent(top, &preset, &faults) } else { readEndpoint(top, &preset, &faults) }
        if kind == .agent, preset.command.first?.isEmpty ?? true {
            faults.add(top.path("command"), at: node.position, "missing; allowed: a list of the program and its arguments")
        }
        if kind == .http, preset.baseURL == nil {
            faults.add(top.path("base_url"), at: node.position, "missing; allowed: a URL such as http://127.0.0.1:8080/v1")
        }
        return preset
    }

    private static func readCommon(
        _ top: ConfigurationSection, _ preset: inout RunnerPreset, _ faults: inout ConfigurationFaults
    ) {
        preset.model = text(top, "model", &faults) ?? preset.model
        if let models = texts(top, "models", &faults) { preset.models.merge(models) { $1 } }
        preset.permissions = top.word("permissions", SpoolConfiguration.Permissions.self, &faults) ?? preset.permissions
        if let price = top.section("price", keys: ["input", "output"], &faults) {
            preset.price = .init(input: price.amount("input", &faults) ?? 0, output: price.amount("output", &faults) ?? 0)
        }
    }

    private static func readAgent(
        _ top: ConfigurationSection, _ preset: inout RunnerPreset, _ faults: inout ConfigurationFaults
    ) {
        func words(_ key: String, _ old: [String]) -> [String] {
            guard let node = top.node(key) else { return old }
            // A flag alone needs no list.
            if case .string(let text) = node.kind, !text.utf8.contains(0) { return [text] }
            return top.strings(key, allowed: "a text (quote numbers)", &faults) { !$0.utf8.contains(0) } ?? old
        }
        preset.command = words("command", preset.command)
        preset.trailing = words("trailing", preset.trailing)
        preset.promptBy = top.word("prompt", RunnerPreset.PromptPassing.self, &faults) ?? preset.promptBy
        preset.promptFlag = words("prompt_flag", preset.promptFlag)
        preset.reader = top.word("reader", RunnerPreset.Reader.self, &faults) ?? preset.reader
        preset.answerFlag = words("answer_flag", preset.answerFlag)
        preset.modelFlag = words("model_flag", preset.modelFlag)
        preset.systemFlag = words("system_flag", preset.systemFlag)
        preset.turnsFlag = words("turns_flag", preset.turnsFlag)
        preset.costFlag = words("cost_flag", preset.costFlag)
        preset.passEnvironment = words("pass_env", preset.passEnvironment)
        if let variables = texts(top, "env", &faults) { preset.environment.merge(variables) { $1 } }
        preset.turnsMax = top.int("max_turns", 1...Int.max, &faults) ?? preset.turnsMax
        let names = SpoolConfiguration.Permissions.allCases
        if let flags = top.section("permission_flags", keys: names.map(\.rawValue), &faults) {
            for name in names {
                let list = flags.strings(name.rawValue, allowed: "a text", &faults) { !$0.utf8.contains(0) }
                if let list { preset.permissionFlags[name] = list }
            }
        }
    }

    private static func readEndpoint(
        _ top: ConfigurationSection, _ preset: inout RunnerPreset, _ faults: inout ConfigurationFaults
    ) {
        if let url = text(top, "base_url", &faults) {
            preset.baseURL = url
            preset.hasOwnAddress = true
            if Endpoint(url) == nil, let node = top.node("base_url") {
                faults.add(top.path("base_url"), node, allowed: "an http or https URL without user, query and fragment")
            }
        }
        preset.api = top.word("api", AgentSettings.API.self, &faults) ?? preset.api
        if let name = text(top, "api_key_env", &faults) { preset.apiKeyEnvironment = name == "none" ? nil : name }
        preset.system = text(top, "system", &faults) ?? preset.system
        preset.tokensMax = top.int("max_tokens", 1...Int.max, &faults) ?? preset.tokensMax
        preset.connectSeconds = top.seconds("connect_timeout", 0.01...3600, shown: "above 0", &faults) ?? preset.connectSeconds
        preset.firstTokenSeconds =
            top.seconds("first_token_timeout", 0.01...86400, shown: "above 0", &faults) ?? preset.firstTokenSeconds
        if let node = top.node("temperature") {
            if let value = node.seconds, (0...2).contains(value) {
                preset.temperature = value
            } else {
                faults.add(top.path("temperature"), node, allowed: "a number from 0 to 2")
            }
        }
    }

    private static func text(_ top: ConfigurationSection, _ key: String, _ faults: inout ConfigurationFaults) -> String? {
        guard let node = top.node(key) else { return nil }
        if case .string(let text) = node.kind, !text.isEmpty, !text.utf8.contains(0) { return text }
        faults.add(top.path(key), node, allowed: "a text")
        return nil
    }

    private static func texts(
        _ top: ConfigurationSection, _ key: String, _ faults: inout ConfigurationFaults
    ) -> [String: String]? {
        guard let node = top.node(key) else { return nil }
        var result: [String: String] = [:]
        for (name, entry) in node.entries(top.path(key), &faults) {
            if case .string(let text) = entry.value.kind, !text.utf8.contains(0) {
                result[name] = text
            } else {
                faults.add(top.path(key) + "." + name, entry.value, allowed: "a text (quote numbers)")
            }
        }
        return result
    }
}
