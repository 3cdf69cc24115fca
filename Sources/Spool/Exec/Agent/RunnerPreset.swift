// A runner as data: which program, how it gets the prompt, how its output is read, which flags carry model, permissions and
// limits. Built-in ones and those of `spool.yaml` are the same type; nothing in code knows a tool by name.

/// A named way to have a prompt carried out by an agent's command line or a model's endpoint.
public struct RunnerPreset: Sendable, Hashable {
    public enum Kind: String, Sendable { case agent, http }
    /// How a program gets the prompt. An argument is bounded by the kernel (128 KiB, execve(2)).
    public enum PromptPassing: String, Sendable, CaseIterable { case stdin, file, argument }
    /// How output is read.
    public enum Reader: String, Sendable, CaseIterable { case codex, claude, gemini, opencode, aider, text }
    /// What an exit status means that is not 0.
    public struct ExitMeaning: Sendable, Hashable {
        public var failure: FailureClass
        public var text: String
    }
    /// Arguments that are passed where the installed version's `--help` names the flag.
    public struct OptionalFlag: Sendable, Hashable {
        public var flag: String
        public var arguments: [String]
    }
    /// In US dollars for a million tokens.
    public struct Price: Sendable, Hashable {
        public var input: Double
        public var output: Double
    }

    public var name: String
    public var kind: Kind
    public var isBuiltIn = false
    /// Whether `spool.yaml` gives its address, and did not only change something else of a built-in one.
    var hasOwnAddress = false
    /// Where several runners could be meant, this one is.
    public var isDefault = false
    public var model: String?
    /// A model's name as prompts write it, to the name that this runner knows.
    public var models: [String: String] = [:]
    /// Beginnings of model names that this runner knows; empty: any. A prompt's other names are for other tools, and ignored.
    public var modelFamilies: [String] = []
    public var permissions: SpoolConfiguration.Permissions?
    public var price: Price?

    // MARK: Agents

    /// Program and arguments.
    public var command: [String] = []
    /// After all others.
    public var trailing: [String] = []
    public var promptBy = PromptPassing.stdin
    /// Before the prompt's file or text, where it is passed so.
    public var promptFlag: [String] = []
    public var reader = Reader.text
    /// Before the path of a file that the program writes its answer to.
    public var answerFlag: [String] = []
    public var modelFlag: [String] = []
    public var systemFlag: [String] = []
    public var turnsFlag: [String] = []
    public var costFlag: [String] = []
    public var permissionFlags: [SpoolConfiguration.Permissions: [String]] = [:]
    public var optional: [OptionalFlag] = []
    /// Variables that the program gets although their names look like secrets: its own keys.
    public var passEnvironment: [String] = []
    public var environment: [String: String] = [:]
    public var exits: [Int32: ExitMeaning] = [:]
    /// Turns after which it is ended where neither prompt nor spool sets a limit.
    public var turnsMax: Int?

    // MARK: Endpoints

    public var baseURL: String?
    public var api = AgentSettings.API.chat
    /// Name of the variable with the key; nil: no key is sent.
    public var apiKeyEnvironment: String?
    public var system: String?
    public var temperature: Double?
    public var tokensMax: Int?
    public var connectSeconds = 10.0
    /// Until the first part of the answer.
    public var firstTokenSeconds = 120.0

    public init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }

    /// The model to ask for, or nil for the tool's own choice.
    public func model(for settings: AgentSettings) -> String? {
        guard let written = settings.model, !written.isEmpty else { return model }
        if let known = models[written] { return known }
        // VS Code writes the vendor after the name: `GPT-5 (copilot)`.
        let name = String(written.prefix { $0 != "(" }.trimming(while: \.isWhitespace))
        if let known = models[name] { return known }
        guard !name.isEmpty, !name.hasPrefix("-"), !name.contains(where: { $0.isWhitespace || $0 == "|" }) else { return model }
        guard !modelFamilies.isEmpty else { return name }
        // Dotprompt writes the vendor before the name: `googleai/gemini-2.5-flash`. Copilot writes `GPT-5`; tools write it small.
        let bare = (name.split(separator: "/").last.map(String.init) ?? name).lowercased()
        return modelFamilies.contains { bare.hasPrefix($0) } ? bare : model
    }

    /// What it may do: as the prompt says; else as the spool says, narrowed by what the prompt's tools come to.
    public func permissions(
        for settings: AgentSettings, spool: SpoolConfiguration.Permissions?
    ) -> SpoolConfiguration.Permissions {
        if let said = settings.permissions { return said }
        let usual = permissions ?? spool ?? .edit
        return settings.permissionsImplied == .read ? .read : usual
    }
}
