// One open file, owned: the descriptor is closed when the value ends. Reads and writes are whole or they throw; a short
// result is continued, a signal is no error.

import CSystemCalls
import Foundation

/// An open file descriptor with its path for messages.
public struct OpenFile: ~Copyable, Sendable {
    public let descriptor: Int32
    let path: String
    let calls: SystemCalls

    init(descriptor: Int32, path: String, calls: SystemCalls) {
        self.descriptor = descriptor
        self.path = path
        self.calls = calls
    }

    deinit {
        // Nothing can be done about a failing close(2): data that matters was fsynced before.
        Glibc.close(descriptor)
    }

    /// fstat(2).
    public func status() throws(SystemCallError) -> FileStatus {
        var info = stat()
        try calls.run(.fstat, path) { fstat(descriptor, &info) }
        return FileStatus(info)
    }

    /// Reads from the file's beginning, at most `bytesMax` bytes.
    public func readAll(bytesMax: Int) throws(SystemCallError) -> Data {
        let status = try status()
        // One byte more than the size, so that the read that finds the end needs no second turn.
        var buffer = [UInt8](repeating: 0, count: min(bytesMax, Int(status.size) + 1))
        var count = 0
        while count < bytesMax {
            if count == buffer.count { buffer += [UInt8](repeating: 0, count: min(bytesMax - count, max(4096, count))) }
            let got = try calls.run(.read, path) {
                buffer.withUnsafeMutableBytes {
                    pread(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count, off_t(count))
                }
            }
            if got == 0 { break }
            count += got
        }
        return Data(buffer[0..<count])
    }

    /// Largest prompt that is read once it may carry a stamp: the largest `size_limit`, and room for what flowspool writes into it.
    static let stampedMax = SpoolConfiguration.sizeLimitMax + (1 << 20)

    /// Reads all of a prompt that has been claimed; nil where it has become larger than a prompt can be.
    func readAllStamped() throws(SystemCallError) -> Data? {
        guard try status().size <= Int64(Self.stampedMax) else { return nil }
        let data = try readAll(bytesMax: Self.stampedMax + 1)
        return data.count <= Self.stampedMax ? data : nil
    }

    /// Reads the file's beginning, at most `bytesMax` bytes, in one call; nil where it begins with none of `beginnings`.
    func readHead(bytesMax: Int, beginning beginnings: [[UInt8]]) throws(SystemCallError) -> Data? {
        var head: Data?
        var failure: SystemCallError?
        withUnsafeTemporaryAllocation(byteCount: bytesMax, alignment: 1) { buffer in
            do throws(SystemCallError) {
                let count = try calls.run(.pread, path) { pread(descriptor, buffer.baseAddress, bytesMax, 0) }
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                if beginnings.contains(where: { bytes.starts(with: $0) }) { head = Data(bytes) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return head
    }

    /// Writes all of `data` at the file's position.
    public func write(_ data: Data) throws(SystemCallError) {
        var offset = 0
        let total = data.count
        while offset < total {
            offset += try calls.run(.write, path) {
                data.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), total - offset) }
            }
        }
    }

    /// Writes all of `data` at `offset`, whatever the file's position.
    func write(_ data: Data, at offset: Int) throws(SystemCallError) {
        var written = 0
        let total = data.count
        while written < total {
            written += try calls.run(.pwrite, path) {
                data.withUnsafeBytes {
                    pwrite(descriptor, $0.baseAddress?.advanced(by: written), total - written, off_t(offset + written))
                }
            }
        }
    }

    /// ftruncate(2).
    func truncate(_ size: Int) throws(SystemCallError) {
        try calls.run(.ftruncate, path) { ftruncate(descriptor, off_t(size)) }
    }

    /// fsync(2): on return the file's data and metadata are on stable storage.
    public func sync() throws(SystemCallError) {
        try calls.run(.fsync, path) { fsync(descriptor) }
    }

    /// fdatasync(2): as `sync`, without metadata that reading back does not need.
    public func syncData() throws(SystemCallError) {
        try calls.run(.fsync, path) { fdatasync(descriptor) }
    }

    /// fchmod(2), so that the mode does not depend on the umask.
    public func setMode(_ mode: mode_t) throws(SystemCallError) {
        try calls.run(.fchmod, path) { fchmod(descriptor, mode) }
    }

    /// Takes a read lease, which the kernel refuses while anybody has the file open for writing, and which makes a later
    /// writer wait until it is given up (fcntl(2), "Leases"). The lease ends with `endLease` or with the descriptor.
    ///
    /// - Returns: `granted`; `refused` while a writer exists; `unsupported` where the file system or the owner does not
    ///   allow leases.
    func takeReadLease() throws(SystemCallError) -> Lease {
        do {
            try calls.run(.fcntl, path) { flowspool_setlease(descriptor, F_RDLCK) }
            return .granted
        } catch {
            switch error.errno {
            case EAGAIN: return .refused
            case EACCES, EPERM, EINVAL, EOPNOTSUPP, ENOLCK: return .unsupported
            default: throw error
            }
        }
    }

    /// Whether the read lease that was granted stands, and nobody who wants to write has come since.
    var isLeaseWhole: Bool { flowspool_lease(descriptor) == F_RDLCK }

    func endLease() {
        // A lease that is already gone is as good as one that was given up.
        _ = flowspool_setlease(descriptor, F_UNLCK)
    }

    enum Lease { case granted, refused, unsupported }
}

/// What stat(2) says of a file, as far as the spool cares.
public struct FileStatus: Sendable, Hashable {
    public enum Kind: String, Sendable { case regular, folder, symlink, fifo, socket, device, other }
    public var kind: Kind
    public var device: UInt64
    public var inode: UInt64
    public var size: Int64
    public var owner: UInt32
    public var group: UInt32
    public var mode: UInt32
    public var links: UInt64
    public var modifiedNanoseconds: Int64
    public var changedNanoseconds: Int64

    init(_ info: stat) {
        switch info.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .folder
        case S_IFLNK: kind = .symlink
        case S_IFIFO: kind = .fifo
        case S_IFSOCK: kind = .socket
        case S_IFBLK, S_IFCHR: kind = .device
        default: kind = .other
        }
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
        size = Int64(info.st_size)
        owner = info.st_uid
        group = info.st_gid
        mode = info.st_mode & 0o7777
        links = UInt64(info.st_nlink)
        modifiedNanoseconds = Int64(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_mtim.tv_nsec)
        changedNanoseconds = Int64(info.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_ctim.tv_nsec)
    }

    /// Whether it is the file that `other` tells of, and nobody has written to it since, wherever it was moved.
    func isAsLeft(_ other: FileStatus) -> Bool {
        device == other.device && inode == other.inode && size == other.size && modifiedNanoseconds == other.modifiedNanoseconds
    }

    /// Changes whenever content, size, owner or links do; used to see that a file is still the one that was looked at.
    public var signature: String { "\(device):\(inode):\(size):\(modifiedNanoseconds):\(changedNanoseconds)" }

    /// Which file this is, whatever its name: device and inode.
    var identity: String { "\(device):\(inode)" }
}
