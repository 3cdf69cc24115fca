// A second thread for one thing that is to go on at the same time as another, on another processor. Left to itself, the kernel may
// have the woken thread wait behind the one that woke it although another processor is idle: a virtual processor that has
// halted does not count as idle (vcpu_is_preempted), and the two then take turns until the next tick finds them.

import CSystemCalls
import Dispatch
import Synchronization

/// A thread that does what is ordered on another processor than that of whoever ordered it.
final class OtherProcessor: Sendable {
    private struct Order {
        /// What is to be done; returns what tells of it.
        let body: @Sendable () -> @Sendable () -> Void
        /// Where it may run; nil: it is where it may be.
        let allowed: flowspool_processors?
    }

    private struct State {
        var order: Order?
        /// Something was ordered and has not ended.
        var isTaken = false
        /// Of the thread; nil until it runs.
        var thread: pid_t?
    }

    private let state = Mutex(State())
    private let ordered = DispatchSemaphore(value: 0)

    /// For all runs of this process: a thread is no run's own. nil where there was none to be had.
    static let shared = OtherProcessor()
    /// As the first thread of a process has.
    private static let stackBytes = 8 << 20

    init?() {
        guard startThread(stackBytes: Self.stackBytes, { self.work() }) != nil else { return nil }
    }

    /// Does `body` there, from now on.
    ///
    /// - Returns: what comes of it; nil, with nothing done, while the thread has something else to do.
    func begin<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Eventual<Value>? {
        let eventual = Eventual<Value>()
        let isTaken = state.withLock { state in
            if state.isTaken { return true }
            state.isTaken = true
            var allowed = flowspool_processors()
            // Where it cannot be sent elsewhere, it begins wherever the kernel puts it.
            let isElsewhere = state.thread.map { flowspool_wake_elsewhere($0, &allowed) == 0 } ?? false
            let order: @Sendable () -> @Sendable () -> Void = {
                let value = body()
                return { eventual.fulfil(value) }
            }
            state.order = Order(body: order, allowed: isElsewhere ? allowed : nil)
            return false
        }
        if isTaken { return nil }
        ordered.signal()
        return eventual
    }

    /// Does `body`, which waits for the disk again and again, on the present processor, while the other thread is at work on another:
    /// the kernel wakes a thread on the processor that the disk interrupts, and there it would wait behind that one each time.
    static func keepingThisOne<R>(_ body: () -> R) -> R {
        var allowed = flowspool_processors()
        // Where it cannot be kept, the thread goes wherever the kernel puts it.
        let isKept = flowspool_stay_here(&allowed) == 0
        // Cannot fail for processors that this process may use; should they have changed, it stays where it is.
        defer { if isKept { _ = flowspool_run_on(&allowed) } }
        return body()
    }

    private func work() -> Never {
        state.withLock { $0.thread = flowspool_thread_id() }
        while true {
            ordered.wait()
            guard let order = state.withLock({ $0.order.take() }) else { continue }
            let tell = order.body()
            // Cannot fail for processors that this process may use; should they have changed, it stays where it is.
            if var allowed = order.allowed { _ = flowspool_run_on(&allowed) }
            // First: whoever is told may have something else for it.
            state.withLock { $0.isTaken = false }
            tell()
        }
    }
}
