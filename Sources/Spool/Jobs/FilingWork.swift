// The last steps of a job, after the ledger has them: stamp the file in `active/`, move it, and leave a note beside one that
// cannot carry a stamp. Whatever fails here is done again from the ledger's note of the move.

import Foundation

struct FilingWork: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    /// Of the folder that the file stands in before the move, which is `active/`.
    let swap: SwapFile
    /// The prompt as it was parsed, and what its file held after it was stamped: nil, or other than the file holds now, it is
    /// parsed again, because its block may have changed it.
    var prompt: PromptFile?
    var stampedBytes: Data?
    let stamp: Stamp
    /// Findings to write beside the file where it cannot carry a stamp.
    let why: [Finding]?

    enum Outcome: Sendable {
        /// Moved. `isRenamed`: under another name than was planned.
        case moved(Job, isRenamed: Bool)
        case trouble(FlowspoolError)
    }

    func run(_ job: Job) -> Outcome {
        do {
            let carriesStamp = try writeStamp(job)
            let moved = try filing.finishMove(job)
            if !carriesStamp, moved.state == .failed { try filing.explain(moved, explanation(moved)) }
            return .moved(moved, isRenamed: moved.file != job.file)
        } catch let error as SystemCallError {
            return .trouble(error.forUser(job: job))
        } catch let error as FlowspoolError {
            return .trouble(error)
        } catch {
            return .trouble(FlowspoolError(.bug, "job \(job.id): filing: \(error)"))
        }
    }

    /// Stamps the file where it stands before the move; false where it cannot carry a stamp.
    private func writeStamp(_ job: Job) throws -> Bool {
        guard let place = job.fromPlace, let name = job.fromFile, let folder = spool.directory(place) else { return true }
        guard let status = try folder.status(name), status.kind == .regular else { return true }
        let bytes = try folder.openForReading(name).readAll(bytesMax: Int.max)
        // The bytes, not the times, say whether the file is as it was: a time has the grain of a clock tick.
        let prompt =
            if let known = self.prompt, bytes == stampedBytes { known } else { PromptFile.read(name: job.name, bytes: bytes) }
        guard prompt.canCarryStamp else { return false }
        try swap.replace(name, with: try StampWriter.apply(stamp, to: prompt), mode: status.mode)
        return true
    }

    private func explanation(_ job: Job) -> String {
        var lines = ["\(printable(job.name)): job \(job.id) \(job.status?.rawValue ?? job.state.rawValue): \(job.reason)"]
        for finding in why ?? [] {
            let place = finding.line.map { " line \($0)" } ?? ""
            lines.append("\(finding.severity.rawValue) \(finding.code.rawValue)\(place): \(finding.message)")
            lines.append("  \(finding.advice)")
        }
        return lines.joined(separator: "\n")
    }
}
