// Threads for tasks that block: fsync(2), SQLite, a prompt's parse. Swift's own pool has one thread for each core, so that two
// tasks in an fsync leave none to start the next child; what blocks is sent here instead, by `Task(executorPreference:)`.
// Threads are started as they are needed, up to a bound, and stay.

import Foundation

/// Lets a thread that this one has just woken begin before this one goes on (sched_yield(2)). The kernel may have put it behind
/// this one on the same processor, though another is idle: a virtual processor that has halted does not count as idle
/// (vcpu_is_preempted). Costs nothing where nobody waits.
func letWokenThreadBegin() { sched_yield() }

/// An executor of tasks whose threads may block.
final class WorkerThreads: TaskExecutor, @unchecked Sendable {
    // Invariant behind @unchecked: `queue`, `idle`, `started`, `lent` and `members` are touched with `condition` locked only.
    private let condition = NSCondition()
    private var queue: [UnownedJob] = []
    private var idle = 0
    private var started = 0
    /// Threads that wait for something long, and do not count towards the bound.
    private var lent = 0
    /// They never end, so no other thread of the process ever has one of these ids.
    private var members: Set<pthread_t> = []
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
        let needsThread = queue.count > idle && started - lent < threadsMax
        if needsThread { started += 1 }
        condition.unlock()
        // Not before: a thread that wakes at once, on this processor, would find it locked, and give way again.
        condition.signal()
        if needsThread { startOne() }
    }

    /// Makes sure of so many threads, of which those that are lent do not count. With one, whatever waits has its turn, though
    /// the machine gives no other.
    ///
    /// - Throws: `FlowspoolError.unavailable` where it does not give so many.
    func require(_ count: Int) throws {
        while true {
            condition.lock()
            let isMissing = started - lent < count
            if isMissing { started += 1 }
            condition.unlock()
            guard isMissing else { return }
            if !startOne() {
                throw FlowspoolError(
                    .unavailable, "no thread is to be had (pthread_create: \(String(cString: strerror(EAGAIN))))",
                    hint: "the user may have no more processes (`ulimit -u`); nothing was begun: try again later")
            }
        }
    }

    /// Runs `body`, which may wait for as long as a child runs, on the present thread, if it is one of these; other tasks then
    /// get a thread more. These threads never end, so a child that dies with the thread that started it dies with the process.
    ///
    /// - Returns: nil, with nothing run, on any other thread.
    func lend<R>(_ body: () -> R) -> R? {
        guard changeLent(by: 1) else { return nil }
        defer { _ = changeLent(by: -1) }
        return body()
    }

    /// Returns false, with nothing changed, on a thread that is none of these.
    private func changeLent(by difference: Int) -> Bool {
        condition.lock()
        let isMember = members.contains(pthread_self())
        if isMember { lent += difference }
        let needsThread = isMember && difference > 0 && queue.count > idle && started - lent < threadsMax
        if needsThread { started += 1 }
        condition.unlock()
        if needsThread { startOne() }
        return isMember
    }

    /// Where there is none to be had, what is queued waits for those that are there, and the next that comes asks for one again.
    @discardableResult
    private func startOne() -> Bool {
        if startThread(stackBytes: Self.stackBytes, { self.work() as Void }) != nil { return true }
        condition.lock()
        started -= 1
        condition.unlock()
        return false
    }

    /// Never returns.
    private func work() {
        condition.lock()
        members.insert(pthread_self())
        condition.unlock()
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
