// Ending what a crashed runner left. The tests orphan real processes: a shell starts them and ends before anything is swept.

import CSystemCalls
import Foundation
import Testing

@testable import Spool

@Suite struct StraysTests {
    /// Starts `script` under bash so that it outlives the one who started it, in a group of its own if `setsid`, and returns
    /// the line it wrote to the FIFO `ready`.
    private func orphan(_ scratch: Scratch, _ script: String, environment: [String: String] = [:]) async -> String {
        // From here on orphans fall to this process, which reaps them when it has ended them; init may take its time.
        _ = LocalExecutor()
        let ready = scratch.fifo("ready-\(UUID().uuidString)")
        // Not by Foundation's `Process`, which waits for whoever has its socket, the orphan too; nor by an executor's `run`,
        // which would end the orphan.
        let command = Command(
            executable: "bash", arguments: ["-c", "setsid bash -c \"$SCRIPT\" &"],
            environment: ["PATH": "/usr/bin:/bin", "SCRIPT": script, "READY": ready].merging(environment) { $1 },
            workingDirectory: scratch.path, outputPath: "/dev/null")
        await onThread {
            guard let child = try? Launch(command, outputBytesMax: 4096, programs: ProgramFinder()).start() else { return }
            _ = OwnChildren.wait(for: child.pid)
            close(child.pidfd)
        }
        return await scratch.line(from: ready)
    }

    private func sweep(_ runs: String, grace: Double = 0.1) async -> Int {
        (try? await LocalExecutor(graceSeconds: grace).endStrays(runsDirectory: runs)) ?? -1
    }

    @Test func endStrays_endsTheWholeOrphanedGroup() async {
        let scratch = Scratch()
        let script = "trap '' TERM; sleep 100 & env -i sleep 100 & echo $$ $! > $READY; while :; do wait; sleep 1; done"
        let line = await orphan(scratch, script, environment: ["FLOWSPOOL_RUN_DIR": scratch.file("runs/2026-01-01/1/attempt-1")])
        let pids = line.split(separator: " ").map(String.init)
        #expect(pids.count == 2 && !pids.contains(where: isGone))
        #expect(await sweep(scratch.file("runs")) == 1)
        for pid in pids { #expect(isGone(pid)) }
        #expect(await sweep(scratch.file("runs")) == 0)
    }

    @Test func endStrays_leavesOtherSpoolsAlone() async {
        let scratch = Scratch()
        let script = "echo $$ > $READY; sleep 100"
        let other = await orphan(scratch, script, environment: ["FLOWSPOOL_RUN_DIR": scratch.file("runs-other/1")])
        let none = await orphan(scratch, script)
        #expect(await sweep(scratch.file("runs")) == 0)
        #expect(!isGone(other) && !isGone(none))
        for pid in [other, none] { pid_t(pid).map { _ = kill($0, SIGKILL) } }
    }

    @Test func endStrays_findsASpoolUnderAnotherSpelling() async {
        let scratch = Scratch()
        mkdir(scratch.file("runs"), 0o700)
        mkdir(scratch.file("runs/1"), 0o700)
        symlink(scratch.path, scratch.file("link"))
        let pid = await orphan(
            scratch, "echo $$ > $READY; sleep 100", environment: ["FLOWSPOOL_RUN_DIR": scratch.file("link/runs/1")])
        #expect(await sweep(scratch.file("runs")) == 1)
        #expect(isGone(pid))
    }

    @Test func endStrays_findsAWrittenDownGroupWithoutMark() async {
        let scratch = Scratch()
        mkdir(scratch.file("runs"), 0o700)
        let pid = await orphan(scratch, "echo $$ > $READY; exec env -i sleep 100")
        let leader = pid_t(pid) ?? 0
        let facts = ProcessFacts(pid: leader)
        #expect(facts != nil)
        let file = open(scratch.file("runs/.groups"), O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        let (start, boot, own) = (facts?.startTicks ?? 0, ProcessTable.bootIdentifier(), GroupRecord.number(of: file))
        // Another process of that number, and the record of a spool of which this one is a copy.
        for wrong in ["\(leader) \(start + 1) \(leader) \(boot) \(own)", "\(leader) \(start) \(leader) \(boot) 1:1"] {
            write(file, Array("\(wrong)\n".utf8))
            #expect(await sweep(scratch.file("runs")) == 0)
            #expect(!isGone(pid))
        }
        write(file, Array("\(leader) \(start) \(leader) \(boot) \(own)   \n".utf8))
        #expect(await sweep(scratch.file("runs")) == 1)
        #expect(isGone(pid))
        #expect(scratch.text("runs/.groups").isEmpty)
    }

    /// In the place of what stood there.
    private func write(_ file: Int32, _ bytes: [UInt8]) {
        ftruncate(file, 0)
        #expect(pwrite(file, bytes, bytes.count, 0) == bytes.count)
    }

    @Test func endStrays_sparesItselfAndItsAncestors() async {
        // A nested runner: this process has the mark of the outer spool in its environment.
        let scratch = Scratch()
        let strays = Strays(runsDirectory: scratch.file("runs"))
        #expect(strays.spares(getpid()) && strays.spares(getppid()))
    }

    @Test func run_writesItsGroupDownWhileItRuns() async {
        let scratch = Scratch()
        mkdir(scratch.file("runs"), 0o700)
        let ready = scratch.fifo("ready")
        let executor = LocalExecutor(runsDirectory: scratch.file("runs"))
        let command = scratch.bash("echo $$ > $D/ready; sleep 100")
        let task = Task { await executor.run(command) }
        let leader = await scratch.line(from: ready)
        // The child may be faster than the thread that started it.
        var entries: [GroupRecord.Entry] = []
        while entries.isEmpty {
            await Task.yield()
            entries = GroupRecord.entries(runsDirectory: scratch.file("runs"))
        }
        // As /proc has it, which is not always asked.
        let facts = ProcessFacts(pid: entries[0].leader)
        #expect(entries[0].startTicks == facts?.startTicks)
        task.cancel()
        #expect(await task.value.ending == .cancelled)
        #expect(entries.map { String($0.leader) } == [leader])
        #expect(scratch.mode("runs/.groups") == 0o600)
        #expect(GroupRecord.entries(runsDirectory: scratch.file("runs")).isEmpty)
    }
}
