// `approve`, `reject`, `retry`, `cancel`: a person's word on a job. All that can go wrong is decided in `Steering`.

import ArgumentParser
import Spool

struct ApproveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract: "Let held jobs run.",
        discussion: """
            The yes is remembered for the prompt's very bytes: the same prompt is not asked about again, a changed one is. A file
            in held/ that was changed since it was checked is checked anew, and nothing is remembered.

            EXAMPLE
              flowspool approve 7
              flowspool approve --all
            """)

    @OptionGroup var options: SteerOptions

    func run() async throws {
        try await reportingErrors {
            try await options.apply(
                .approve, try options.open(), all: { try $0.jobs(in: .held) },
                told: { $0.reason.isEmpty ? "approved: it waits to run" : $0.reason })
        }
    }
}

struct RejectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject",
        abstract: "Do not run held jobs: they fail as rejected.",
        discussion: """
            A no counts towards neither failure threshold: those halt a spool that fails while nobody looks.

            EXAMPLE
              flowspool reject 7 --reason "wrong host"
            """)

    @OptionGroup var options: SteerOptions

    @Option(help: ArgumentHelp("Kept with the job.", valueName: "text"))
    var reason = ""

    func run() async throws {
        try await reportingErrors {
            try await options.apply(
                .reject(reason: reason), try options.open(), all: { try $0.jobs(in: .held) },
                told: { $0.place == .none ? "rejected: its file is gone" : "rejected: it is in failed/" })
        }
    }
}

struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run finished jobs again, with a fresh budget of attempts.",
        discussion: """
            The prompt goes back to the drop folder and is checked anew. --all means every failed job.
            Classes: \(FailureClass.allCases.map(\.rawValue).joined(separator: ", ")).

            EXAMPLE
              flowspool retry 12
              flowspool retry --all --class timeout
            """)

    @OptionGroup var options: SteerOptions

    @Option(
        name: .customLong("class"),
        help: ArgumentHelp("With --all: only jobs whose last attempt failed for this.", valueName: "class"))
    var failureClass: String?

    func validate() throws {
        guard let failureClass else { return }
        if !options.all { throw ValidationError("--class goes with --all: it chooses among the failed jobs") }
        if FailureClass(rawValue: failureClass) == nil {
            throw ValidationError(
                "“\(printable(failureClass))” is no failure class; use one of: \(FailureClass.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
    }

    func run() async throws {
        try await reportingErrors {
            let wanted = failureClass.flatMap(FailureClass.init(rawValue:))
            try await options.apply(
                .retry, try options.open(), all: { try $0.failedJobs(wanted) }, told: { _ in "waits to run again" })
        }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End jobs that wait, are held or run; their files go to failed/.",
        discussion: """
            What a running job has started is ended first (TERM, after 5 s KILL), and this waits for it. Where no runner is at
            work, a job that one left active is cancelled when the next one starts.

            EXAMPLE
              flowspool cancel 12
              flowspool cancel --all
            """)

    @OptionGroup var options: SteerOptions

    func run() async throws {
        try await reportingErrors {
            try await options.apply(
                .cancel, try options.open(),
                all: { tx in try [JobState.queued, .deferred, .held, .active].flatMap { try tx.jobs(in: $0) }.sorted() },
                told: {
                    $0.state == .cancelled ? "cancelled" : $0.state == .active ? "will be cancelled" : "is \(JobView.word($0))"
                })
        }
    }
}
