// Replacing a file's content without making and freeing an inode each time. ext4 is slow to make a file where many were freed
// in the last minutes (it looks at each of them, `recently_deleted` in fs/ext4/ialloc.c), so a runner that frees two inodes
// for each job slows down with the number of jobs. The new content is written into a spare file and the two names are
// exchanged (renameat2(2), RENAME_EXCHANGE): readers and crashes see the old or the new content, whole. What went out
// becomes a spare, if it is surely nobody else's, and once the folder is fsynced: until then a power loss may undo the
// exchange, and the spare would again be the file whose content it was.

import CSystemCalls
import Foundation
import Synchronization

/// Replaces files of one folder, keeping spares. Safe to use from several threads.
final class SwapFile: Sendable {
    private struct Spares {
        var free: [String] = []
        /// Went out, but the exchange is not surely on disk.
        var unsynced: [String] = []
        var made = 0
    }

    private let folder: Directory
    private let spares = Mutex(Spares())
    /// Spares kept at most: two stamps for each of the moves that are confirmed by one fsync of the folder, and some.
    private static let sparesMax = 256

    /// Leftovers of an earlier process are removed by `Recovery`.
    init(_ folder: Directory) {
        self.folder = folder
    }

    /// Replaces the content of `name`, which must exist, and fsyncs it. The folder is not fsynced.
    ///
    /// - Parameter mode: permission bits of the file afterwards.
    func replace(_ name: String, with data: Data, mode: mode_t) throws(SystemCallError) {
        let spare = take()
        do {
            try write(data, to: spare, mode: mode)
            try exchange(spare, name)
        } catch {
            // The first error is the one to report; a left-over spare is removed at the next start.
            try? folder.remove(spare)
            throw error
        }
        if try isReusable(spare) {
            give(spare)
        } else {
            try folder.remove(spare)
        }
    }

    /// Fsyncs the folder. What went out before is then out for good, and may be written over.
    func syncFolder() throws(SystemCallError) {
        let waiting = spares.withLock { spares in
            let names = spares.unsynced
            spares.unsynced = []
            return names
        }
        do {
            try folder.sync()
        } catch {
            spares.withLock { $0.unsynced += waiting }
            throw error
        }
        spares.withLock { $0.free += waiting }
    }

    /// Removes all spares; for the end of a run.
    func removeSpares() {
        let names = spares.withLock { spares in
            defer { (spares.free, spares.unsynced) = ([], []) }
            return spares.free + spares.unsynced
        }
        // One that stays is removed at the next start.
        for name in names { try? folder.remove(name) }
    }

    private func write(_ data: Data, to spare: String, mode: mode_t) throws(SystemCallError) {
        let path = folder.pathOf(spare)
        let descriptor = try folder.calls.run(.openat, path) {
            openat(folder.descriptor, spare, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        let file = OpenFile(descriptor: descriptor, path: path, calls: folder.calls)
        try file.write(data)
        let status = try file.status()
        if status.size != data.count { try folder.calls.run(.ftruncate, path) { ftruncate(descriptor, off_t(data.count)) } }
        if status.mode != mode { try file.setMode(mode) }
        try file.sync()
    }

    private func exchange(_ spare: String, _ name: String) throws(SystemCallError) {
        do {
            try folder.calls.run(.renameat2, folder.pathOf(name)) {
                flowspool_renameat2(folder.descriptor, spare, folder.descriptor, name, flowspool_rename_exchange)
            }
        } catch {
            // A file system without exchange: the plain rename does as well, and leaves no spare.
            guard error.errno == EINVAL else { throw error }
            try folder.move(spare, to: name)
        }
    }

    /// Whether the file that went out may be written over: it has no other name, and nobody has it open (a write lease is
    /// granted to the only opener, fcntl(2)). The author's master copy, hard-linked into the spool, is never touched.
    private func isReusable(_ spare: String) throws(SystemCallError) -> Bool {
        guard let status = try folder.status(spare), status.kind == .regular, status.links == 1, status.owner == geteuid() else {
            return false
        }
        let file = try folder.openForReading(spare)
        return flowspool_setlease(file.descriptor, F_WRLCK) == 0
    }

    private func take() -> String {
        spares.withLock { spares in
            if let spare = spares.free.popLast() { return spare }
            spares.made += 1
            return "\(Directory.asidePrefix)\(getpid())-\(spares.made)"
        }
    }

    private func give(_ spare: String) {
        let isKept = spares.withLock { spares in
            guard spares.free.count + spares.unsynced.count < Self.sparesMax else { return false }
            spares.unsynced.append(spare)
            return true
        }
        // Left over beyond the bound: removed now, or at the next start where that fails.
        if !isKept { try? folder.remove(spare) }
    }
}
