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
}

/// Whether the gate opened in time.
private func block(on gate: DispatchSemaphore) -> Bool { gate.wait(timeout: .now() + 20) == .success }
