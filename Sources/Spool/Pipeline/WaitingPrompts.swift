// What stands in the drop folder for a batch: the prompts by name, and which of them are not to run again. It only looks.

import Foundation

/// `d_type` of a folder, readdir(3).
private let folderType = UInt8(DT_DIR)
/// A look at the prompts of a spool.
public struct WaitingPrompts: Sendable {
    /// File names of the prompts, in no order.
    public let names: [String]
    /// Those that were put back where they stood and are done.
    private let settled: Set<ExactText>

    /// - Parameter isSettled: whether a finished job whose prompt stands unchanged is to be left alone.
    public init(spool: SpoolFolder, ledger: Ledger, isSettled: (Job) -> Bool) throws {
        let kept = try ledger.read { try $0.keptFiles() }
        var names: [String] = []
        var settled = Set<ExactText>()
        try spool.root.forEachEntry { bytes, type in
            guard type != folderType, let name = PromptName(bytes: Array(bytes)), name.kind == .prompt, name.isText else {
                return true
            }
            names.append(name.text)
            if let job = kept[ExactText(name.text)], try Self.isUnchanged(job, spool), isSettled(job) {
                settled.insert(ExactText(name.text))
            }
            return true
        }
        self.names = names
        self.settled = settled
    }

    public func isSettled(_ name: String) -> Bool { settled.contains(ExactText(name)) }

    private static func isUnchanged(_ job: Job, _ spool: SpoolFolder) throws -> Bool {
        if job.fromPlace != nil { return true }
        return try spool.root.status(job.file)?.signature == job.fileSignature
    }
}
