// What a folder looks like, in constant space: which folder it is, when it was changed, and a digest over its entries that
// does not depend on their order. Two looks with equal signatures saw the same names, files, sizes and times.

import Glibc

struct FolderSignature: Equatable {
    /// nil where the path leads to no folder that can be read.
    private(set) var identity: FolderIdentity?
    private var changed = timespec()
    private var entries = 0
    private var digest: UInt64 = 0

    /// Looks at the folder and, without following links, at each entry. Costs a system call per entry.
    init(of path: FolderPath) {
        // A folder that is missing or unreadable has a signature too: that of nothing. It changes when the folder is back.
        guard let listing = try? FolderListing(path.text) else { return }
        var status = stat()
        guard fstat(listing.descriptor, &status) == 0 else { return }
        identity = FolderIdentity(device: status.st_dev, inode: status.st_ino)
        changed = status.st_mtim
        while let name = listing.next() {
            var hasher = Hasher()
            hasher.combine(name)
            var entry = stat()
            let path = name.map { CChar(bitPattern: $0) } + [0]
            if fstatat(listing.descriptor, path, &entry, AT_SYMLINK_NOFOLLOW) == 0 {
                hasher.combine(entry.st_ino)
                hasher.combine(entry.st_size)
                hasher.combine(entry.st_mtim.tv_sec)
                hasher.combine(entry.st_mtim.tv_nsec)
                hasher.combine(entry.st_ctim.tv_sec)
                hasher.combine(entry.st_ctim.tv_nsec)
            }
            entries += 1
            // Addition does not mind the order. The hasher is seeded anew in each process, so no names can be made to cancel.
            digest &+= UInt64(bitPattern: Int64(hasher.finalize()))
        }
    }

    static func == (one: FolderSignature, other: FolderSignature) -> Bool {
        one.identity == other.identity && one.changed.tv_sec == other.changed.tv_sec
            && one.changed.tv_nsec == other.changed.tv_nsec && one.entries == other.entries && one.digest == other.digest
    }
}
