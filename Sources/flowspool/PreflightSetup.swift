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

    /// - Parameter ledger: where the analysis of shell blocks is kept; nil: in this process only, and the first block then proves
    ///   shfmt (`ShellChecking.fault`), which a run does before it takes any job.
    /// - Throws: `FlowspoolError` where shfmt is missing or too old: nothing runs that was not judged.
    static func make(
        _ facts: RunFacts, _ configuration: SpoolConfiguration, searchPath: String, ledger: Ledger?, modes: Set<ExecMode>,
        runners: RunnerContext
    ) throws -> Preflight {
        let cache: any ShellReportCache = ledger.map { LedgerShellCache(ledger: $0) } ?? InMemoryShellReportCache()
        var context = PreflightContext(
            repoRoot: facts.repoRoot, searchPath: searchPath, modesAllowed: configuration.modes.intersection(modes),
            modeOverride: facts.execMode, modeDefault: configuration.execMode ?? .script, sizeMax: configuration.sizeLimitBytes)
        context.runners = runners
        return Preflight(
            context: context,
            resolver: facts.resolver,
            shell: try ShellAnalyzer(
                searchPath: environment["PATH"] ?? "/usr/bin:/bin", cache: cache, isProvenFirst: ledger != nil))
    }
}
