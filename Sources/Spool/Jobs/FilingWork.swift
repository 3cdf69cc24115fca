// The last steps of a job, after the ledger has them: stamp the file in `active/`, move it, and leave a note beside one that
// cannot carry a stamp. Whatever fails here is done again from the ledger's note of the move.

import Foundation

struct FilingWork: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    /// Of the folder that the file stands in before the move, which is `active/`.
    let swap: SwapFile
    /// The prompt as it was read, and how the file looked after it was stamped: nil, or other than it looks now, it is read
    /// again, because its block may have changed it.
    var prompt: PromptFile?
    var stampedSignature: String?
    let stamp: Stamp
    /// Findings to write beside the file where it cannot carry a stamp.
    let why: [Finding]?

    enum Outcome: Sendable {
        /// Moved. `isRenamed`: under another name than was planned.
        case moved(isRenamed: Bool)
        case trouble(FlowspoolError)
    }

    func run(_ job: Job) -> Outcome {
        do {
            let carriesStamp = try writeStamp(job)
            let moved = try filing.finishMove(job)
            if !carriesStamp, moved.state == .failed { try filing.explain(moved, explanation(moved)) }
            return .moved(isRenamed: moved.file != job.file)
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
        let prompt: PromptFile
        if let known = self.prompt, status.signature == stampedSignature {
            prompt = known
        } else {
            prompt = PromptFile.read(name: job.name, bytes: try folder.openForReading(name).readAll(bytesMax: Int.max))
        }
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
