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
    /// Judges the blocks of one prompt, in their order: each may find what those before it have left.
    func sequence() -> any ShellSequenceChecking
    /// Why nothing that it said can be relied on; nil while nothing is known against it.
    var fault: FlowspoolError? { get }
}

extension ShellChecking {
    public var fault: FlowspoolError? { nil }
    public func sequence() -> any ShellSequenceChecking { EachByItself(checker: self) }
}

/// Judges the blocks of one prompt.
public protocol ShellSequenceChecking: Sendable {
    func check(_ block: Block) async -> ShellCheckResult
}

/// Each block as if it were alone.
private struct EachByItself: ShellSequenceChecking {
    let checker: any ShellChecking
    func check(_ block: Block) async -> ShellCheckResult { await checker.check(block) }
}

extension ShellCheckResult {
    init(_ report: ShellReport) {
        self.init(findings: report.findings, commands: Set(report.commands))
        refusal = report.refusal
    }
}

extension ShellAnalyzer: ShellChecking {
    public func check(_ block: Block) async -> ShellCheckResult {
        ShellCheckResult(await analyze(block))
    }

    public func sequence() -> any ShellSequenceChecking { ShellSequence(self) }
}
