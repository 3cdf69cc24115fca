// The names in one folder, as raw bytes, one after the other. Owns the directory stream; nothing is held in memory.

import Glibc

final class FolderListing {
    private let stream: OpaquePointer
    /// The folder's descriptor, for `fstatat(2)`; valid as long as the listing.
    let descriptor: Int32

    /// - Throws: `folderMissing`, `notAFolder`, `notPermitted` or `system`.
    init(_ path: String) throws(WatcherError) {
        guard let stream = opendir(path) else { throw .reaching(path, errno: errno) }
        self.stream = stream
        descriptor = dirfd(stream)
    }

    /// The next name without `.` and `..`; nil at the end, and where reading fails (then the names so far are all).
    func next() -> [UInt8]? {
        while let entry = readdir(stream) {
            // By address: copying `d_name` as the array that it is declared to be would read past the end of the entry.
            guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return nil }
            let start = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: UInt8.self)
            let length = strlen(UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self))
            let name = Array(UnsafeBufferPointer(start: start, count: length))
            if name != [UInt8(ascii: ".")], name != [UInt8(ascii: "."), UInt8(ascii: ".")] { return name }
        }
        return nil
    }

    deinit { closedir(stream) }
}
