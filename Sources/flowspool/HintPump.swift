// Carries the watcher's hints to whichever session of the spool is open; hints for none are dropped, since a session begins
// with a scan.

import Spool
import Synchronization
import Watcher

/// Hands hints on.
final class HintPump: Sendable {
    private let output = Mutex<AsyncStream<SpoolHint>.Continuation?>(nil)

    func take(_ event: FolderEvent) {
        let hint: SpoolHint =
            switch event {
            case .appeared(let name), .vanished(let name): .file(name)
            case .rescan(.overflow): .overflow
            case .rescan(.replaced): .replaced
            case .rescan: .everything
            }
        _ = output.withLock { $0?.yield(hint) }
    }

    /// The hints for the next session; ends those of the one before.
    func next() -> AsyncStream<SpoolHint> {
        let (stream, continuation) = AsyncStream.makeStream(of: SpoolHint.self)
        output.withLock { output in
            output?.finish()
            output = continuation
        }
        return stream
    }
}
