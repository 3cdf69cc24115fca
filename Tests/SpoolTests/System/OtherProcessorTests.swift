// The thread that works elsewhere: one thing at a time, and on any processor but that of whoever ordered it; and staying where one is.

import CSystemCalls
import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.serialized, .timeLimit(.minutes(1))) struct OtherProcessorTests {
    /// How many processors a thread of this process may run on (proc(5)).
    private func processors(ofThread id: String = "thread-self") -> Int? {
        let path = id == "thread-self" ? "/proc/thread-self/status" : "/proc/self/task/\(id)/status"
        let status = try? String(contentsOfFile: path, encoding: .utf8)
        let mask = status?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }?.dropFirst("Cpus_allowed:".count)
        return mask.map { $0.reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) } }
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

    /// It keeps away from one processor, where there are others, until it has ended.
    @Test func work_leavesTheProcessorOfItsOrderAlone_andIsFreeAfterwards() async throws {
        let other = try #require(OtherProcessor())
        let all = try #require(processors())
        // Until the thread runs, it cannot be sent anywhere.
        let thread = await other.begin { flowspool_thread_id() }?.value
        for _ in 0..<20 {
            let began = try #require(other.begin { processors() })
            #expect(await began.value == max(1, all - 1))
            #expect(processors(ofThread: "\(try #require(thread))") == all)
        }
    }

    @Test func thread_staysWhereItIs_forAsLongAsItIsAskedTo() throws {
        let all = try #require(processors())
        let (count, result) = OtherProcessor.keepingThisOne { (processors(), 7) }
        #expect(count == 1 && result == 7 && processors() == all)
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
