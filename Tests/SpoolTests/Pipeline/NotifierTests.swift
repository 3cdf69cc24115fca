import Foundation
import Synchronization
import Testing

@testable import Spool

/// Stands for the machine: remembers what it was asked to run, and what the input file said at that time.
private final class RecordingExecutor: Executor {
    let commands = Mutex<[(command: Command, input: String)]>([])
    let ending: CommandResult.Ending
    let output: String

    init(_ ending: CommandResult.Ending, output: String = "") {
        self.ending = ending
        self.output = output
    }

    func run(_ command: Command) async -> CommandResult {
        let input = command.inputPath.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) } ?? "missing"
        commands.withLock { $0.append((command, input)) }
        _ = FileManager.default.createFile(atPath: command.outputPath, contents: Data(output.utf8))
        return CommandResult(ending: ending, durationSeconds: 0)
    }

    func endStrays(runsDirectory: String) async throws -> Int { 0 }
}

@Suite struct NotifierTests {
    private func message(_ event: Notifier.Event = .jobFailed) -> Notifier.Message {
        var message = Notifier.Message(event, at: 0, spool: "/spool", reason: "block 1 exited 3")
        message.job = 7
        message.prompt = "new\nline.md"
        message.status = "failed"
        return message
    }

    private func notify(
        _ executor: RecordingExecutor, in folder: ContractFolder, events: Set<Notifier.Event> = [.jobFailed],
        commands: [[String]] = [["/usr/bin/hook", "a b"]], event: Notifier.Event = .jobFailed
    ) async -> [String] {
        let configurations = commands.map {
            Notifier.Configuration(command: $0, events: events, timeoutSeconds: 3)
        }
        let environment = ["PATH": "/bin", "NOTIFY_SOCKET": "/run/x"]
        return await Notifier(configurations, executor: executor, scratch: folder.directory, environment: environment)
            .notify(message(event))
    }

    @Test func notify_runsTheCommandWithTheEventOnItsInput() async throws {
        let folder = try ContractFolder()
        let executor = RecordingExecutor(.exited(0))
        #expect(await notify(executor, in: folder) == [])
        let (command, input) = try #require(executor.commands.withLock { $0.first })
        #expect(command.executable == "/usr/bin/hook" && command.arguments == ["a b"] && command.timeoutSeconds == 3)
        #expect(command.environment == ["PATH": "/bin", "FLOWSPOOL_EVENT": "job_failed"])
        #expect(
            input == """
                {"event":"job_failed","ts":"1970-01-01T00:00:00Z","spool":"/spool","run_id":null,"job":7,\
                "prompt":"new\\nline.md","status":"failed","reason":"block 1 exited 3","fail_streak":null,"fail_total":null,\
                "run_dir":null}

                """)
        #expect(try folder.names.isEmpty)
    }

    @Test func notify_anEventThatIsNotWanted_runsNothing() async throws {
        let folder = try ContractFolder()
        let executor = RecordingExecutor(.exited(0))
        #expect(await notify(executor, in: folder, event: .batchDone) == [])
        #expect(await notify(executor, in: folder, commands: [[]]) == [])
        #expect(executor.commands.withLock { $0.isEmpty })
    }

    @Test(arguments: [
        (CommandResult.Ending.exited(3), "exited 3: no \\u{1B}[31mroute"), (.signalled(9), "was ended by signal 9"),
        (.timedOut, "took longer than 3.0 s"), (.notStarted("no such file"), "could not be started: no such file"),
    ]) func notify_whenTheCommandFails_tellsItInOneLine(ending: CommandResult.Ending, words: String) async throws {
        let folder = try ContractFolder()
        let failures = await notify(RecordingExecutor(ending, output: "no \u{1B}[31mroute\nmore\n"), in: folder)
        let failure = failures.first
        #expect(failures.count == 1)
        #expect(failure?.hasPrefix("notify job_failed: /usr/bin/hook ") == true)
        #expect(failure?.contains(words) == true, "\(failure ?? "")")
        #expect(try folder.names.isEmpty)
    }

    @Test func notify_whenTheDiskIsFull_tellsItAndRunsNothing() async throws {
        let faults = Faults()
        let folder = try ContractFolder(calls: faults.calls)
        faults.fail(.write, ENOSPC)
        let executor = RecordingExecutor(.exited(0))
        #expect(await notify(executor, in: folder).first?.contains("was not told") == true)
        #expect(executor.commands.withLock { $0.isEmpty })
    }

    @Test func notify_severalCommands_runsEach() async throws {
        let folder = try ContractFolder()
        let executor = RecordingExecutor(.exited(1))
        let failures = await notify(executor, in: folder, commands: [["b"], ["a"]])
        #expect(failures == ["notify job_failed: a exited 1", "notify job_failed: b exited 1"])
    }
}
