// `allow:` in front matter: the author's word that a warning is meant. It turns that warning into information, with the
// reason kept for the stamp; it never lifts an error, nor the finding that says the parser gave no answer.

enum Waivers {
    /// Applies the waivers of a prompt.
    ///
    /// - Parameters:
    ///   - waivers: code to reason.
    ///   - isAllowed: whether the profile and the configuration let waivers count.
    static func apply(_ waivers: [String: String], to findings: [Finding], isAllowed: Bool) -> [Finding] {
        guard isAllowed, !waivers.isEmpty else { return findings }
        return findings.map { finding in
            guard finding.severity == .warning, finding.code != .parserFailed, let reason = waivers[finding.code.rawValue] else {
                return finding
            }
            var waived = finding
            waived.severity = .info
            waived.waiver = reason
            return waived
        }
    }
}
