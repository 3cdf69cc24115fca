// Removing a folder with all that is in it, when what is in it was made by others: run folders are full of whatever prompts
// left there. What always holds: no link is followed, nothing outside the tree is touched, and a tree of any depth and any
// names (also such that are no text) goes, with a bounded number of open descriptors. What can go wrong: files of another
// owner, a mount point inside; then an error names the path, and the rest of the tree may be gone already.

import CSystemCalls
import Foundation

extension Directory {
    /// Folders deeper than this are moved up before they are emptied, so that descriptors and stack stay bounded.
    private static let depthMax = 32
    /// Entries that are read at once.
    private static let batchMax = 1024

    /// Removes `name`, whatever it is; a folder with all that is in it. That nothing is there is no error.
    ///
    /// On return the removal is not yet durable: `sync` makes it so. After a crash part of the tree may remain; remove it again.
    public func removeTree(_ name: String) throws {
        try removeEntry(name.utf8.map { CChar(bitPattern: $0) } + [0])
    }

    /// Removes the folder `name` where it is empty; one that is not, or is not there, is left alone.
    func removeFolderIfEmpty(_ name: String) throws(SystemCallError) {
        do {
            try calls.run(.unlinkat, pathOf(name)) { unlinkat(descriptor, name, AT_REMOVEDIR) }
        } catch {
            // EEXIST is the other word for ENOTEMPTY (rmdir(2)).
            guard [ENOTEMPTY, EEXIST, ENOENT, ENOTDIR].contains(error.errno) else { throw error }
        }
    }

    /// - Parameter name: raw, ending in NUL.
    private func removeEntry(_ name: [CChar]) throws {
        do {
            try unlink(name, isFolder: false)
            return
        } catch {
            if error.errno == ENOENT { return }
            // Linux says EISDIR for a folder (unlink(2), "BUGS"); POSIX would say EPERM.
            guard error.errno == EISDIR || error.errno == EPERM else { throw error }
        }
        let folder = try openFolder(name)
        try folder.empty(top: folder, depth: 1)
        try unlink(name, isFolder: true)
    }

    /// Removes what is in this folder, except what is too deep: that is moved to `top`, whose own loop finds it there.
    private func empty(top: Directory, depth: Int) throws {
        while true {
            var names: [[CChar]] = []
            try forEachEntry { bytes, _ in
                names.append(bytes.map { CChar(bitPattern: $0) } + [0])
                return names.count < Self.batchMax
            }
            if names.isEmpty { return }
            for name in names {
                do {
                    try unlink(name, isFolder: false)
                    continue
                } catch {
                    if error.errno == ENOENT { continue }
                    guard error.errno == EISDIR || error.errno == EPERM else { throw error }
                }
                if depth >= Self.depthMax {
                    // A folder can only be moved elsewhere if it can be written: opening it sees to that.
                    _ = try openFolder(name)
                    let aside = String(UInt64.random(in: .min ... .max), radix: 16)
                    try moveUp(name, to: top, as: Self.asidePrefix + aside)
                } else {
                    try openFolder(name).empty(top: top, depth: depth + 1)
                    try unlink(name, isFolder: true)
                }
            }
        }
    }

    private func unlink(_ name: [CChar], isFolder: Bool) throws(SystemCallError) {
        try calls.run(.unlinkat, pathOf(text(name))) {
            unlinkat(descriptor, name, isFolder ? AT_REMOVEDIR : 0)
        }
    }

    /// Opens a sub-folder for emptying it, making it accessible where it is ours and is not.
    private func openFolder(_ name: [CChar]) throws(SystemCallError) -> Directory {
        let path = pathOf(text(name))
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let opened: Int32
        do {
            opened = try calls.run(.openat, path) { openat(descriptor, name, flags) }
        } catch {
            guard error.errno == EACCES else { throw error }
            // By name, since it cannot be opened. Whoever could put a link here in between runs as this user anyway.
            try calls.run(.fchmod, path) { fchmodat(descriptor, name, 0o700, 0) }
            opened = try calls.run(.openat, path) { openat(descriptor, name, flags) }
        }
        let folder = Directory(descriptor: opened, path: path, calls: calls)
        let status = try folder.status()
        // Entries of a folder without write and search permission cannot be removed, even by its owner.
        if status.owner == geteuid(), status.mode & 0o700 != 0o700 {
            try calls.run(.fchmod, path) { fchmod(folder.descriptor, 0o700) }
        }
        return folder
    }

    private func moveUp(_ name: [CChar], to top: Directory, as newName: String) throws(SystemCallError) {
        try calls.run(.renameat2, pathOf(text(name))) {
            flowspool_renameat2(descriptor, name, top.descriptor, newName, flowspool_rename_noreplace)
        }
    }

    private func text(_ name: [CChar]) -> String {
        String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
