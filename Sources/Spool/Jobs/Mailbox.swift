// Messages on their way to the one thread that reads them. Reading blocks that thread: a task that waits on an actor is resumed off it
// first (swift_continuation_init, "ResumeToExecutor"), and where it prefers an executor each message would be handed on once more.

import Dispatch
import Synchronization

/// An unbounded queue with one reader.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var waiting: [Message] = []
        /// Index of the first of `waiting` that was not taken yet.
        var head = 0
        /// The reader sleeps, or is about to.
        var isAwaited = false
    }

    private let state = Mutex(State())
    private let posted = DispatchSemaphore(value: 0)

    /// Adds a message; any thread.
    ///
    /// - Parameter wakesReader: false: the reader may sleep on until the next message, which is sure to come in a moment.
    func post(_ message: Message, wakesReader: Bool = true) {
        let isAwaited = state.withLock { state in
            state.waiting.append(message)
            guard wakesReader else { return false }
            defer { state.isAwaited = false }
            return state.isAwaited
        }
        // Not before: a reader that wakes at once, on this processor, would find it locked, and give way again.
        if isAwaited { posted.signal() }
    }

    /// The next message, in order of posting; waits until there is one. One thread at a time.
    func next() -> Message {
        while true {
            let message: Message? = state.withLock { state in
                state.isAwaited = state.head == state.waiting.count
                return state.isAwaited ? nil : Self.take(&state)
            }
            if let message { return message }
            posted.wait()
        }
    }

    private static func take(_ state: inout State) -> Message {
        let message = state.waiting[state.head]
        state.head += 1
        // Those that were taken are kept only until they are half of the array, so that taking is constant in time on average.
        if state.head * 2 >= state.waiting.count {
            state.waiting.removeFirst(state.head)
            state.head = 0
        }
        return message
    }
}
