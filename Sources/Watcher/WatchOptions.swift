// The numbers that a watched folder is watched by, and the numbers that come back. All have a stated unit and bound;
// values below the bound are raised to it, so no option can make a busy loop.

/// How a folder is watched.
public struct WatchOptions: Sendable, Equatable {
    /// How often to ask for a look at everything although nothing was announced. Default 30 s, at least 1 ms.
    public var reconcileInterval: Duration
    /// How often a folder that cannot announce changes is looked at. Default 2 s, at least 1 ms.
    public var pollInterval: Duration
    /// How often to try again while the folder is missing or cannot be watched. Default 2 s, at least 1 s: the library
    /// waits in whole seconds. An inotify event on the nearest folder above usually comes first.
    public var retryInterval: Duration
    /// How many hints wait for the reader. One more, and all of them become one `.rescan(.overflow)`. Default 4096, at
    /// least 1. A hint is at most 255 bytes of name and about 60 of bookkeeping: 4096 of them stay under 1.5 MB.
    public var hintsMax: Int

    public init(
        reconcileInterval: Duration = .seconds(30), pollInterval: Duration = .seconds(2), retryInterval: Duration = .seconds(2),
        hintsMax: Int = 4096
    ) {
        self.reconcileInterval = max(reconcileInterval, .milliseconds(1))
        self.pollInterval = max(pollInterval, .milliseconds(1))
        self.retryInterval = max(retryInterval, .seconds(1))
        self.hintsMax = max(hintsMax, 1)
    }
}

/// What a source has counted since it was made.
public struct WatchStatistics: Sendable, Equatable {
    /// Hints of one name (`.appeared`, `.vanished`) that were announced, also those that were merged or dropped.
    public var hints = 0
    /// Requests to look at everything, for any reason.
    public var rescans = 0
    /// How often the kernel's queue ran over (`IN_Q_OVERFLOW`, `fs.inotify.max_queued_events`).
    public var kernelOverflows = 0
    /// How often the reader was so far behind that its waiting hints became one `.rescan(.overflow)`.
    public var collapses = 0
    /// How often the folder was watched anew because it had been deleted, moved or replaced.
    public var replacements = 0
    /// How often the reading thread woke up.
    public var wakeups = 0
    /// inotify watches that stand now: the folder, the folder above it, and the file that wakes the thread.
    public var watches = 0
    /// Why the folder is not watched now although it was at first; nil while it is.
    public var trouble: WatcherError?

    public init() {}

    /// How often hints were lost, for either reason.
    public var overflows: Int { kernelOverflows + collapses }
}
