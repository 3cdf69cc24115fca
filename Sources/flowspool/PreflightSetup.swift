// How the command line puts preflight together; the one place, so that `preflight`, `exec`, `watch` and `pipeline` judge alike.

import Foundation
import Spool

enum PreflightSetup {
    /// What carries out each way to execute a prompt; a way that is not here is refused by preflight.
    ///
    /// - Parameters:
    ///   - meter: counts what agents and models use, against the budgets.
    ///   - spoolPath: where worktrees are kept; nil: in the run folder.
    static func runners(
        _ configuration: SpoolConfiguration, _ agents: RunnerContext, meter: UsageMeter, spoolPath: String?
    ) -> [ExecMode: any Runner] {
        [
            .script: ScriptRunner(logBytesMax: configuration.logLimitBytes),
            .agent: AgentRunner(context: agents, meter: meter, spoolPath: spoolPath),
            .http: HTTPRunner(context: agents, meter: meter),
        ]
    }

    /// - Parameters:
    ///   - ledger: where the analysis of shell blocks is kept; nil: in that of `begun`, and the first block then proves shfmt
    ///     (`ShellChecking.fault`), which a run does before it takes any job.
    /// - Throws: `FlowspoolError` where shfmt is missing or too old: nothing runs that was not judged.
    static func make(
        _ facts: RunFacts, _ configuration: SpoolConfiguration, searchPath: String, ledger: Ledger?, modes: Set<ExecMode>,
        runners: RunnerContext, begun: BegunAnalysis = BegunAnalysis()
    ) throws -> Preflight {
        let cache: any ShellReportCache = ledger.map { LedgerShellCache(ledger: $0) } ?? begun.cache
        var context = PreflightContext(
            repoRoot: facts.repoRoot, searchPath: searchPath, modesAllowed: configuration.modes.intersection(modes),
            modeOverride: facts.execMode, modeDefault: configuration.execMode ?? .script, sizeMax: configuration.sizeLimitBytes)
        context.runners = runners
        return Preflight(
            context: context,
            resolver: facts.resolver,
            shell: try ShellAnalyzer(
                searchPath: searchPathOfTools, cache: cache, ahead: begun.analysis, isProvenFirst: ledger != nil))
    }

    /// Not from `environment`: to read all of that for the first time takes longer than to find shfmt (getenv(3); nobody here sets).
    private static var searchPathOfTools: String { getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin" }

    /// Has shfmt at work on the blocks of a file while policy and configuration are read. What comes of it is kept under the digest of
    /// each block's text; nothing else is: whatever is wrong here is found, and said, when the file has its turn.
    static func begin(_ file: String) -> BegunAnalysis {
        let cache = InMemoryShellReportCache()
        return BegunAnalysis(cache: cache, analysis: analyzeAhead(file, cache))
    }

    private static func analyzeAhead(_ file: String, _ cache: InMemoryShellReportCache) -> Eventual<Void>? {
        ShellAnalyzer.analyzeAhead(
            by: { try? ShellAnalyzer(searchPath: searchPathOfTools, cache: cache, isProvenFirst: false) }
        ) {
            let sizeMax = SpoolConfiguration.sizeLimitBytesDefault
            guard let place = try? PromptInPlace(path: file, sizeMax: sizeMax), place.bytes.count <= sizeMax else { return [] }
            let prompt = PromptFile.read(name: place.name, bytes: place.bytes)
            guard prompt.settings.execMode ?? ExecMode.script.rawValue == ExecMode.script.rawValue else { return [] }
            // Where the repository is, from which a working folder is seen, is not known yet.
            guard prompt.settings.cwd == nil else { return [] }
            return prompt.blocks.filter { !$0.marks.isSkipped }
        }
    }
}

/// The analysis of shell blocks that goes on while the rest is made ready.
struct BegunAnalysis {
    var cache = InMemoryShellReportCache()
    /// Fills the cache; nil: nothing is under way.
    var analysis: Eventual<Void>?
}
