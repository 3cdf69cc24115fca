// `output:` in a prompt: the answer, put under a path below the repo root, whole or not at all. The path is the prompt's, so
// every step of it is opened without following links, and nothing outside of the root can be reached.

import Foundation

enum AnswerFile {
    struct Refused: Error { var text: String }

    /// Writes `text` to `path` below `root`, making folders as needed.
    static func write(_ text: String, to path: String, below root: String) throws(Refused) {
        let parts = path.split(separator: "/").map(String.init)
        guard let name = parts.last, !parts.contains(".."), !parts.contains(".git"), !path.utf8.contains(0), name != "." else {
            throw Refused(text: "output: \(printable(path)) is no path below the repo root")
        }
        do throws(SystemCallError) {
            var folder = try Directory(path: root)
            for part in parts.dropLast() where part != "." { folder = try makeFolder(part, in: folder) }
            try folder.replace(name, with: Data(text.utf8), mode: 0o644)
        } catch {
            throw Refused(text: "output: \(error)")
        }
    }

    private static func makeFolder(_ name: String, in folder: Directory) throws(SystemCallError) -> Directory {
        // An existing folder keeps its mode; a new one is as open as others of a repository.
        if try folder.status(name) == nil { return try folder.makeFolder(name, mode: 0o755) }
        return try folder.folder(name)
    }
}
