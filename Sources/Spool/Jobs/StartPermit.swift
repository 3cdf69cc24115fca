// Leave to start an attempt, given before all is known that it needs: whoever prepares a job that is alone then starts it, and need not
// ask. It can be taken back until the instant it is used.

import Synchronization

/// Whether an attempt may start. Safe to use from several threads.
final class StartPermit: Sendable {
    private enum State { case given, used, withdrawn }

    private let state = Mutex(State.given)

    /// Uses it.
    ///
    /// - Returns: false where it was withdrawn, or used before.
    func use() -> Bool { change(to: .used) }

    /// Takes it back.
    ///
    /// - Returns: false where it was used.
    @discardableResult
    func withdraw() -> Bool { change(to: .withdrawn) || state.withLock { $0 == .withdrawn } }

    private func change(to next: State) -> Bool {
        state.withLock { state in
            guard state == .given else { return false }
            state = next
            return true
        }
    }
}
