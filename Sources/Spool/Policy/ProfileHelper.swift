// What `flowspool profile` answers: documents and lines, not output. Reads both copies of the configuration, writes only the
// runtime copy, and that whole or not at all.

import Foundation

/// Which of the older shell tools `emit-env` is for.
public enum EmitTarget: String, Sendable, CaseIterable { case exec, preflight, pipeline, all }

/// The profile helper (DESIGN "Policy", issue of the older `prompt_flow_profile.py`).
public struct ProfileHelper: Sendable {
    public let repoRoot: String
    /// The value of `--config`.
    public let configFlag: String?

    public init(repoRoot: String, configFlag: String?) {
        self.repoRoot = repoRoot
        self.configFlag = configFlag
    }

    /// The configuration and profile that apply, and for each toggle the layer that decides in `environment`.
    public func show(profileFlag: String?, environment: [String: String]) throws(FlowspoolError) -> JSON {
        let configuration = try PolicyConfiguration.load(flag: configFlag, repoRoot: repoRoot)
        let resolver = try PolicyResolver(
            configuration: configuration, profileFlag: profileFlag, environment: environment)
        let values = resolver.base.policy.normalized
        return [
            "repo_root": .string(repoRoot),
            "config_path": JSON(configuration.path),
            "config_source": .string(configuration.path == nil ? "built-in" : "file"),
            "config_sha": JSON(configuration.sha256),
            "active_profile": .string(resolver.profile.name),
            "profile_source": .string(resolver.profileSource.rawValue),
            "profiles": .array(configuration.profiles.map { .string($0.name) }),
            "allow_waivers": .bool(configuration.allowsWaivers),
            "top5_toggles": .array(configuration.topToggles.map { .string($0.rawValue) }),
            "profile_raw": resolver.profile.raw,
            "profile_normalized": Self.normalized(resolver.profile),
            "deciding": .object(
                Toggle.allCases.map { toggle in
                    (
                        toggle.rawValue,
                        [
                            "value": JSON(values[toggle]),
                            "source": JSON(resolver.base.sources[toggle]?.rawValue),
                        ]
                    )
                }),
        ]
    }

    /// The answer for a valid file.
    ///
    /// - Throws: `invalidInput`, listing every fault; also where there is no file at all.
    public func validate(profileFlag: String?, environment: [String: String]) throws(FlowspoolError) -> JSON {
        let configuration = try PolicyConfiguration(path: try existingPath())
        let profile = try self.profile(of: configuration, profileFlag, environment)
        return [
            "ok": true,
            "repo_root": .string(repoRoot),
            "config_path": JSON(configuration.path),
            "profile": .string(profile.name),
            "normalized": Self.normalized(profile),
        ]
    }

    /// `KEY=VALUE` lines of the profile, in the order of the contract. A toggle that the profile does not set has no line:
    /// exported, it would outrank the front matter.
    public func emitEnvironment(
        target: EmitTarget, profileFlag: String?, environment: [String: String]
    ) throws(FlowspoolError) -> [String] {
        let configuration = try PolicyConfiguration.load(flag: configFlag, repoRoot: repoRoot)
        let profile = try self.profile(of: configuration, profileFlag, environment)
        let toggles: [Toggle] =
            switch target {
            case .exec, .preflight: [.warnMode, .warnGate, .retryMax]
            case .pipeline, .all: Toggle.allCases
            }
        return ["\(PolicyResolver.profileVariable)=\(profile.name)"]
            + toggles.compactMap { toggle in profile.values[toggle].map { "\(toggle.environmentNames.name)=\($0)" } }
    }

    private func existingPath() throws(FlowspoolError) -> String {
        if let path = PolicyConfiguration.locate(flag: configFlag, repoRoot: repoRoot) { return path }
        let looked = [
            PolicyConfiguration.canonicalPath(repoRoot: repoRoot), PolicyConfiguration.runtimePath(repoRoot: repoRoot),
        ].map { printable($0) }
        throw FlowspoolError(
            .invalidInput, "no configuration: neither \(looked[0]) nor \(looked[1]) exists",
            hint: "name one with --config; without any, the built-in profiles apply (flowspool profile show)")
    }

    /// The profile alone, whatever the toggles in the environment say.
    private func profile(
        of configuration: PolicyConfiguration, _ flag: String?, _ environment: [String: String]
    ) throws(FlowspoolError) -> PolicyConfiguration.Profile {
        let name = environment[PolicyResolver.profileVariable].map { [PolicyResolver.profileVariable: $0] } ?? [:]
        return try PolicyResolver(configuration: configuration, profileFlag: flag, environment: name).profile
    }

    private static func normalized(_ profile: PolicyConfiguration.Profile) -> JSON {
        .object(Toggle.allCases.compactMap { toggle in profile.values[toggle].map { (toggle.rawValue, .string($0)) } })
    }
}
