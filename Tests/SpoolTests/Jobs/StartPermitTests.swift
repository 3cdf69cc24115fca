// A prompt that is dropped alone is started by whoever has prepared it; until the instant of its start, a hold, a stop and a
// threshold keep it from that.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.timeLimit(.minutes(1))) struct StartPermitTests {
    @Test func permit_isUsedOnce_orWithdrawn() {
        let used = StartPermit()
        #expect(used.use() && !used.use() && !used.withdraw())
        let withdrawn = StartPermit()
        #expect(withdrawn.withdraw() && withdrawn.withdraw() && !withdrawn.use())
    }

    @Test func permit_thatIsUsedAndWithdrawnAtOnce_isOneOfBoth() async {
        for _ in 0..<2000 {
            let permit = StartPermit()
            async let used = onThread { permit.use() }
            let isWithdrawn = permit.withdraw()
            #expect(await used != isWithdrawn)
        }
    }

    /// A run to which two prompts are dropped: the second, `a.md`, while nothing else is at work.
    private struct Bench {
        let spool: TestSpool
        let ledger: Ledger
        let clock = CountingClock()
        let events = EventList()
        private let hints: AsyncStream<SpoolHint>
        private let input: AsyncStream<SpoolHint>.Continuation

        init() throws {
            spool = try TestSpool()
            ledger = try spool.ledger()
            (hints, input) = AsyncStream.makeStream(of: SpoolHint.self)
        }

        func wake() { input.yield(.file(Wake.fileBytes)) }

        /// - Parameters:
        ///   - first: the block of the first prompt.
        ///   - fault: of a system call.
        ///   - body: called when `a.md` is claimed, its start recorded, and its file is about to move to `active/`.
        /// - Returns: when a hold, or the drain that `body` asks for, has ended the run.
        func run(
            first: String = "true", profile: String = "poc", jobs: Int = 1,
            fault: @escaping @Sendable (SystemCall, String) -> Int32? = { _, _ in nil },
            _ body: @escaping @Sendable (Dispatcher?) -> Void
        ) async throws -> RunEnding {
            let isMoving = Mutex(false)
            let made = Mutex<Dispatcher?>(nil)
            let calls = SystemCalls { call, path in
                if call == .renameat2, path.hasSuffix("/a.md") {
                    let isFirst = isMoving.withLock { moving in
                        defer { moving = true }
                        return !moving
                    }
                    if isFirst { body(made.withLock { $0 }) }
                }
                return fault(call, path)
            }
            let (seen, telling) = AsyncStream.makeStream(of: RunEvent.self)
            let dispatcher = try spool.dispatcher(
                profile: profile, calls: calls, clock: clock,
                observe: {
                    events.take($0)
                    telling.yield($0)
                }
            ) {
                $0.drains = false
                $0.jobs = jobs
            }
            made.withLock { $0 = dispatcher }
            // The spool's calls would keep the dispatcher, which keeps the spool, and all that is open of both.
            defer { made.withLock { $0 = nil } }
            async let ending = dispatcher.run(hints: hints)
            var isDropped = false
            loop: for await event in seen {
                switch event {
                case .started:
                    try spool.drop("first.md", first)
                    input.yield(.file(Array("first.md".utf8)))
                // The first may be met by the scan that a run begins with.
                case .finished(let job, _) where job.name == "first.md" && !isDropped:
                    isDropped = true
                    try spool.drop("a.md", "echo ran >> $OUT/trace")
                    input.yield(.file(Array("a.md".utf8)))
                case .onHold, .ended: break loop
                case .finished(let job, _) where job.name == "a.md": break loop
                default: break
                }
            }
            dispatcher.drain()
            let result = try await ending
            #expect(isMoving.withLock { $0 })
            return result
        }

        /// As a person does with `retry`, by hand.
        func runFirstAgain() {
            // Its filing comes after the event that told of its end.
            let path = spool.path
            while rename(path + "/failed/first.md", path + "/first.md") != 0,
                rename(path + "/done/first.md", path + "/first.md") != 0
            {
                sched_yield()
            }
            let isSaved = try? ledger.write { tx in
                var job = try tx.require(1)
                let was = job.state
                (job.state, job.status, job.place, job.fromPlace, job.fromFile) = (.queued, nil, .drop, nil, nil)
                job.budgetUsed = 0
                return try tx.save(job, expecting: was, why: "a person wants it tried again", now: 1)
            }
            #expect(isSaved == true)
        }

        /// It waits in its place, as if nobody had touched it.
        func expectThatItWaits() throws {
            #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
            let job = try #require(try spool.job("a.md"))
            #expect(job.state == .queued && job.attempts == 0 && job.budgetUsed == 0)
            #expect(try ledger.read { try $0.attempts(of: job.id) }.isEmpty)
            #expect(spool.list("").contains("a.md") && spool.list("active").isEmpty)
            let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: ledger)
            let broken = try check.violations().map { "\($0)" }
            #expect(broken.isEmpty)
        }
    }

    @Test func withoutAnyOfThese_itRuns() async throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let ending = try await bench.run { _ in }
        #expect(ending.succeeded == 2 && ending.ran == 2 && bench.events.started == ["first.md", "a.md"])
        #expect(try String(contentsOfFile: bench.spool.folder.path + "/trace", encoding: .utf8) == "ran\n")
    }

    /// Nobody has told the dispatcher of it yet.
    @Test func holdByHand_keepsItFromStarting() async throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let file = bench.spool.path + "/" + ContractFile.hold.name
        let ending = try await bench.run { _ in #expect(FileManager.default.createFile(atPath: file, contents: Data())) }
        #expect(ending.why == .onHold || ending.why == .stopped)
        try bench.expectThatItWaits()
    }

    @Test(arguments: [false, true]) func stop_keepsItFromStarting(_ isNow: Bool) async throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let ending = try await bench.run { dispatcher in
            if isNow { dispatcher?.stopNow() } else { dispatcher?.drain() }
            bench.clock.waitForTurns(bench.wake)
        }
        #expect(ending.why == .stopped && ending.ran == 1)
        try bench.expectThatItWaits()
    }

    /// Another job, in the other slot, fails meanwhile; and the hold's file cannot be written.
    @Test func threshold_keepsItFromStarting_evenWithoutTheHoldsFile() async throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let isFull = Mutex(false)
        let ending = try await bench.run(
            first: "false", profile: "production", jobs: 2,
            fault: { call, path in
                call == .openat && path.hasSuffix(ContractFile.hold.name) && isFull.withLock { $0 } ? ENOSPC : nil
            }
        ) { _ in
            isFull.withLock { $0 = true }
            bench.runFirstAgain()
            while !bench.events.events.contains(where: { if case .onHold = $0 { true } else { false } }) {
                bench.wake()
                sched_yield()
            }
            isFull.withLock { $0 = false }
        }
        #expect(ending.failed == 2 && bench.events.started == ["first.md", "first.md"])
        try bench.expectThatItWaits()
    }

    /// The one slot is its, though another job is ready before it.
    @Test func jobThatIsReadyMeanwhile_waitsForItsSlot() async throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let ending = try await bench.run { _ in
            bench.runFirstAgain()
            while bench.spool.list("active").isEmpty {
                bench.wake()
                sched_yield()
            }
            bench.clock.waitForTurns(bench.wake)
            #expect(bench.events.started == ["first.md"])
        }
        #expect(ending.succeeded >= 2 && bench.events.started.prefix(2) == ["first.md", "a.md"])
    }
}
