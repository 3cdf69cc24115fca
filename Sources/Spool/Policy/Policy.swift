// The five toggles and their values: plain facts, no lookup. `PolicyResolver` decides which layer each value comes from.

/// One of the five policy switches. The raw value is its name in configuration, front matter and JSON.
public enum Toggle: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
    case warnMode = "warn_mode"
    case warnGate = "warn_gate"
    case retryMax = "retry_max"
    case failFastThreshold = "pipeline_fail_fast_threshold"
    case totalFailuresMax = "pipeline_max_total_failures"
}

/// Where the value of a toggle came from, strongest first.
public enum PolicyLayer: String, Sendable, Codable, CaseIterable {
    case flag
    case environment
    case profile
    case frontMatter = "front_matter"
    case builtin
}

/// What happens to a prompt with warnings while the gate is on.
public enum WarnMode: String, Sendable, Codable, CaseIterable {
    /// Ask at a terminal; in the spool, hold the job.
    case ask
    /// Run it; the approval is recorded as the policy's.
    case autoApprove = "auto-approve"
    /// Do not run it; it fails as `blocked`.
    case halt
}

/// The five values in force for one job or one batch.
public struct Policy: Sendable, Hashable, Codable {
    public var warnMode: WarnMode
    /// Whether warnings have any effect at all.
    public var warnGate: Bool
    /// Failed attempts that are tried again: 0 or 1.
    public var retryMax: Int
    /// Failures in a row that put the spool on hold, ≥ 1.
    public var failFastThreshold: Int
    /// Failures in all that put the spool on hold, ≥ 1.
    public var totalFailuresMax: Int

    public init(
        warnMode: WarnMode = .ask, warnGate: Bool = true, retryMax: Int = 1, failFastThreshold: Int = 3,
        totalFailuresMax: Int = 8
    ) {
        self.warnMode = warnMode
        self.warnGate = warnGate
        self.retryMax = retryMax
        self.failFastThreshold = failFastThreshold
        self.totalFailuresMax = totalFailuresMax
    }

    /// The built-in values (DESIGN "Policy").
    public static let builtin = Policy()

    /// The five values as text, the way stamps, JSON and `emit-env` spell them.
    public var normalized: [Toggle: String] {
        [
            .warnMode: warnMode.rawValue, .warnGate: warnGate ? "yes" : "no", .retryMax: String(retryMax),
            .failFastThreshold: String(failFastThreshold), .totalFailuresMax: String(totalFailuresMax),
        ]
    }
}

/// A policy with its provenance.
public struct ResolvedPolicy: Sendable, Hashable, Codable {
    public var policy: Policy
    /// The layer that decided each toggle; has all five keys.
    public var sources: [Toggle: PolicyLayer]
    /// The profile's name, or nil where no configuration was found.
    public var profile: String?
    /// SHA-256 of the configuration file, 64 hex digits; nil where none was found.
    public var configSHA: String?

    public init(policy: Policy, sources: [Toggle: PolicyLayer], profile: String?, configSHA: String?) {
        self.policy = policy
        self.sources = sources
        self.profile = profile
        self.configSHA = configSHA
    }
}
