// `flowspool schedule`: prints what cron or systemd need to run batches; installs nothing.

import ArgumentParser
import Foundation
import Spool

struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Print a crontab line, or systemd units, for batches over a spool.",
        discussion: """
            Every path is absolute, and a batch that finds another one at work ends quietly with exit status 14.

            EXAMPLE
              flowspool schedule --cron '0 2 * * *' --profile production
              (crontab -l; flowspool schedule --cron '0 2 * * *') | crontab -
            """)

    @Option(help: ArgumentHelp("When, as crontab(5) writes it: minute hour day month weekday.", valueName: "when"))
    var cron: String

    @OptionGroup var spoolOptions: SpoolOptions
    @OptionGroup var profileOptions: ProfileOptions

    @Flag(help: "Print a service and a timer for batches, and a service for watch, instead of a crontab line.")
    var systemd = false

    @Flag(help: "With --systemd: units for your own user instead of the system.")
    var user = false

    func run() async throws {
        try await reportingErrors {
            let when = try CronExpression(cron)
            // A name with a slip in it is said now, too; the folder may come later.
            if !FileManager.default.fileExists(atPath: spoolOptions.path) {
                StandardError.warn("\(printable(spoolOptions.path)) does not exist yet: `flowspool init` makes a spool")
            }
            let repoRoot = try profileOptions.findRepoRoot()
            // A profile that does not exist is said now, and not at two in the morning.
            if profileOptions.profile != nil || profileOptions.config != nil {
                _ = try profileOptions.resolver(flags: [], repoRoot: repoRoot)
            }
            let schedule = try Schedule(
                executable: try Self.executable(), root: spoolOptions.path, repoRoot: repoRoot, profile: profileOptions.profile,
                config: profileOptions.absoluteConfig,
                path: environment["PATH"])
            if systemd {
                let manager: Schedule.Manager =
                    user ? .user : .system(user: environment["USER"] ?? environment["LOGNAME"] ?? "root")
                try StandardOutput.write(Schedule.render(try schedule.systemdUnits(when, manager: manager), manager: manager))
            } else {
                try StandardOutput.write(try schedule.crontabLine(when) + "\n")
            }
        }
    }

    /// The running binary, links resolved.
    private static func executable() throws -> String {
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch {
            throw FlowspoolError(.unavailable, "/proc/self/exe cannot be read", hint: "is /proc mounted?")
        }
    }
}
