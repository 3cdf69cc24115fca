// What stands in the drop folder for a batch: the prompts by name, and which of them are not to run again. It only looks.

import Foundation

/// `d_type` of a folder, readdir(3).
private let folderType = UInt8(DT_DIR)

/// A look at the prompts of a spool.
public struct WaitingPrompts: Sendable {
    /// File names of the prompts, in no order.
    public let names: [String]
    /// Names of prompts that no plan can hold, because they are no UTF-8.
    public let unnamable: [[UInt8]]
    /// Those that keep their place and are done.
    private let settled: Set<ExactText>

    /// - Parameters:
    ///   - ledger: nil: the folder is no spool yet.
    ///   - state: ids that are done. A prompt that keeps its place and has its id here is settled even where the ledger knows
    ///     nothing of it: the file may be older than the spool.
    ///   - keepsAll: whether all prompts keep their place, as under `--keep`.
    ///   - isSettled: whether a finished job whose prompt stands unchanged is to be left alone.
    public init(
        root: Directory, ledger: Ledger?, state: IDList.Snapshot, keepsAll: Bool, sizeMax: Int, isSettled: (Job) -> Bool
    ) throws {
        let kept = try ledger?.read { try $0.keptFiles() } ?? [:]
        var names: [String] = []
        var unnamable: [[UInt8]] = []
        var settled = Set<ExactText>()
        try root.forEachEntry { bytes, type in
            guard type != folderType, let name = PromptName(bytes: Array(bytes)), name.kind == .prompt else { return true }
            guard name.isText else {
                unnamable.append(name.bytes)
                return true
            }
            names.append(name.text)
            let key = ExactText(name.text)
            if let job = kept[key], try job.fromPlace != nil || KeptPrompt.isAsItWas(job, in: root, sizeMax: sizeMax) {
                if isSettled(job) { settled.insert(key) }
            } else if state.holds(name: name.text), try !Self.isToRunAgain(name.text, ledger),
                let status = try root.status(name.text),
                let prompt = try KeptPrompt.read(name.text, status, in: root, sizeMax: sizeMax),
                keepsAll || prompt.settings.movesToCompleted == false, state.contains(prompt.id)
            {
                settled.insert(key)
            }
            return true
        }
        self.names = names
        self.unnamable = unnamable
        self.settled = settled
    }

    /// Whether somebody has asked for a prompt once more (`retry`), whose id says that it is done.
    private static func isToRunAgain(_ name: String, _ ledger: Ledger?) throws -> Bool {
        try ledger?.read { try $0.waitingJob(file: name) } != nil
    }

    public func isSettled(_ name: String) -> Bool { settled.contains(ExactText(name)) }
}
