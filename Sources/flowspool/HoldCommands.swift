// `hold` and `resume`: the spool as a whole stops starting jobs, or goes on.

import ArgumentParser
import Spool

struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "Put the spool on hold: running jobs finish, nothing new starts.",
        discussion: """
            Returns when the runner has seen it: nothing starts after that. Making the file .prompt-pipeline.HOLD in the spool
            does the same, but nobody waits.

            EXAMPLE
              flowspool hold "disk is being replaced"
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    /// In milliseconds; a runner answers when the commit it is making is done.
    private static let waitMax: Int64 = 10_000

    @Argument(help: ArgumentHelp("Why; shown by status and in the hold file.", valueName: "reason"))
    var reason: [String] = []

    func run() async throws {
        try await reportingErrors {
            let steering = try Steering(path: spoolOptions.path)
            let changes = ChangeWait([steering.spool.control.path])
            let (hold, wasOnHold) = try steering.hold(reason: reason.joined(separator: " "))
            let end = SystemClock().monotonicMilliseconds() + Self.waitMax
            while try !steering.isSeen(hold), SystemClock().monotonicMilliseconds() < end { changes.wait(milliseconds: 200) }
            if try !steering.isSeen(hold) {
                StandardError.write("the runner has not answered yet: until it does, a job that was about to start may\n")
            }
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
