// The hints that wait for the dispatcher. They gather here while it is busy with a commit, so that a burst of drops is taken in by
// groups and not by a commit for each file. What always holds: the dispatcher is told once for all that wait; no hint is lost, and
// when too many names wait, one look at the whole folder stands for them. While the dispatcher sleeps and nothing is to be done, it may
// leave a standing order here: whoever brings the next file begins with it, and need not wait until the dispatcher has woken up.

import Synchronization

/// Hints on their way to the dispatcher, which alone empties it and leaves orders.
final class HintInbox: Sendable {
    /// Begins with the file of a name; nil, with nothing done, where it is nothing for it. Called by whoever brings the hint.
    typealias Order = @Sendable ([UInt8]) -> Dispatcher.Unnumbered?

    /// What becomes of a hint.
    enum Taken { case carriedOut, isFirst, waits }

    /// Names that wait at most; beyond them the whole folder is looked at. With 255 bytes each they are 5 MB.
    static let namesMax = 16_384

    /// Hints that came since the last look. Kinds of different order: what they ask for is the same in any order.
    struct Waiting {
        /// Files to look at, in order of arrival; a name may come more than once.
        var names: [[UInt8]] = []
        /// The hold, the ledger or what people asked may have changed.
        var isSignalled = false
        var wantsScan = false
        var isReplaced = false
        /// How often hints were lost on their way here.
        var overflows: Int64 = 0

        var isEmpty: Bool { names.isEmpty && !isSignalled && !wantsScan && !isReplaced && overflows == 0 }
    }

    private enum OrderState {
        case none
        case given(Order)
        case carriedOut(Dispatcher.Unnumbered)
    }

    private struct State {
        var waiting = Waiting()
        var order = OrderState.none
        /// No order is taken any more.
        var areOrdersOver = false
    }

    private let state = Mutex(State())

    /// Adds a hint. That a prompt has gone is none: mostly the dispatcher has moved it itself, and whoever has taken one out is
    /// noticed when its turn comes. That one of the spool's own folders has gone is one.
    ///
    /// - Returns: `carriedOut` where the standing order was carried out with it; `isFirst` where the dispatcher is to be told, because
    ///   nothing waited before.
    func add(_ hint: SpoolHint) -> Taken {
        state.withLock { state in
            if case .gone(let name) = hint, !Wake.isSignal(name), !SpoolFolder.isOwn(name) { return .waits }
            if case .given(let order) = state.order {
                // Whatever else has come comes first.
                state.order = .none
                if case .file(let name) = hint, let begun = order(name) {
                    state.order = .carriedOut(begun)
                    return .carriedOut
                }
            }
            return Self.add(hint, to: &state.waiting)
        }
    }

    private static func add(_ hint: SpoolHint, to waiting: inout Waiting) -> Taken {
        let wasEmpty = waiting.isEmpty
        switch hint {
        case .file(let name) where Wake.isSignal(name), .gone(let name):
            waiting.isSignalled = true
            if name == Wake.stateFile { waiting.wantsScan = true }
        case .file(let name):
            if waiting.names.count < namesMax { waiting.names.append(name) } else { waiting.wantsScan = true }
        case .everything, .overflow:
            // Among what was not told, or is not told one by one where the folder is polled, may have been a signal.
            waiting.isSignalled = true
            waiting.wantsScan = true
            guard hint == .overflow else { break }
            waiting.overflows += 1
        case .replaced: waiting.isReplaced = true
        }
        return wasEmpty ? .isFirst : .waits
    }

    /// Leaves a standing order, unless a hint waits.
    func leave(_ order: @escaping Order) {
        state.withLock { state in
            if !state.areOrdersOver, state.waiting.isEmpty { state.order = .given(order) }
        }
    }

    /// Takes the standing order back.
    ///
    /// - Returns: what was begun since it was left; nil: nothing was, and nothing will be.
    func withdrawOrder() -> Dispatcher.Unnumbered? {
        state.withLock { state in
            defer { state.order = .none }
            guard case .carriedOut(let begun) = state.order else { return nil }
            return begun
        }
    }

    /// Nothing is begun by a standing order from now on. What was begun by one stands until it is withdrawn.
    func endOrders() {
        state.withLock { state in
            state.areOrdersOver = true
            if case .given = state.order { state.order = .none }
        }
    }

    var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

    /// Takes all that waits.
    func take() -> Waiting {
        state.withLock { state in
            defer { state.waiting = Waiting() }
            return state.waiting
        }
    }
}
