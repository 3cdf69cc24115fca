// The entry: which command is meant, by the name the binary was called by or by the first argument, and what holds for all of
// them. Nothing is read or opened here, so that `--help` and completion answer at once.

import ArgumentParser
import Foundation
import Spool

@main struct Flowspool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flowspool",
        abstract: "Turns a folder into a durable job queue for prompt files.",
        discussion: """
            Drop a prompt into the spool: it is checked, stamped, run and filed under done/ or failed/.
            Commands find the spool by --spool, FLOWSPOOL_SPOOL, the nearest spool at or above the working folder, ./spool.

            EXAMPLE
              flowspool init
              flowspool watch
              cp hello.md spool/
              flowspool list
            """,
        version: FlowspoolVersion.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Run",
                subcommands: [
                    InitCommand.self, WatchCommand.self, PipelineCommand.self, ExecCommand.self, PreflightCommand.self,
                    UnstampCommand.self, MiniCommand.self,
                ]),
            CommandGroup(
                name: "Look",
                subcommands: [StatusCommand.self, ListCommand.self, ShowCommand.self, LogsCommand.self, WaitCommand.self]),
            CommandGroup(
                name: "Steer",
                subcommands: [
                    HoldCommand.self, ResumeCommand.self, ApproveCommand.self, RejectCommand.self, RetryCommand.self,
                    CancelCommand.self,
                ]),
            CommandGroup(
                name: "Set up",
                subcommands: [
                    ProfileCommand.self, RunnersCommand.self, ScheduleCommand.self, DoctorCommand.self, FsckCommand.self,
                    PruneCommand.self,
                ]),
        ])

    /// Names that stand for a command of their own (`make install` links them).
    static let aliases = [
        (name: "prompt-preflight", command: "preflight"), (name: "prompt-exec", command: "exec"),
        (name: "prompt-pipeline", command: "pipeline"), (name: "prompt-flow-profile", command: "profile"),
    ]

    /// Not `async`: the main thread of an async program ends in dispatchMain(3), which costs 0.6 ms of a command's start.
    static func main() {
        // A closed pipe is an error of write(2), a broken lease is looked at when it matters; neither ends the process.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGIO, SIG_IGN)
        // Who starts us may ignore the end of children, and hand that on: no child's status would be kept (waitid(2), NOTES).
        signal(SIGCHLD, SIG_DFL)
        // A umask that takes away the owner's own rights would make a spool that its owner cannot open.
        umask(umask(0o077) & 0o077)
        var arguments = Array(CommandLine.arguments.dropFirst())
        let name = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? ""
        if let command = aliases.first(where: { $0.name == name })?.command { arguments.insert(command, at: 0) }
        if runPlain(arguments) { return }
        Task.detached { [arguments] in
            await main(arguments)
            Foundation.exit(0)
        }
        dispatchMain()
    }

    /// Does at once what is asked for often and needs no parser: it builds all the commands first, which takes longer than these.
    ///
    /// - Returns: false, with nothing done, where `arguments` are of another kind.
    private static func runPlain(_ arguments: [String]) -> Bool {
        if arguments == ["--version"] { end(with: Result { try StandardOutput.write(FlowspoolVersion.text + "\n") }) }
        guard arguments.first == "preflight", let work = PreflightRun(plain: arguments.dropFirst()) else { return false }
        let begun = work.begin()
        let thread = CallersThread()
        Task.detached(executorPreference: thread) {
            do {
                end(with: .success(try await work.run(begun)))
            } catch {
                end(with: .failure(error))
            }
        }
        thread.run()
    }

    private static func end(with result: Result<Void, any Error>) -> Never {
        switch result {
        case .success: Foundation.exit(0)
        case .failure(let code as ExitCode): Foundation.exit(code.rawValue)
        case .failure(let error): exit(withError: error)
        }
    }
}

enum FlowspoolVersion {
    /// Semantic version; the CHANGELOG's newest heading is the same.
    static let text = "0.1.0"
}
