// One file that the disk cannot read, among others that it can: it may pass, and it must not keep the others waiting.

import Foundation
import Synchronization
import Testing

@testable import Spool

struct UnreadableFileTests {
    /// Fails the reads of one prompt's bytes where it waits, the first so many times. Not for ever: a run that tried on would not end.
    private static func faults(_ spool: TestSpool, _ times: Int, _ code: Int32) -> SystemCalls {
        let left = Mutex(times)
        let file = spool.path + "/p2.md"
        return SystemCalls { call, path in
            guard call == .read, path == file else { return nil }
            return left.withLock { left in
                left -= 1
                return left >= 0 ? code : nil
            }
        }
    }

    @Test(arguments: [EIO, EUCLEAN], [1, 3])
    func fileThatCannotBeRead_isRefusedAtTheSecondLook_andTheOthersRun(_ code: Int32, _ jobs: Int) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for index in 1...4 { try spool.drop("p\(index).md", "echo \(index) >> $OUT/trace") }
        let dropped = try spool.text("p2.md")
        let events = EventList()
        let ending = try await spool.drain(events: events, calls: Self.faults(spool, 50, code)) { $0.jobs = jobs }
        #expect(ending.succeeded == 3 && ending.failed == 1 && ending.ran == 4 && ending.why == .done)
        #expect(spool.list("done") == ["p1.md", "p3.md", "p4.md"])
        // Told once as trouble, and once as what it is.
        #expect(events.troubles.count == 1)
        let job = try #require(try spool.job("p2.md"))
        #expect(job.state == .failed && job.status == .blocked && job.attempts == 0)
        #expect(job.reason == "unreadable: \(spool.path)/p2.md: read: \(String(cString: strerror(code)))")
        #expect(try spool.text("failed/p2.md") == dropped)
        let traced = try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8)
        #expect(Set(traced.split(separator: "\n")) == ["1", "3", "4"])
        #expect(try spool.ledger().read { try $0.failureCounts() }.total == 1)
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
    }

    /// What has passed by the second look, and what any other file would have met, says nothing of this one.
    @Test(arguments: [(EIO, 1), (ENOMEM, 5), (ENOLCK, 5)])
    func fileThatCanBeReadLater_waits(_ code: Int32, _ times: Int) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for index in 1...3 { try spool.drop("p\(index).md", "echo \(index) >> $OUT/trace") }
        let events = EventList()
        let ending = try await spool.drain(events: events, calls: Self.faults(spool, times, code))
        #expect(ending.succeeded == 3 && ending.failed == 0)
        #expect(events.troubles.count == times)
        #expect(spool.list("done") == ["p1.md", "p2.md", "p3.md"])
    }
}
