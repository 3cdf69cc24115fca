// What the rest of the program knows of a watched folder: that it changed, perhaps where. Events are hints; the folder is
// the truth, and whoever listens looks for itself.

/// A hint that the watched folder may have changed.
public enum FolderEvent: Sendable, Hashable {
    /// A file of this name was closed after writing, moved in, or otherwise appeared. Raw bytes of the name.
    case appeared([UInt8])
    /// A file of this name went away.
    case vanished([UInt8])
    /// Hints were lost or the folder was replaced: look at everything.
    case rescan(Reason)

    public enum Reason: String, Sendable { case start, overflow, replaced, reconcile, poll }
}

/// Takes hints on the source's own thread, one after the other, in order. It must not wait: hints that come meanwhile fill the kernel's
/// queue (inotify(7), `max_queued_events`), which then says that it lost some.
public typealias HintReceiver = @Sendable (FolderEvent) -> Void

/// A source of hints about one folder, owned by one reader.
public protocol EventSource: Sendable {
    /// The hints, from the first `.rescan(.start)` on, until the surrounding task is cancelled or `stop` is called. None where they
    /// go to a receiver.
    var events: AsyncStream<FolderEvent> { get }
    /// What the source has counted since it was made. Safe to read at any time, also after `stop`.
    var statistics: WatchStatistics { get }
    /// Ends the stream; on return nothing of the source runs any more.
    func stop() async
}

extension EventSource {
    /// A source that counts nothing.
    public var statistics: WatchStatistics { WatchStatistics() }
}
