// Messages on their way to the one actor that reads them. It is resumed where it waits, on its own executor; an `AsyncStream` is read off
// the actor, so that each message would be handed from thread to thread once more.

import Synchronization

/// An unbounded queue with one reader.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var waiting: [Message] = []
        /// Index of the first of `waiting` that was not taken yet.
        var head = 0
        var reader: CheckedContinuation<Message, Never>?
    }

    private let state = Mutex(State())

    /// Adds a message; any thread.
    func post(_ message: Message) {
        let reader: CheckedContinuation<Message, Never>? = state.withLock { state in
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            state.waiting.append(message)
            return nil
        }
        reader?.resume(returning: message)
    }

    /// The next message, in order of posting, as soon as there is one. One caller at a time.
    func next(isolation: isolated (any Actor)? = #isolation) async -> Message {
        await withCheckedContinuation(isolation: isolation) { continuation in
            let message: Message? = state.withLock { state in
                guard state.head < state.waiting.count else {
                    precondition(state.reader == nil, "a mailbox has one reader")
                    state.reader = continuation
                    return nil
                }
                return Self.take(&state)
            }
            if let message { continuation.resume(returning: message) }
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
