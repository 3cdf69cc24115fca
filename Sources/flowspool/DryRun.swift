// `pipeline --dry-run`: what a batch would take, and nothing else. What always holds: only the plan and the pending preview are
// written; a folder that is no spool does not become one, the summary of the last batch stays, and no runner's place is taken.

import Foundation
import Spool

struct DryRun {
    let batch: Batch

    /// - Returns: the exit status.
    func run() throws -> Int32 {
        if let error = batch.goError { throw error }
        let (root, configuration, plan, waiting) = try look()
        try ContractFiles.writePlan(plan, in: root)
        try ContractFiles.writePreview(plan.pending(isDone: waiting.isSettled), in: root)
        if batch.printsJSON { try printSummary(configuration) }
        return 0
    }

    /// The plan of the batch as the folder stands; writes nothing.
    ///
    /// - Throws: whatever a batch refuses to begin with, such as a name that is not there.
    func look() throws -> (root: Directory, configuration: SpoolConfiguration, plan: BatchPlan, waiting: WaitingPrompts) {
        let facts = batch.facts
        try OpenedSpool.check(facts)
        try SpoolFolder.check(facts.spoolPath, allowsShared: facts.allowsShared)
        let configuration = try SpoolConfiguration.load(spool: facts.spoolPath)
        let root = try Directory(path: facts.spoolPath)
        let ledger = try openLedger()
        let state = try IDList.look(.state, in: root)
        let waiting = try WaitingPrompts(
            root: root, ledger: ledger, state: state, keepsAll: batch.keeps, sizeMax: configuration.sizeLimitBytes
        ) { job in
            // As `OpenedSpool.isSettled` of a batch.
            job.status == .success && job.promptID.map { state.contains($0) } ?? false
        }
        let plan = try BatchPlan(
            names: waiting.names, roots: Batch.roots(facts.spoolPath), selection: batch.selection)
        return (root, configuration, plan, waiting)
    }

    private func printSummary(_ configuration: SpoolConfiguration) throws {
        let now = SystemClock().wallMilliseconds()
        var summary = batch.makeSummary(
            runID: "\(BatchSummary.basicText(now))-\(getpid())", root: batch.facts.spoolPath, configuration)
        summary.status = .planned
        summary.reason = BatchSummary.Reason.dryRun.rawValue
        summary.exitCode = 0
        summary.finishedMilliseconds = now
        try StandardOutput.write(summary.json)
    }

    /// The ledger of the spool, or nil where the folder is none yet. A spool that a runner has is left alone: its plan is not
    /// to be overwritten.
    private func openLedger() throws -> Ledger? {
        let path = batch.facts.spoolPath
        guard SpoolFolder.isSpool(path) else { return nil }
        let spool = try SpoolFolder.open(at: path)
        if let runner = try RunnerLock.holder(spool) {
            throw FlowspoolError(
                .spoolBusy, "\(printable(path)) is being run by \(runner.command), process \(runner.pid)",
                hint: "`flowspool status` shows what it does")
        }
        return FileManager.default.fileExists(atPath: spool.ledgerPath) ? try Ledger.look(at: spool) : nil
    }
}
