// The hints on their way from the source's thread to the one reader. Bounded: when more than `hintsMax` wait, all are
// dropped and one `.rescan(.overflow)` stands for them, and for whatever comes until the reader takes it, because the
// reader looks at the folder after it took it. A hint equal to the last one waiting is merged with it for the same reason.
// A waiting reader is resumed at once: nothing is batched. Where there is a receiver, it gets each hint at once, and none waits.

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
    private let receiver: HintReceiver?

    init(hintsMax: Int, receiver: HintReceiver? = nil) {
        self.hintsMax = hintsMax
        self.receiver = receiver
    }

    /// Adds a hint. Never blocks for longer than the lock, and the receiver; any thread, and one at a time where there is a receiver.
    func push(_ event: FolderEvent) {
        if let receiver {
            let isFinished = state.withLock { state in
                if !state.isFinished { state.statistics.count(event) }
                return state.isFinished
            }
            return isFinished ? () : receiver(event)
        }
        let reader: CheckedContinuation<FolderEvent?, Never>? = state.withLock { state in
            guard !state.isFinished else { return nil }
            state.statistics.count(event)
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

extension WatchStatistics {
    fileprivate mutating func count(_ event: FolderEvent) {
        if case .rescan = event { rescans += 1 } else { hints += 1 }
    }
}
