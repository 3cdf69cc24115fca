// Hints about a folder on a filesystem that announces nothing: the folder is looked at every `pollInterval`. Owns one task,
// from `init` to `stop` (or until the source is dropped). A change that is undone between two looks is not seen.

/// A source that looks for itself.
///
/// The first hint is `.rescan(.start)`; then `.rescan(.poll)` when the folder or an entry of it changed,
/// `.rescan(.replaced)` when the path leads to another folder than before, and `.rescan(.reconcile)` at the reconcile interval.
public final class PollingEventSource: EventSource {
    public let events: AsyncStream<FolderEvent>
    private let queue: HintQueue
    private let task: Task<Void, Never>

    /// Starts to look at `folder`, an existing folder, through `clock`.
    ///
    /// - Throws: ``WatcherError``: `folderMissing`, `notAFolder`, `notPermitted`, `system`. Not an error: a folder that
    ///   goes missing later; the hint comes when it is back.
    public init(
        folder: String, options: WatchOptions = WatchOptions(), clock: some Clock<Duration> = ContinuousClock(),
        receiver: HintReceiver? = nil
    ) throws(WatcherError) {
        let path = try FolderPath(folder)
        _ = try FolderListing(path.text)
        let queue = HintQueue(hintsMax: options.hintsMax, receiver: receiver)
        let first = FolderSignature(of: path)
        queue.push(.rescan(.start))
        events = queue.makeStream()
        self.queue = queue
        task = Task { await Self.poll(path, from: first, options: options, clock: clock, queue: queue) }
    }

    private static func poll<C: Clock>(
        _ path: FolderPath, from first: FolderSignature, options: WatchOptions, clock: C, queue: HintQueue
    ) async where C.Duration == Duration {
        var seen = first
        var identity = first.identity
        var reconcileAt = clock.now.advanced(by: options.reconcileInterval)
        while !Task.isCancelled {
            do {
                try await clock.sleep(until: clock.now.advanced(by: options.pollInterval), tolerance: nil)
            } catch {
                // Cancelled: the only way in which a clock's sleep fails.
                return
            }
            queue.count { $0.wakeups += 1 }
            let now = FolderSignature(of: path)
            if let current = now.identity, current != identity {
                identity = current
                queue.count { $0.replacements += 1 }
                queue.push(.rescan(.replaced))
            } else if now != seen {
                queue.push(.rescan(.poll))
            }
            seen = now
            if clock.now >= reconcileAt {
                reconcileAt = clock.now.advanced(by: options.reconcileInterval)
                queue.push(.rescan(.reconcile))
            }
        }
    }

    public var statistics: WatchStatistics { queue.statistics }

    public func stop() async {
        task.cancel()
        queue.finish()
        await task.value
    }

    deinit { task.cancel() }
}
