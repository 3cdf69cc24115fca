// How contract files are reached: by the root's descriptor, never through a link, and only if they are regular files. What
// can go wrong: the name is taken by a folder, a link or a FIFO, which is the user's to move away and no reason to retry.

import CSystemCalls
import Foundation

extension Directory {
    /// The error for an entry of the wrong kind under a contract file's name.
    func contractRefusal(_ name: String, _ kind: FileStatus.Kind) -> FlowspoolError {
        let article = kind == .other ? "special file" : kind == .symlink ? "symbolic link" : kind.rawValue
        return FlowspoolError(
            .invalidInput, "\(printable(pathOf(name))) is a \(article), and a contract file must be a regular file",
            hint: "move it out of the way; flowspool makes the file anew")
    }

    /// The status of a contract file, or nil where there is none.
    ///
    /// - Throws: `FlowspoolError(.invalidInput)` where something that is no regular file has that name.
    func contractStatus(_ name: String) throws -> FileStatus? {
        guard let status = try status(name) else { return nil }
        guard status.kind == .regular else { throw contractRefusal(name, status.kind) }
        return status
    }

    /// All bytes of a contract file, or nil where there is none.
    ///
    /// - Parameter bytesMax: more than this is an error, so that a foreign file cannot fill the memory.
    func readContract(_ name: String, bytesMax: Int) throws -> Data? {
        guard try contractStatus(name) != nil else { return nil }
        let file = try openForReading(name)
        // Again on the descriptor: the name may have changed hands in between.
        let status = try file.status()
        guard status.kind == .regular else { throw contractRefusal(name, status.kind) }
        guard status.size <= bytesMax else { throw contractTooLarge(name, bytesMax) }
        return try file.readAll(bytesMax: bytesMax)
    }

    func contractTooLarge(_ name: String, _ bytesMax: Int) -> FlowspoolError {
        FlowspoolError(
            .invalidInput, "\(printable(pathOf(name))) is larger than \(bytesMax) bytes, so it cannot be what its name says",
            hint: "move it out of the way; flowspool makes the file anew")
    }

    /// Replaces a contract file's content: written aside, synced, renamed, the folder synced.
    func replaceContract(_ name: String, with text: String) throws {
        // rename(2) would replace a link or a FIFO without a word, and fail on a folder with a bare EISDIR.
        _ = try contractStatus(name)
        try replace(name, with: Data(text.utf8), mode: 0o644)
    }

    /// Whether files can be made here: a read-only folder is found before a batch begins, not in the middle of it.
    func checkWritable() throws(SystemCallError) {
        try calls.run(.faccessat, path) { faccessat(descriptor, ".", W_OK | X_OK, 0) }
    }
}
