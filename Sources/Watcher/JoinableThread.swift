// A thread that can be waited for. It owns a POSIX thread from creation to `join`; dropped without a join it lets the
// thread run to its end by itself. Asynchronous signals are blocked on it, so that they reach the threads that handle
// them and no system call here is interrupted.

import CInotifyTools
import Glibc
import Synchronization

final class JoinableThread: Sendable {
    /// What thread and owner share; outlives both.
    private final class Ending: Sendable {
        struct State {
            var hasEnded = false
            var waiters: [CheckedContinuation<Void, Never>] = []
        }
        let state = Mutex(State())
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        func run() {
            flowspool_name_thread(name)
            body()
            let waiters = state.withLock { state in
                state.hasEnded = true
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    private let ending: Ending
    /// The thread while nobody has joined it.
    private let thread: Mutex<pthread_t?>

    /// Starts a thread. The kernel keeps 15 bytes of `name`.
    init(name: String, body: @escaping @Sendable () -> Void) throws(WatcherError) {
        let ending = Ending(name: name, body: body)
        let context = Unmanaged.passRetained(ending)
        var asynchronous = sigset_t()
        var former = sigset_t()
        sigfillset(&asynchronous)
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { sigdelset(&asynchronous, signal) }
        pthread_sigmask(SIG_SETMASK, &asynchronous, &former)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Ending>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        pthread_sigmask(SIG_SETMASK, &former, nil)
        guard status == 0 else {
            context.release()
            throw .system("pthread_create", nil, errno: status)
        }
        self.ending = ending
        self.thread = Mutex(thread)
    }

    /// Waits until the body has returned and the thread is gone. Safe to repeat, from any task.
    func join() async {
        await withCheckedContinuation { continuation in
            let hasEnded = ending.state.withLock { state in
                if !state.hasEnded { state.waiters.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
        let mine: pthread_t? = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        // The body has returned, so this waits for a few instructions only.
        if let mine { pthread_join(mine, nil) }
    }

    deinit {
        thread.withLock { thread in
            if let left = thread { pthread_detach(left) }
        }
    }
}
