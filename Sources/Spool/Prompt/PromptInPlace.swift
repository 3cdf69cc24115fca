// A prompt that is checked, stamped or run where it stands, outside any spool. Read by descriptor without following a link;
// written aside and renamed, with mode and owner kept, and only while it is still the file that was read. What can go wrong:
// an editor saves meanwhile, or the folder may not be written; then the file stays as it is and an error names it.

import CSystemCalls
import Foundation

/// A prompt file in a folder of its user.
public struct PromptInPlace: Sendable {
    public let folder: Directory
    public let name: String
    public private(set) var bytes: Data
    private var status: FileStatus

    /// Absolute.
    public var path: String { folder.pathOf(name) }

    /// Reads the file at `path`.
    ///
    /// - Parameter sizeMax: bytes that are read at most, and one more, so that preflight can tell that there are more.
    /// - Throws: `FlowspoolError.invalidInput` where it is no regular file of which the content can be read.
    public init(path: String, sizeMax: Int) throws {
        let absolute = absolutePath(path)
        guard let slash = absolute.lastIndex(of: "/"), let name = PromptName(String(absolute[absolute.index(after: slash)...]))
        else {
            throw FlowspoolError(.invalidInput, "“\(printable(path))” is no file", hint: "name a prompt file")
        }
        self.name = name.text
        do {
            folder = try Directory(path: slash == absolute.startIndex ? "/" : String(absolute[..<slash]))
            (status, bytes) = try Self.read(name.text, in: folder, sizeMax: sizeMax)
        } catch {
            let hint =
                switch error.errno {
                case ELOOP: "symbolic links are not followed: name the file itself"
                case ENOENT, ENOTDIR: "is the path right?"
                default: error.forUser.hint
                }
            throw FlowspoolError(.invalidInput, error.description, hint: hint)
        }
        guard status.kind == .regular else {
            throw FlowspoolError(
                .invalidInput, "\(printable(absolute)) is a \(status.kind.rawValue), not a file", hint: "name a prompt file")
        }
    }

    /// The content of a regular file; empty for anything else, which is not read.
    private static func read(_ name: String, in folder: Directory, sizeMax: Int) throws(SystemCallError) -> (FileStatus, Data) {
        let file = try folder.openForReading(name)
        let status = try file.status()
        return (status, status.kind == .regular ? try file.readAll(bytesMax: sizeMax + 1) : Data())
    }

    /// Replaces the content, durably and whole. The same content is not written again.
    ///
    /// - Throws: `unavailable` where the file is no longer the one that was read.
    public mutating func write(_ new: Data) throws {
        guard new != bytes else { return }
        do {
            guard let now = try folder.status(name), now.signature == status.signature else {
                throw FlowspoolError(
                    .unavailable, "\(printable(path)) changed while it was in use", hint: "try again; nothing was written")
            }
            try folder.replace(name, with: new, mode: status.mode, owner: status)
            bytes = new
            if let written = try folder.status(name) { status = written }
        } catch let error as SystemCallError {
            throw error.forUser
        }
    }

    /// Reads the file again: what ran may have changed it.
    public mutating func reload(sizeMax: Int) throws { self = try PromptInPlace(path: path, sizeMax: sizeMax) }
}

extension OpenFile {
    /// fchown(2), as far as this file's owner differs from that of `status`. A group that may not be set is left.
    func setOwner(like status: FileStatus) throws(SystemCallError) {
        let own = try self.status()
        if own.owner != status.owner { try calls.run(.fchown, path) { fchown(descriptor, status.owner, gid_t.max) } }
        // Only root and members of a group may give a file to it; the owner's rights are what matters.
        if own.group != status.group { _ = fchown(descriptor, uid_t.max, status.group) }
    }
}
