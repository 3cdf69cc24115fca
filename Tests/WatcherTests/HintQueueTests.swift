// The bounded way from the source to its reader.

import Synchronization
import Testing

@testable import Watcher

@Suite(.timeLimit(.minutes(1)))
struct HintQueueTests {
    func drain(_ queue: HintQueue) async -> [FolderEvent] {
        var seen: [FolderEvent] = []
        let waiting = queue.waitingCount
        for _ in 0..<waiting {
            if let event = await queue.next() { seen.append(event) }
        }
        return seen
    }

    @Test func hints_comeInTheirOrder() async {
        let queue = HintQueue(hintsMax: 2000)
        let all = (0..<1500).map { FolderEvent.appeared(bytes("\($0)")) }
        for event in all { queue.push(event) }
        #expect(await drain(queue) == all)
    }

    @Test func receiver_getsEachHintAtOnce_andNoneAfterTheEnd() async {
        let seen = Mutex<[FolderEvent]>([])
        let queue = HintQueue(hintsMax: 2) { event in seen.withLock { $0.append(event) } }
        let all = (0..<5).map { FolderEvent.appeared(bytes("\($0 / 2)")) } + [.rescan(.reconcile)]
        for event in all { queue.push(event) }
        #expect(seen.withLock { $0 } == all)
        #expect(queue.waitingCount == 0)
        #expect(queue.statistics.hints == 5 && queue.statistics.rescans == 1)
        queue.finish()
        queue.push(.vanished(bytes("a")))
        #expect(seen.withLock { $0 } == all)
        #expect(queue.statistics.hints == 5)
        #expect(await queue.next() == nil)
    }

    @Test func hints_pastTheBound_becomeOneRescan() async {
        let queue = HintQueue(hintsMax: 4)
        for number in 0..<4 { queue.push(.appeared(bytes("\(number)"))) }
        #expect(queue.waitingCount == 4)
        queue.push(.appeared(bytes("4")))
        #expect(queue.waitingCount == 1)
        queue.push(.vanished(bytes("5")))
        #expect(await drain(queue) == [.rescan(.overflow)])
        #expect(queue.statistics.collapses == 1)
        #expect(queue.statistics.hints == 6)
    }

    /// The reader looks at the folder after it took the rescan, so what comes later must be announced again.
    @Test func hints_afterTheRescanWasTaken_areAnnounced() async {
        let queue = HintQueue(hintsMax: 1)
        queue.push(.appeared(bytes("a")))
        queue.push(.appeared(bytes("b")))
        #expect(await queue.next() == .rescan(.overflow))
        queue.push(.appeared(bytes("c")))
        #expect(await drain(queue) == [.appeared(bytes("c"))])
    }

    @Test func hint_equalToTheLastOneWaiting_isMerged() async {
        let queue = HintQueue(hintsMax: 10)
        queue.push(.appeared(bytes("a")))
        queue.push(.appeared(bytes("a")))
        queue.push(.vanished(bytes("a")))
        queue.push(.appeared(bytes("a")))
        #expect(await drain(queue) == [.appeared(bytes("a")), .vanished(bytes("a")), .appeared(bytes("a"))])
    }

    @Test func hint_equalToOneThatWasTaken_isAnnounced() async {
        let queue = HintQueue(hintsMax: 10)
        queue.push(.appeared(bytes("a")))
        queue.push(.appeared(bytes("b")))
        _ = await queue.next()
        _ = await queue.next()
        queue.push(.appeared(bytes("b")))
        #expect(queue.waitingCount == 1)
    }

    @Test func finish_dropsWhatWaitsAndEndsTheStream() async {
        let queue = HintQueue(hintsMax: 10)
        queue.push(.appeared(bytes("a")))
        queue.finish()
        queue.push(.appeared(bytes("b")))
        #expect(await queue.next() == nil)
    }
}
