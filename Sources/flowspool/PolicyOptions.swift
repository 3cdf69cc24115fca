// The flags that choose the policy, the same for every command that runs or checks prompts, and the way from them to a resolver.

import ArgumentParser
import Foundation
import Spool

/// Where the configuration is and which profile applies.
struct ProfileOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The repository's top folder.", valueName: "dir"))
    var repoRoot: String?

    @Option(help: ArgumentHelp("The profile configuration, instead of the repository's own.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("The profile, instead of the active one.", valueName: "name"))
    var profile: String?

    var choice: ProfileChoice { ProfileChoice(repoRoot: repoRoot, config: config, profile: profile) }

    func findRepoRoot() throws(FlowspoolError) -> String { try choice.findRepoRoot() }

    var absoluteConfig: String? { choice.absoluteConfig }
}

/// The same, parsed; without the parser's own types, which are slow to make.
struct ProfileChoice: Hashable {
    var repoRoot: String?
    var config: String?
    var profile: String?

    /// The repo root; `--repo-root`, `REPO_ROOT`, the Git top level, the working folder.
    func findRepoRoot() throws(FlowspoolError) -> String {
        try RepoRoot.find(
            flag: repoRoot, environment: environment, workingDirectory: FileManager.default.currentDirectoryPath)
    }

    /// `--config` as an absolute path.
    var absoluteConfig: String? {
        config.map { $0.hasPrefix("/") ? $0 : FileManager.default.currentDirectoryPath + "/" + $0 }
    }

    func resolver(flags: [ToggleFlag], repoRoot: String) throws(FlowspoolError) -> PolicyResolver {
        try PolicyResolver(
            configuration: try PolicyConfiguration.load(flag: absoluteConfig, repoRoot: repoRoot), profileFlag: profile,
            flags: flags, environment: environment)
    }
}

/// The five toggles as flags; a flag outranks everything else.
struct ToggleOptions: ParsableArguments {
    @Option(help: ArgumentHelp("What happens to a prompt with warnings: ask, auto-approve, halt.", valueName: "mode"))
    var warnMode: String?

    @Option(help: ArgumentHelp("Whether warnings have any effect: yes, no.", valueName: "yes|no"))
    var warnGate: String?

    @Option(help: ArgumentHelp("Failed attempts that are tried again: 0, 1.", valueName: "n"))
    var maxRetries: String?

    @Option(help: ArgumentHelp("The same as --max-retries.", valueName: "n"))
    var retryMax: String?

    @Option(
        name: [.customLong("fail-fast-threshold"), .customLong("pipeline-fail-fast-threshold")],
        help: ArgumentHelp("Failures in a row that put the spool on hold.", valueName: "n"))
    var failFastThreshold: String?

    @Option(
        name: [.customLong("max-total-failures"), .customLong("pipeline-max-total-failures")],
        help: ArgumentHelp("Failures in all that put the spool on hold.", valueName: "n"))
    var maxTotalFailures: String?

    func validate() throws {
        guard let maxRetries, let retryMax, maxRetries != retryMax else { return }
        throw ValidationError(
            "--max-retries \(maxRetries) and --retry-max \(retryMax) are the same flag, and disagree: give one of them")
    }

    var flags: [ToggleFlag] {
        let given: [(String, Toggle, String?)] = [
            ("--warn-mode", .warnMode, warnMode), ("--warn-gate", .warnGate, warnGate),
            ("--max-retries", .retryMax, maxRetries), ("--retry-max", .retryMax, retryMax),
            ("--fail-fast-threshold", .failFastThreshold, failFastThreshold),
            ("--max-total-failures", .totalFailuresMax, maxTotalFailures),
        ]
        return given.compactMap { name, toggle, text in text.map { ToggleFlag(name: name, toggle: toggle, text: $0) } }
    }
}

extension ProfileOptions {
    /// The policy of this process, made once at its start.
    ///
    /// - Throws: `FlowspoolError` (exit 2) with every fault of configuration, environment and flags.
    func resolver(toggles: ToggleOptions, repoRoot: String) throws(FlowspoolError) -> PolicyResolver {
        try resolver(flags: toggles.flags, repoRoot: repoRoot)
    }

    func resolver(flags: [ToggleFlag], repoRoot: String) throws(FlowspoolError) -> PolicyResolver {
        try choice.resolver(flags: flags, repoRoot: repoRoot)
    }
}
