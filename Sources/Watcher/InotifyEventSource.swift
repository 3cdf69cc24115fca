// Hints about a folder from inotify, by way of libinotifytools. Owns one thread, which alone touches the library, and the
// process's single permission to do so. The thread runs from `init` to `stop` (or until the source is dropped).

import Dispatch
import Synchronization

/// A source that the kernel tells about changes (inotify(7)).
///
/// When `init` returns, the folder is watched and `.rescan(.start)` is the first hint: whoever looks at the folder after
/// taking it misses nothing. A deleted, moved or replaced folder is watched again, with `.rescan(.replaced)`, as soon as
/// its path leads to a folder. Names are passed as they are; folders inside the folder are not announced. A hint of a
/// drop reaches the waiting reader in well under a millisecond. At rest the thread wakes once per `reconcileInterval`.
public final class InotifyEventSource: EventSource {
    /// libinotifytools keeps its state in globals of the process, so the permission to use it is one too.
    private static let isLibraryTaken = Atomic<Bool>(false)

    public let events: AsyncStream<FolderEvent>
    private let queue: HintQueue
    private let wakeFile: WakeFile
    private let thread: JoinableThread

    /// Starts to watch `folder`, an existing folder. Blocks for well under a millisecond.
    ///
    /// - Throws: ``WatcherError``: `folderMissing`, `notAFolder`, `notPermitted`; `alreadyRunning` where this process has
    ///   a source of this kind that was not stopped; `watchLimit`, `instanceLimit`, `descriptorTooHigh` where the system
    ///   has no more to give; `system`.
    public convenience init(
        folder: String, options: WatchOptions = WatchOptions(), receiver: HintReceiver? = nil
    ) throws(WatcherError) {
        try self.init(folder: folder, options: options, hooks: InotifyHooks(), receiver: receiver)
    }

    init(folder: String, options: WatchOptions, hooks: InotifyHooks, receiver: HintReceiver? = nil) throws(WatcherError) {
        let path = try FolderPath(folder)
        let queue = HintQueue(hintsMax: options.hintsMax, receiver: receiver)
        let wakeFile = try WakeFile()
        guard Self.isLibraryTaken.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
        else { throw .alreadyRunning }

        let started = DispatchSemaphore(value: 0)
        let failure = Failure()
        let thread: JoinableThread
        do throws(WatcherError) {
            thread = try JoinableThread(name: "folder-watcher") {
                do throws(WatcherError) {
                    let loop = try InotifyLoop(path: path, options: options, hooks: hooks, queue: queue, wakeFile: wakeFile)
                    started.signal()
                    loop.run()
                    Self.isLibraryTaken.store(false, ordering: .releasing)
                } catch {
                    failure.error.withLock { $0 = error }
                    Self.isLibraryTaken.store(false, ordering: .releasing)
                    started.signal()
                }
            }
        } catch {
            Self.isLibraryTaken.store(false, ordering: .releasing)
            throw error
        }
        started.wait()
        if let error = failure.error.withLock({ $0 }) { throw error }
        self.events = queue.makeStream()
        self.queue = queue
        self.wakeFile = wakeFile
        self.thread = thread
    }

    private final class Failure: Sendable {
        let error = Mutex<WatcherError?>(nil)
    }

    public var statistics: WatchStatistics { queue.statistics }

    public func stop() async {
        wakeFile.requestStop()
        queue.finish()
        await thread.join()
    }

    /// Makes the thread look at its clock now.
    func wake() { wakeFile.wake() }

    deinit { wakeFile.requestStop() }
}
