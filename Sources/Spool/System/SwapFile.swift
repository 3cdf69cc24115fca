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

    /// New content that is written, and not in its place yet.
    final class Spare: Sendable {
        fileprivate let name: String
        private let file: OpenFile

        fileprivate init(name: String, file: consuming OpenFile) {
            self.name = name
            self.file = file
        }

        /// The content is on stable storage on return. To be called before `put`.
        func sync() throws(SystemCallError) { try file.sync() }

        func status() throws(SystemCallError) -> FileStatus { try file.status() }

        /// As `sync` for several, at the same time: the kernel then writes one journal commit, and has the disk flush its cache
        /// once, for all that wait; eight take the time of two. nil where there is nothing to do; one result for each.
        static func sync(_ spares: [Spare?]) async -> [Result<Void, SystemCallError>] {
            guard spares.count > 1 else { return spares.map { $0?.synced ?? .success(()) } }
            return await withTaskGroup(of: (Int, Result<Void, SystemCallError>).self) { group in
                for (index, spare) in spares.enumerated() {
                    if let spare { group.addTask(executorPreference: WorkerThreads.shared) { (index, spare.synced) } }
                }
                var results = [Result<Void, SystemCallError>](repeating: .success(()), count: spares.count)
                for await (index, result) in group { results[index] = result }
                return results
            }
        }

        private var synced: Result<Void, SystemCallError> {
            Result { () throws(SystemCallError) in try sync() }
        }
    }

    /// Replaces the content of `name`, which must exist, and fsyncs it. The folder is not fsynced.
    ///
    /// - Parameter mode: permission bits of the file afterwards.
    func replace(_ name: String, with data: Data, mode: mode_t) throws(SystemCallError) {
        let spare = try write(data, mode: mode)
        do {
            try spare.sync()
        } catch {
            discard(spare)
            throw error
        }
        try put(spare, in: name)
    }

    /// Writes new content aside, without a sync.
    ///
    /// - Parameter mode: permission bits of the file.
    func write(_ data: Data, mode: mode_t) throws(SystemCallError) -> Spare {
        let name = take()
        do {
            return Spare(name: name, file: try write(data, to: name, mode: mode))
        } catch {
            remove(name)
            throw error
        }
    }

    /// Puts content that is on stable storage in place of that of `name`, which must exist. What went out has the spare's name
    /// now, for `keep`, when this process has it open no more.
    func exchange(_ spare: Spare, with name: String) throws(SystemCallError) {
        do {
            try exchange(spare.name, name)
        } catch {
            remove(spare.name)
            throw error
        }
    }

    /// Puts content that is on stable storage in place of that of `name`, which must exist.
    func put(_ spare: Spare, in name: String) throws(SystemCallError) {
        try exchange(spare, with: name)
        try keep(spare)
    }

    /// Keeps what went out as a spare, or removes it where it may not be written over.
    func keep(_ spare: Spare) throws(SystemCallError) {
        if try isReusable(spare.name) {
            give(spare.name)
        } else {
            try folder.remove(spare.name)
        }
    }

    /// Gives up content that is not needed after all.
    func discard(_ spare: Spare) { remove(spare.name) }

    /// Removes a spare; one that stays is removed at the next start.
    private func remove(_ name: String) { try? folder.remove(name) }

    /// Fsyncs the folder. What went out before is then out for good, and may be written over.
    ///
    /// - Parameter others: fsynced first: folders from which a file may have come that went out. What goes out from now on is not
    ///   covered, since its name there may be gone only after their sync.
    func syncFolder(after others: [Directory] = []) throws(SystemCallError) {
        let waiting = spares.withLock { spares in
            let names = spares.unsynced
            spares.unsynced = []
            return names
        }
        do {
            for other in others { try other.sync() }
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
        for name in names { remove(name) }
    }

    private func write(_ data: Data, to spare: String, mode: mode_t) throws(SystemCallError) -> OpenFile {
        let path = folder.pathOf(spare)
        let descriptor = try folder.calls.run(.openat, path) {
            openat(folder.descriptor, spare, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        let file = OpenFile(descriptor: descriptor, path: path, calls: folder.calls)
        try file.write(data)
        let status = try file.status()
        if status.size != data.count { try folder.calls.run(.ftruncate, path) { ftruncate(descriptor, off_t(data.count)) } }
        if status.mode != mode { try file.setMode(mode) }
        return file
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

    /// Whether the file that went out may be written over: it has no other name, nobody has it open (a write lease is granted to
    /// the only opener, fcntl(2)), and it is as a new file of ours would be: no group and no attributes, such as an access list, that
    /// another prompt would get from it. The author's master copy, hard-linked into the spool, is never touched.
    private func isReusable(_ spare: String) throws(SystemCallError) -> Bool {
        guard let status = try folder.status(spare), status.kind == .regular, status.links == 1, status.owner == geteuid(),
            status.group == getegid()
        else { return false }
        let file = try folder.openForReading(spare)
        return flowspool_has_attributes(file.descriptor) == 0 && flowspool_setlease(file.descriptor, F_WRLCK) == 0
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
        // Left over beyond the bound.
        if !isKept { remove(spare) }
    }
}
