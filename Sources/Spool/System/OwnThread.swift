// Work on a thread of its own: what blocks for as long as a child runs, what must live as long as a child (a thread's end is its
// children's, PR_SET_PDEATHSIG), and what recurses deeper than a pool's thread has room for. A pool's threads are
// `WorkerThreads`; one that stays, and does each thing on a processor that is chosen, is `SideThread`.

import CSystemCalls
import Foundation
import Synchronization

/// A value that comes later, from another thread.
public final class Eventual<Value: Sendable>: Sendable {
    private enum State {
        case pending(CheckedContinuation<Value, Never>?)
        case here(Value)
    }

    private let state = Mutex(State.pending(nil))

    /// Gives it; once.
    func fulfil(_ value: Value) {
        let waiting: CheckedContinuation<Value, Never>? = state.withLock { state in
            defer { state = .here(value) }
            if case .pending(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(returning: value)
    }

    /// The value, as soon as it is there. One task may wait for it at a time.
    public var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let here: Value? = state.withLock { state in
                    if case .here(let value) = state { return value }
                    state = .pending(continuation)
                    return nil
                }
                if let here { continuation.resume(returning: here) }
            }
        }
    }
}

/// Does `body` on a thread of its own, from now on.
///
/// - Parameters:
///   - stackBytes: what the thread has room for; 16 KiB at least (pthread_attr_setstacksize(3)).
///   - isElsewhere: it begins on another processor, because the caller has something else to do; `SideThread` says why that is not
///     left to the kernel.
/// - Returns: what comes of it; nil, with nothing done, where no thread is to be had (EAGAIN, pthread_create(3)).
func startThread<Value: Sendable>(
    stackBytes: Int, isElsewhere: Bool = false, _ body: @escaping @Sendable () -> Value
) -> Eventual<Value>? {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    let eventual = Eventual<Value>()
    var processors = flowspool_processors()
    let allowed = isElsewhere && flowspool_begin_elsewhere(&attributes, &processors) == 0 ? processors : nil
    let body = ThreadBody {
        // Cannot fail for processors that this process may use; should they have changed, it stays where it is.
        if var allowed { _ = flowspool_run_on(&allowed) }
        eventual.fulfil(body())
    }
    let work = Unmanaged.passRetained(body)
    var thread = pthread_t()
    let code = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, work.toOpaque())
    guard code == 0 else {
        work.release()
        return nil
    }
    return eventual
}

/// A thread's start takes one pointer, and no generic one.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Runs `body` on a thread of its own, and returns what it returns; on the caller's where there is none to be had.
///
/// Not on a queue: the work blocks for as long as a child runs, and the thread that starts a child must live as long as the
/// child (`flowspool_start`).
@discardableResult
func onThread<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
    guard let result = startThread(stackBytes: 512 << 10, body) else { return body() }
    return await result.value
}
