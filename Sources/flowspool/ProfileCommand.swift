// `flowspool profile`, also called as `prompt-flow-profile`: the profile helper. Each subcommand asks `Spool`, prints the
// answer and decides the exit status; the answers themselves are made there.

import ArgumentParser
import Foundation
import Spool

struct ProfileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Show, check and copy the profile configuration.",
        discussion: """
            EXAMPLE
              flowspool profile show --profile poc
              flowspool profile validate --config prompt_flow.config.json
              flowspool profile emit-env --profile production --target pipeline
            """,
        subcommands: [Show.self, Validate.self, EmitEnv.self, Sync.self, Diff.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Print the profile that applies, and the layer that decides each toggle.",
            discussion: """
                Without a configuration file the built-in profiles apply, and config_path is null.

                EXAMPLE
                  flowspool profile show --profile poc
                """)
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await reportingErrors {
                let answer = try options.helper().show(profileFlag: options.profile, environment: environment)
                try StandardOutput.write(answer)
            }
        }
    }

    struct Validate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "validate",
            abstract: "Check the configuration file; name every fault.",
            discussion: """
                Exit status 0 for a valid file, 2 for a faulty or missing one.

                EXAMPLE
                  flowspool profile validate --config prompt_flow.config.json
                """)
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await reportingErrors {
                let answer = try options.helper().validate(profileFlag: options.profile, environment: environment)
                try StandardOutput.write(answer)
            }
        }
    }

    struct EmitEnv: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "emit-env",
            abstract: "Print the profile as KEY=VALUE lines for a shell.",
            discussion: """
                EXAMPLE
                  set -a; eval "$(flowspool profile emit-env --profile poc)"; set +a
                """)
        @OptionGroup var options: ProfileOptions
        @Option(help: "Which tool the lines are for; pipeline and all have the thresholds too.")
        var target = EmitTarget.all

        func run() async throws {
            try await reportingErrors {
                let lines = try options.helper().emitEnvironment(
                    target: target, profileFlag: options.profile, environment: environment)
                try StandardOutput.write(lines.map { $0 + "\n" }.joined())
            }
        }
    }

    struct Sync: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sync",
            abstract: "Make the runtime copy the same as the canonical configuration.",
            discussion: """
                A faulty configuration is not copied.

                EXAMPLE
                  flowspool profile sync
                """)
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await reportingErrors { try StandardOutput.write(try options.copies().sync()) }
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "diff",
            abstract: "Compare the canonical configuration with the runtime copy.",
            discussion: """
                Exit status 0 where the two are the same, 1 where they differ or there is no copy, 2 on trouble, as diff(1).

                EXAMPLE
                  flowspool profile diff
                """)
        @OptionGroup var options: ProfileOptions
        @Flag(help: "Print one JSON document.")
        var json = false

        func run() async throws {
            try await reportingErrors {
                let difference = try options.copies().compare()
                if json { try StandardOutput.write(difference.json) } else { try StandardOutput.write(difference.text) }
                if !difference.isSame { throw ExitCode(1) }
            }
        }
    }
}

extension EmitTarget: ExpressibleByArgument {}

extension ProfileOptions {
    fileprivate func helper() throws -> ProfileHelper {
        ProfileHelper(repoRoot: try findRepoRoot(), configFlag: absoluteConfig)
    }

    fileprivate func copies() throws -> ConfigurationCopies {
        ConfigurationCopies(repoRoot: try findRepoRoot(), configFlag: absoluteConfig)
    }
}

/// The environment of this process, read once.
let environment = ProcessInfo.processInfo.environment
