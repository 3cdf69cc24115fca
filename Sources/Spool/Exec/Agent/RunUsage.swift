// What an agent or a model used and who it was: in the result of an attempt, the stamp and the ledger.

/// The facts of one attempt by an agent or a model. nil: the tool did not tell.
public struct RunUsage: Sendable, Hashable, Codable {
    /// Name of the runner.
    public var runner: String
    public var model: String?
    /// Tokens read by the model, those from its cache included.
    public var tokensIn: Int?
    /// Tokens written by the model, its thoughts included.
    public var tokensOut: Int?
    public var costUSD: Double?
    public var turns: Int?
    public var session: String?
    /// The working tree that was kept because it has changes, and its branch.
    public var worktree: String?
    public var branch: String?

    public init(runner: String) { self.runner = runner }

    public var tokens: Int { (tokensIn ?? 0) + (tokensOut ?? 0) }

    /// Most of a count that is believed. Sums over all attempts of a spool's life stay below what 64 bits hold.
    private static let countMax = 1_000_000_000_000
    private static let costMax = 1e9

    /// A count that a tool or an endpoint has told; nil where it can be none: such text may say anything, `inf` as well.
    static func count(_ told: Double) -> Int? { told >= 0 && told <= Double(countMax) ? Int(told) : nil }

    /// A cost that was told, in US dollars; nil where it can be none.
    static func cost(_ told: Double) -> Double? { told >= 0 && told <= costMax ? told : nil }

    /// The sum of two counts, as far as it is believed.
    static func sum(_ a: Int, _ b: Int) -> Int { min(a + b, countMax) }

    enum CodingKeys: String, CodingKey {
        case runner, model
        case tokensIn = "tokens_in"
        case tokensOut = "tokens_out"
        case costUSD = "cost_usd"
        case turns
        case session = "session_id"
        case worktree, branch
    }

    /// For the stamp's `exec` stage, what is known of them.
    public var facts: [Stamp.Exec.Fact] {
        json.objectValue?.compactMap { key, value in
            value.isNull ? nil : Stamp.Exec.Fact(key, value.stringValue ?? value.compact, isNumber: value.stringValue == nil)
        } ?? []
    }

    /// As `show --json` prints it; a key that is not known is null.
    public var json: JSON {
        .object([
            ("runner", .string(runner)), ("model", JSON(model)), ("tokens_in", JSON(tokensIn)), ("tokens_out", JSON(tokensOut)),
            ("cost_usd", costUSD.map { .double($0) } ?? .null), ("turns", JSON(turns)), ("session_id", JSON(session)),
            ("worktree", JSON(worktree)), ("branch", JSON(branch)),
        ])
    }
}
