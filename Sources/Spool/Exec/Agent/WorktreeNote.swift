// Where the worktree of an attempt is, noted in its run folder before git makes it: of an attempt that is cut off nothing else would say so.

import Foundation

/// A worktree that an attempt of an agent is about to have made.
struct WorktreeNote: Sendable, Equatable {
    static let fileName = "worktree.json"

    /// Of the agent's runner.
    var runner: String
    /// Of its folder, below the folder for worktrees.
    var name: String
    var branch: String

    /// - Throws: `SystemCallError`.
    func write(in folder: RunFolder) throws(SystemCallError) {
        let note: JSON = ["runner": .string(runner), "name": .string(name), "branch": .string(branch)]
        try folder.write(Self.fileName, Data(note.pretty.utf8))
    }

    /// Reads the note of an attempt. The agent could write here as well, so that nothing is believed but a name that this very attempt gives.
    ///
    /// - Returns: nil without one.
    static func read(in folder: Directory, job: Int64, attempt: Int) -> WorktreeNote? {
        // One that cannot be read says nothing, and that is all it is for.
        guard let bytes = try? folder.openForReading(fileName).readAll(bytesMax: 4096),
            let note = try? JSON.parse(String(decoding: bytes, as: UTF8.self)), let name = note["name"]?.stringValue,
            let runner = note["runner"]?.stringValue, let branch = note["branch"]?.stringValue
        else { return nil }
        let first = WorkingTree.worktreeName(job: job, attempt: attempt)
        let isOwn = name == first || name.hasPrefix(first + "-") && Int(name.dropFirst(first.count + 1)) != nil
        guard isOwn, branch.hasPrefix("flowspool/" + name) else { return nil }
        return WorktreeNote(runner: runner, name: name, branch: branch)
    }
}
