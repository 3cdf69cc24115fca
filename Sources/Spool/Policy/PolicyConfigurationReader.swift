// The rules of `prompt_flow.config.json`. Reading goes on after a fault, so that all of them are found in one pass. Top-level
// keys that are not known here are left alone (comments, notes, keys of other tools); inside a profile only toggles may stand.

/// Judges the tree of a configuration file.
enum PolicyConfigurationReader {
    /// What the tree says, as far as it is valid; to be used only where `faults` stayed empty.
    static func read(_ root: ConfigurationNode, _ faults: inout ConfigurationFaults) -> PolicyConfiguration {
        let keys = root.entries("$", &faults)
        if let version = keys["version"]?.value { checkVersion(version, &faults) }
        let profiles = readProfiles(keys["profiles"]?.value, root, &faults)
        return PolicyConfiguration(
            path: nil, sha256: nil,
            activeProfile: readActiveProfile(keys["active_profile"]?.value, root, profiles.map(\.name), &faults),
            topToggles: readTopToggles(keys["top5_toggles"]?.value, &faults), profiles: profiles,
            allowsWaivers: readFlag(keys["allow_waivers"]?.value, "$.allow_waivers", &faults))
    }

    /// The format has one version so far, written in several ways.
    private static func checkVersion(_ node: ConfigurationNode, _ faults: inout ConfigurationFaults) {
        switch node.kind {
        case .int(1), .double(1), .string("1"), .string("1.0"), .string("v1"): break
        default: faults.add("$.version", node, allowed: "1")
        }
    }

    private static func readProfiles(
        _ node: ConfigurationNode?, _ root: ConfigurationNode, _ faults: inout ConfigurationFaults
    ) -> [PolicyConfiguration.Profile] {
        guard let node else {
            if case .map = root.kind { faults.add("$.profiles", at: root.position, "missing; allowed: a mapping of profiles") }
            return []
        }
        let entries = node.entries("$.profiles", &faults).values.sorted { $0.keyPosition < $1.keyPosition }
        if entries.isEmpty, case .map = node.kind { faults.add("$.profiles", node, allowed: "at least one profile") }
        return entries.map { entry in
            let path = ConfigurationFaults.path("$.profiles", entry.key)
            // The name goes into shell lines (`emit-env`) and file names.
            let isPlain = entry.key.utf8.allSatisfy { $0.isASCIILetterOrDigit || "._-".utf8.contains($0) }
            if !isPlain || !(1...64).contains(entry.key.utf8.count) {
                faults.add(path, at: entry.keyPosition, "not a profile name; allowed: 1 to 64 letters, digits, '.', '_' and '-'")
            }
            return PolicyConfiguration.Profile(
                name: entry.key, raw: entry.value.json, values: readToggles(entry.value, path, &faults))
        }
    }

    private static func readToggles(
        _ node: ConfigurationNode, _ path: String, _ faults: inout ConfigurationFaults
    ) -> [Toggle: String] {
        var values: [Toggle: String] = [:]
        for (key, entry) in node.entries(path, &faults) {
            let path = ConfigurationFaults.path(path, key)
            guard let toggle = Toggle(rawValue: key) else {
                faults.add(path, at: entry.keyPosition, "unknown toggle; allowed: \(toggleNames)")
                continue
            }
            let text: String? =
                switch entry.value.kind {
                case .bool(let value): value ? "true" : "false"
                case .int(let value): String(value)
                case .string(let value): value
                case .null, .double, .list, .map: nil
                }
            if let normal = text.flatMap(toggle.normalize) {
                values[toggle] = normal
            } else {
                faults.add(path, entry.value, allowed: toggle.allowedValues)
            }
        }
        return values
    }

    private static func readActiveProfile(
        _ node: ConfigurationNode?, _ root: ConfigurationNode, _ names: [String], _ faults: inout ConfigurationFaults
    ) -> String {
        let path = "$.active_profile"
        let allowed = names.isEmpty ? "the name of a profile" : names.map { printable($0) }.joined(separator: ", ")
        guard let node else {
            if case .map = root.kind { faults.add(path, at: root.position, "missing; allowed: \(allowed)") }
            return ""
        }
        guard case .string(let name) = node.kind else {
            faults.add(path, node, allowed: allowed)
            return ""
        }
        if !names.contains(name) { faults.add(path, at: node.position, "unknown profile \(node.shown); allowed: \(allowed)") }
        return name
    }

    private static func readTopToggles(_ node: ConfigurationNode?, _ faults: inout ConfigurationFaults) -> [Toggle] {
        let path = "$.top5_toggles"
        guard let node else { return Toggle.allCases }
        guard case .list(let elements) = node.kind else {
            faults.add(path, node, allowed: "a list of \(toggleNames)")
            return []
        }
        var toggles: [Toggle] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let name) = element.kind, let toggle = Toggle(rawValue: name) else {
                faults.add("\(path)[\(index)]", at: element.position, "unknown toggle \(element.shown); allowed: \(toggleNames)")
                continue
            }
            if toggles.contains(toggle) {
                faults.add("\(path)[\(index)]", at: element.position, "\(element.shown) stands here a second time")
            }
            toggles.append(toggle)
        }
        return toggles
    }

    private static func readFlag(_ node: ConfigurationNode?, _ path: String, _ faults: inout ConfigurationFaults) -> Bool {
        guard let node else { return false }
        guard case .bool(let value) = node.kind else {
            faults.add(path, node, allowed: "true, false")
            return false
        }
        return value
    }

    private static let toggleNames = Toggle.allCases.map(\.rawValue).joined(separator: ", ")
}
