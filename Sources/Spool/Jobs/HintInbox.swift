// The hints that wait for the dispatcher. They gather here while it is busy with a commit, so that a burst of drops is taken in by
// groups and not by a commit for each file. What always holds: the dispatcher is told once for all that wait; no hint is lost, and
// when too many names wait, one look at the whole folder stands for them.

import Synchronization

/// Hints on their way to the dispatcher. One fills it, one empties it.
final class HintInbox: Sendable {
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

    private let state = Mutex(Waiting())

    /// Adds a hint. That a prompt has gone is none: mostly the dispatcher has moved it itself, and whoever has taken one out is
    /// noticed when its turn comes.
    ///
    /// - Returns: whether the dispatcher is to be told, because nothing waited before.
    func add(_ hint: SpoolHint) -> Bool {
        state.withLock { waiting in
            let wasEmpty = waiting.isEmpty
            switch hint {
            case .gone(let name) where !Wake.isSignal(name): return false
            case .file(let name) where Wake.isSignal(name), .gone(let name):
                waiting.isSignalled = true
                if name == Wake.stateFile { waiting.wantsScan = true }
            case .file(let name):
                if waiting.names.count < Self.namesMax { waiting.names.append(name) } else { waiting.wantsScan = true }
            case .everything: waiting.wantsScan = true
            case .overflow:
                waiting.wantsScan = true
                waiting.overflows += 1
            case .replaced: waiting.isReplaced = true
            }
            return wasEmpty
        }
    }

    var isEmpty: Bool { state.withLock { $0.isEmpty } }

    /// Takes all that waits.
    func take() -> Waiting {
        state.withLock { waiting in
            let taken = waiting
            waiting = Waiting()
            return taken
        }
    }
}
