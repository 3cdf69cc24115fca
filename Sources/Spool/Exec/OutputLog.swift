// One output file of a command, bounded. What is printed is appended as it comes; when the file reaches its bound, the middle
// is taken out and the cut is marked, so that the beginning and the end are always there and the disk is never flooded.
// Trouble with the disk does not stop the command: it is kept and told at the end.

import Foundation

/// The place in a bounded log where its middle was taken out.
public struct LogCut: Sendable, Equatable {
    /// Of the first byte behind the mark.
    public var end: Int
    /// Bytes that stood there and are gone.
    public var bytes: Int

    /// How many bytes the mark itself takes.
    public static let markLength = mark(0).utf8.count

    static func mark(_ bytes: Int) -> String {
        let digits = String(bytes)
        let padded = String(repeating: " ", count: max(0, 20 - digits.utf8.count)) + digits
        return begin + padded + " bytes were cut here, the log is bounded]\n"
    }

    private static let begin = "\n[flowspool: "

    /// The mark in the content of a log; nil where nothing was cut.
    public static func find(in log: [UInt8]) -> LogCut? {
        guard let start = log.firstRange(of: Array(begin.utf8))?.lowerBound, start + markLength <= log.count else { return nil }
        let digits = log[(start + begin.utf8.count)...].prefix(20).drop { $0 == UInt8(ascii: " ") }
        guard let bytes = Int(String(decoding: digits, as: UTF8.self)),
            Array(log[start..<(start + markLength)]) == Array(mark(bytes).utf8)
        else { return nil }
        return LogCut(end: start + markLength, bytes: bytes)
    }
}

/// Appends to a file of at most `bytesMax` bytes. One thread owns it.
struct OutputLog: ~Copyable {
    static let bytesMaxDefault = 64 << 20
    /// Below this, the mark itself would be most of the file.
    static let bytesMaxLeast = 4096

    private let descriptor: Int32
    private let path: String
    private let bytesMax: Int
    private var size = 0
    /// Bytes that were taken out so far.
    private(set) var cutBytes = 0
    /// The first thing that went wrong with the file; nil when it is complete.
    private(set) var trouble: SystemCallError?

    /// Makes the file (mode 0600 whatever the umask) or empties it.
    ///
    /// - Throws: `SystemCallError`, also for a symbolic link, a FIFO or whatever else is no regular file (`EINVAL`): the
    ///   folder is the attempt's own, but the attempt's earlier blocks can write there. `/dev/null` is allowed.
    init(path: String, bytesMax: Int, calls: SystemCalls = .live) throws(SystemCallError) {
        let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let descriptor = try calls.run(.open, path) { open(path, flags, 0o600) }
        do throws(SystemCallError) {
            var info = stat()
            try calls.run(.fstat, path) { fstat(descriptor, &info) }
            if info.st_mode & S_IFMT == S_IFREG {
                if info.st_mode & 0o7777 != 0o600 { try calls.run(.fchmod, path) { fchmod(descriptor, 0o600) } }
                // Not by O_TRUNC, which changes even an empty file, and so waits for the journal.
                if info.st_size > 0 { try calls.run(.ftruncate, path) { ftruncate(descriptor, 0) } }
            } else if info.st_mode & S_IFMT != S_IFCHR || path != "/dev/null" {
                throw SystemCallError(call: .open, path: path, errno: EINVAL)
            }
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.path = path
        self.bytesMax = path == "/dev/null" ? Int.max : max(bytesMax, Self.bytesMaxLeast)
    }

    deinit { close(descriptor) }

    /// Appends `bytes`; never throws, see `trouble`.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            if size >= bytesMax { cut() }
            let room = min(rest.count, max(bytesMax - size, 0))
            guard room > 0 else { return }
            let written = write(UnsafeRawBufferPointer(rebasing: rest[..<room]), at: size)
            // What follows when there is room again stands behind what there was room for.
            size += written
            guard written == room else { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[room...])
        }
    }

    /// Keeps the first and the last quarter of the file and marks what is missing between them.
    private mutating func cut() {
        let head = bytesMax / 4
        let tail = bytesMax / 4
        // The mark of an earlier cut stands right after the head and is overwritten.
        let markLength = mark(0).utf8.count
        cutBytes += size - head - tail - (cutBytes > 0 ? markLength : 0)
        let text = Array(mark(cutBytes).utf8)
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var moved = 0
        while moved < tail {
            let count = pread(descriptor, &buffer, min(buffer.count, tail - moved), off_t(size - tail + moved))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return note(.read, count == 0 ? EIO : errno) }
            let isWritten = buffer.withUnsafeBytes {
                write(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: head + text.count + moved) == count
            }
            guard isWritten else { return }
            moved += count
        }
        size = head + text.count + tail
        if ftruncate(descriptor, off_t(size)) != 0 { note(.ftruncate, errno) }
        // Last: whoever reads along knows by it that all is in its place.
        _ = text.withUnsafeBytes { write($0, at: head) }
    }

    /// Of one length whatever the number, so that it can be overwritten in place.
    private func mark(_ bytes: Int) -> String { LogCut.mark(bytes) }

    /// Returns how many of the bytes are in the file; fewer than all only with `trouble`.
    private mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        var written = 0
        while written < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written, off_t(offset + written))
            if count < 0 && errno == EINTR { continue }
            // /dev/null and regular files never answer 0 to a non-empty write.
            guard count > 0 else {
                note(.write, count == 0 ? EIO : errno)
                return written
            }
            written += count
        }
        return written
    }

    private mutating func note(_ call: SystemCall, _ code: Int32) {
        if trouble == nil { trouble = SystemCallError(call: call, path: path, errno: code) }
    }
}
