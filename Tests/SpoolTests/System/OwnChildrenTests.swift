// Whose a child is. The adopted one is a real orphan that has ended.

import CSystemCalls
import Foundation
import Testing

@testable import Spool

@Suite struct OwnChildrenTests {
    /// An orphan that fell to this process and has ended; nobody has waited for it.
    private func orphan(_ scratch: Scratch) async throws -> pid_t {
        // Adopts orphans.
        _ = LocalExecutor()
        let launch = try Launch(scratch.bash("sleep 100 & echo $!"), outputBytesMax: 4096, programs: ProgramFinder())
        await onThread {
            guard let child = try? launch.start() else { return }
            _ = OwnChildren.wait(for: child.pid)
            close(child.pidfd)
            for stream in launch.streams { stream.take(isLast: true) }
        }
        let pid = try #require(pid_t(scratch.text("out").trimmingCharacters(in: .newlines)))
        let pidfd = flowspool_pidfd_open(pid)
        defer { close(pidfd) }
        kill(pid, SIGKILL)
        var polled = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while poll(&polled, 1, -1) < 0 {}
        return pid
    }

    @Test func adoptedChild_isReaped() async throws {
        let pid = try await orphan(Scratch())
        #expect(!isGone("\(pid)"))
        OwnChildren.reapAdopted(pid)
        #expect(isGone("\(pid)"))
    }

    /// It might be the one that is just being started.
    @Test func adoptedChild_whileSomethingIsStarted_isReapedAfterwards() async throws {
        let pid = try await orphan(Scratch())
        OwnChildren.begin()
        OwnChildren.reapAdopted(pid)
        #expect(!isGone("\(pid)"))
        OwnChildren.end(nil)
        #expect(isGone("\(pid)"))
    }

    @Test func childThatWasBeingStarted_isLeftToWhoeverStartedIt() async throws {
        // One that has ended stands for it.
        let pid = try await orphan(Scratch())
        OwnChildren.begin()
        OwnChildren.reapAdopted(pid)
        OwnChildren.end(pid)
        OwnChildren.reapAdopted(pid)
        #expect(OwnChildren.ifEnded(pid) == .signalled(SIGKILL))
        #expect(isGone("\(pid)"))
        #expect(OwnChildren.ifEnded(pid) == .lost(ECHILD))
    }

    /// The number of one that has ended is given to the next before the first is struck off.
    @Test func numberThatIsUsedTwice_staysWithTheSecond() async throws {
        let pid = try await orphan(Scratch())
        for _ in 0..<2 { _ = OwnChildren.start { pid } }
        OwnChildren.forget(pid)
        OwnChildren.reapAdopted(pid)
        #expect(!isGone("\(pid)"))
        OwnChildren.forget(pid)
        OwnChildren.reapAdopted(pid)
        #expect(isGone("\(pid)"))
    }

    @Test func startThatFails_leavesNothingWritten() async throws {
        struct Failed: Error {}
        let pid = try await orphan(Scratch())
        #expect(throws: Failed.self) { try OwnChildren.start { throw Failed() } }
        OwnChildren.reapAdopted(pid)
        #expect(isGone("\(pid)"))
    }
}
