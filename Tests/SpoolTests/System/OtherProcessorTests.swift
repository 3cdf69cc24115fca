// The thread that begins elsewhere: one thing at a time, and free to run anywhere once it has begun.

import CSystemCalls
import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.serialized, .timeLimit(.minutes(1))) struct OtherProcessorTests {
    /// Those that the calling thread may run on (proc(5)).
    private func processors() -> Substring? {
        let status = try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)
        return status?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
    }

    @Test func work_goesOnElsewhere_andItsResultComesBack() async throws {
        let other = try #require(OtherProcessor())
        for round in 0..<200 {
            let thread = flowspool_thread_id()
            let began = try #require(other.begin { (flowspool_thread_id(), round) })
            let (itsThread, number) = await began.value
            #expect(itsThread != thread && number == round)
        }
    }

    /// It is sent away from one processor only to begin.
    @Test func work_mayRunOnAllProcessors() async throws {
        let other = try #require(OtherProcessor())
        for _ in 0..<20 {
            let mine = try #require(processors())
            let began = try #require(other.begin { processors() })
            #expect(await began.value == mine)
        }
    }

    @Test func secondWork_isNotTaken_untilTheFirstHasEnded() async throws {
        let other = try #require(OtherProcessor())
        let gate = DispatchSemaphore(value: 0)
        let first = try #require(other.begin { gate.wait() })
        #expect(other.begin { Issue.record("it must not be done") } == nil)
        gate.signal()
        await first.value
        let third = other.begin { 3 }
        #expect(await third?.value == 3)
    }

    @Test func eventual_givesTheSameToWhoeverAsksLater() async throws {
        let eventual = try #require(startThread(stackBytes: 64 << 10) { 7 })
        #expect(await eventual.value == 7)
        #expect(await eventual.value == 7)
    }
}
