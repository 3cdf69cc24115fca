// Real processes, both starters. Children say through a FIFO or their output that they got somewhere; no test waits for time.

import Foundation
import Testing

@testable import Spool

@Suite struct LocalExecutorTests {
    private static let starters = LocalExecutor.Starter.allCases
    /// Long enough never to pass in a test that does not want it to.
    private static let never = 600.0

    private func executor(_ starter: LocalExecutor.Starter, grace: Double = never) -> LocalExecutor {
        LocalExecutor(graceSeconds: grace, starter: starter)
    }

    @Test(arguments: starters) func run_keepsTheOrderOfOutputAndErrors(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        let script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done"
        let result = await executor(starter).run(scratch.bash(script))
        #expect(result.ending == .exited(0))
        #expect(scratch.text("out") == (1...5).map { "out \($0)\nerr \($0)\n" }.joined())
        #expect(scratch.mode("out") == 0o600)
    }

    @Test(arguments: starters) func run_whenChildReopensItsErrorOutput_keepsWhatWasPrintedBefore(
        _ starter: LocalExecutor.Starter
    ) async {
        let scratch = Scratch()
        _ = await executor(starter).run(scratch.bash("echo one; echo two > /dev/stderr; echo three | tee /dev/stderr"))
        #expect(scratch.text("out") == "one\ntwo\nthree\nthree\n")
    }

    /// By its first argument bash knows where it is; with a bare name it looks for itself in each folder of `PATH`.
    @Test(arguments: starters) func run_tellsProgramThatWasLookedForItsPath(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        _ = await executor(starter).run(scratch.bash("tr '\\0' '\\n' < /proc/$$/cmdline | head -n 1; echo $BASH"))
        let places = ["/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash"]
        let program = places.first(where: FileManager.default.isExecutableFile) ?? ""
        #expect(scratch.text("out") == "\(program)\n\(program)\n")
    }

    @Test(arguments: starters) func run_tellsExitSignalAndWhatCouldNotStart(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        #expect(await executor(starter).run(scratch.bash("exit 7")).ending == .exited(7))
        #expect(await executor(starter).run(scratch.bash("kill -SEGV $$")).ending == .signalled(SIGSEGV))
        var command = scratch.bash("true")
        command.executable = "no-such-command"
        #expect(await executor(starter).run(command).ending == .notStarted("no-such-command: command not found in PATH"))
        command = scratch.bash("true")
        command.workingDirectory = "/no/such/folder"
        #expect(
            await executor(starter).run(command).ending
                == .notStarted("working folder /no/such/folder: No such file or directory"))
        // None of them can be handed to execve(2).
        for change in [
            { $0.environment["A"] = "x\0y" }, { $0.environment["A\0B"] = "x" }, { $0.environment[""] = "x" },
            { $0.arguments = ["-c", "true", "x\0"] }, { $0.workingDirectory += "\0" }, { $0.inputPath = "/dev/null\0" },
        ] as [(inout Command) -> Void] {
            command = scratch.bash("true")
            change(&command)
            guard case .notStarted(let text) = await executor(starter).run(command).ending, text.hasPrefix("a NUL byte") else {
                Issue.record("a NUL byte or an empty name was passed on")
                return
            }
        }
        scratch.write("no-program", "\u{7F}ELF nothing")
        chmod(scratch.file("no-program"), 0o700)
        command = scratch.bash("true")
        command.executable = scratch.file("no-program")
        guard case .notStarted = await executor(starter).run(command).ending else {
            Issue.record("what is no program was started")
            return
        }
    }

    @Test(arguments: starters) func child_hasTheEnvironmentByteForByte(_ starter: LocalExecutor.Starter) async throws {
        let scratch = Scratch()
        var command = scratch.bash("")
        command.executable = "env"
        command.arguments = ["-0"]
        for (name, value) in [("EMPTY", ""), ("EQUALS", "a=b="), ("LINES", "a\nb\n"), ("\u{DC}ML", "\u{E4} \u{1F600}")] {
            command.environment[name] = value
        }
        command.environment["LONG"] = String(repeating: "long ", count: 20_000)
        #expect(await executor(starter).run(command).ending == .exited(0))
        let seen = scratch.text("out").split(separator: "\0").map(String.init)
        #expect(Set(seen) == Set(command.environment.map { "\($0.key)=\($0.value)" }) && seen.count == command.environment.count)
    }

    @Test(arguments: starters) func readyCommand_runsAsAnyOther_withATimeLimitThatIsSetLater(
        _ starter: LocalExecutor.Starter
    ) async throws {
        let scratch = Scratch()
        let executor = executor(starter, grace: 0.1)
        let ready = try #require(executor.makeReady(scratch.bash("echo $D; exit 7")))
        // Nothing has run, and all is open.
        #expect(scratch.text("out").isEmpty && openDescriptors(below: scratch.path) == [scratch.file("out")])
        #expect(await executor.run(ready).ending == .exited(7))
        #expect(scratch.text("out") == scratch.path + "\n")
        var endless = try #require(executor.makeReady(scratch.bash("sleep 1000")))
        endless.command.timeoutSeconds = 0.1
        #expect(await executor.run(endless).ending == .timedOut)
    }

    @Test func makeReady_ofWhatCannotStart_leavesTheReasonToRun() {
        let scratch = Scratch()
        var command = scratch.bash("true")
        command.executable = "no-such-command"
        #expect(LocalExecutor().makeReady(command) == nil)
    }

    @Test func readyCommand_thatIsGivenUp_holdsNothingOpen() {
        let scratch = Scratch()
        for _ in 0..<50 { #expect(LocalExecutor().makeReady(scratch.bash("true")) != nil) }
        #expect(openDescriptors(below: scratch.path).isEmpty)
    }

    @Test(arguments: starters) func run_givesTheChildNothingOfItsOwn(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        // A descriptor without close-on-exec, as a careless library leaves one.
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let script = """
            cat; env | sort | grep -v -e ^_= -e ^SHLVL= -e ^PWD=; ls /proc/self/fd | tr '\\n' ' '; echo
            [ "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ ] && echo own group; for s in SigBlk SigIgn; do m=$(grep $s /proc/self/status | cut -f2); echo $s $(( 0x$m & 0x7fffffff )); done
            """
        signal(SIGPIPE, SIG_IGN)
        let result = await executor(starter).run(scratch.bash(script))
        #expect(result.ending == .exited(0))
        #expect(
            scratch.text("out") == """
                D=\(scratch.path)
                FLOWSPOOL_RUN_DIR=\(scratch.path)
                PATH=/usr/local/bin:/usr/bin:/bin
                0 1 2 3\u{20}
                own group
                SigBlk 0
                SigIgn 0

                """)
    }

    @Test(arguments: starters) func run_whenTimeIsUp_endsAGroupThatIgnoresTERM(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        let script =
            "trap '' TERM; (trap '' TERM; echo $BASHPID; while :; do sleep 100; done) & echo $$; while :; do sleep 100; done"
        let result = await executor(starter, grace: 0.1).run(scratch.bash(script, timeoutSeconds: 0.3))
        #expect(result.ending == .timedOut)
        let pids = scratch.text("out").split(separator: "\n")
        #expect(pids.count == 2)
        for pid in pids { #expect(isGone(String(pid))) }
    }

    @Test(arguments: starters) func run_whenEnded_leavesTheGraceToTheWholeGroup(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        // The leader dies of TERM at once; its child cleans up first, and must be let.
        let ready = scratch.fifo("ready")
        let command = scratch.bash(
            "(trap 'sleep 0.2; echo cleaned; exit' TERM; echo ok > $D/ready; while :; do sleep 0.05; done) & sleep 100")
        let task = Task { await executor(starter).run(command) }
        _ = await scratch.line(from: ready)
        task.cancel()
        #expect(await task.value.ending == .cancelled)
        #expect(scratch.text("out").hasSuffix("cleaned\n"))
    }

    @Test(arguments: starters) func run_whenOutputNeverStops_stillTimesOutAndKeepsHeadAndTail(
        _ starter: LocalExecutor.Starter
    ) async {
        let scratch = Scratch()
        let script = "echo first; yes flood | head -n 3000000; echo last"
        let result = await executor(starter).run(scratch.bash(script, bytesMax: 1 << 20))
        #expect(result.ending == .exited(0))
        let text = scratch.text("out")
        #expect(text.utf8.count <= 1 << 20)
        #expect(text.hasPrefix("first\nflood\n") && text.hasSuffix("flood\nlast\n"))
        #expect(text.components(separatedBy: "bytes were cut here").count == 2)
        #expect(await executor(starter).run(scratch.bash("exec yes", timeoutSeconds: 0.2, bytesMax: 65_536)).ending == .timedOut)
    }

    @Test(arguments: starters) func run_whenLeaderExits_endsWhatItLeftInTheBackground(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        let ready = scratch.fifo("ready")
        let script = "(sleep 100 & echo $! > $D/ready; wait) & cat $D/go; exit 3"
        mkfifo(scratch.file("go"), 0o600)
        async let result = executor(starter).run(scratch.bash(script))
        let pid = await scratch.line(from: ready)
        #expect(!isGone(pid))
        await onThread { close(open(scratch.file("go"), O_WRONLY | O_CLOEXEC)) }
        #expect(await result.ending == .exited(3))
        #expect(isGone(pid))
    }

    @Test(arguments: starters) func run_endsADaemonThatLeftGroupAndSession(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        let ready = scratch.fifo("ready")
        let script = "setsid bash -c 'trap \"\" TERM; echo $$ > $D/ready; while :; do sleep 100; done' & cat $D/go"
        mkfifo(scratch.file("go"), 0o600)
        async let result = executor(starter, grace: 0.1).run(scratch.bash(script))
        let pid = await scratch.line(from: ready)
        await onThread { close(open(scratch.file("go"), O_WRONLY | O_CLOEXEC)) }
        #expect(await result.ending == .exited(0))
        #expect(isGone(pid))
    }

    @Test(arguments: starters) func run_whenTimeIsUp_endsADescendantWithoutMark(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        // Own session, empty environment, parent alive: found by descent.
        let script = "setsid -w env -i bash -c 'echo $$; while :; do sleep 100; done'"
        let result = await executor(starter, grace: 0.1).run(scratch.bash(script, timeoutSeconds: 0.5))
        #expect(result.ending == .timedOut)
        #expect(isGone(scratch.text("out")))
    }

    @Test(arguments: starters) func run_whenCancelled_endsTheGroup(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        let ready = scratch.fifo("ready")
        let command = scratch.bash("echo $$ > $D/ready; sleep 100 & wait")
        let task = Task { await executor(starter).run(command) }
        let pid = await scratch.line(from: ready)
        task.cancel()
        #expect(await task.value.ending == .cancelled)
        #expect(isGone(pid))
    }

    @Test(arguments: starters) func run_whenCancelledBefore_startsNothing(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        let command = scratch.bash("echo ran")
        let gate = scratch.fifo("gate")
        let task = Task {
            _ = await scratch.line(from: gate)
            return await executor(starter).run(command)
        }
        task.cancel()
        await onThread { close(open(gate, O_WRONLY | O_CLOEXEC)) }
        #expect(await task.value.ending == .cancelled)
        #expect(!scratch.text("out").contains("ran"))
    }

    @Test(arguments: starters) func run_leavesOthersAlone(_ starter: LocalExecutor.Starter) async {
        let mine = Scratch()
        let other = Scratch()
        let ready = other.fifo("ready")
        let long = Task { await executor(starter).run(other.bash("echo $$ > $D/ready; sleep 100 & wait")) }
        let pid = await other.line(from: ready)
        // Something to sweep, so that the other's processes are looked at.
        #expect(await executor(starter, grace: 0.1).run(mine.bash("setsid sleep 100 & sleep 100 & exit 0")).ending == .exited(0))
        #expect(!isGone(pid))
        long.cancel()
        _ = await long.value
    }

    @Test(arguments: starters) func run_whenOutputIsALinkOrFIFO_refuses(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        scratch.write("precious", "keep")
        symlink(scratch.file("precious"), scratch.file("out"))
        guard case .notStarted(let text) = await executor(starter).run(scratch.bash("echo x")).ending else {
            Issue.record("a link was followed")
            return
        }
        #expect(text.contains("/out"))
        #expect(scratch.text("precious") == "keep")
        unlink(scratch.file("out"))
        mkfifo(scratch.file("out"), 0o600)
        guard case .notStarted = await executor(starter).run(scratch.bash("echo x")).ending else {
            Issue.record("a FIFO was taken for a log")
            return
        }
    }

    @Test(arguments: starters) func run_separatesErrorsWhereAsked(_ starter: LocalExecutor.Starter) async {
        let scratch = Scratch()
        var command = scratch.bash("echo out; echo err >&2; exec >&- 2>&-; sleep 0.05")
        command.errorPath = scratch.file("err")
        #expect(await executor(starter).run(command).ending == .exited(0))
        #expect(scratch.text("out") == "out\n" && scratch.text("err") == "err\n")
        #expect(scratch.mode("err") == 0o600)
        #expect(openDescriptors(below: scratch.path).isEmpty)
    }
}
