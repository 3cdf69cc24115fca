// The seam between preflight and the analysis of shell code: one block in, findings and command names out. What stands
// behind it parses; it never runs a word of the block.

/// What an analysis says about one block.
public struct ShellCheckResult: Sendable, Hashable {
    /// With the prompt's line and column.
    public var findings: [Finding]
    /// Names of the commands that the block would run and does not define itself.
    public var commands: Set<String>
    /// What the machine refused, where the block could not be judged for that reason: another look may do better.
    var refusal: SystemCallError?
    public init(findings: [Finding] = [], commands: Set<String> = []) {
        self.findings = findings
        self.commands = commands
    }
}

/// Judges shell blocks by what they would do.
public protocol ShellChecking: Sendable {
    func check(_ block: Block) async -> ShellCheckResult
    /// Why nothing that it said can be relied on; nil while nothing is known against it.
    var fault: FlowspoolError? { get }
}

extension ShellChecking {
    public var fault: FlowspoolError? { nil }
}

extension ShellAnalyzer: ShellChecking {
    public func check(_ block: Block) async -> ShellCheckResult {
        let report = await analyze(block)
        var result = ShellCheckResult(findings: report.findings, commands: Set(report.commands))
        result.refusal = report.refusal
        return result
    }
}
