// The watch over a child, where what it looks at changes while it looks.

import CSystemCalls
import Foundation
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
            var (code, isSignalled): (Int32, Int32) = (0, 0)
            _ = flowspool_reap(leader, 0, &code, &isSignalled)
            watch.endRemains()
            return pids.map { isGone(String($0)) }
        }
        #expect(endings == [true, true])
        if !endings[1] { kill(pids[1], SIGKILL) }
    }

    /// Returns when it has ended, and nobody has waited for it.
    private static func end(_ pid: pid_t) {
        let pidfd = flowspool_pidfd_open(pid)
        kill(pid, SIGKILL)
        var polled = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while poll(&polled, 1, -1) < 0 {}
        close(pidfd)
    }
}
