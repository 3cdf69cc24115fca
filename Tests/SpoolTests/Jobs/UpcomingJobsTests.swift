import Foundation
import Testing

@testable import Spool

@Suite struct UpcomingJobsTests {
    private func jobs(_ count: Int) throws -> [Job] {
        let folder = try TestFolder()
        defer { folder.remove() }
        let ledger = try Ledger(path: folder.path + "/ledger.sqlite")
        return try ledger.write { tx in
            for number in 1...count { _ = try tx.admit(Admission(name: "\(1000 + number).md"), arrival: 1, now: 1) }
            return try tx.nextWaiting(limit: count, batch: nil, busyLanes: [])
        }
    }

    @Test func next_readsOnceForMany_inOrder() throws {
        let waiting = try jobs(5)
        var upcoming = UpcomingJobs()
        var reads = 0
        var taken: [Int64] = []
        for _ in 0..<5 {
            taken += upcoming.next(1, without: [], lanes: []) { _ in
                reads += 1
                return waiting
            }.map(\.id)
        }
        #expect(taken == waiting.map(\.id) && reads == 1)
    }

    @Test func next_whenAllThatIsKnownIsInHand_readsOn() throws {
        let waiting = try jobs(4)
        var upcoming = UpcomingJobs()
        _ = upcoming.next(1, without: [], lanes: []) { _ in Array(waiting.prefix(3)) }
        let inHand = Set(waiting.prefix(3).map(\.id))
        let next = upcoming.next(1, without: inHand, lanes: []) { limit in
            #expect(limit > inHand.count)
            return waiting
        }
        #expect(next.map(\.id) == [waiting[3].id])
    }

    @Test(arguments: [true, false]) func next_afterAChange_readsAnew(_ isForgotten: Bool) throws {
        let waiting = try jobs(3)
        var upcoming = UpcomingJobs()
        _ = upcoming.next(1, without: [], lanes: []) { _ in waiting }
        if isForgotten { upcoming.forget() }
        // Another set of busy lanes is a change as well.
        let next = upcoming.next(1, without: [], lanes: isForgotten ? [] : ["a"]) { _ in [waiting[2]] }
        #expect(next.map(\.id) == [waiting[2].id])
    }
}
