// Shared by the tests of agents: a repository, a folder of stand-in programs, and the real runner over the real executor.

import Foundation

@testable import Spool

/// A spool-less place where agents run, removed with the value.
final class AgentBench: Sendable {
    let scratch = Scratch()
    var bin: String { scratch.file("bin") }
    var repo: String { scratch.file("repo") }

    init() {
        for name in ["bin", "repo", "runs"] { mkdir(scratch.file(name), 0o700) }
    }

    var environment: [String: String] {
        [
            "PATH": "\(bin):/usr/local/bin:/usr/bin:/bin", "HOME": scratch.path, "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        ]
    }

    /// Makes a program of bash; `$D` is the bench's folder.
    func program(_ name: String, _ script: String) {
        let path = bin + "/" + name
        _ = FileManager.default.createFile(atPath: path, contents: Data("#!/bin/bash\nD=\(scratch.path)\n\(script)\n".utf8))
        chmod(path, 0o755)
    }

    /// A program that keeps its arguments and its standard input, prints these streams, and exits.
    func plays(_ name: String, out: String, errors: String = "", exit: Int = 0) {
        scratch.write("\(name).out", out)
        scratch.write("\(name).err", errors)
        program(
            name,
            """
            [[ "$1" == --help ]] && { echo "  --permission-prompts <mode>"; exit 0; }
            printf '%s\\n' "$@" > $D/\(name).args
            cat > $D/\(name).in
            cat $D/\(name).out; cat $D/\(name).err >&2
            exit \(exit)
            """)
    }

    func git(_ arguments: String...) async {
        let command = Command(
            executable: "git", arguments: arguments, environment: environment, workingDirectory: repo,
            outputPath: scratch.file("git"))
        _ = await LocalExecutor().run(command)
    }

    func makeRepository() async {
        await git("init", "-q", "-b", "main")
        _ = FileManager.default.createFile(atPath: repo + "/a.txt", contents: Data("a\n".utf8))
        await git("add", ".")
        await git("commit", "-qm", "one")
    }

    func context(_ yaml: String = "", environment more: [String: String] = [:]) throws -> RunnerContext {
        let configuration = try SpoolConfiguration(contents: Data(yaml.utf8), path: "spool.yaml")
        return try RunnerContext(configuration, environment: environment.merging(more) { $1 })
    }

    func request(_ prompt: String, job: Int64 = 1, timeoutSeconds: Double = 60, name: String = "p.md") -> AttemptRequest {
        let run = scratch.file("runs/\(job)")
        mkdir(run, 0o700)
        return AttemptRequest(
            job: job, attempt: 1, prompt: PromptFile.read(name: name, bytes: Data(prompt.utf8)), promptPath: scratch.file(name),
            promptDirectory: scratch.path, runDirectory: run, environment: environment, repoRoot: repo,
            timeoutSeconds: timeoutSeconds)
    }

    func run(
        _ prompt: String, _ yaml: String = "", job: Int64 = 1, timeoutSeconds: Double = 60, meter: UsageMeter = UsageMeter(),
        now: Int64 = 1_767_323_045_000, executor: any Executor = LocalExecutor(graceSeconds: 1), spool: String? = nil,
        environment: [String: String] = [:]
    ) async throws -> AttemptResult {
        let runner = AgentRunner(
            context: try context(yaml, environment: environment), meter: meter, spoolPath: spool, clock: FixedWall(wall: now),
            timeZone: .gmt)
        return await runner.run(request(prompt, job: job, timeoutSeconds: timeoutSeconds), on: executor) { _ in }
    }
}

/// A wall clock that stands still; everything else is the machine's.
struct FixedWall: SpoolClock {
    var wall: Int64
    func wallMilliseconds() -> Int64 { wall }
    func monotonicMilliseconds() -> Int64 { SystemClock().monotonicMilliseconds() }
    func sleep(milliseconds: Int64) async throws { try await SystemClock().sleep(milliseconds: milliseconds) }
}

/// A machine that would not start programs of these names.
struct Refusing: Executor {
    private let local = LocalExecutor(graceSeconds: 1)
    private let names: Set<String>
    /// What the system call says; nil: it is not installed, which none is asked for.
    private let code: Int32?

    init(_ names: Set<String>, _ code: Int32?) {
        self.names = names
        self.code = code
    }

    func run(_ command: Command) async -> CommandResult {
        guard names.contains(command.executable) else { return await local.run(command) }
        let cause = code.map { SystemCallError(call: .clone, path: command.executable, errno: $0) }
        return CommandResult(ending: .notStarted("refused"), durationSeconds: 0, cause: cause)
    }

    func endStrays(runsDirectory: String) async throws -> Int { 0 }
}
