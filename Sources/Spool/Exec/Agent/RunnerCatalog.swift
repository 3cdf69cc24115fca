// The runners that a spool knows: the built-in ones, changed and added to by `runners:` in `spool.yaml`. An entry under a
// built-in name changes that preset; any other needs a command (an agent) or a base URL (an endpoint).

/// Runners by name.
public struct RunnerCatalog: Sendable {
    /// What `runners:` made of the built-in ones; nil: it names none, and nobody may ever ask.
    private var changed: [RunnerPreset]?
    public var presets: [RunnerPreset] { changed ?? RunnerPreset.builtIn }
    /// Those that the spool has added.
    var own: [RunnerPreset] { changed?.filter { !$0.isBuiltIn } ?? [] }

    /// - Throws: `invalidInput`, listing every fault with its line.
    public init(_ configuration: SpoolConfiguration) throws(FlowspoolError) {
        if configuration.runners.isEmpty { return }
        var faults = ConfigurationFaults()
        var presets = RunnerPreset.builtIn
        for (name, node) in configuration.runners.sorted(by: { $0.key < $1.key }) {
            let index = presets.firstIndex { $0.name == name }
            let base = index.map { presets[$0] }
            guard let preset = RunnerPresetReader.read(name, node, base: base, &faults) else { continue }
            if let index { presets[index] = preset } else { presets.append(preset) }
        }
        guard faults.isEmpty else {
            throw faults.error(
                file: configuration.path ?? SpoolConfiguration.fileName, hint: "docs/runners.md has every key of a runner")
        }
        changed = presets
    }

    public subscript(name: String) -> RunnerPreset? { presets.first { $0.name == name } }

    /// Why a prompt has no runner.
    public struct NoRunner: Error, Sendable, Hashable {
        public var message: String
        public var advice: String
    }

    /// The runner for a prompt: the one it names; else the spool's default or only one of that kind; else `codex` or `local`.
    public func choose(_ settings: AgentSettings, kind: RunnerPreset.Kind) throws(NoRunner) -> RunnerPreset {
        if let name = settings.runner {
            guard let preset = self[name] else {
                throw NoRunner(
                    message: "there is no runner “\(printable(name))”",
                    advice: "`flowspool runners` lists them; runners: in spool.yaml adds one")
            }
            guard preset.kind == kind else {
                throw NoRunner(
                    message: "the runner “\(printable(name))” is for exec_mode \(preset.kind.rawValue), not \(kind.rawValue)",
                    advice: "set exec_mode: \(preset.kind.rawValue), or name another runner")
            }
            return preset
        }
        let own = own.filter { $0.kind == kind }
        if let preset = own.first(where: \.isDefault) { return preset }
        if own.count == 1 { return own[0] }
        guard let preset = presets.first(where: { $0.kind == kind && $0.isDefault }) ?? presets.first(where: { $0.kind == kind })
        else {
            throw NoRunner(
                message: "there is no runner for exec_mode \(kind.rawValue)", advice: "add one to runners: in spool.yaml")
        }
        return preset
    }
}

/// What agents and endpoints need to know of the spool; the same for every prompt of a run.
public struct RunnerContext: Sendable {
    public var catalog: RunnerCatalog
    /// Hosts that prompts may go to: `allow_hosts`, and those of the spool's own runners.
    public var hostsAllowed: Set<String>
    /// Hosts that any key of the spool may go to: `allow_hosts`.
    public var hostsListed: Set<String>
    public var allowsFull: Bool
    public var permissions: SpoolConfiguration.Permissions?
    public var budgets: SpoolConfiguration.Budgets
    /// From `FLOWSPOOL_VAR_*`.
    public var variables: [String: String]
    /// The whole environment, of which a runner passes on its own keys only.
    public var environment: [String: String]

    /// - Parameter environment: of this process, unfiltered.
    /// - Throws: `invalidInput` for a faulty `runners:`.
    public init(_ configuration: SpoolConfiguration, environment: [String: String]) throws(FlowspoolError) {
        catalog = try RunnerCatalog(configuration)
        var hosts = Set(configuration.hostsAllowed.map { $0.lowercased() })
        for preset in catalog.own {
            if let host = preset.baseURL.flatMap(Endpoint.init)?.hostAndPort { hosts.insert(host) }
        }
        hostsAllowed = hosts
        hostsListed = Set(configuration.hostsAllowed.map { $0.lowercased() })
        allowsFull = configuration.allowsFull
        permissions = configuration.permissions
        budgets = configuration.budgets
        variables = PromptTemplate.variables(environment)
        self.environment = environment
    }

    /// The limits of one attempt: each the tighter of prompt and spool.
    func budget(for settings: AgentSettings, _ preset: RunnerPreset) -> SpoolConfiguration.Budget {
        var budget = budgets.job
        func tighter<T: Comparable>(_ a: T?, _ b: T?) -> T? { a.map { a in b.map { min(a, $0) } ?? a } ?? b }
        budget.timeSeconds = tighter(budget.timeSeconds, settings.budget.timeSeconds)
        budget.idleSeconds = tighter(budget.idleSeconds, settings.budget.idleSeconds)
        budget.turns = tighter(budget.turns, settings.budget.turns) ?? preset.turnsMax
        budget.tokens = tighter(budget.tokens, settings.budget.tokens)
        budget.costUSD = tighter(budget.costUSD, settings.budget.costUSD)
        return budget
    }
}
