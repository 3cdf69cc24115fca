// Preflight's view of one block: parse it with shfmt, walk the tree, add the secrets in its text, and say it all in the
// prompt's own lines. A known block costs a digest and a look-up. Whatever the parser or the walk cannot judge becomes
// `parser_failed`: no block passes because it was too hard to read.

import Foundation
import Synchronization

public struct ShellAnalyzer: Sendable {
    private let parser: ShellParser
    private let cache: any ShellReportCache
    /// Fills `cache`; nothing is looked up before it has ended.
    private let ahead: Eventual<Void>?
    /// What one block may cost. `prompt-preflight` and a runner have the same.
    var limits = ShellLimits()
    /// Made while shfmt is at work for the first time.
    private var book: RuleBook { .standard }

    /// The walk recurses; trees are bounded, and this is what the deepest allowed one needs with room to spare.
    private static let stackBytes = 64 << 20
    /// Longer blocks are not parsed: shfmt's tree of them would be gigabytes.
    static let blockBytesMax = 1 << 20

    /// - Parameters:
    ///   - shfmtPath: the program; nil: looked for on `searchPath`.
    ///   - searchPath: folders, `:` between them.
    ///   - cache: where reports are kept between prompts.
    ///   - ahead: an analysis for `cache` that is under way (`analyzeAhead`), and is waited for when the first block comes.
    ///   - timeoutSeconds: what one block may take.
    ///   - isProvenFirst: whether shfmt is started here to see that it answers as it should. Where not, the first block proves
    ///     it, and whoever asks for the analysis looks at `fault` behind it.
    /// - Throws: `FlowspoolError` when shfmt is missing; where it is proven, also when it is too old or answers nonsense.
    public init(
        shfmtPath: String? = nil, searchPath: String = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
        cache: any ShellReportCache = InMemoryShellReportCache(), ahead: Eventual<Void>? = nil, timeoutSeconds: Double = 5,
        isProvenFirst: Bool = true
    ) throws(FlowspoolError) {
        parser = try ShellParser(path: shfmtPath, searchPath: searchPath, timeoutSeconds: timeoutSeconds)
        limits.seconds = timeoutSeconds
        if isProvenFirst { try parser.prove(meanwhile: Self.warmUp) }
        self.cache = cache
        self.ahead = ahead
    }

    /// Version of the shfmt in use, for `doctor`; starts it. `unknown` where it does not say.
    public var shfmtVersion: String { (try? ShellParser.version(of: parser.path)) ?? "unknown" }
    public var shfmtPath: String { parser.path }
    /// Why shfmt cannot be used at all; nil while nothing is known against it.
    public var fault: FlowspoolError? { parser.fault }

    /// What a block may do. Starts one child at most, and none for a block that the cache knows.
    public func analyze(_ block: Block) async -> ShellReport { await analyze(block, in: ShellSequence(self)) }

    /// The same, for a block behind those that `sequence` has judged.
    func analyze(_ block: Block, in sequence: ShellSequence) async -> ShellReport {
        let digest = sequence.digest(of: block)
        await ahead?.value
        if let known = cache.lookup(digest) {
            sequence.pass(block, digest, known)
            return ShellReport(known, block: block, isCached: true)
        }
        // Recursion would overflow a pool thread's stack, and shfmt is waited for. The tables of the rules are made meanwhile.
        let judged = startThread(stackBytes: Self.stackBytes) { judge(block, digest, in: sequence, meanwhile: Self.warmUp) }
        return ShellReport(await judged?.value ?? noThread(block), block: block, isCached: false)
    }

    /// Analyzes blocks from now on, so that the cache knows them when `analyze` is asked. Who waits for it may call `warmUp`.
    ///
    /// - Parameters:
    ///   - analyzer: makes the analyzer, here; the child for the first block is then started from here, too.
    ///   - secondsMax: what all of them may take; those that are left are analyzed when they have their turn.
    ///   - blocks: makes the blocks meanwhile, on another processor, where they are analyzed.
    public static func analyzeAhead(
        by analyzer: () -> ShellAnalyzer?, secondsMax: Double = 10, _ blocks: @escaping @Sendable () -> [Block]
    ) -> Eventual<Void>? {
        let handed = HandedAnalyzer()
        // The blocks wait for the lock where they are there first.
        let analysis = handed.analyzer.withLock { made in
            let analysis = startThread(stackBytes: stackBytes, isElsewhere: true) {
                let blocks = blocks()
                guard let analyzer = handed.analyzer.withLock({ $0 }) else { return }
                let deadline = analyzer.limits.clock() + secondsMax
                let sequence = ShellSequence(analyzer)
                for block in blocks where analyzer.limits.clock() < deadline {
                    let digest = sequence.digest(of: block)
                    if let known = analyzer.cache.lookup(digest) {
                        sequence.pass(block, digest, known)
                    } else {
                        _ = analyzer.judge(block, digest, in: sequence) {}
                    }
                }
                analyzer.parser.endAhead()
            }
            if analysis != nil {
                made = analyzer()
                made?.parser.startAhead()
            }
            return analysis
        }
        // The child, which has come to be on this processor.
        letWokenThreadBegin()
        return analysis
    }

    private final class HandedAnalyzer: Sendable {
        let analyzer = Mutex<ShellAnalyzer?>(nil)
    }

    /// - Parameter earlier: the digest of the block before it in its prompt; empty for the first.
    func digest(of block: Block, behind earlier: String = "") -> String {
        var hash = SHA256()
        if !earlier.isEmpty { hash.update(Array("\(earlier)\0".utf8)) }
        hash.update(Array("\(RuleTable.version)\0\(parser.identity)\0\(block.shell.rawValue)\0\(block.folder ?? "")\0".utf8))
        hash.update(Array(block.text.utf8))
        return hash.hex()
    }

    private func judge(_ block: Block, _ digest: String, in sequence: ShellSequence, meanwhile: () -> Void) -> CachedReport {
        let before = sequence.leavings { block, leavings in judge(block, from: leavings) {}.leavings }
        var (report, keeping, leavings) = judge(block, from: before, meanwhile)
        report.leavesTraces = leavings != before
        sequence.take(block, digest, leavings)
        if let isLasting = keeping { cache.store(report, for: digest, isLasting: isLasting) }
        return report
    }

    private func noThread(_ block: Block) -> CachedReport {
        failed(.notStarted(SystemCallError(call: .clone, path: "a thread for the shell parser", errno: EAGAIN)), block.text)
    }

    private func failed(_ failure: ShellParserFailure, _ text: String) -> CachedReport {
        var report = report([Self.failure(failure)], [], text)
        if case .notStarted(let error) = failure, error.isOfMachine { report.refusal = error }
        return report
    }

    /// - Returns: `isLasting` as `ShellReportCache` has it; nil: not to be kept. A machine that refused may do better at once, one
    ///   that was too slow may later; everything else holds for good.
    ///   `leavings`: what the block leaves; of one that could not be judged, what it found.
    private func judge(
        _ block: Block, from before: ShellLeavings, _ meanwhile: () -> Void
    ) -> (CachedReport, isLasting: Bool?, leavings: ShellLeavings) {
        let text = block.text
        if text.utf8.contains(0) {
            return (report([Self.syntaxFinding("it holds a NUL byte", .start, text)], [], text), true, before)
        }
        guard text.utf8.count <= Self.blockBytesMax else {
            return (report([Self.failure(.tooLarge)], [], text), true, before)
        }
        let budget = ShellBudget(limits)
        func walked(_ statements: [ShellStatement]) -> (CachedReport, isLasting: Bool?, leavings: ShellLeavings) {
            budget.beginWalk()
            let (findings, commands, leavings) = Self.findings(
                for: statements, text: text, book, budget, shell: block.shell, folder: block.folder,
                from: before)
            let mayEndEarly = block.marks.isNoncritical || block.marks.expectedExitCode.map { $0 != 0 } ?? false
            return (
                report(findings, commands, text), budget.shortage != .time, mayEndEarly ? leavings.joined(with: before) : leavings
            )
        }
        switch parser.parse(text, meanwhile: meanwhile) {
        case .tree(let statements): return walked(statements)
        case .invalid(let error):
            // shfmt is stricter than bash in a few corners, and knows no zsh: the nested parser has the second word.
            if let statements = try? NestedShellParser.parse(text) { return walked(statements) }
            if block.shell == .zsh { return (report([Self.failure(.nonsense("zsh: \(error.message)"))], [], text), true, before) }
            let findings =
                [Self.syntaxFinding(error.message, error.position, text)] + Self.placeholder(at: error.position, in: text)
            return (report(findings, [], text), true, before)
        case .failed(let failure): return (failed(failure, text), failure.isLasting, before)
        }
    }

    /// Makes what every walk needs, once in a process: the rules, the grammar of commands, the patterns of secrets.
    public static func warmUp() { _ = isWarm }

    private static let isWarm: Bool = {
        let text = "a b\n"
        guard let statements = try? NestedShellParser.parse(text) else { return false }
        return findings(for: statements, text: text, .standard).0.isEmpty && SecretPatterns.find(in: text).isEmpty
    }()

    /// The pure part: what a tree may do, without secrets.
    static func findings(
        for statements: [ShellStatement], text: String, _ book: RuleBook, _ budget: ShellBudget = ShellBudget(),
        shell: Block.Shell = .bash, folder: String? = nil, from before: ShellLeavings = ShellLeavings()
    ) -> ([CachedFinding], commands: Set<String>, leavings: ShellLeavings) {
        let evaluator = ShellEvaluator(rules: book, budget: budget, shell: shell, folder: folder.map { ShellValue($0) })
        evaluator.begin(with: before, shell)
        evaluator.evaluate(statements)
        let leavings = evaluator.leavings(after: before)
        var columns = CharacterColumns(text)
        var findings = evaluator.hits.map { hit in
            CachedFinding(
                code: hit.code, line: hit.position.line, column: columns.column(of: hit.position),
                message: "\(hit.message): \(hit.excerpt)", advice: hit.advice)
        }
        if let failure = budget.failure { findings.append(self.failure(failure)) }
        return (findings, evaluator.commands.subtracting(evaluator.environment.functions.keys), leavings)
    }

    private func report(_ findings: [CachedFinding], _ commands: Set<String>, _ text: String) -> CachedReport {
        var findings = findings
        var columns = CharacterColumns(text)
        for secret in SecretPatterns.find(in: text) {
            let position = ShellPosition(line: secret.line, column: secret.column)
            findings.append(
                CachedFinding(
                    code: .secretInPrompt, line: secret.line, column: columns.column(of: position),
                    message: "a credential is written out (\(secret.kind)): \(printable(secret.shown))",
                    advice: "Take it from the environment or a secret store, and change it: it has been in a file"))
        }
        findings.sort { ($0.line, $0.column, $0.code.rawValue) < ($1.line, $1.column, $1.code.rawValue) }
        return CachedReport(findings: findings, commands: commands.sorted())
    }

    private static func syntaxFinding(_ message: String, _ position: ShellPosition, _ text: String) -> CachedFinding {
        var columns = CharacterColumns(text)
        return CachedFinding(
            code: .shellSyntax, line: position.line, column: columns.column(of: position),
            message: "the block is no valid shell: \(message)",
            advice: "Correct it, or mark the fence with another language if it is not meant to be run")
    }

    /// `kubectl logs <pod>` at a line's end is no valid shell; what is wrong with it is the placeholder.
    private static func placeholder(at position: ShellPosition, in text: String) -> [CachedFinding] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(position.line - 1) else { return [] }
        let line = String(lines[position.line - 1])
        guard let found = PlaceholderPatterns.find(in: line), found.hasPrefix("<"), let range = line.firstRange(of: found) else {
            return []
        }
        let rule = RuleBook.standard.placeholder
        return [
            CachedFinding(
                code: .placeholderLeft, line: position.line,
                column: line.distance(from: line.startIndex, to: range.lowerBound) + 1,
                message: "\(rule.message): \(printable(found))", advice: rule.advice)
        ]
    }

    private static func failure(_ failure: ShellParserFailure) -> CachedFinding {
        CachedFinding(
            code: .parserFailed, line: 1, column: 1, message: "the block could not be judged: \(failure.explanation)",
            advice: "Make the block smaller or simpler; it counts as a warning that no waiver lifts")
    }
}

extension ShellParserFailure {
    /// As `ShellReportCache` has it; nil: not to be kept.
    fileprivate var isLasting: Bool? {
        switch self {
        case .tooDeep, .tooLarge: true
        case .timeout: false
        default: nil
        }
    }
}
