// A file that only grows, by whole lines, and may be moved away (log rotation), replaced or cut by others at any time.
// What always holds: a line is one write(2) with O_APPEND, so lines of several processes never mix; when a write breaks off
// (disk full), the piece is cut off again. What can go wrong: the folder is full or read-only.

import Foundation

/// An open file of lines; owned by one place, closed when that goes.
struct AppendFile: ~Copyable {
    let name: String
    private let directory: Directory
    private var file: OpenFile
    /// The file as this value last left it. Another inode or size means that somebody else was there.
    private var known: FileStatus

    /// Opens or makes `name` in `directory`; on return its folder entry is durable.
    init(_ name: String, in directory: Directory) throws {
        let opened = try Self.open(name, in: directory)
        let status = try opened.status()
        self.name = name
        self.directory = directory
        file = opened
        known = status
    }

    var path: String { directory.pathOf(name) }
    /// Bytes in the file when this value last looked.
    var size: Int { Int(known.size) }

    private static func open(_ name: String, in directory: Directory) throws -> OpenFile {
        let isNew = try directory.contractStatus(name) == nil
        let file = try directory.openForAppending(name)
        // Again on the descriptor: the name may have changed hands in between.
        let status = try file.status()
        guard status.kind == .regular else { throw directory.contractRefusal(name, status.kind) }
        if isNew {
            try file.setMode(0o644)
            try directory.sync()
        }
        return file
    }

    /// Whether the name now leads to other bytes than this value read or wrote last. Costs one fstatat(2).
    func isChanged() throws -> Bool {
        guard let now = try directory.contractStatus(name) else { return true }
        return now.inode != known.inode || now.device != known.device || now.size != known.size
    }

    /// Opens the name afresh, and takes its present size as known.
    ///
    /// - Returns: whether it is the same file as before and has only grown, as another program's appending makes it.
    @discardableResult
    mutating func reopen() throws -> Bool {
        let before = known
        file = try Self.open(name, in: directory)
        known = try file.status()
        return known.inode == before.inode && known.device == before.device && known.size >= before.size
    }

    /// All bytes.
    func readAll(bytesMax: Int) throws -> [UInt8] {
        guard known.size <= bytesMax else { throw directory.contractTooLarge(name, bytesMax) }
        return [UInt8](try file.readAll(bytesMax: bytesMax))
    }

    /// Calls `body` with each line, without its newline: the bytes, the offset at which they begin, and whether a newline ends them,
    /// which may be missing behind the last. Holds a piece of the file at a time.
    func forEachLine(bytesMax: Int, _ body: (ArraySlice<UInt8>, Int, Bool) throws -> Void) throws {
        guard known.size <= bytesMax else { throw directory.contractTooLarge(name, bytesMax) }
        var held: [UInt8] = []
        // Offset of `held`, and how much of it has no newline.
        var offset = 0
        var seen = 0
        while offset + held.count < size {
            let piece = try read(at: offset + held.count, min(Self.pieceBytes, size - offset - held.count))
            if piece.isEmpty { break }
            held += piece
            var start = 0
            while let newline = held[max(start, seen)...].firstIndex(of: UInt8(ascii: "\n")) {
                try body(held[start..<newline], offset + start, true)
                start = newline + 1
            }
            held.removeFirst(start)
            offset += start
            seen = held.count
        }
        if !held.isEmpty { try body(held[...], offset, false) }
    }

    private static let pieceBytes = 1 << 18

    /// The last bytes, at most `count`.
    func tail(_ count: Int) throws(SystemCallError) -> [UInt8] {
        let offset = max(0, size - count)
        return try read(at: offset, size - offset)
    }

    /// Bytes from `offset` on; fewer than `count` where the file ends.
    private func read(at offset: Int, _ count: Int) throws(SystemCallError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < buffer.count {
            let got = try directory.calls.run(.pread, path) {
                buffer.withUnsafeMutableBytes {
                    pread(file.descriptor, $0.baseAddress?.advanced(by: done), $0.count - done, off_t(offset + done))
                }
            }
            if got == 0 { break }
            done += got
        }
        return Array(buffer[..<done])
    }

    /// Appends `lines`, which end in a newline, with one write(2).
    ///
    /// - Parameter durably: whether to return only when they survive a power loss (fdatasync(2)).
    mutating func append(_ lines: [UInt8], durably: Bool) throws(SystemCallError) {
        var done = 0
        do {
            // A short write is rare (disk full, file size limit): either the rest follows, or the piece is cut off.
            while done < lines.count {
                done += try directory.calls.run(.write, path) {
                    lines.withUnsafeBytes {
                        write(file.descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
                    }
                }
            }
        } catch {
            cutOff(Array(lines[..<done]))
            throw error
        }
        known.size += Int64(lines.count)
        if durably { try sync() }
    }

    /// fdatasync(2): what was appended survives a power loss.
    func sync() throws(SystemCallError) {
        try directory.calls.run(.fdatasync, path) { fdatasync(file.descriptor) }
    }

    /// Cuts `count` bytes off the end.
    mutating func cut(_ count: Int) throws(SystemCallError) {
        let size = known.size - Int64(count)
        try directory.calls.run(.ftruncate, path) { ftruncate(file.descriptor, off_t(size)) }
        known.size = size
    }

    /// Takes back the beginning of a line that could not be written whole, if it still is the end of the file.
    private mutating func cutOff(_ piece: [UInt8]) {
        guard !piece.isEmpty else { return }
        // Where one of these fails too, nothing is left to do here: the next opening repairs a line that was not ended.
        guard let status = try? file.status() else { return }
        known = status
        guard let end = try? tail(piece.count), end == piece else { return }
        try? cut(piece.count)
    }
}
