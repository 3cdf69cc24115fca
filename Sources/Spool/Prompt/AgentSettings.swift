// What a prompt says to agents and models (`exec_mode: agent` and `http`), typed and free of any tool's dialect. Values come
// from flowspool's own keys and from those that other tools' prompt files use (`DialectReader`). Nothing here is trusted:
// hosts, runners, permissions and commands are judged by preflight against `spool.yaml`.

/// The front-matter keys for agents and models.
public struct AgentSettings: Sendable, Hashable {
    public enum Isolation: String, Sendable, CaseIterable { case shared = "none", worktree, scratch }
    public enum API: String, Sendable, CaseIterable { case chat, completions }

    /// Name of an entry of `runners:` or of a built-in runner; never a command line.
    public var runner: String?
    /// As written, which may be a name that only another tool knows.
    public var model: String?
    public var baseURL: String?
    /// Name of an environment variable; `none`: no key is sent.
    public var apiKeyEnvironment: String?
    public var api: API?
    public var system: String?
    /// 0 to 2.
    public var temperature: Double?
    /// Tokens of the answer, at least 1.
    public var tokensMax: Int?
    /// Where the answer is put too, relative to the repo root.
    public var output: String?
    public var permissions: SpoolConfiguration.Permissions?
    /// What another tool's `mode` or `tools` come to, where `permissions` says nothing. Never `full`.
    public var permissionsImplied: SpoolConfiguration.Permissions?
    public var isolation: Isolation?
    public var budget = SpoolConfiguration.Budget()
    /// Names that the file declares as inputs, in order.
    public var inputs: [String] = []
    /// Declared inputs that may stay empty.
    public var optionalInputs: Set<String> = []
    /// Values from `vars`, `inputs`, `input.default` and `sample`; `vars` wins.
    public var values: [String: String] = [:]
    /// Files that the prompt wants read.
    public var contextFiles: [String] = []
    /// Names of tools as another tool knows them.
    public var tools: [String] = []
    /// What is wrong with keys that mean something to agents and models only.
    public var faults: [Finding] = []
    public init() {}
}
