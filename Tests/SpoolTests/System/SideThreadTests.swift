// A thread beside another: one thing at a time, on any processor but that of whoever ordered it, or on that one; and staying where one is.

import CSystemCalls
import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.serialized, .timeLimit(.minutes(1))) struct SideThreadTests {
    /// How many processors a thread of this process may run on (proc(5)).
    private static func processors(ofThread id: String = "thread-self") -> Int? {
        let path = id == "thread-self" ? "/proc/thread-self/status" : "/proc/self/task/\(id)/status"
        let status = try? String(contentsOfFile: path, encoding: .utf8)
        let mask = status?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }?.dropFirst("Cpus_allowed:".count)
        return mask.map { $0.reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) } }
    }

    /// On which one the calling thread runs (proc_pid_stat(5), field 39).
    private static func processor() -> String? {
        let status = try? String(contentsOfFile: "/proc/thread-self/stat", encoding: .utf8)
        let fields = status?.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 36 ? String(fields[36]) : nil
    }

    @Test func work_goesOnElsewhere_andItsResultComesBack() async throws {
        let other = try #require(SideThread(.elsewhere))
        for round in 0..<200 {
            let thread = flowspool_thread_id()
            let began = try #require(other.begin { (flowspool_thread_id(), round) })
            let (itsThread, number) = await began.value
            #expect(itsThread != thread && number == round)
        }
    }

    /// It keeps away from the processor of its order, where there are others, or to that one, until it has ended.
    @Test(arguments: [SideThread.Place.elsewhere, .here])
    func work_goesOnWhereItIsOrdered_andIsFreeAfterwards(_ place: SideThread.Place) async throws {
        let side = try #require(SideThread(place))
        let all = try #require(Self.processors())
        // Until the thread runs, it cannot be sent anywhere.
        let thread = await side.begin { flowspool_thread_id() }?.value
        var sure = 0
        for _ in 0..<20 {
            let before = Self.processor()
            let began = try #require(side.begin { (Self.processors(), Self.processor()) })
            let isSure = before != nil && Self.processor() == before
            let (count, processor) = await began.value
            #expect(count == (place == .here ? 1 : max(1, all - 1)))
            // This task may go elsewhere itself, in the midst of an order.
            if isSure { sure += 1 }
            #expect(!isSure || (processor == before) == (place == .here || all == 1))
            #expect(Self.processors(ofThread: "\(try #require(thread))") == all)
        }
        #expect(sure > 0)
    }

    @Test func thread_staysWhereItIs_forAsLongAsItIsAskedTo() throws {
        let all = try #require(Self.processors())
        let (count, result) = SideThread.keepingThisOne { (Self.processors(), 7) }
        #expect(count == 1 && result == 7 && Self.processors() == all)
    }

    @Test func secondWork_isNotTaken_untilTheFirstHasEnded() async throws {
        let other = try #require(SideThread(.elsewhere))
        let gate = DispatchSemaphore(value: 0)
        let first = try #require(other.begin { gate.wait() })
        #expect(other.begin { Issue.record("it must not be done") } == nil)
        gate.signal()
        await first.value
        let third = other.begin { 3 }
        #expect(await third?.value == 3)
    }

    /// Made for all processors but this one, and free to go where it may once it runs.
    @Test func newThread_beginsElsewhere_andIsFreeThen() async throws {
        let all = try #require(Self.processors())
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        var allowed = flowspool_processors()
        #expect((flowspool_begin_elsewhere(&attributes, &allowed) == 0) == (all > 1))
        var thread = pthread_t()
        var count = 0
        let made = pthread_create(
            &thread, &attributes,
            { argument in
                argument?.assumingMemoryBound(to: Int.self).pointee = SideThreadTests.processors() ?? 0
                return nil
            }, &count)
        #expect(made == 0 && pthread_join(thread, nil) == 0 && count == max(1, all - 1))
        let began = startThread(stackBytes: 64 << 10, isElsewhere: true) { Self.processors() }
        #expect(await began?.value == all)
    }

    @Test func callersThread_runsAllOfATask_andNothingElseDoes() async throws {
        let executor = CallersThread()
        let (ids, continuation) = AsyncStream<pid_t>.makeStream()
        Thread {
            continuation.yield(flowspool_thread_id())
            executor.run()
        }.start()
        let thread = await ids.first { _ in true }
        let seen = await Task(executorPreference: executor) {
            let before = flowspool_thread_id()
            let elsewhere = await startThread(stackBytes: 64 << 10) { flowspool_thread_id() }?.value
            return (before, elsewhere, flowspool_thread_id())
        }.value
        #expect(seen.0 == thread && seen.2 == thread && seen.1 != thread)
    }

    @Test func eventual_givesTheSameToWhoeverAsksLater() async throws {
        let eventual = try #require(startThread(stackBytes: 64 << 10) { 7 })
        #expect(await eventual.value == 7)
        #expect(await eventual.value == 7)
    }
}
