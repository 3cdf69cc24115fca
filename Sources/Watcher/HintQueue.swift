// The hints on their way from the source's thread to the one reader. Bounded: when more than `hintsMax` wait, all are
// dropped and one `.rescan(.overflow)` stands for them, and for whatever comes until the reader takes it, because the
// reader looks at the folder after it took it. A hint equal to the last one waiting is merged with it for the same reason.
// A waiting reader is resumed at once: nothing is batched.

import Synchronization

final class HintQueue: Sendable {
    private struct State {
        var waiting: [FolderEvent] = []
        /// Index of the first of `waiting` that was not yet taken.
        var head = 0
        /// The last of `waiting` is the `.rescan(.overflow)` that stands for everything, and was not yet taken.
        var isCollapsed = false
        var isFinished = false
        var reader: CheckedContinuation<FolderEvent?, Never>?
        var statistics = WatchStatistics()
    }

    private let state = Mutex(State())
    private let hintsMax: Int

    init(hintsMax: Int) {
        self.hintsMax = hintsMax
    }

    /// Adds a hint. Never blocks for longer than the lock; any thread.
    func push(_ event: FolderEvent) {
        let reader: CheckedContinuation<FolderEvent?, Never>? = state.withLock { state in
            guard !state.isFinished else { return nil }
            if case .rescan = event { state.statistics.rescans += 1 } else { state.statistics.hints += 1 }
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            if state.isCollapsed || (state.head < state.waiting.count && state.waiting.last == event) { return nil }
            if state.waiting.count - state.head >= hintsMax {
                state.waiting = [.rescan(.overflow)]
                state.head = 0
                state.isCollapsed = true
                state.statistics.collapses += 1
                state.statistics.rescans += 1
            } else {
                state.waiting.append(event)
            }
            return nil
        }
        reader?.resume(returning: event)
    }

    /// The next hint, as soon as there is one; nil after `finish`. One caller at a time.
    func next() async -> FolderEvent? {
        await withCheckedContinuation { continuation in
            let answer: FolderEvent?? = state.withLock { state in
                if state.isFinished { return .some(nil) }
                guard state.head < state.waiting.count else {
                    precondition(state.reader == nil, "the hints of a folder have one reader")
                    state.reader = continuation
                    return nil
                }
                return .some(Self.take(&state))
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    private static func take(_ state: inout State) -> FolderEvent {
        let event = state.waiting[state.head]
        state.head += 1
        if state.head == state.waiting.count {
            state.waiting.removeAll(keepingCapacity: state.waiting.count <= 64)
            state.head = 0
            state.isCollapsed = false
        } else if state.head >= 256, state.head * 2 >= state.waiting.count {
            // Taken hints are kept only until they are half of the array, so taking stays constant in time on average.
            state.waiting.removeFirst(state.head)
            state.head = 0
        }
        return event
    }

    /// Ends the stream: waiting hints are dropped, the reader gets nil. Safe to repeat.
    func finish() {
        let reader = state.withLock { state in
            state.isFinished = true
            state.waiting = []
            state.head = 0
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    /// The stream over this queue; it ends at `finish` and when its reader's task is cancelled.
    func makeStream() -> AsyncStream<FolderEvent> {
        AsyncStream(unfolding: { await self.next() }, onCancel: { self.finish() })
    }

    /// How many hints wait for the reader; at most `hintsMax`.
    var waitingCount: Int { state.withLock { $0.waiting.count - $0.head } }

    var statistics: WatchStatistics { state.withLock { $0.statistics } }

    func count(_ change: (inout WatchStatistics) -> Void) {
        state.withLock { change(&$0.statistics) }
    }
}
