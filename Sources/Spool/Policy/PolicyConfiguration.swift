// The profile configuration, `prompt_flow.config.json`: where it is looked for, and what a valid one says. A value of this type
// is valid; a faulty file never becomes one. Without any file the shipped profiles apply.

import Foundation

/// A valid profile configuration.
public struct PolicyConfiguration: Sendable, Equatable {
    /// A named set of toggle values.
    public struct Profile: Sendable, Equatable {
        public var name: String
        /// As it stands in the file.
        public var raw: JSON
        /// In normal spelling. A toggle that the profile does not set is missing here.
        public var values: [Toggle: String]
    }

    /// The file, or nil for the built-in configuration.
    public var path: String?
    /// SHA-256 of the file's bytes, 64 hex digits; nil for the built-in configuration.
    public var sha256: String?
    public var activeProfile: String
    /// `top5_toggles`, as the file lists them.
    public var topToggles: [Toggle]
    /// In the order of the file; at least one.
    public var profiles: [Profile]
    /// Whether `allow:` in a prompt counts under `production` too.
    public var allowsWaivers: Bool

    public static let fileName = "prompt_flow.config.json"
    /// The source of truth, relative to the repo root.
    public static let canonicalFolder = "scripts/codex-sprint"
    /// The runtime copy, relative to the repo root.
    public static let runtimeFolder = "temp/codex-sprint"

    public static func canonicalPath(repoRoot: String) -> String { path(repoRoot, canonicalFolder) }
    public static func runtimePath(repoRoot: String) -> String { path(repoRoot, runtimeFolder) }

    private static func path(_ repoRoot: String, _ folder: String) -> String {
        (repoRoot == "/" ? "" : repoRoot) + "/\(folder)/\(fileName)"
    }

    /// What applies where no file is found: the same as the shipped file says.
    public static let builtin: PolicyConfiguration = {
        let poc = Policy(warnMode: .autoApprove, warnGate: false, retryMax: 1, failFastThreshold: 6, totalFailuresMax: 20)
        let production = Policy(warnMode: .halt, warnGate: true, retryMax: 0, failFastThreshold: 2, totalFailuresMax: 4)
        return PolicyConfiguration(
            path: nil, sha256: nil, activeProfile: "production", topToggles: Toggle.allCases,
            profiles: [Profile("poc", poc), Profile("production", production)], allowsWaivers: false)
    }()

    /// The file that applies: the one named by `--config`, else the canonical one, else the runtime copy.
    ///
    /// - Parameter flag: the value of `--config`; returned as it is, whether or not it exists.
    /// - Returns: nil where there is none. Something in a file's place (a folder) counts as the file: reading it is the error.
    public static func locate(flag: String?, repoRoot: String) -> String? {
        if let flag { return flag }
        return [canonicalPath(repoRoot: repoRoot), runtimePath(repoRoot: repoRoot)].first {
            var info = stat()
            return lstat($0, &info) == 0
        }
    }

    /// Loads the file that applies, or the built-in configuration where there is none.
    ///
    /// - Throws: `invalidInput`, listing every fault of the file.
    public static func load(flag: String?, repoRoot: String) throws(FlowspoolError) -> PolicyConfiguration {
        guard let path = locate(flag: flag, repoRoot: repoRoot) else { return builtin }
        return try PolicyConfiguration(path: path)
    }

    /// Reads one file.
    ///
    /// - Throws: `invalidInput`: missing, empty, not JSON, or with faults, all of which are listed.
    public init(path: String) throws(FlowspoolError) {
        try self.init(contents: try ConfigurationFile.read(path), path: path)
    }

    /// Reads a file's bytes; `path` is for messages.
    init(contents: Data, path: String) throws(FlowspoolError) {
        var faults = ConfigurationFaults()
        var configuration: PolicyConfiguration?
        do throws(JSONSyntaxError) {
            let root = try ConfigurationNode(json: contents)
            configuration = PolicyConfigurationReader.read(root, &faults)
        } catch {
            let isEmpty = contents.allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
            faults.add("$", at: error.position, isEmpty ? "the file is empty" : "not JSON: \(error.message)")
        }
        guard faults.isEmpty, var configuration else {
            throw faults.error(
                file: path,
                hint: "correct the file, then check it: flowspool profile validate --config \(shellQuoted(printable(path)))")
        }
        configuration.path = path
        configuration.sha256 = SHA256.hex(contents)
        self = configuration
    }

    init(
        path: String?, sha256: String?, activeProfile: String, topToggles: [Toggle], profiles: [Profile], allowsWaivers: Bool
    ) {
        self.path = path
        self.sha256 = sha256
        self.activeProfile = activeProfile
        self.topToggles = topToggles
        self.profiles = profiles
        self.allowsWaivers = allowsWaivers
    }

    /// The profile of that name, or nil.
    public func profile(_ name: String) -> Profile? { profiles.first { $0.name == name } }
}

extension PolicyConfiguration.Profile {
    /// A profile that sets all five toggles, spelled as the shipped file spells them.
    init(_ name: String, _ policy: Policy) {
        let values = policy.normalized
        self.init(
            name: name,
            raw: .object(
                Toggle.allCases.map { toggle in
                    let text = values[toggle] ?? ""
                    return (toggle.rawValue, Int(text).map(JSON.int) ?? .string(text))
                }),
            values: values)
    }
}
