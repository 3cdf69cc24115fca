// How the command line puts preflight together; the one place, so that `preflight`, `exec`, `watch` and `pipeline` judge alike.

import Foundation
import Spool

enum PreflightSetup {
    /// What carries out each way to execute a prompt; a way that is not here is refused by preflight.
    static func runners(_ configuration: SpoolConfiguration) -> [ExecMode: any Runner] {
        [.script: ScriptRunner(logBytesMax: configuration.logLimitBytes)]
    }

    /// - Parameter ledger: where the analysis of shell blocks is kept; nil: in this process only.
    /// - Throws: `FlowspoolError` where shfmt is missing or too old: nothing runs that was not judged.
    static func make(
        _ facts: RunFacts, _ configuration: SpoolConfiguration, searchPath: String, ledger: Ledger?, modes: Set<ExecMode>
    ) throws -> Preflight {
        let cache: any ShellReportCache = ledger.map { LedgerShellCache(ledger: $0) } ?? InMemoryShellReportCache()
        return Preflight(
            context: PreflightContext(
                repoRoot: facts.repoRoot, searchPath: searchPath, modesAllowed: configuration.modes.intersection(modes),
                modeOverride: facts.execMode, modeDefault: configuration.execMode ?? .script,
                sizeMax: configuration.sizeLimitBytes),
            resolver: facts.resolver,
            shell: try ShellAnalyzer(searchPath: environment["PATH"] ?? "/usr/bin:/bin", cache: cache))
    }
}
