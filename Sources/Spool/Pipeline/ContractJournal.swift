// Writes a run's events to the contract files: each to the log, finished prompts to `.state` and `.failed`. It runs beside the
// dispatcher, so that no job waits for it: on a thread that takes no processor from one that is starting a job. The ledger is the
// truth; what a crash has cost these files is made up for at the next start.

import CSystemCalls
import Foundation
import Synchronization

/// The contract files as an observer of a run.
public final class ContractJournal: Sendable {
    private let files: ContractFiles
    private let clock: any SpoolClock
    /// Events and when they were; nil: there will be no more.
    private let events = Mailbox<(RunEvent, Int64)?>()
    private let report: @Sendable (FlowspoolError) -> Void
    private let hasMissed = Mutex(false)

    /// Whether the files have all that was to be written so far; what they lack is made up for by the next `catchUp`.
    public var isComplete: Bool { hasMissed.withLock { !$0 } }

    /// - Parameter report: told of trouble, at most once for each kind of message; the run goes on without that line.
    public init(files: ContractFiles, clock: any SpoolClock = SystemClock(), report: @escaping @Sendable (FlowspoolError) -> Void)
    {
        self.files = files
        self.clock = clock
        self.report = report
    }

    /// Takes an event; returns at once.
    public func take(_ event: RunEvent) {
        if case .blockStarted = event { return }
        events.post((event, clock.wallMilliseconds()))
    }

    /// No more events will come; `run` returns when all are written.
    public func finish() { events.post(nil) }

    /// Writes events until `finish`. Once.
    public func run() async {
        await onThread { [self] in
            // As good as it can be: a log that is written a little sooner costs a job a little time.
            _ = flowspool_give_way()
            writeEvents()
            // Who waits for this end may be woken by a thread that is started from here, and start jobs.
            _ = flowspool_take_turns()
        }
    }

    private func writeEvents() {
        var reported: Set<String> = []
        while let (event, at) = events.next() {
            do {
                try write(event, at)
            } catch {
                hasMissed.withLock { $0 = true }
                let shown = (error as? FlowspoolError) ?? (error as? SystemCallError)?.forUser ?? FlowspoolError(.bug, "\(error)")
                if reported.insert(shown.message).inserted { report(shown) }
            }
        }
    }

    private func write(_ event: RunEvent, _ at: Int64) throws {
        let log = files.log
        switch event {
        case .started(let profile, let waiting):
            try log.append(.startup, detail: "root=\(files.root.path) profile=\(profile) waiting=\(waiting)", at: at)
        case .attemptStarted(let job, let blocks):
            if job.attempts == 1 || job.budgetUsed == 1 {
                try log.append(.promptStart, prompt: job.name, detail: "job=\(job.id) id=\(job.promptID ?? "")", at: at)
            }
            try log.append(
                .promptRun, prompt: job.name,
                detail: "job=\(job.id) attempt=\(job.attempts) blocks=\(blocks) mode=\(job.mode ?? "")", at: at)
        case .finished(let job, _): try finished(job, at)
        case .blocked(let job, let findings):
            let codes = findings.filter { $0.severity != .info }.map { "\($0.code.rawValue)\($0.line.map { ":\($0)" } ?? "")" }
            let isListed = Result { try noteFailed(job) }
            // Without a code it says in words what stood in the way.
            let why = codes.isEmpty ? job.reason : codes.joined(separator: " ")
            try log.append(.promptBlocked, prompt: job.name, detail: "job=\(job.id) \(why)", at: at)
            try isListed.get()
        case .refused(let job):
            try log.append(.promptBlocked, prompt: job.name, detail: "job=\(job.id) \(job.reason)", at: at)
        case .held(let job, _): try log.append(.promptHeld, prompt: job.name, detail: "job=\(job.id) \(job.reason)", at: at)
        case .onHold(let hold):
            try log.append(
                .pipelineHold, prompt: hold.lastPrompt ?? "",
                detail: "\(hold.reason) fail_streak=\(hold.failStreak) fail_total=\(hold.failTotal)", at: at)
        case .ended(let ending):
            // A batch that halted has said so; `pipeline_done` is the word for one that came to its end.
            if ending.why == .failFast || ending.why == .totalFailures || ending.why == .onHold { return }
            try log.append(
                .pipelineDone,
                detail:
                    "\(ending.why.rawValue) ran=\(ending.ran) succeeded=\(ending.succeeded) failed=\(ending.failed) held=\(ending.held)",
                at: at)
        case .attemptFailed, .notBegun, .withdrawn, .deferred, .waitsForWriter, .holdLifted, .stopping, .trouble, .blockStarted:
            break
        }
    }

    private func finished(_ job: Job, _ at: Int64) throws {
        switch job.state {
        case .done:
            // The lists first: what a log that cannot be written costs is a line of it.
            let isListed = Result { try list(done: job) }
            try log(.promptSuccess, job, at)
            _ = try isListed.get()
        default:
            let isListed = Result { try noteFailed(job) }
            try log(.promptFailed, job, at)
            try isListed.get()
        }
    }

    /// Returns whether it was not in the list yet.
    @discardableResult
    private func list(done job: Job) throws -> Bool {
        guard let id = job.promptID else { return false }
        // The ledger has it durably; a prompt that keeps its place was noted durably before (`recordKept`).
        let isNew = try files.state.add(id, durably: false)
        if files.failed.contains(id) { try files.failed.remove(id) }
        return isNew
    }

    /// Notes what an earlier runner has recorded in the ledger and, because it was killed, not here. Before `run`.
    ///
    /// - Parameter jobs: that have ended since it began, in the order in which they did. What is listed already stays as it is; where the
    ///   list of what is done is empty, somebody has emptied it to have everything run again, and nothing is noted.
    public func catchUp(with jobs: [Job]) {
        guard files.state.count > 0 || files.failed.count > 0 else { return }
        let at = clock.wallMilliseconds()
        do {
            for job in jobs {
                if job.state == .done {
                    if try list(done: job) { try log(.promptSuccess, job, at) }
                } else if job.state == .failed, let id = job.promptID, !files.state.contains(id), !files.failed.contains(id) {
                    try noteFailed(job)
                    try log(job.status == .blocked ? .promptBlocked : .promptFailed, job, at)
                }
            }
        } catch {
            hasMissed.withLock { $0 = true }
            report((error as? FlowspoolError) ?? (error as? SystemCallError)?.forUser ?? FlowspoolError(.bug, "\(error)"))
        }
    }

    /// Notes what a person has ended, from a command beside the runner: in the log, and in the list of what failed where it did.
    public static func note(endedByHand jobs: [Job], in root: Directory, at: Int64 = SystemClock().wallMilliseconds()) throws {
        for job in jobs {
            try EventLog.append(.promptFailed, prompt: job.name, detail: detail(job), at: at, besideRunnerIn: root)
        }
        let ids = jobs.filter { $0.state == .failed }.compactMap(\.promptID)
        if !ids.isEmpty { try IDList.add(ids, to: .failed, besideRunnerIn: root) }
    }

    private func log(_ event: EventLog.Event, _ job: Job, _ at: Int64) throws {
        try files.log.append(event, prompt: job.name, detail: Self.detail(job), at: at)
    }

    private static func detail(_ job: Job) -> String {
        "job=\(job.id) attempts=\(job.attempts)\(job.reason.isEmpty ? "" : " \(job.reason)")"
    }

    private func noteFailed(_ job: Job) throws {
        if job.state == .failed, let id = job.promptID { try files.failed.add(id, durably: false) }
    }
}
