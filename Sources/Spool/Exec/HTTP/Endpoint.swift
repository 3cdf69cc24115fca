// The address of an OpenAI-compatible endpoint, taken apart by our own rules: a parser that is lenient where another is strict
// is how a key ends up at the wrong host.

/// A base URL such as `https://host:443/v1`.
struct Endpoint: Sendable, Hashable {
    var isSecure: Bool
    /// Lower case; an IPv6 address without brackets.
    var host: String
    var port: Int
    /// Begins with `/`, does not end with one; empty for none.
    var path: String

    /// nil for anything but http and https, and for user names, queries, fragments, blanks and control characters.
    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"\\\"<>^`{|}".utf8.contains($0) }), text.utf8.count <= 2000 else {
            return nil
        }
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[1].isEmpty else { return nil }
        switch parts[0].lowercased() {
        case "http:": isSecure = false
        case "https:": isSecure = true
        default: return nil
        }
        let authority = parts[2]
        guard !authority.contains(where: { "@?#".contains($0) }) else { return nil }
        var name = authority[...]
        var number: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            name = authority[authority.index(after: authority.startIndex)..<close]
            let rest = authority[authority.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            number = rest.isEmpty ? nil : rest.dropFirst()
            guard name.allSatisfy({ $0.isHexDigit || ":.".contains($0) }), !name.isEmpty else { return nil }
        } else {
            if let colon = authority.firstIndex(of: ":") {
                name = authority[..<colon]
                number = authority[authority.index(after: colon)...]
            }
            guard !name.isEmpty, name.utf8.allSatisfy({ $0.isASCIILetterOrDigit || ".-_".utf8.contains($0) }) else { return nil }
        }
        host = name.lowercased()
        if let number {
            guard let value = Int(number), (1...65535).contains(value), number.allSatisfy(\.isNumber) else { return nil }
            port = value
        } else {
            port = isSecure ? 443 : 80
        }
        var path = parts.count > 3 ? "/" + parts[3] : ""
        while path.hasSuffix("/") { path.removeLast() }
        guard !path.contains(where: { "?#".contains($0) }) else { return nil }
        self.path = path
    }

    /// This machine itself, by address or as `localhost`; whoever listens there needs no `allow_hosts`.
    var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// `host:port`.
    var hostAndPort: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether the list names it: as `host` (any port) or `host:port`.
    func isNamed(in hosts: Set<String>) -> Bool {
        hosts.contains(hostAndPort) || hosts.contains(host) || hosts.contains("[\(host)]")
    }

    var url: String { (isSecure ? "https://" : "http://") + hostAndPort + path }
}
