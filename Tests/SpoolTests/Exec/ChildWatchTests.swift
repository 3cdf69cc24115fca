// The watch over a child, where what it looks at changes while it looks.

import CSystemCalls
import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct ChildWatchTests {
    /// What the leader left is listed, and has ended when it is looked at: its own child has fallen to this process, and is in no list yet.
    @Test func endRemains_whenAListedChildEnds_endsItsChildrenToo() async throws {
        let scratch = Scratch()
        // Adopts orphans.
        _ = LocalExecutor(graceSeconds: 600)
        let ready = scratch.fifo("ready")
        let go = scratch.fifo("go")
        let launch = try Launch(
            scratch.bash("(sleep 100 & echo $BASHPID $! > $D/ready; wait) & cat $D/go"), outputBytesMax: 4096,
            programs: ProgramFinder())
        let (leader, pidfd) = try launch.start()
        defer { close(pidfd) }
        let pids = await scratch.line(from: ready).split(separator: " ").compactMap { pid_t($0) }
        try #require(pids.count == 2)
        await onThread { close(open(go, O_WRONLY | O_CLOEXEC)) }

        let cancel = try CancelSignal()
        let endings = await onThread {
            for stream in launch.streams { stream.closeWriteEnd() }
            var listings = 0
            var watch = ChildWatch(
                leader: leader, runDirectory: launch.runDirectory, streams: launch.streams, cancel: cancel, deadline: nil,
                graceSeconds: 600
            ) {
                let children = ProcessTable.ownChildren()
                listings += 1
                if listings == 1 { Self.end(pids[0]) }
                return children
            }
            _ = watch.waitForLeader(pidfd: pidfd)
            _ = OwnChildren.wait(for: leader)
            watch.endRemains()
            return pids.map { isGone(String($0)) }
        }
        #expect(endings == [true, true])
        if !endings[1] { kill(pids[1], SIGKILL) }
    }

    /// A job of `set -m` has a group of its own, in this session. It ends by itself, and nobody else waits for it.
    @Test func endRemains_whenAJobOfItsOwnGroupHasEnded_leavesNoZombie() async throws {
        let scratch = Scratch()
        // Adopts orphans.
        _ = LocalExecutor(graceSeconds: 600)
        let ready = scratch.fifo("ready")
        let programs = ProgramFinder()
        let launch = try Launch(
            scratch.bash("set -m; (echo $BASHPID > $D/ready; exec sleep 100) & cat $D/go"), outputBytesMax: 4096,
            programs: programs)
        // A child of this process that nobody has waited for yet.
        let other = try Launch(scratch.bash("exit 7"), outputBytesMax: 4096, programs: programs)
        let go = scratch.fifo("go")
        let cancel = try CancelSignal()
        let (job, ending) = await onThread { () -> (String, OwnChildren.Ending?) in
            guard let (otherChild, otherPidfd) = try? other.start() else { return ("not started", nil) }
            defer { close(otherPidfd) }
            Self.waitForEnd(otherPidfd)
            guard let (leader, pidfd) = try? launch.start() else { return ("not started", nil) }
            defer { close(pidfd) }
            let job = String(decoding: FileHandle(forReadingAtPath: ready)?.readDataToEndOfFile() ?? Data(), as: UTF8.self)
            close(open(go, O_WRONLY | O_CLOEXEC))
            var watch = ChildWatch(
                leader: leader, runDirectory: launch.runDirectory, streams: launch.streams, cancel: cancel,
                deadline: nil, graceSeconds: 600)
            _ = watch.waitForLeader(pidfd: pidfd)
            _ = OwnChildren.wait(for: leader)
            pid_t(job.trimmingCharacters(in: .newlines)).map(Self.end)
            watch.endRemains()
            return (job, OwnChildren.wait(for: otherChild))
        }
        #expect(isGone(job))
        #expect(ending == .exited(7))
    }

    /// As `sudo daemon &` leaves it: whatever is sent, the kernel says EPERM.
    @Test func processOfAnotherUser_thatTakesNoSignal_isLetBe() async throws {
        let scratch = Scratch()
        let programs = ProgramFinder()
        let ready = scratch.fifo("ready")
        _ = scratch.fifo("never")
        let launch = try Launch(
            // It becomes no other program once it is ready: meanwhile its environment could not be read.
            scratch.bash("set -m; bash -c 'echo $$ > $D/ready; read -r _ < $D/never' & exit 0"), outputBytesMax: 4096,
            programs: programs)
        let cancel = try CancelSignal()
        let sent = Mutex<[Int32]>([])
        let job = await onThread { () -> String in
            guard let (leader, pidfd) = try? launch.start() else { return "not started" }
            defer { close(pidfd) }
            let job = String(decoding: FileHandle(forReadingAtPath: ready)?.readDataToEndOfFile() ?? Data(), as: UTF8.self)
            var watch = ChildWatch(
                leader: leader, runDirectory: launch.runDirectory, streams: launch.streams, cancel: cancel, deadline: nil,
                graceSeconds: 600,
                send: { _, signal in
                    sent.withLock { $0.append(signal) }
                    return EPERM
                })
            _ = watch.waitForLeader(pidfd: pidfd)
            _ = OwnChildren.wait(for: leader)
            watch.endRemains()
            return job.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        #expect(!isGone(job) && sent.withLock { $0 } == [SIGTERM, SIGCONT])
        pid_t(job).map(Self.end)
    }

    /// Returns when it has ended, and nobody has waited for it.
    private static func end(_ pid: pid_t) {
        let pidfd = flowspool_pidfd_open(pid)
        kill(pid, SIGKILL)
        waitForEnd(pidfd)
        close(pidfd)
    }

    private static func waitForEnd(_ pidfd: Int32) {
        var polled = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while poll(&polled, 1, -1) < 0 {}
    }
}
