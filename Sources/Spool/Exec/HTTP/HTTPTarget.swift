// Where a prompt goes and with which key. A key is only ever sent to a host that `spool.yaml` names: to one in `allow_hosts`, or
// to that of the very runner whose key it is. A prompt can choose among those, and can reach this machine without a key.

/// An endpoint, and the name of the variable whose value is its key.
struct HTTPTarget: Sendable, Hashable {
    var endpoint: Endpoint
    /// nil: no key is sent.
    var keyName: String?

    struct Refused: Error, Sendable, Hashable {
        var code: Finding.Code
        var message: String
        var advice: String
    }

    init(_ settings: AgentSettings, _ preset: RunnerPreset, _ context: RunnerContext) throws(Refused) {
        guard let url = settings.baseURL ?? preset.baseURL, let endpoint = Endpoint(url) else {
            throw Refused(
                code: .frontMatterInvalid, message: "base_url “\(printable(settings.baseURL ?? ""))” is no http or https URL",
                advice: "write it like http://127.0.0.1:8080/v1")
        }
        self.endpoint = endpoint
        let isListed = endpoint.isNamed(in: context.hostsListed)
        if let name = settings.apiKeyEnvironment {
            keyName = name == "none" ? nil : try Self.allowed(name, context)
        } else if settings.baseURL == nil || isListed || Self.isOwn(preset, endpoint) {
            keyName = preset.apiKeyEnvironment
        }
        let isNamed: Bool
        if let keyName {
            isNamed =
                isListed || context.catalog.presets.contains { $0.apiKeyEnvironment == keyName && Self.isOwn($0, endpoint) }
        } else {
            isNamed = endpoint.isNamed(in: context.hostsAllowed)
        }
        // A runner's own address without a key is the owner's choice; an address of the prompt's must be this machine.
        let isFree = keyName == nil && (settings.baseURL == nil || endpoint.isLoopback)
        guard isNamed || isFree else {
            throw Refused(
                code: .hostNotAllowed,
                message: "\(endpoint.hostAndPort) is not among the hosts that this spool allows"
                    + (keyName.map { " to get \($0)" } ?? ""),
                advice: "add \(endpoint.host) to allow_hosts in spool.yaml, or use a runner that spool.yaml has")
        }
    }

    /// Whether the address is the one that `spool.yaml` gives this runner.
    private static func isOwn(_ preset: RunnerPreset, _ endpoint: Endpoint) -> Bool {
        guard preset.hasOwnAddress, let own = preset.baseURL.flatMap(Endpoint.init) else { return false }
        return own.hostAndPort == endpoint.hostAndPort && own.isSecure == endpoint.isSecure
    }

    /// A prompt names keys only: variables of a runner, or whose names say that they are API keys.
    private static func allowed(_ name: String, _ context: RunnerContext) throws(Refused) -> String {
        let isKnown = context.catalog.presets.contains { $0.apiKeyEnvironment == name }
        guard isKnown || name.hasSuffix("_API_KEY") else {
            throw Refused(
                code: .hostNotAllowed, message: "\(printable(name)) is not a key that a prompt may name",
                advice: "name it under api_key_env of a runner in spool.yaml, or use a variable that ends in _API_KEY")
        }
        return name
    }
}
