// Whole attempts with real shells: marks, what blocks are given and hand on, limits, resuming, and what stands in the run
// folder afterwards.

import Foundation
import Synchronization
import Testing

@testable import Spool

/// One attempt to make: a repository and a run folder of its own.
final class Bench: Sendable {
    let scratch = Scratch()
    let repo: String
    let run: String
    let events = Mutex<[AttemptEvent]>([])

    init() {
        repo = scratch.file("repo")
        run = scratch.file("run")
        mkdir(repo, 0o755)
        mkdir(run, 0o755)
    }

    func block(_ number: Int, _ text: String, shell: Block.Shell = .bash, _ mark: (inout Block.Marks) -> Void = { _ in }) -> Block
    {
        var marks = Block.Marks()
        mark(&marks)
        return Block(number: number, shell: shell, text: text, firstLine: 1, marks: marks)
    }

    func request(_ blocks: [Block], _ change: (inout AttemptRequest) -> Void = { _ in }) -> AttemptRequest {
        let prompt = PromptFile(
            name: "p.md", bytes: Data(), authorBytes: Data(), sha: String(repeating: "a", count: 64), id: "p.md--aaaaaaaaaaaa",
            hasFrontMatter: false, settings: PromptSettings(), body: "", bodyFirstLine: 1, blocks: blocks, findings: [],
            canCarryStamp: true)
        var request = AttemptRequest(
            job: 7, attempt: 2, prompt: prompt, promptPath: scratch.file("active/p.md"), promptDirectory: scratch.path,
            runDirectory: run, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "INHERITED": "yes"], repoRoot: repo)
        change(&request)
        return request
    }

    func make(
        _ request: AttemptRequest, runner: ScriptRunner = ScriptRunner(), grace: Double = 600
    ) async -> AttemptResult {
        await runner.run(request, on: LocalExecutor(graceSeconds: grace)) { event in
            self.events.withLock { $0.append(event) }
        }
    }

    func log(_ number: Int) -> String { scratch.text("run/" + RunFolder.logName(number)) }
}

@Suite struct ScriptRunnerTests {
    @Test func run_makesEveryBlockInOrderAndTellsWhatHappened() async {
        let bench = Bench()
        let result = await bench.make(bench.request([bench.block(1, "echo one\n"), bench.block(2, "echo two\n", shell: .sh)]))
        #expect(result.outcome == .success && result.lastOKBlock == 2 && result.exitCode == 0 && result.gate == .skipped)
        #expect(result.failureClass == nil && result.failedBlock == nil && result.message == "2 blocks ran")
        #expect(bench.log(1) == "one\n" && bench.log(2) == "two\n")
        let events = bench.events.withLock { $0 }
        #expect(
            events == [
                .blockStarted(number: 1, of: 2), .blockFinished(result.blocks[0]),
                .blockStarted(number: 2, of: 2), .blockFinished(result.blocks[1]),
            ])
    }

    @Test(arguments: ["false\necho on\n", "echo $NO_SUCH_VARIABLE\necho on\n", "false | true\necho on\n"])
    func run_stopsAtTheFirstFailure(_ text: String) async {
        let bench = Bench()
        let result = await bench.make(
            bench.request([bench.block(1, "true\n"), bench.block(2, text), bench.block(3, "echo no\n")]))
        #expect(result.outcome == .failed && result.failureClass == .exit && result.failedBlock == 2 && result.lastOKBlock == 1)
        #expect(result.message == "block 2 exited 1")
        #expect(result.blocks.count == 2)
        #expect(!bench.log(2).contains("on\n"))
    }

    @Test func run_obeysMarks() async {
        let bench = Bench()
        let blocks = [
            bench.block(1, "exit 3\n") { $0.isNoncritical = true },
            bench.block(2, "exit 4\n") { $0.expectedExitCode = 4 },
            bench.block(3, "echo never\n") { $0.isSkipped = true },
            bench.block(4, "true\n") { $0.expectedExitCode = 1 },
        ]
        let result = await bench.make(bench.request(blocks))
        #expect(result.blocks.map(\.mark) == ["noncritical", "expect-exit 4", "skip", "expect-exit 1"])
        #expect(result.blocks.map(\.exitCode) == [3, 4, nil, 0])
        #expect(result.blocks.map(\.failureClass) == [.exit, nil, nil, .exit])
        #expect(result.failedBlock == 4 && result.lastOKBlock == 3 && result.message == "block 4 exited 0, expected 1")
        #expect(access(bench.scratch.file("run/block-003.log"), F_OK) == -1)
    }

    @Test func run_whenThePromptForbidsNoncritical_failsAtTheBlock() async {
        let bench = Bench()
        let block = bench.block(1, "exit 3\n") { $0.isNoncritical = true }
        let result = await bench.make(bench.request([block]) { $0.prompt.settings.allowsNoncritical = false })
        #expect(result.outcome == .failed && result.exitCode == 3)
    }

    @Test func run_givesChildrenNamesFoldersAndNoInput() async {
        let bench = Bench()
        mkdir(bench.repo + "/sub", 0o755)
        let text = """
            pwd; cat; echo "$INHERITED $FLOWSPOOL_JOB $FLOWSPOOL_ATTEMPT $FLOWSPOOL_RUN_DIR $FLOWSPOOL_PROMPT $REPO_ROOT $PROMPT_DIR"

            """
        let request = bench.request([bench.block(1, text)]) { $0.prompt.settings.cwd = "sub" }
        #expect(await bench.make(request).outcome == .success)
        let path = bench.scratch.path
        #expect(bench.log(1) == "\(path)/repo/sub\nyes 7 2 \(path)/run \(path)/active/p.md \(path)/repo \(path)\n")
    }

    @Test func run_whenWorkingFolderIsMissing_isARunnerFailure() async {
        let bench = Bench()
        let result = await bench.make(bench.request([bench.block(1, "true\n")]) { $0.prompt.settings.cwd = "nowhere" })
        #expect(result.outcome == .failed && result.failureClass == .runner && result.failedBlock == 1)
        #expect(result.message == "block 1 could not start: working folder \(bench.repo)/nowhere: No such file or directory")
    }

    /// The machine has no room for a script. A mark forgives what a block does, not that it does nothing.
    @Test(arguments: [1, 2]) func run_whenABlockCouldNotRun_saysWhatWasRefused(_ number: Int) async {
        let bench = Bench()
        let calls = SystemCalls { call, path in call == .openat && path.hasSuffix(RunFolder.blockName(number)) ? ENOSPC : nil }
        let request = bench.request([
            bench.block(1, "echo one\n") { $0.isNoncritical = true }, bench.block(2, "echo two\n") { $0.isNoncritical = true },
        ])
        let result = await bench.make(request, runner: ScriptRunner(calls: calls))
        #expect(result.outcome == .failed && result.failureClass == .runner && result.failedBlock == number)
        #expect(result.refusal?.errno == ENOSPC && result.lastOKBlock == number - 1)
    }

    @Test func run_handsOnWhatBlocksWriteToTheEnvironmentFile() async {
        let bench = Bench()
        let one = """
            printf 'A=1\\nB=x=y z\\n\\nFLOWSPOOL_JOB=99\\nREPO_ROOT=/\\n1BAD=x\\nno line\\nC=\\377\\n' >> "$FLOWSPOOL_ENV"
            printf 'LAST=unended' >> "$FLOWSPOOL_ENV"

            """
        let two = "echo \"$A/$B/$LAST/$FLOWSPOOL_JOB/$REPO_ROOT/${C-unset}\"; echo 'A=2' >> \"$FLOWSPOOL_ENV\"\n"
        let three = "echo $A; echo D=lost >> \"$FLOWSPOOL_ENV\"; exit 1\n"
        let result = await bench.make(bench.request([bench.block(1, one), bench.block(2, two), bench.block(3, three)]))
        #expect(bench.log(2) == "1/x=y z/unended/7/\(bench.repo)/unset\n")
        #expect(bench.log(3) == "2\n")
        // What the failed block wrote is not handed on: a retry begins with that block.
        #expect(result.carriedEnvironment == ["A": "2", "B": "x=y z", "LAST": "unended"])
        #expect(
            bench.log(1) == """
                [flowspool: $FLOWSPOOL_ENV line 4 was left out: FLOWSPOOL_JOB is set by flowspool]
                [flowspool: $FLOWSPOOL_ENV line 5 was left out: REPO_ROOT is set by flowspool]
                [flowspool: $FLOWSPOOL_ENV line 6 was left out: it is not NAME=value]
                [flowspool: $FLOWSPOOL_ENV line 7 was left out: it is not NAME=value]
                [flowspool: $FLOWSPOOL_ENV line 8 was left out: it is not text]

                """)
    }

    @Test(arguments: [
        "rm $FLOWSPOOL_ENV; mkfifo $FLOWSPOOL_ENV", "ln -sf /etc/passwd $FLOWSPOOL_ENV",
        "head -c 300000 /dev/zero > $FLOWSPOOL_ENV",
    ])
    func run_whenEnvironmentFileIsNoUsableFile_stops(_ text: String) async {
        let bench = Bench()
        let result = await bench.make(bench.request([bench.block(1, text), bench.block(2, "echo on")]))
        #expect(result.outcome == .failed && result.failureClass == .runner && result.failedBlock == 1)
        #expect(result.blocks.count == 1)
    }

    @Test func run_resumesAtAGivenBlockWithWhatWasCarried() async {
        let bench = Bench()
        let request = bench.request([bench.block(1, "exit 9\n"), bench.block(2, "echo $A\n")]) {
            $0.firstBlock = 2
            $0.carriedEnvironment = ["A": "kept", "FLOWSPOOL_JOB": "1"]
        }
        let result = await bench.make(request)
        #expect(result.outcome == .success && result.lastOKBlock == 2 && result.blocks.map(\.block) == [2])
        #expect(bench.log(2) == "kept\n")
        #expect(result.carriedEnvironment == ["A": "kept"])
    }

    @Test func run_whenABlockOrTheJobIsOutOfTime_saysWhich() async {
        let bench = Bench()
        let block = bench.block(1, "sleep 100\n") { $0.timeoutSeconds = 0.2 }
        var result = await bench.make(bench.request([block]))
        #expect(result.outcome == .failed && result.failureClass == .timeout && result.failedBlock == 1 && result.exitCode == nil)
        #expect(result.message == "block 1 was ended after its time limit of 0.2 s")

        let tolerated = [bench.block(1, "true"), bench.block(2, "sleep 100") { $0.isNoncritical = true }, bench.block(3, "true")]
        result = await bench.make(bench.request(tolerated) { $0.timeoutSeconds = 0.3 })
        #expect(result.failureClass == .timeout && result.failedBlock == 2)
        #expect(result.message == "block 2 was ended: the time limit of the job (0.3 s) was reached")
    }

    @Test func run_tellsASignal() async {
        let bench = Bench()
        let result = await bench.make(bench.request([bench.block(1, "kill -KILL $$\n")]))
        #expect(result.failureClass == .signal && result.message == "block 1 was ended by signal 9 (Killed)")
        #expect(result.exitCode == nil)
    }

    @Test func run_whenCancelled_isCancelledAndLeavesNothing() async {
        let bench = Bench()
        let ready = bench.scratch.fifo("ready")
        let request = bench.request([bench.block(1, "echo $$ > \(ready); sleep 100\n"), bench.block(2, "echo on\n")])
        let task = Task { await bench.make(request) }
        let pid = await bench.scratch.line(from: ready)
        task.cancel()
        let result = await task.value
        #expect(result.outcome == .cancelled && result.message == "cancelled in block 1" && result.blocks.count == 1)
        #expect(isGone(pid))
        #expect(bench.scratch.text("run/result.json").contains("\"outcome\": \"cancelled\""))
    }

    @Test func run_writesTheResultAndKeepsEverythingPrivate() async throws {
        let bench = Bench()
        let block = bench.block(1, "echo SECRET=hidden >> $FLOWSPOOL_ENV; exit 2\n")
        _ = await bench.make(bench.request([block]))
        let result = try JSON.parse(bench.scratch.text("run/result.json"))
        #expect(
            result["job"] == 7 && result["attempt"] == 2 && result["outcome"] == "failed" && result["failure_class"] == "exit")
        #expect(result["exit_code"] == 2 && result["failed_block"] == 1 && result["completion_gate"] == "skipped")
        #expect(result["blocks"]?.arrayValue?.first?["log"] == "block-001.log")
        #expect(!bench.scratch.text("run/result.json").contains("hidden"))
        #expect(bench.scratch.mode("run") == 0o700)
        for name in ["result.json", "block-001.sh", "block-001.log", "env"] {
            #expect(bench.scratch.mode("run/" + name) == 0o600)
        }
    }

    @Test func run_survivesStrangeBlocks() async {
        let bench = Bench()
        let long = "x=\(String(repeating: "y", count: 1 << 20))\necho ${#x}\n"
        var result = await bench.make(
            bench.request([bench.block(1, long), bench.block(2, ""), bench.block(3, "echo r\u{E9}sum\u{E9}\r\n")]))
        #expect(bench.log(1) == "1048576\n")
        #expect(result.lastOKBlock == 3)
        // bash takes a text with a NUL in its first line for a program that it cannot run.
        result = await bench.make(bench.request([bench.block(1, "echo a\0b\n")]))
        #expect(result.outcome == .failed && result.exitCode == 126)
    }

    @Test func run_whenShellIsMissing_isARunnerFailure() async {
        let bench = Bench()
        let result = await bench.make(
            bench.request([bench.block(1, "true", shell: .zsh)]) { $0.environment["PATH"] = "/nowhere" })
        #expect(result.failureClass == .runner && result.message == "block 1 could not start: zsh: command not found in PATH")
    }

    @Test func run_boundsTheLogsOfOneAttempt() async {
        let bench = Bench()
        let flood = "echo begin; seq 400000; echo end\n"
        let request = bench.request([bench.block(1, flood), bench.block(2, flood)])
        let result = await bench.make(request, runner: ScriptRunner(logBytesMax: 1 << 20))
        #expect(result.outcome == .success)
        for number in [1, 2] { #expect(bench.log(number).hasPrefix("begin\n") && bench.log(number).hasSuffix("400000\nend\n")) }
        #expect(bench.log(1).utf8.count + bench.log(2).utf8.count <= (1 << 20) + (64 << 10))
    }

    @Test func run_whenTheRunFolderIsMissing_isARunnerFailure() async {
        let bench = Bench()
        let result = await bench.make(bench.request([bench.block(1, "true")]) { $0.runDirectory = "/no/such/run" })
        #expect(result.outcome == .failed && result.failureClass == .runner && result.message.contains("/no/such/run"))
    }
}

@Suite struct ReadyBlockTests {
    /// Counts which of its two ways a command came.
    private final class CountingExecutor: Executor {
        private let live = LocalExecutor()
        let commands = Mutex(0)
        let readyOnes = Mutex(0)

        func run(_ command: Command) async -> CommandResult {
            commands.withLock { $0 += 1 }
            return await live.run(command)
        }
        func makeReady(_ command: Command) -> ReadyCommand? { live.makeReady(command) }
        func begin(_ ready: ReadyCommand, reading script: HeldScript) -> ReadyCommand? { live.begin(ready, reading: script) }
        func run(_ ready: ReadyCommand) async -> CommandResult {
            readyOnes.withLock { $0 += 1 }
            return await live.run(ready)
        }
        func endStrays(runsDirectory: String) async throws -> Int { 0 }
    }

    private let text = "echo $INHERITED $FLOWSPOOL_PROMPT; echo NEXT=$FLOWSPOOL_JOB >> $FLOWSPOOL_ENV\n"

    private func run(
        on executor: CountingExecutor, _ bench: Bench, _ readiness: Readiness, change: (inout AttemptRequest) -> Void
    ) async throws -> AttemptResult {
        var request = bench.request([bench.block(1, text), bench.block(2, "echo $NEXT $INHERITED\n")])
        let ready = try #require(ScriptRunner().makeReady(request, readiness, on: executor))
        #expect(ready.first?.block == 1 && bench.log(1).isEmpty)
        #expect((ready.first?.command.shell != nil) == (readiness == .begun))
        change(&request)
        request.ready = ready
        return await ScriptRunner().run(request, on: executor) { _ in }
    }

    @Test(arguments: [Readiness.child, .begun])
    func firstBlock_startsWithWhatWasMadeReady(_ readiness: Readiness) async throws {
        let (bench, executor) = (Bench(), CountingExecutor())
        let result = try await run(on: executor, bench, readiness) { _ in }
        #expect(result.outcome == .success && result.lastOKBlock == 2)
        #expect(bench.log(1) == "yes \(bench.scratch.file("active/p.md"))\n" && bench.log(2) == "7 yes\n")
        #expect(executor.readyOnes.withLock { $0 } == 1 && executor.commands.withLock { $0 } == 1)
    }

    /// The settings of the run, or the name of the file, are not what they were.
    @Test(arguments: [0, 1], [Readiness.child, .begun])
    func firstBlock_isMadeAnew_whereTheRequestHasChanged(_ what: Int, _ readiness: Readiness) async throws {
        let (bench, executor) = (Bench(), CountingExecutor())
        let result = try await run(on: executor, bench, readiness) {
            if what == 0 { $0.environment["INHERITED"] = "no" } else { $0.promptPath = bench.scratch.file("active/p.7.md") }
        }
        #expect(result.outcome == .success && result.lastOKBlock == 2)
        let shown = what == 0 ? "no \(bench.scratch.file("active/p.md"))" : "yes \(bench.scratch.file("active/p.7.md"))"
        #expect(bench.log(1) == shown + "\n" && bench.log(2) == (what == 0 ? "7 no\n" : "7 yes\n"))
        #expect(executor.readyOnes.withLock { $0 } == 0 && executor.commands.withLock { $0 } == 2)
    }

    /// A limit of the attempt holds for a child that was made ready before its time began.
    @Test(arguments: [Readiness.child, .begun]) func firstBlock_hasItsTimeLimit(_ readiness: Readiness) async throws {
        let (bench, executor) = (Bench(), CountingExecutor())
        var request = bench.request([bench.block(1, "sleep 1000\n") { $0.timeoutSeconds = 0.1 }])
        request.ready = ScriptRunner().makeReady(request, readiness, on: executor)
        let result = await ScriptRunner().run(request, on: executor) { _ in }
        #expect(result.failureClass == .timeout && executor.readyOnes.withLock { $0 } == 1)
    }

    /// Where a block is to wait for its turn, nothing is held open for it.
    @Test func whereItsTurnIsFar_onlyFilesAreMade() throws {
        let bench = Bench()
        let request = bench.request([bench.block(1, "true\n")])
        let ready = try #require(ScriptRunner().makeReady(request, .files, on: CountingExecutor()))
        #expect(ready.first == nil && ready.files.contains(RunFolder.blockName(1)))
    }
}
