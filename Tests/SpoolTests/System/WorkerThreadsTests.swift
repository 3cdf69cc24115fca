import Foundation
import Testing

@testable import Spool

@Suite struct WorkerThreadsTests {
    /// More tasks than cores wait for one that comes last.
    @Test func task_runsWhileOthersBlock() async {
        let threads = WorkerThreads(threadsMax: 12)
        let gate = DispatchSemaphore(value: 0)
        let blocked = (0..<10).map { _ in
            Task(executorPreference: threads) { block(on: gate) }
        }
        await Task(executorPreference: threads) { for _ in 0..<10 { gate.signal() } }.value
        for task in blocked { #expect(await task.value) }
    }

    @Test func tasksBeyondTheBound_comeWhenAThreadIsFree() async {
        let threads = WorkerThreads(threadsMax: 1)
        let tasks = (0..<50).map { number in Task(executorPreference: threads) { number } }
        var sum = 0
        for task in tasks { sum += await task.value }
        #expect(sum == 1225)
    }

    /// A thread that waits for a child is none of those that the bound leaves for others.
    @Test func lend_onAPoolThread_leavesTheOthersAThread() async {
        let threads = WorkerThreads(threadsMax: 1)
        let gate = DispatchSemaphore(value: 0)
        let waiting = Task(executorPreference: threads) { threads.lend { block(on: gate) } }
        await Task(executorPreference: threads) { _ = gate.signal() }.value
        #expect(await waiting.value == true)
        // Given back: the bound holds again, and tasks still come through.
        #expect(await Task(executorPreference: threads) { 7 }.value == 7)
    }

    @Test func lend_elsewhere_runsNothing() async {
        let other = WorkerThreads(threadsMax: 1)
        let ran = Task(executorPreference: WorkerThreads.shared) { other.lend { true } }
        #expect(await ran.value == nil)
        #expect(WorkerThreads(threadsMax: 1).lend { true } == nil)
    }
}

/// Whether the gate opened in time.
private func block(on gate: DispatchSemaphore) -> Bool { gate.wait(timeout: .now() + 20) == .success }
