// `hold` and `resume`: the spool as a whole stops starting jobs, or goes on.

import ArgumentParser
import Spool

struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "Put the spool on hold: running jobs finish, nothing new starts.",
        discussion: """
            Making the file .prompt-pipeline.HOLD in the spool does the same.

            EXAMPLE
              flowspool hold "disk is being replaced"
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Argument(help: ArgumentHelp("Why; shown by status and in the hold file.", valueName: "reason"))
    var reason: [String] = []

    func run() async throws {
        try await reportingErrors {
            let (hold, wasOnHold) = try Steering(path: spoolOptions.path).hold(reason: reason.joined(separator: " "))
            if wasOnHold {
                try StandardOutput.write("the spool was on hold already: \(printable(hold.reason))\n")
            } else {
                try StandardOutput.write("the spool is on hold; `flowspool resume` goes on\n")
            }
        }
    }
}

struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Lift the hold and set both failure counts to 0.",
        discussion: """
            Removing the file .prompt-pipeline.HOLD does the same.

            EXAMPLE
              flowspool resume
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    func run() async throws {
        try await reportingErrors {
            let steering = try Steering(path: spoolOptions.path)
            if let hold = try steering.resume() {
                try StandardOutput.write("the spool goes on; it was on hold: \(printable(hold.reason))\n")
            } else {
                try StandardOutput.write("the spool was not on hold; its failure counts are 0 again\n")
            }
            if try RunnerLock.holder(steering.spool) == nil {
                StandardError.write("no runner is at work: `flowspool watch` starts one\n")
            }
        }
    }
}
