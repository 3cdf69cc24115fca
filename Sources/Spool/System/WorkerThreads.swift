// Threads for tasks that block: fsync(2), SQLite, a prompt's parse. Swift's own pool has one thread for each core, so that two
// tasks in an fsync leave none to start the next child; what blocks is sent here instead, by `Task(executorPreference:)`.
// Threads are started as they are needed, up to a bound, and stay.

import Foundation

/// An executor of tasks whose threads may block.
final class WorkerThreads: TaskExecutor, @unchecked Sendable {
    // Invariant behind @unchecked: `queue`, `idle` and `started` are touched with `condition` locked only.
    private let condition = NSCondition()
    private var queue: [UnownedJob] = []
    private var idle = 0
    private var started = 0
    private let threadsMax: Int

    /// For all runs of this process: threads are no run's own.
    static let shared = WorkerThreads(threadsMax: 16)
    /// As the first thread of a process has.
    private static let stackBytes = 8 << 20

    /// - Parameter threadsMax: beyond it, tasks wait for a thread.
    init(threadsMax: Int) { self.threadsMax = threadsMax }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        queue.append(job)
        let needsThread = queue.count > idle && started < threadsMax
        if needsThread { started += 1 }
        condition.signal()
        condition.unlock()
        if needsThread { startThread() }
    }

    private func startThread() {
        let thread = Thread { self.work() }
        thread.stackSize = Self.stackBytes
        thread.start()
    }

    private func work() -> Never {
        while true {
            condition.lock()
            while queue.isEmpty {
                idle += 1
                condition.wait()
                idle -= 1
            }
            let job = queue.removeFirst()
            condition.unlock()
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
