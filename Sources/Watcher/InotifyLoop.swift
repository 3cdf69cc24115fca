// What the watching thread does: keep a watch on whatever the folder's path leads to, and turn events into hints. Owned by
// one thread from beginning to end. Three states: the folder is watched; it is missing, and the nearest folder above is
// watched; it is there but cannot be watched, and is reported as perhaps changed at every retry. Whatever casts doubt on a
// watch (deleted, moved, unmounted, queue overflow) starts a new session; only then is `.rescan` said, so that nothing
// falls between. A process that holds the deleted folder open delays IN_DELETE_SELF, so the folder above is watched too.

import CInotifyTools
import Glibc

/// What tests take the place of.
struct InotifyHooks: Sendable {
    /// The time, monotonic (`CLOCK_BOOTTIME`).
    var now: @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    /// Called on the thread before each read from the library.
    var beforeRead: @Sendable () -> Void = {}
}

final class InotifyLoop {
    private enum State {
        case standing(StandingWatch)
        case missing(MissingWatch)
        case blind
    }

    /// What ends a watch, or makes its path lead elsewhere.
    private static let goneBits = Int32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)

    private let path: FolderPath
    private let options: WatchOptions
    private let hooks: InotifyHooks
    private let queue: HintQueue
    private let wakeFile: WakeFile
    private var state: State = .blind
    private var reconcileAt: ContinuousClock.Instant
    private var retryAt: ContinuousClock.Instant

    /// Watches the folder, or throws why that is impossible.
    init(path: FolderPath, options: WatchOptions, hooks: InotifyHooks, queue: HintQueue, wakeFile: WakeFile) throws(WatcherError)
    {
        self.path = path
        self.options = options
        self.hooks = hooks
        self.queue = queue
        self.wakeFile = wakeFile
        reconcileAt = hooks.now() + options.reconcileInterval
        retryAt = hooks.now() + options.retryInterval
        state = .standing(try StandingWatch(path, wakeFile))
        noteWatches(trouble: nil)
        queue.push(.rescan(.start))
    }

    /// Runs until `WakeFile.requestStop`.
    func run() {
        while !wakeFile.isStopping {
            hooks.beforeRead()
            step()
            checkTime()
        }
        endSession()
        noteWatches(trouble: nil)
    }

    // MARK: - Events

    private func step() {
        let timeout = timeoutSeconds()
        switch state {
        case .standing(let standing):
            handle(standing.session.next(timeoutSeconds: timeout), standing)
        case .missing(let missing):
            handle(missing.session.next(timeoutSeconds: timeout), missing)
        case .blind:
            wakeFile.wait(seconds: timeout)
        }
        queue.count { $0.wakeups += 1 }
    }

    private func handle(_ reading: InotifySession.Reading, _ standing: StandingWatch) {
        switch reading {
        case .nothing:
            return
        case .failed(let errno):
            rest(after: .system("inotify", path.text, errno: errno))
        case .event(let event) where event.has(Int32(IN_Q_OVERFLOW)):
            // What was lost may be the notice that the folder is gone, so the watch cannot be trusted either.
            queue.count { $0.kernelOverflows += 1 }
            rewatch(.overflow)
        case .event(let event) where event.watch == standing.folder:
            if event.has(Self.goneBits) {
                rewatch(.replaced)
            } else if event.name.isEmpty {
                return
            } else if event.has(Int32(IN_DELETE | IN_MOVED_FROM)) {
                // A folder as well: the one who watches may have been using it.
                queue.push(.vanished(event.name))
            } else if !event.has(Int32(bitPattern: UInt32(IN_ISDIR))) {
                // IN_CREATE too: a hard link (link(2)) gives nothing else.
                queue.push(.appeared(event.name))
            }
        case .event(let event) where event.watch == standing.above?.watch:
            if event.name == standing.above?.name || event.has(Self.goneBits) { rewatch(.replaced) }
        case .event:
            return
        }
    }

    private func handle(_ reading: InotifySession.Reading, _ missing: MissingWatch) {
        switch reading {
        case .nothing:
            return
        case .failed(let errno):
            rest(after: .system("inotify", path.text, errno: errno))
        case .event(let event):
            let isOnTheWay = event.watch == missing.above?.watch && event.name == missing.above?.name
            if isOnTheWay || (event.watch != missing.wake && event.has(Self.goneBits | Int32(IN_Q_OVERFLOW))) {
                rewatch(.replaced)
            }
        }
    }

    // MARK: - Time

    /// Whole seconds until there is something to do without an event: rounded up, 1 to 3600.
    private func timeoutSeconds() -> Int {
        var at = reconcileAt
        var hasWake = true
        switch state {
        case .standing(let standing): hasWake = standing.wake != nil
        case .missing(let missing):
            hasWake = missing.wake != nil
            at = min(at, retryAt)
        case .blind: at = min(at, retryAt)
        }
        // Without the wake file a stop is noticed at the timeout only.
        guard hasWake else { return 1 }
        let left = (at - hooks.now()).components
        return Int(min(max(left.seconds + (left.attoseconds > 0 ? 1 : 0), 1), 3600))
    }

    private func checkTime() {
        let now = hooks.now()
        if now >= retryAt {
            retryAt = now + options.retryInterval
            switch state {
            case .standing: break
            case .missing(let missing):
                if path.identity != nil || path.nearestAbove?.folder.text != missing.nearest { rewatch(.replaced) }
            case .blind: rewatch(.replaced)
            }
        }
        if now >= reconcileAt {
            reconcileAt = now + options.reconcileInterval
            // No event tells that a folder further up was renamed, or that something was mounted over this one.
            if case .standing(let standing) = state, path.identity != standing.identity { rewatch(.replaced) }
            queue.push(.rescan(.reconcile))
        }
    }

    // MARK: - Watching

    /// Starts a new session on what the path leads to now, and asks for a look at everything once it stands.
    private func rewatch(_ reason: FolderEvent.Reason) {
        endSession()
        var trouble: WatcherError?
        // The path may change under these steps; then they are repeated, at most 8 times, and the next retry goes on.
        for _ in 0..<8 where !wakeFile.isStopping {
            do {
                state = .standing(try StandingWatch(path, wakeFile))
                noteWatches(trouble: nil)
                queue.count { $0.replacements += reason == .replaced ? 1 : 0 }
                queue.push(.rescan(reason))
                return
            } catch {
                trouble = error
            }
            guard trouble?.code == .folderMissing || trouble?.code == .notAFolder else { break }
            do {
                let missing = try MissingWatch(path, wakeFile)
                if path.identity == nil, path.nearestAbove?.folder.text == missing.nearest {
                    state = .missing(missing)
                    trouble = nil
                    // Whoever looks finds that nothing is there.
                    queue.push(.rescan(.reconcile))
                    break
                }
                missing.session.end()
            } catch {
                trouble = error
                break
            }
        }
        if case .blind = state, let trouble, !wakeFile.isStopping { return rest(after: trouble) }
        retryAt = hooks.now() + options.retryInterval
        noteWatches(trouble: nil)
    }

    /// Lets the folder be unwatched until the next retry. Nothing announces a change meanwhile, so it is said to have one.
    private func rest(after trouble: WatcherError) {
        endSession()
        retryAt = hooks.now() + options.retryInterval
        noteWatches(trouble: trouble)
        queue.push(.rescan(.poll))
    }

    /// By name and not by letting go of it: the library has one session at a time, and a caller may still hold the old one.
    private func endSession() {
        switch state {
        case .standing(let standing): standing.session.end()
        case .missing(let missing): missing.session.end()
        case .blind: break
        }
        state = .blind
    }

    private func noteWatches(trouble: WatcherError?) {
        let watches: Int
        switch state {
        case .standing(let standing): watches = standing.session.watchCount
        case .missing(let missing): watches = missing.session.watchCount
        case .blind: watches = 0
        }
        queue.count {
            $0.watches = watches
            $0.trouble = trouble
        }
    }
}
