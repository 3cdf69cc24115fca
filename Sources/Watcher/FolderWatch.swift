// The two things that a session of the library can watch for: changes in the folder, and the folder coming back. Each is a
// whole new session; making one never leaves half of it behind. The order of the steps is what keeps a change between two
// of them from being lost.

import CInotifyTools
import Glibc

/// A folder above a watched one: the watch on it, and the name in it that is of interest.
struct WatchAbove {
    let watch: Int32
    let name: [UInt8]
}

/// A watch on the folder that a path leads to.
struct StandingWatch {
    let session: InotifySession
    /// The watch on the wake file; nil where it does not work.
    let wake: Int32?
    let folder: Int32
    let identity: FolderIdentity
    /// The folder above; nil for `/` and where that may not be read. A process that holds a deleted folder open delays the
    /// folder's own IN_DELETE_SELF until it lets go; the folder above is told at once.
    let above: WatchAbove?

    private static let mask = Int32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
    /// While the folder stands, its name in the folder above can only go away or be taken by another, or that folder be moved.
    private static let aboveMask = Int32(IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

    /// - Throws: ``WatcherError``; then nothing is watched.
    init(_ path: FolderPath, _ wakeFile: WakeFile) throws(WatcherError) {
        session = try InotifySession()
        wake = session.watch(wakeFile)
        // The folder above first: what happens to the folder from here on is announced. Without it (it may be forbidden)
        // the folder's own events and the reconcile interval have to do.
        let parent = path.resolved?.parent
        let parentDescriptor = try? parent?.folder.open()
        defer { if let parentDescriptor { close(parentDescriptor) } }
        above = session.watchAbove(parentDescriptor, name: parent?.name, mask: Self.aboveMask)
        // By descriptor, so that the folder watched is the one whose identity is noted. Both descriptors stay open until
        // both watches stand: the library tells watches apart by path.
        let descriptor = try path.open()
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .reaching(path.text, errno: errno) }
        folder = try session.watch("/proc/self/fd/\(descriptor)/", mask: Self.mask, naming: path.text)
        identity = FolderIdentity(device: status.st_dev, inode: status.st_ino)
    }
}

/// A watch for the folder's coming back, on the nearest folder above that exists.
struct MissingWatch {
    let session: InotifySession
    let wake: Int32?
    /// nil where there is none that may be read; then the retry interval has to do.
    let above: WatchAbove?
    /// The path of the nearest folder above at this moment. Whoever makes this looks afterwards whether it still is.
    let nearest: String?

    private static let mask = Int32(IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

    init(_ path: FolderPath, _ wakeFile: WakeFile) throws(WatcherError) {
        session = try InotifySession()
        wake = session.watch(wakeFile)
        let found = path.nearestAbove
        nearest = found?.folder.text
        // It may be gone already, or forbidden: see `above`.
        let descriptor = try? found?.folder.open()
        defer { if let descriptor { close(descriptor) } }
        above = session.watchAbove(descriptor, name: found?.name, mask: Self.mask)
    }
}

extension InotifySession {
    /// Watches the file that wakes the thread, as the session's first watch; nil where that does not work.
    fileprivate func watch(_ wakeFile: WakeFile) -> Int32? {
        // Where the system forbids it (a security module may) or announces nothing, the thread looks once a second whether
        // it is to stop. Any event that comes is the file's own.
        guard let watch = try? watch(wakeFile.path, mask: Int32(IN_MODIFY), naming: wakeFile.path) else { return nil }
        wakeFile.touch()
        return hasEvent() ? watch : nil
    }

    fileprivate func watchAbove(_ descriptor: Int32?, name: [UInt8]?, mask: Int32) -> WatchAbove? {
        guard let descriptor, let name else { return nil }
        let path = "/proc/self/fd/\(descriptor)/"
        // Without it the intervals have to do.
        return (try? watch(path, mask: mask, naming: path)).map { WatchAbove(watch: $0, name: name) }
    }
}
