// A thread for one thing that is to go on at the same time as another, on a processor that is chosen. Left to itself, the kernel may
// have the woken thread wait behind the one that woke it although another processor is idle: a virtual processor that has
// halted does not count as idle (vcpu_is_preempted), and the two then take turns until the next tick finds them.

import CSystemCalls
import Dispatch
import Synchronization

/// A thread that does what is ordered where it is to be done.
final class SideThread: Sendable {
    /// A processor, as whoever orders something sees it.
    enum Place: Sendable {
        /// Any other: what is ordered needs the processor for long, or both do.
        case elsewhere
        /// The same: whoever ordered it waits for something soon, and what is ordered mostly does.
        case here
    }

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

    private let place: Place
    private let state = Mutex(State())
    private let ordered = DispatchSemaphore(value: 0)

    /// For all runs of this process: a thread is no run's own. nil where there was none to be had. They never end.
    static let elsewhere = SideThread(.elsewhere)
    static let here = SideThread(.here)
    /// As the first thread of a process has.
    private static let stackBytes = 8 << 20

    init?(_ place: Place) {
        self.place = place
        guard startThread(stackBytes: Self.stackBytes, { self.work() }) != nil else { return nil }
    }

    /// Does `body` there, from now on, in short turns: it mostly waits, and does not wait for others then.
    ///
    /// - Returns: what comes of it; nil, with nothing done, while the thread has something else to do.
    func begin<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Eventual<Value>? {
        let eventual = Eventual<Value>()
        let isTaken = state.withLock { state in
            if state.isTaken { return true }
            state.isTaken = true
            var allowed = flowspool_processors()
            // Where it cannot be sent there, it begins wherever the kernel puts it.
            let isSent = state.thread.map { self.send($0, &allowed) == 0 } ?? false
            let order: @Sendable () -> @Sendable () -> Void = {
                let value = body()
                return { eventual.fulfil(value) }
            }
            state.order = Order(body: order, allowed: isSent ? allowed : nil)
            return false
        }
        if isTaken { return nil }
        ordered.signal()
        return eventual
    }

    private func send(_ thread: pid_t, _ allowed: inout flowspool_processors) -> Int32 {
        switch place {
        case .elsewhere: flowspool_wake_elsewhere(thread, &allowed)
        case .here: flowspool_wake_here(thread, &allowed)
        }
    }

    /// Does `body`, which waits for the disk again and again, on the present processor, while another thread is at work on another:
    /// the kernel wakes a thread on the processor that the disk interrupts, and there it would wait behind that one each time.
    static func keepingThisOne<R>(_ body: () -> R) -> R {
        var allowed = flowspool_processors()
        // Where it cannot be kept, the thread goes wherever the kernel puts it.
        let isKept = flowspool_stay_here(&allowed) == 0
        _ = flowspool_take_short_turns(1)
        defer {
            _ = flowspool_take_short_turns(0)
            // Cannot fail for processors that this process may use; should they have changed, it stays where it is.
            if isKept { _ = flowspool_run_on(&allowed) }
        }
        return body()
    }

    private func work() -> Never {
        state.withLock { $0.thread = flowspool_thread_id() }
        // A kernel that does not know of them gives it turns like the others'.
        _ = flowspool_always_take_short_turns()
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
