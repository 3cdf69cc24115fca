// The contract files of one root, as a whole: opened and checked together before a batch begins, written one by one. What
// always holds: plan, preview, summary and resume file are replaced (aside, fsync, rename, fsync of the folder); state, failed
// and log grow by whole lines. What can go wrong: a name is taken by something that is no file, or the root is read-only.

import Foundation

/// The contract files in one root.
public final class ContractFiles: Sendable {
    /// The root; the files' paths are its path and their names.
    public let root: Directory
    /// Prompts that are done.
    public let state: IDList
    /// Prompts that failed.
    public let failed: IDList
    public let log: EventLog

    /// Checks every contract file, then opens state, failed and log, making those that are missing.
    ///
    /// Call it with the runner's lock held: it repairs last lines that a crash cut off.
    /// - Throws: `FlowspoolError(.invalidInput)` for a folder or link under a contract name, foreign lines, a root that is
    ///   read-only, before anything was changed; `SystemCallError` for trouble of the machine.
    public init(root: Directory) throws {
        self.root = root
        try Self.checkNames(root)
        // The state judges itself before it touches anything; the two that come after it must have been judged by then.
        try IDList.check(.failed, in: root)
        try EventLog.check(in: root)
        state = try IDList(.state, in: root)
        failed = try IDList(.failed, in: root)
        log = try EventLog(in: root)
    }

    /// Checks without opening or changing anything: what `--dry-run` and `doctor` need.
    public static func check(_ root: Directory) throws {
        try checkNames(root)
        try IDList.check(.state, in: root)
        try IDList.check(.failed, in: root)
        try EventLog.check(in: root)
    }

    private static func checkNames(_ root: Directory) throws {
        do {
            try root.checkWritable()
        } catch {
            guard error.errno == EROFS || error.errno == EACCES else { throw error }
            throw FlowspoolError(
                .invalidInput, "\(printable(root.path)) is read-only for this user, and a spool must be able to move its prompts",
                hint: "make it writable (`ls -ld \(ShellText.quote(printable(root.path)))`) or choose another --root")
        }
        for file in ContractFile.allCases { _ = try root.contractStatus(file.name) }
    }

    /// Replaces the plan: absolute paths in order, one a line (control characters and `\` escaped as `\n`, `\\`, `\xHH`).
    public func writePlan(_ plan: BatchPlan) throws { try Self.writePlan(plan, in: root) }

    public static func writePlan(_ plan: BatchPlan, in root: Directory) throws {
        let prefix = root.path.hasSuffix("/") ? root.path : root.path + "/"
        try root.replaceContract(ContractFile.plan.name, with: lines(plan.names) { prefix + $0 })
    }

    /// Replaces the preview: the file names that this batch would start, in order, one a line, escaped as in the plan.
    public func writePreview(_ names: [String]) throws { try Self.writePreview(names, in: root) }

    public static func writePreview(_ names: [String], in root: Directory) throws {
        try root.replaceContract(ContractFile.pendingPreview.name, with: lines(names) { $0 })
    }

    /// Replaces the summary.
    public func writeSummary(_ summary: BatchSummary) throws {
        try root.replaceContract(ContractFile.summary.name, with: summary.json.pretty)
    }

    /// Replaces the resume file.
    public func writeResume(_ resume: ResumeEnvironment) throws {
        try root.replaceContract(ContractFile.resume.name, with: resume.text)
    }

    private static func lines(_ names: [String], _ path: (String) -> String) -> String {
        var text = ""
        for name in names {
            text += LineText.encode(path(name))
            text += "\n"
        }
        return text
    }
}
