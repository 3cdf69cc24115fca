// The one-runner rule: flock(2) on `.flowspool/lock`. The kernel lets it go when the holder dies, so there is no stale lock;
// the holder writes who it is into the file, for the one who comes second. An open-file-description lock beside it lets
// others ask whether a runner lives without taking anything, which flock cannot do.

import CSystemCalls
import Foundation

/// The right to run a spool, held until the value is released.
public final class RunnerLock: Sendable {
    static let fileName = "lock"
    private let file: LockFile

    /// Who holds a lock.
    public struct Holder: Sendable, Hashable {
        public var pid: Int32
        public var since: Int64
        public var command: String
    }

    /// Takes the lock or fails at once.
    ///
    /// - Parameter command: what this runner is (`watch`, `pipeline`), shown to others.
    /// - Throws: `FlowspoolError.spoolBusy` naming the holder.
    public init(_ spool: SpoolFolder, command: String, now: Int64) throws {
        let control = spool.control
        let descriptor = try control.calls.run(.openat, control.pathOf(Self.fileName)) {
            openat(control.descriptor, Self.fileName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        let file = LockFile(descriptor: descriptor)
        do {
            try control.calls.run(.flock, control.pathOf(Self.fileName)) { flock(descriptor, LOCK_EX | LOCK_NB) }
        } catch {
            guard error.errno == EWOULDBLOCK else { throw error.forUser }
            let holder = try Self.read(spool)
            let who =
                holder.map { "\($0.command), process \($0.pid), since \(utcText($0.since, fraction: false))" }
                ?? "another process"
            throw FlowspoolError(
                .spoolBusy, "\(printable(spool.path)) is being run by \(who)",
                hint: "`flowspool status` shows what it does; one runner per spool")
        }
        // Removed since it was opened, it keeps nobody out.
        var opened = stat()
        let isInPlace =
            try fstat(descriptor, &opened) == 0
            && control.status(Self.fileName)?.identity == FileStatus(opened).identity
        guard isInPlace else {
            throw FlowspoolError(
                .spoolBusy, "\(printable(control.pathOf(Self.fileName))) was exchanged at this moment", hint: "try again")
        }
        try control.calls.run(.fcntl, control.pathOf(Self.fileName)) { flowspool_ofd_lock(descriptor) }
        let text = Data("\(getpid()) \(now) \(command)\n".utf8)
        try control.calls.run(.ftruncate, control.pathOf(Self.fileName)) { ftruncate(descriptor, 0) }
        try text.withUnsafeBytes { bytes in
            _ = try control.calls.run(.write, control.pathOf(Self.fileName)) {
                pwrite(descriptor, bytes.baseAddress, bytes.count, 0)
            }
        }
        self.file = file
    }

    /// The runner of a spool, or nil where none is alive.
    public static func holder(_ spool: SpoolFolder) throws -> Holder? {
        let control = spool.control
        let descriptor = openat(control.descriptor, fileName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }  // No lock file: nobody ever ran this spool.
        let file = LockFile(descriptor: descriptor)
        defer { withExtendedLifetime(file) {} }
        let isLocked = try control.calls.run(.fcntl, control.pathOf(fileName)) { flowspool_ofd_is_locked(descriptor) }
        return isLocked == 1 ? try read(spool) : nil
    }

    private static func read(_ spool: SpoolFolder) throws -> Holder? {
        let text = String(decoding: try spool.control.openForReading(fileName).readAll(bytesMax: 4096), as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, let pid = Int32(parts[0]), let since = Int64(parts[1]) else { return nil }
        return Holder(pid: pid, since: since, command: String(parts[2].prefix { $0 != "\n" }))
    }
}

/// Closes the descriptor, and so gives up the lock, when the last reference goes.
private final class LockFile: Sendable {
    let descriptor: Int32
    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }
}
