// Carries the watcher's hints to whichever session of the spool is open; hints for none are dropped, since a session begins
// with a scan.

import Spool
import Synchronization
import Watcher

/// Hands hints on.
final class HintPump: Sendable {
    private let session = Mutex<Dispatcher?>(nil)

    private func take(_ event: FolderEvent) {
        let hint: SpoolHint =
            switch event {
            case .appeared(let name): .file(name)
            case .vanished(let name): .gone(name)
            case .rescan(.overflow): .overflow
            case .rescan(.replaced): .replaced
            case .rescan: .everything
            }
        session.withLock { $0 }?.take(hint)
    }

    /// From now on, hints are for this session.
    func connect(_ dispatcher: Dispatcher) { session.withLock { $0 = dispatcher } }

    /// The session is over; what it holds, such as the lock of its spool, is not kept.
    func disconnect() { session.withLock { $0 = nil } }

    /// Watches `folder` while `body` runs.
    ///
    /// - Parameters:
    ///   - poll: true to poll, false to use inotify whatever the file system; nil: as the file system needs.
    ///   - interval: how often to poll, in seconds; nil: as a watch does it by itself.
    static func pumping(
        folder: String, poll: Bool?, interval: Double?, _ body: (HintPump) async throws -> Void
    ) async throws {
        let pump = HintPump()
        let options = interval.map { WatchOptions(pollInterval: .milliseconds(Int64($0 * 1000))) } ?? WatchOptions()
        let source: any EventSource
        do {
            source = try makeEventSource(folder: folder, poll: poll, options: options) { pump.take($0) }
        } catch {
            throw FlowspoolError(.unavailable, error.message, hint: error.hint)
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(pump))
        } catch {
            result = .failure(error)
        }
        await source.stop()
        try result.get()
    }
}
