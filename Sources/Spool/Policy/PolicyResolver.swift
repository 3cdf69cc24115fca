// Decides the five toggles. Flag, environment and profile are the same for every prompt of a process, so they are judged once,
// when the resolver is made; a prompt adds only its front matter. Nothing invalid is ever replaced by a default.

/// A toggle's value as a command-line flag gave it.
public struct ToggleFlag: Sendable, Hashable {
    /// As the user wrote it, for messages: `--max-retries`.
    public var name: String
    public var toggle: Toggle
    public var text: String

    public init(name: String, toggle: Toggle, text: String) {
        self.name = name
        self.toggle = toggle
        self.text = text
    }
}

/// The policy of one process: everything but the front matter.
public struct PolicyResolver: Sendable {
    /// What chose the profile.
    public enum ProfileSource: String, Sendable { case flag, environment, configuration }

    public let configuration: PolicyConfiguration
    public let profile: PolicyConfiguration.Profile
    public let profileSource: ProfileSource
    /// The policy of a prompt that says nothing, and of a batch.
    public let base: ResolvedPolicy

    public static let profileVariable = "PROMPT_FLOW_PROFILE"

    /// - Parameters:
    ///   - profileFlag: the value of `--profile`.
    ///   - flags: toggles given as flags; of two for one toggle the later counts.
    /// - Throws: `invalidInput`: an unknown profile, or flags and variables with invalid or disagreeing values, all of which
    ///   are listed.
    public init(
        configuration: PolicyConfiguration, profileFlag: String? = nil, flags: [ToggleFlag] = [],
        environment: [String: String]
    ) throws(FlowspoolError) {
        self.configuration = configuration
        (profile, profileSource) = try Self.chooseProfile(configuration, flag: profileFlag, environment: environment)
        var faults: [String] = []
        let layers: [(PolicyLayer, [Toggle: String])] = [
            (.profile, profile.values),
            (.environment, Self.read(environment, &faults)),
            (.flag, Self.read(flags, &faults)),
        ]
        guard faults.isEmpty else {
            throw FlowspoolError(
                .invalidInput, faults.joined(separator: "\n"), hint: "correct or unset them; nothing has been run")
        }
        var resolved = ResolvedPolicy(
            policy: .builtin, sources: Dictionary(uniqueKeysWithValues: Toggle.allCases.map { ($0, .builtin) }),
            profile: profile.name, configSHA: configuration.sha256)
        // Weakest first: what comes later overwrites.
        for (layer, values) in layers {
            for (toggle, text) in values { resolved.set(toggle, to: text, by: layer) }
        }
        base = resolved
    }

    /// The policy of one prompt.
    ///
    /// - Parameter frontMatter: the raw text of each toggle that the prompt sets.
    /// - Returns: the policy, and a `toggle_invalid` finding for each value that is not allowed, also where a stronger layer
    ///   decides that toggle. Costs a few microseconds.
    public func resolve(frontMatter: [Toggle: String]) -> (ResolvedPolicy, [Finding]) {
        guard !frontMatter.isEmpty else { return (base, []) }
        var resolved = base
        var findings: [Finding] = []
        for toggle in Toggle.allCases {
            guard let text = frontMatter[toggle] else { continue }
            guard let normal = toggle.normalize(text) else {
                findings.append(
                    Finding(
                        .toggleInvalid, message: "front matter: \(toggle.rawValue): \(Self.shown(text)) is not allowed",
                        advice: "write one of: \(toggle.allowedValues)"))
                continue
            }
            if base.sources[toggle] == .builtin { resolved.set(toggle, to: normal, by: .frontMatter) }
        }
        return (resolved, findings)
    }

    /// Whether `allow:` in a prompt turns warnings into info.
    public var allowsWaivers: Bool { profile.name != "production" || configuration.allowsWaivers }

    // MARK: Layers

    private static func chooseProfile(
        _ configuration: PolicyConfiguration, flag: String?, environment: [String: String]
    ) throws(FlowspoolError) -> (PolicyConfiguration.Profile, ProfileSource) {
        let (name, source, place): (String, ProfileSource, String) =
            if let flag {
                (flag, .flag, "--profile")
            } else if let value = environment[profileVariable] {
                (value, .environment, profileVariable)
            } else {
                (configuration.activeProfile, .configuration, "active_profile")
            }
        guard let profile = configuration.profile(name) else {
            let names = configuration.profiles.map(\.name).joined(separator: ", ")
            let file = configuration.path.map { printable($0) } ?? "the built-in configuration"
            throw FlowspoolError(
                .invalidInput, "\(place): unknown profile \(shown(name)); allowed: \(names)",
                hint: "the profiles are those of \(file)")
        }
        return (profile, source)
    }

    private static func read(_ environment: [String: String], _ faults: inout [String]) -> [Toggle: String] {
        var values: [Toggle: String] = [:]
        for toggle in Toggle.allCases {
            let (name, alias) = toggle.environmentNames
            var found: [(name: String, value: String)] = []
            for variable in [name, alias] {
                guard let text = environment[variable] else { continue }
                guard let normal = toggle.normalize(text) else {
                    faults.append("\(variable): \(shown(text)) is not allowed; allowed: \(toggle.allowedValues)")
                    continue
                }
                found.append((variable, normal))
            }
            if found.count == 2, found[0].value != found[1].value {
                faults.append(
                    "\(name)=\(found[0].value) and its alias \(alias)=\(found[1].value) disagree; "
                        + "allowed: one of them, or both alike")
            }
            values[toggle] = found.first?.value
        }
        return values
    }

    private static func read(_ flags: [ToggleFlag], _ faults: inout [String]) -> [Toggle: String] {
        var values: [Toggle: String] = [:]
        for flag in flags {
            if let normal = flag.toggle.normalize(flag.text) {
                values[flag.toggle] = normal
            } else {
                faults.append("\(flag.name): \(shown(flag.text)) is not allowed; allowed: \(flag.toggle.allowedValues)")
            }
        }
        return values
    }

    /// A value from outside, quoted and cut for a message.
    private static func shown(_ text: String) -> String {
        let start = text.prefix(60)
        return JSON.string(start.endIndex == text.endIndex ? text : start + "…").compact
    }
}

extension ResolvedPolicy {
    fileprivate mutating func set(_ toggle: Toggle, to normalized: String, by layer: PolicyLayer) {
        policy.set(toggle, toNormalized: normalized)
        sources[toggle] = layer
    }
}
