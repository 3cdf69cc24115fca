// Which of the runner's environment its children get. Secrets usually sit in variables whose names say so; those are withheld
// unless the spool's owner passes them on by name. Values are never looked at, and never written anywhere.

/// Decides by name which environment variables a child gets.
public struct EnvironmentFilter: Sendable, Hashable {
    /// Withheld where `spool.yaml` does not say otherwise.
    public static let withholdDefault = ["*_TOKEN", "*_SECRET", "*_KEY", "*_PASSWORD", "AWS_*"]

    /// Patterns for whole names: `*` stands for any number of characters, `?` for one. Case counts, as it does in names.
    public var withhold: [String]
    /// Names that are passed on though a pattern would withhold them.
    public var pass: Set<String>

    public init(withhold: [String] = withholdDefault, pass: Set<String> = []) {
        self.withhold = withhold
        self.pass = pass
    }

    /// Whether a child does not get the variable `name`.
    public func withholds(_ name: String) -> Bool {
        !pass.contains(name) && withhold.contains { Self.matches(Array(name.utf8)[...], Array($0.utf8)[...]) }
    }

    /// What of `environment` a child gets.
    public func callAsFunction(_ environment: [String: String]) -> [String: String] {
        let local = LocalGitVariables.names(in: environment)
        return environment.filter { name, _ in !withholds(name) && (pass.contains(name) || !local.contains(name)) }
    }

    /// Goes back to the last `*` only, which is enough (Kirk Krauss, "Matching Wildcards", 2008): at worst the product of
    /// the two lengths.
    private static func matches(_ name: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (n, p) = (name.startIndex, pattern.startIndex)
        var retry: (n: Int, p: Int)?
        while n < name.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                retry = (n, p)
                p += 1
            } else if p < pattern.endIndex, pattern[p] == UInt8(ascii: "?") || pattern[p] == name[n] {
                n += 1
                p += 1
            } else if let last = retry {
                retry = (last.n + 1, last.p)
                n = last.n + 1
                p = last.p + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
