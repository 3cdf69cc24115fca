import Foundation
import Testing

@testable import Spool

@Suite struct FilingQueueTests {
    private let spool: TestSpool
    private let works: [FilingWork]

    init() throws {
        let spool = try TestSpool()
        self.spool = spool
        let folder = try SpoolFolder.open(at: spool.path)
        let ledger = try spool.ledger()
        works = try ledger.write { tx in
            try (1...20).map { number in
                let id = try #require(try tx.admit(Admission(name: "\(number).md"), arrival: 1, now: 1))
                return FilingWork(
                    job: try tx.require(id), spool: folder, filing: Filing(spool: folder, ledger: ledger),
                    stamp: Stamp(promptID: "", promptSHA: ""), why: nil)
            }
        }
    }

    private func queue(_ count: Int, now: Int64 = 0) -> FilingQueue {
        var queue = FilingQueue()
        for work in works.prefix(count) { queue.add(work, now: now) }
        return queue
    }

    @Test func next_whereNothingMoreComes_isAllAtOnce() {
        defer { spool.remove() }
        var queue = queue(3)
        #expect(queue.next(now: 0, isMoreComing: false).map(\.job.id) == [1, 2, 3])
        #expect(queue.jobs == [1, 2, 3] && !queue.isEmpty)
        queue.ended([1, 2, 3])
        #expect(queue.isEmpty && queue.jobs.isEmpty && queue.deadline == nil)
    }

    @Test func next_whileMoreComes_waitsForEnoughOrForATime() {
        defer { spool.remove() }
        var few = queue(FilingQueue.enough - 1, now: 100)
        #expect(few.next(now: 100, isMoreComing: true).isEmpty)
        #expect(few.deadline == 100 + FilingQueue.waitMax)
        #expect(few.next(now: 99 + FilingQueue.waitMax, isMoreComing: true).isEmpty)
        #expect(few.next(now: 100 + FilingQueue.waitMax, isMoreComing: true).count == FilingQueue.enough - 1)
        var enough = queue(FilingQueue.enough)
        #expect(enough.next(now: 0, isMoreComing: true).count == FilingQueue.enough)
    }

    @Test func next_isOneGroupAtATime_inOrder_andNoneIsForgotten() {
        defer { spool.remove() }
        var queue = queue(20)
        #expect(queue.next(now: 0, isMoreComing: false).map(\.job.id) == Array(1...16))
        #expect(queue.next(now: 1000, isMoreComing: false).isEmpty)
        // What ends wakes whoever asks; no timer is needed for it.
        #expect(queue.deadline == nil)
        #expect(queue.jobs == Set(1...20))
        queue.ended(Array(1...16))
        #expect(queue.deadline == FilingQueue.waitMax)
        #expect(queue.next(now: 1000, isMoreComing: true).map(\.job.id) == Array(17...20))
        queue.ended(Array(17...20))
        #expect(queue.isEmpty)
    }
}
