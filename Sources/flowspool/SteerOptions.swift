// What `approve`, `reject`, `retry` and `cancel` share: which jobs are meant, and how the outcomes are told. One job that cannot
// be changed never stops the others; the exit status is that of the first refusal.

import ArgumentParser
import Spool

struct SteerOptions: ParsableArguments {
    @OptionGroup var spoolOptions: SpoolOptions

    @Argument(help: ArgumentHelp("Job numbers, prompt names, files (held/name.md) or prompt ids.", valueName: "job"))
    var jobs: [String] = []

    @Flag(help: "Every job that this can be done to.")
    var all = false

    @Flag(help: "Print the jobs as they are now, as one JSON array.")
    var json = false

    func validate() throws {
        if jobs.isEmpty && !all { throw ValidationError("name a job, or give --all; `flowspool list` shows the jobs") }
        if !jobs.isEmpty && all { throw ValidationError("--all already means every job: leave out the names") }
    }

    func open() throws -> Steering { try Steering(path: spoolOptions.path) }

    /// The numbers of the jobs meant, each once, and the errors for names that are no job.
    func resolve(
        _ change: Steering.Change, _ steering: Steering, all query: (LedgerTransaction) throws -> [Int64]
    ) throws -> (ids: [Int64], unknown: [FlowspoolError]) {
        try steering.ledger.read { tx in
            if all { return (try query(tx), []) }
            var ids: [Int64] = []
            var unknown: [FlowspoolError] = []
            for text in jobs {
                do {
                    let id = try tx.find(text, in: Steering.states(for: change)).id
                    if !ids.contains(id) { ids.append(id) }
                } catch let error as FlowspoolError {
                    unknown.append(error)
                }
            }
            return (ids, unknown)
        }
    }

    /// Makes the change and tells what came of it.
    ///
    /// - Parameter told: what is said of a changed job, after `job 7 (name.md) `.
    func apply(
        _ change: Steering.Change, _ steering: Steering, all query: (LedgerTransaction) throws -> [Int64], told: (Job) -> String
    ) async throws {
        let (ids, unknown) = try resolve(change, steering, all: query)
        let outcomes = try await steering.apply(change, to: ids)
        var errors = unknown
        var changed: [Job] = []
        // What the runner ends it tells itself.
        var ended: [Job] = []
        for outcome in outcomes {
            switch outcome {
            case .changed(let job):
                changed.append(job)
                ended.append(job)
            case .requested(let job, let isAlive):
                let (settled, isByRunner) = try await settle(job, isAlive, steering, &errors)
                changed.append(settled)
                if !isByRunner { ended.append(settled) }
            case .refused(let error): errors.append(error)
            }
        }
        note(ended, steering, &errors)
        if json {
            let view = JobView(spool: steering.spool)
            try StandardOutput.write(JSON.array(changed.map(view.json)))
        } else {
            try StandardOutput.write(changed.map { "\($0.title) \(told($0))\n" }.joined())
            if all, outcomes.isEmpty { StandardError.write("no job to do this to\n") }
        }
        if changed.contains(where: { $0.state == .queued }) { try noteRunner(steering) }
        for error in errors { _ = report(error) }
        if let first = errors.first { throw ExitCode(first.code.exitStatus) }
    }

    /// Jobs that are over with this are told of where everything that ends is. Trouble there undoes nothing.
    private func note(_ jobs: [Job], _ steering: Steering, _ errors: inout [FlowspoolError]) {
        do {
            try ContractJournal.note(endedByHand: jobs.filter(\.state.isTerminal), in: steering.spool.root)
        } catch {
            errors.append((error as? FlowspoolError) ?? (error as? SystemCallError)?.forUser ?? FlowspoolError(.bug, "\(error)"))
        }
    }

    /// Says so where nobody will run what now waits.
    private func noteRunner(_ steering: Steering) throws {
        let status = try SpoolStatus(steering.spool, steering.ledger)
        if let hold = status.hold {
            StandardError.write("the spool is on hold (\(printable(hold.reason))): `flowspool resume` goes on\n")
        } else if status.runner == nil {
            StandardError.write("no runner is at work: `flowspool watch` runs what waits\n")
        }
    }

    /// Waits until the runner has ended a job that was running: TERM, 5 s, KILL; some more for what it writes down.
    ///
    /// - Returns: the job as it is then, and whether that is the runner's doing.
    private func settle(
        _ job: Job, _ isAlive: Bool, _ steering: Steering, _ errors: inout [FlowspoolError]
    ) async throws -> (Job, isByRunner: Bool) {
        guard isAlive else {
            StandardError.write("no runner is at work: \(job.title) is cancelled when the next one starts\n")
            return (job, true)
        }
        let changes = ChangeWait([steering.spool.control.path])
        let end = SystemClock().monotonicMilliseconds() + 15_000
        var current = job
        while current.state == .active, SystemClock().monotonicMilliseconds() < end {
            changes.wait(milliseconds: 200)
            current = try steering.ledger.read { try $0.job(job.id) } ?? current
        }
        // Given back or held in the meantime: it waits, and can be cancelled as it stands, unless the runner has done that.
        if current.state.isWaiting || current.state == .held,
            case .changed(let ended)? = try await steering.apply(.cancel, to: [job.id]).first
        {
            return (ended, false)
        }
        current = try steering.ledger.read { try $0.job(job.id) } ?? current
        if current.state == .active {
            errors.append(
                FlowspoolError(
                    .unavailable, "\(job.title) is still being ended by the runner",
                    hint: "`flowspool wait \(job.id)` waits for it"))
        }
        return (current, true)
    }
}
