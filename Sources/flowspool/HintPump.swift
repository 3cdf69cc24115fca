// Carries the watcher's hints to whichever session of the spool is open; hints for none are dropped, since a session begins
// with a scan.

import Spool
import Synchronization
import Watcher

/// Hands hints on.
final class HintPump: Sendable {
    private let output = Mutex<AsyncStream<SpoolHint>.Continuation?>(nil)

    private func take(_ event: FolderEvent) {
        let hint: SpoolHint =
            switch event {
            case .appeared(let name): .file(name)
            case .vanished(let name): .gone(name)
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

    /// Watches `folder` while `body` runs.
    ///
    /// - Parameter poll: true to poll, false to use inotify whatever the file system; nil: as the file system needs.
    static func pumping(folder: String, poll: Bool?, _ body: (HintPump) async throws -> Void) async throws {
        let source: any EventSource
        do {
            source = try makeEventSource(folder: folder, poll: poll, options: WatchOptions())
        } catch {
            throw FlowspoolError(.unavailable, error.message, hint: error.hint)
        }
        let pump = HintPump()
        let task = Task { for await event in source.events { pump.take(event) } }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(pump))
        } catch {
            result = .failure(error)
        }
        await source.stop()
        await task.value
        try result.get()
    }
}
