// Shells that begin before their scripts are there: real ones, which wait in open(2) as the kernel makes them.

import CSystemCalls
import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.timeLimit(.minutes(1))) struct HeldShellTests {
    private let bench = Bench()
    private let executor = LocalExecutor()
    private static let script = RunFolder.blockName(1)

    private func begin(_ request: AttemptRequest, runner: ScriptRunner = ScriptRunner()) -> ReadyAttempt? {
        runner.makeReady(request, .begun, on: executor)
    }

    private func request(_ text: String, _ change: (inout AttemptRequest) -> Void = { _ in }) -> AttemptRequest {
        bench.request([bench.block(1, text)], change)
    }

    private func run(_ request: AttemptRequest, _ ready: ReadyAttempt?, runner: ScriptRunner = ScriptRunner()) async
        -> AttemptResult
    {
        var request = request
        request.ready = ready
        return await runner.run(request, on: executor) { event in bench.events.withLock { $0.append(event) } }
    }

    private func shell(_ ready: ReadyAttempt?) throws -> HeldShell { try #require(ready?.first?.command.shell) }

    /// It sleeps in openat(2): no other call of its beginning sleeps and has AT_FDCWD as its first argument (proc(5), `syscall`).
    private func waitUntilItWaits(_ shell: HeldShell) async throws {
        func read(_ name: String) -> String {
            (try? String(contentsOfFile: "/proc/\(shell.child.pid)/\(name)", encoding: .utf8)) ?? ""
        }
        func sleepsInOpen() -> Bool {
            let call = read("syscall").split(separator: " ")
            return read("stat").contains(") S ") && call.count > 1 && call[1].hasSuffix("ffffff9c")
        }
        while !sleepsInOpen() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    private func isThere(_ name: String) -> Bool { access(bench.scratch.file(name), F_OK) == 0 }

    @Test func block_runsNotBeforeItsRelease_andThenAsAnyOther() async throws {
        let text = "touch \(bench.scratch.file("ran"))\necho $0 ${BASH_SOURCE[0]} $LINENO $-\nexit 7\n"
        let request = request(text)
        let ready = begin(request)
        let shell = try shell(ready)
        try await waitUntilItWaits(shell)
        // Nobody else gets at the file either, and what it holds is not the block.
        #expect(open(bench.scratch.file("run/" + Self.script), O_RDONLY | O_NONBLOCK) == -1 && errno == EWOULDBLOCK)
        var status = stat()
        #expect(stat(bench.scratch.file("run/" + Self.script), &status) == 0 && status.st_size == HeldScript.placeholder.count)
        #expect(!isThere("ran") && bench.log(1).isEmpty)

        let result = await run(request, ready)
        #expect(result.failureClass == .exit && result.exitCode == 7 && isThere("ran"))
        let begun = bench.log(1)
        #expect(bench.scratch.text("run/" + Self.script) == text)
        #expect(bench.events.withLock { $0 }.first == .blockStarted(number: 1, of: 1))
        #expect(isGone("\(shell.child.pid)"))
        // The same once more, in the ordinary way.
        let plain = await run(request, nil)
        #expect(plain.exitCode == 7 && bench.log(1) == begun && begun.contains("/\(Self.script) "))
    }

    /// Shorter than what stands in its place, as long, longer than a pipe; released before the shell has come so far.
    @Test(arguments: [
        "", ":", String(repeating: "#", count: HeldScript.placeholder.count), String(repeating: ": x\n", count: 60_000),
    ])
    func block_replacesThePlaceholder(_ text: String) async throws {
        let request = request(text)
        let ready = begin(request)
        _ = try shell(ready)
        let result = await run(request, ready)
        #expect(result.outcome == .success && bench.log(1).isEmpty && bench.scratch.text("run/" + Self.script) == text)
    }

    @Test func shellThatIsGivenUp_hasRunNothing_andLeavesNothing() async throws {
        var pids: [pid_t] = []
        for waits in [true, false] {
            let ready = begin(request("touch \(bench.scratch.file("ran"))\n"))
            let shell = try shell(ready)
            pids.append(shell.child.pid)
            if waits { try await waitUntilItWaits(shell) }
            ready?.first?.giveUp()
            #expect(isGone("\(shell.child.pid)"))
            // Once is enough.
            ready?.first?.giveUp()
            #expect(!shell.release())
        }
        // With its last holder as well.
        try pids.append(shell(begin(request("touch \(bench.scratch.file("ran"))\n"))).child.pid)
        #expect(pids.allSatisfy { isGone("\($0)") } && !isThere("ran"))
        #expect(bench.scratch.text("run/" + Self.script).utf8.elementsEqual(HeldScript.placeholder))
        #expect(openDescriptors(below: bench.scratch.path).isEmpty)
    }

    /// The turn has come for another request, or the shell was ended meanwhile: the block runs, once, in the ordinary way.
    @Test func blockWhoseShellIsGone_runsOnce() async throws {
        let request = request("echo ran >> \(bench.scratch.file("trace"))\n")
        let ready = begin(request)
        try shell(ready).giveUp()
        let result = await run(request, ready)
        #expect(result.outcome == .success && bench.scratch.text("trace") == "ran\n")
        #expect(bench.events.withLock { $0.count } == 2)
    }

    /// It is gone before another script stands under the name that it is about to open.
    @Test func shellOfAnotherRequest_isGoneBeforeTheBlockRuns() async throws {
        let pid = bench.scratch.file("pid")
        let request = request("kill -0 $(cat \(pid)) 2> /dev/null || echo gone\n")
        let ready = begin(request)
        bench.scratch.write("pid", "\(try shell(ready).child.pid)")
        var other = request
        other.environment["INHERITED"] = "no"
        #expect(await run(other, ready).outcome == .success && bench.log(1) == "gone\n")
    }

    /// Held for longer than a lease is relied on, or not to be written: it is not let go then, and its file is free.
    @Test(arguments: [(0, nil), (600, ENOSPC)] as [(Double, Int32?)])
    func shellThatCannotBeReleased_isEnded(_ secondsMax: Double, _ fault: Int32?) async throws {
        let calls = SystemCalls { call, path in call == .write && path.hasSuffix(Self.script) ? fault : nil }
        try RunFolder(path: bench.run).write(Self.script, HeldScript.placeholder)
        let text = Data("touch \(bench.scratch.file("ran"))\n".utf8)
        let script = try #require(
            HeldScript(Self.script, in: try RunFolder(path: bench.run, calls: calls), text: text, secondsMax: secondsMax))
        var command = bench.scratch.bash("")
        command.arguments = [bench.scratch.file("run/" + Self.script)]
        let ready = try #require(executor.makeReady(command))
        let begun = try #require(executor.begin(ready, reading: script))
        let shell = try #require(begun.shell)
        #expect(!shell.release() && isGone("\(shell.child.pid)") && !isThere("ran"))
        #expect(bench.scratch.text("run/" + Self.script).utf8.elementsEqual(HeldScript.placeholder))
        #expect(await executor.run(begun).ending == .notStarted("its script was not released, or it was run before"))
    }

    /// A disk that is full for a moment: the block is written again, and runs once.
    @Test func blockThatCannotBeWrittenAtFirst_runsOnce() async throws {
        let faults = Mutex(0)
        let calls = SystemCalls { call, path in
            guard call == .write, path.hasSuffix(Self.script) else { return nil }
            // The first write is that of the placeholder, the second one the release's.
            return faults.withLock { count in
                count += 1
                return count == 2 ? ENOSPC : nil
            }
        }
        let runner = ScriptRunner(calls: calls)
        let request = request("echo ran >> \(bench.scratch.file("trace"))\n")
        let ready = begin(request, runner: runner)
        let pid = try shell(ready).child.pid
        let result = await run(request, ready, runner: runner)
        #expect(result.outcome == .success && bench.scratch.text("trace") == "ran\n" && isGone("\(pid)"))
        #expect(faults.withLock { $0 } == 3)
    }

    /// No lease is to be had, because somebody has the file open, or the executor does not start children so: nothing but time is lost.
    @Test(arguments: [true, false]) func shellThatCannotBegin_isStartedInTheOrdinaryWay(_ isOpen: Bool) async throws {
        let request = request("echo ran >> \(bench.scratch.file("trace"))\n")
        try RunFolder(path: bench.run).write(Self.script, HeldScript.placeholder)
        let descriptor = isOpen ? open(bench.scratch.file("run/" + Self.script), O_RDWR | O_CLOEXEC) : -1
        defer { if isOpen { close(descriptor) } }
        let executor = LocalExecutor(starter: isOpen ? .direct : .subprocess)
        let ready = ScriptRunner().makeReady(request, .begun, on: executor)
        #expect(ready != nil && ready?.first == nil)
        #expect(await run(request, ready).outcome == .success && bench.scratch.text("trace") == "ran\n")
    }

    /// Where a lease does not hold, nothing is taken for a success.
    @Test func whoeverReadsThePlaceholder_endsByASignal() async throws {
        bench.scratch.write("early.sh", String(decoding: HeldScript.placeholder, as: UTF8.self))
        for name in ["bash", "sh"] {
            var command = bench.scratch.bash("")
            (command.executable, command.arguments) = (name, [bench.scratch.file("early.sh")])
            #expect(await executor.run(command).ending == .signalled(SIGKILL))
        }
    }

    /// What a shell would run before its script must wait for the claim like the block itself.
    @Test(arguments: ["BASH_ENV", "ENV"]) func shellWithAFileOfItsOwn_doesNotBegin(_ name: String) async throws {
        bench.scratch.write("own.sh", "echo own >> \(bench.scratch.file("trace"))\n")
        let request = request("echo block >> \(bench.scratch.file("trace"))\n") {
            $0.environment[name] = bench.scratch.file("own.sh")
        }
        let ready = begin(request)
        #expect(ready?.first != nil && ready?.first?.command.shell == nil && !isThere("trace"))
        #expect(await run(request, ready).outcome == .success)
        #expect(bench.scratch.text("trace") == (name == "BASH_ENV" ? "own\nblock\n" : "block\n"))
        let carried = self.request("true\n") { $0.carriedEnvironment[name] = "x" }
        let zsh = bench.request([bench.block(1, "true\n", shell: .zsh)])
        #expect(!ScriptAttempt.beginsWithScript(carried) && !ScriptAttempt.beginsWithScript(zsh))
    }

    @Test func sh_beginsAsWell() async throws {
        let request = bench.request([bench.block(1, "echo $0\n", shell: .sh)])
        let ready = begin(request)
        try await waitUntilItWaits(try shell(ready))
        #expect(await run(request, ready).outcome == .success)
        #expect(bench.log(1) == bench.scratch.file("run/" + Self.script) + "\n")
    }

    /// A cancellation ends it as any other.
    @Test func cancelledAttempt_endsTheShell() async throws {
        let request = request("sleep 1000\n")
        let ready = begin(request)
        let shell = try shell(ready)
        let task = Task { await run(request, ready) }
        task.cancel()
        #expect(await task.value.outcome == .cancelled && isGone("\(shell.child.pid)"))
    }

    /// It is found after the runner was killed, like any other.
    @Test func shell_isInTheRecordOfGroups_untilItIsGone() async throws {
        let runs = bench.scratch.file("runs")
        mkdir(runs, 0o700)
        let executor = LocalExecutor(runsDirectory: runs)
        let ready = ScriptRunner().makeReady(request("true\n"), .begun, on: executor)
        let shell = try shell(ready)
        #expect(GroupRecord.entries(runsDirectory: runs).map(\.leader) == [shell.child.pid])
        ready?.first?.giveUp()
        #expect(GroupRecord.entries(runsDirectory: runs).isEmpty)
    }

    /// The thread that starts it may keep to one processor; the child does not.
    @Test func child_hasTheProcessorsOfTheProcess() async throws {
        let scratch = Scratch()
        let executor = executor
        let ready = try #require(executor.makeReady(scratch.bash("grep ^Cpus_allowed: /proc/self/status")))
        // The child ends with the thread that starts it.
        let ending = await onThread {
            SideThread.keepingThisOne { () -> OwnChildren.Ending? in
                guard let (pid, pidfd) = try? ready.launch.start() else { return nil }
                defer { close(pidfd) }
                return OwnChildren.wait(for: pid)
            }
        }
        #expect(ending == .exited(0))
        for stream in ready.launch.streams { stream.finish() }
        let own = try String(contentsOfFile: "/proc/\(getpid())/status", encoding: .utf8)
        let mask = own.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        #expect(mask != nil && scratch.text("out") == "\(mask ?? "")\n")
    }
}
