// What the analyser says about one block, and the cache that keeps it. A cached report knows only the block's own lines, so
// the same block is known wherever it stands in whichever prompt.

import Foundation

/// One finding, placed in the block.
public struct CachedFinding: Sendable, Hashable, Codable {
    public var code: Finding.Code
    /// Line and column in the block, counted from 1; the column counts characters.
    public var line: Int
    public var column: Int
    public var message: String
    public var advice: String
}

/// What is kept of a block.
public struct CachedReport: Sendable, Hashable, Codable {
    public var findings: [CachedFinding]
    /// Names of the programs that the block calls and does not define, sorted.
    public var commands: [String]
    /// Whether the block leaves anything that a later block of its prompt may find.
    var leavesTraces = false
    /// What the machine refused, where the block could not be judged for that reason; never kept.
    var refusal: SystemCallError?

    private enum CodingKeys: String, CodingKey { case findings, commands, leavesTraces }

    public init(findings: [CachedFinding], commands: [String]) {
        self.findings = findings
        self.commands = commands
    }
}

/// Keeps reports by digest. The digest covers the block, the shell, the rules' version and the parser's: an entry never goes
/// stale, only unused. Losing entries is no harm.
public protocol ShellReportCache: Sendable {
    func lookup(_ digest: String) -> CachedReport?
    /// - Parameter isLasting: another look would say the same. Where not, the report is for the run at hand, which should not spend
    ///   the same seconds on the same block twice.
    func store(_ report: CachedReport, for digest: String, isLasting: Bool)
}

/// A cache for one process, emptied when it holds `entriesMax`.
public final class InMemoryShellReportCache: ShellReportCache, @unchecked Sendable {
    // Invariant: `entries` is read and written only with `lock` held.
    private let lock = NSLock()
    private var entries: [String: CachedReport] = [:]
    private let entriesMax: Int

    public init(entriesMax: Int = 4_096) {
        self.entriesMax = entriesMax
    }

    public func lookup(_ digest: String) -> CachedReport? {
        lock.withLock { entries[digest] }
    }

    public func store(_ report: CachedReport, for digest: String, isLasting: Bool = true) {
        lock.withLock {
            if entries.count >= entriesMax { entries.removeAll() }
            entries[digest] = report
        }
    }
}

/// What a block of a prompt may do.
public struct ShellReport: Sendable {
    /// Placed in the prompt's lines and columns, in the order of the lines.
    public var findings: [Finding]
    /// Names of the programs that the block calls and does not define, sorted: for `tool_missing`.
    public var commands: [String]
    /// Whether the report came from the cache.
    public var isCached: Bool
    /// What the machine refused, where the block could not be judged for that reason.
    let refusal: SystemCallError?

    init(_ report: CachedReport, block: Block, isCached: Bool) {
        self.isCached = isCached
        refusal = report.refusal
        commands = report.commands
        findings = report.findings.map { found in
            Finding(
                found.code, line: block.firstLine + found.line - 1, column: found.column + block.indent, message: found.message,
                advice: found.advice)
        }
    }

    /// Which of the block's programs are not on the path.
    public func missingTools(path: String) -> [String] {
        commands.filter { ProgramFinder.search($0, in: path) == nil }
    }
}
