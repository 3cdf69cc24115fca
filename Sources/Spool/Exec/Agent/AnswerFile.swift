// `output:` in a prompt: the answer, put under a path below the repo root, whole or not at all. The path is the prompt's, so
// every step of it is opened without following links, and nothing outside of the root can be reached. Nor can what flowspool
// and git go by: a model's answer must not become a setting, a hook, or a prompt of the spool.

import Foundation

enum AnswerFile {
    struct Refused: Error { var text: String }

    /// Writes `text` to `path` below `root`, making folders as needed.
    static func write(_ text: String, to path: String, below root: String) throws(Refused) {
        let (name, folder) = try place(path, below: root, makesFolders: true)
        guard let folder else { return }  // It was made.
        do throws(SystemCallError) {
            // As open as the file whose place it takes.
            try folder.replace(name, with: Data(text.utf8), mode: try folder.status(name)?.mode ?? 0o644)
        } catch {
            throw Refused(text: "output: \(error)")
        }
    }

    /// Refuses what can be told before there is an answer; it makes nothing.
    static func check(_ path: String, below root: String) throws(Refused) {
        _ = try place(path, below: root, makesFolders: false)
    }

    /// The name that is meant and the folder that it is in; nil: that is still to be made.
    private static func place(
        _ path: String, below root: String, makesFolders: Bool
    ) throws(Refused) -> (name: String, folder: Directory?) {
        let parts = path.split(separator: "/").filter { $0 != "." }.map(String.init)
        guard let name = parts.last, isAllowed(path) else {
            throw Refused(text: "output: \(printable(path)) is no path for an answer below the repo root")
        }
        do {
            var folder = try Directory(path: root)
            for (index, part) in parts.enumerated() {
                let isLast = index == parts.count - 1
                if try isOwned(part, isLast: isLast, in: folder) { break }
                if isLast {
                    switch try folder.status(part)?.kind {
                    case nil, .regular: break
                    case .folder: throw Refused(text: "output: \(printable(path)) is a folder; name a file")
                    case .symlink: throw Refused(text: "output: \(printable(path)) is a symbolic link; name the file itself")
                    default: throw Refused(text: "output: \(printable(path)) is no regular file")
                    }
                    try folder.checkWritable()
                    return (name, folder)
                }
                if try !makesFolders && folder.status(part) == nil { return (name, nil) }
                folder = try makeFolder(part, in: folder)
            }
        } catch let refused as Refused {
            throw refused
        } catch {
            throw Refused(text: "output: \(error)")
        }
        throw Refused(text: "output: \(printable(path)) is in a spool, whose files are flowspool's")
    }

    /// Whether a path may be meant at all, whatever is on the disk.
    static func isAllowed(_ path: String) -> Bool {
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard let name = parts.last, !path.hasPrefix("/"), !path.hasSuffix("/"), !path.utf8.contains(0) else { return false }
        return !parts.contains { ["..", ".git", ".flowspool"].contains($0) } && name != "prompt_flow.config.json"
    }

    private static func makeFolder(_ name: String, in folder: Directory) throws(SystemCallError) -> Directory {
        // An existing folder keeps its mode; a new one is as open as others of a repository.
        if try folder.status(name) == nil { return try folder.makeFolder(name, mode: 0o755) }
        return try folder.folder(name)
    }

    /// Whether `name` in `folder` is a spool's own: a sub-folder of its, or a file in the drop folder.
    private static func isOwned(_ name: String, isLast: Bool, in folder: Directory) throws(SystemCallError) -> Bool {
        guard try folder.status(".flowspool") != nil else { return false }
        return isLast || ["active", "held", "done", "failed", "runs"].contains(name)
    }
}
