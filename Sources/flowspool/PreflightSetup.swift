// How the command line puts preflight together; the one place, so that `preflight`, `exec`, `watch` and `pipeline` judge alike.

import Foundation
import Spool

enum PreflightSetup {
    static func make(
        _ facts: RunFacts, _ configuration: SpoolConfiguration, _ settings: RunSettings, ledger: Ledger?, modes: Set<ExecMode>
    ) -> Preflight {
        Preflight(
            context: PreflightContext(
                repoRoot: facts.repoRoot, searchPath: settings.environment["PATH"] ?? "/usr/bin:/bin",
                modesAllowed: configuration.modes.intersection(modes), modeOverride: facts.execMode,
                modeDefault: configuration.execMode ?? .script, sizeMax: configuration.sizeLimitBytes),
            resolver: facts.resolver, shell: nil)
    }
}
