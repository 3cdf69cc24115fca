// Finds programs by name as a shell does: in the folders of a search path, in order, remembering where each was found (POSIX
// `hash`). A remembered place is looked at again each time it is used; a program that comes later into an earlier folder is
// seen only when the remembered one is gone. Entries that are empty or relative mean the working folder, which a prompt can
// write to: they are never used.

import Foundation
import Synchronization

/// Looks programs up, with a memory. Safe to use from several threads.
public final class ProgramFinder: Sendable {
    private struct Question: Hashable {
        var name: String
        var searchPath: String
    }

    private let known = Mutex<[Question: String]>([:])
    /// More names than prompts of one spool call; beyond it the memory starts anew.
    private static let knownMax = 4096

    /// What execvp(3) searches where there is no PATH, without the working folder.
    static let defaultSearchPath = "/usr/local/bin:/usr/bin:/bin"

    /// The path of the executable file `name`; nil where no folder of `searchPath` has it. A name with a slash is a path.
    func find(_ name: String, in searchPath: String?) -> String? {
        if name.utf8.contains(UInt8(ascii: "/")) { return Self.search(name, in: "") }
        let question = Question(name: name, searchPath: searchPath ?? Self.defaultSearchPath)
        if let path = known.withLock({ $0[question] }), Self.isProgram(path) { return path }
        let path = Self.search(name, in: question.searchPath)
        known.withLock { known in
            if known.count >= Self.knownMax { known.removeAll() }
            known[question] = path
        }
        return path
    }

    /// The same without a memory, for whoever asks once.
    public static func search(_ name: String, in searchPath: String) -> String? {
        if name.utf8.contains(UInt8(ascii: "/")) { return isProgram(name) ? name : nil }
        for folder in searchPath.utf8.split(separator: UInt8(ascii: ":")) where folder.first == UInt8(ascii: "/") {
            let candidate = String(decoding: folder, as: UTF8.self) + "/" + name
            if isProgram(candidate) { return candidate }
        }
        return nil
    }

    private static func isProgram(_ path: String) -> Bool {
        var info = stat()
        return access(path, X_OK) == 0 && stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    }
}
