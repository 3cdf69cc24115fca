// The last steps of a job, after the ledger has them: stamp the file in `active/`, move it, and leave a note beside one that
// cannot carry a stamp. Whatever fails here is done again from the ledger's note of the move.

import Foundation

struct FilingWork: Sendable {
    /// As the ledger has it, with where its file is to go.
    let job: Job
    let spool: SpoolFolder
    let filing: Filing
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

    /// A file on its way: its new content is written aside.
    private struct Aside {
        var spare: SwapFile.Spare?
        var carriesStamp = true
        /// Of the file that is to be moved, with its new content.
        var status: FileStatus?
    }

    /// Files jobs, all of the folder that `swap` belongs to: their stamps reach the disk together. One outcome for each.
    static func run(_ works: [FilingWork], _ swap: SwapFile) async -> [Outcome] {
        let written = works.map { work in Result { try work.writeAside(swap) } }
        // What could not be written has nothing to sync; its error is told below.
        let synced = await SwapFile.Spare.sync(written.map { (try? $0.get())?.spare })
        return works.indices.map { index in
            let work = works[index]
            do {
                return try work.finish(try written[index].get(), synced[index], swap)
            } catch let error as SystemCallError {
                return .trouble(error.forUser(job: work.job))
            } catch let error as FlowspoolError {
                return .trouble(error)
            } catch {
                return .trouble(FlowspoolError(.bug, "job \(work.job.id): filing: \(error)"))
            }
        }
    }

    /// Writes the stamped content aside, where the file stands before the move.
    private func writeAside(_ swap: SwapFile) throws -> Aside {
        guard let place = job.fromPlace, let name = job.fromFile, let folder = spool.directory(place) else { return Aside() }
        guard let status = try folder.status(name), status.kind == .regular else { return Aside() }
        // A block may have made its own prompt larger than any prompt can be.
        guard let bytes = try folder.openForReading(name).readAllStamped() else {
            return Aside(carriesStamp: false, status: status)
        }
        // The bytes, not the times, say whether the file is as it was: a time has the grain of a clock tick.
        let prompt =
            if let known = self.prompt, bytes == stampedBytes { known } else { PromptFile.read(name: job.name, bytes: bytes) }
        guard prompt.canCarryStamp else { return Aside(carriesStamp: false, status: status) }
        let spare = try swap.write(try StampWriter.apply(stamp, to: prompt), mode: status.mode)
        return Aside(spare: spare, status: job.isKept ? try spare.status() : nil)
    }

    private func finish(_ aside: Aside, _ synced: Result<Void, SystemCallError>, _ swap: SwapFile) throws -> Outcome {
        if let spare = aside.spare, let name = job.fromFile {
            if case .failure(let error) = synced {
                swap.discard(spare)
                throw error
            }
            try swap.put(spare, in: name)
        }
        var moved = try filing.finishMove(job)
        if moved.state.isTerminal, let folder = spool.directory(moved.place), try folder.status(moved.file) == nil {
            moved = try filing.noteGone(moved)
        }
        // Its move has changed its times. Another file that stands there by now, or the same with other content, is not what was put back.
        if moved.isKept, let put = aside.status, let now = try spool.root.status(moved.file), now.isAsLeft(put) {
            moved.fileSignature = now.signature
        }
        if !aside.carriesStamp, moved.state == .failed { try filing.explain(moved, explanation(moved)) }
        return .moved(moved, isRenamed: moved.file != job.file)
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
