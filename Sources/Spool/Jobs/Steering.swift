// What a person can do to a spool while a runner may be at work on it: approve, reject, retry, cancel, hold, resume. Owns the
// rule that makes this safe: the ledger says in one transaction which state a job leaves, so the runner and a person never
// both move it; the file follows; the note of the move is struck out last. A crash in between is finished by the next start.

import Foundation

/// Changes jobs and the hold on behalf of a person.
public struct Steering: Sendable {
    public let spool: SpoolFolder
    public let ledger: Ledger
    let filing: Filing
    let clock: any SpoolClock

    /// Jobs that are changed in one transaction at most.
    static let chunkMax = 64

    public init(spool: SpoolFolder, ledger: Ledger, clock: any SpoolClock = SystemClock()) {
        self.spool = spool
        self.ledger = ledger
        self.clock = clock
        filing = Filing(spool: spool, ledger: ledger)
    }

    /// Opens the spool at `path` for changes.
    ///
    /// - Throws: `invalidInput` where there is no spool; never makes one.
    public init(path: String, clock: any SpoolClock = SystemClock()) throws {
        let spool = try SpoolFolder.open(at: path)
        self.init(spool: spool, ledger: try Ledger(existingIn: spool), clock: clock)
    }

    /// What is asked.
    public enum Change: Sendable, Hashable {
        /// Yes to the warnings of a held job; remembered for its very bytes. Where its file holds others by now, it is checked anew.
        case approve
        /// No to a held job. It fails as `rejected`. A person who says no attends to the spool, so it counts towards neither
        /// threshold: those halt a spool that fails unattended.
        case reject(reason: String)
        /// A finished job waits again, with a fresh budget of attempts; a deferred one waits no longer for its time, and a limit of its runner
        /// is not believed any more.
        case retry
        case cancel
    }

    /// What became of it.
    public enum Outcome: Sendable {
        case changed(Job)
        /// A runner has the job in hand and was asked; it acts at once, or, where none lives, the next one does.
        case requested(Job, isRunnerAlive: Bool)
        case refused(FlowspoolError)
    }

    /// Makes the same change to each of `ids`; one that cannot be changed does not stop the others.
    ///
    /// On return every change is durable, and so is the place of each file; a runner has been told.
    /// - Returns: one outcome for each id, in order.
    /// - Throws: where the ledger cannot be written at all.
    public func apply(_ change: Change, to ids: [Int64]) async throws -> [Outcome] {
        var outcomes: [Outcome] = []
        var rest = ids[...]
        while !rest.isEmpty {
            outcomes += try await applyChunk(change, Array(rest.prefix(Self.chunkMax)))
            rest = rest.dropFirst(Self.chunkMax)
        }
        do {
            try Wake.runner(of: spool)
        } catch {
            throw error.forUser
        }
        return outcomes
    }

    private func applyChunk(_ change: Change, _ ids: [Int64]) async throws -> [Outcome] {
        do {
            try await settle(ids)
            let changed = change == .approve ? try changed(among: ids) : []
            let now = clock.wallMilliseconds()
            var outcomes = try ledger.write { tx in
                try ids.map { try self.commit(change, $0, isChanged: changed.contains($0), tx, now: now) }
            }
            for (index, outcome) in outcomes.enumerated() {
                if case .changed(let job) = outcome { outcomes[index] = await finish(change, job) }
            }
            try spool.syncPlaces()
            let moved = outcomes.compactMap { if case .changed(let job) = $0 { job } else { nil } }
            try ledger.write { try $0.confirmMoves(moved) }
            return outcomes
        } catch let error as SystemCallError {
            throw error.forUser
        }
    }

    // MARK: Before

    /// Waits until the files of these jobs stand where the ledger says, durably: a runner files a job a moment after it has
    /// recorded its end, and stamps it in between. Where no runner lives, the move is finished here.
    private func settle(_ ids: [Int64]) async throws {
        let moving = try ledger.read { tx in try ids.compactMap { try tx.job($0) } }.filter { $0.fromPlace != nil }
        guard !moving.isEmpty else { return }
        for job in moving where try !filing.isMoveMade(job) {
            if try RunnerLock.holder(spool) == nil {
                _ = try filing.finishMove(job)
                continue
            }
            var turns = 0
            while turns < 100, let current = try ledger.read({ try $0.job(job.id) }), try !filing.isMoveMade(current) {
                try await clock.sleep(milliseconds: 20)
                turns += 1
            }
        }
        try spool.syncPlaces()
    }

    /// The held jobs whose files do not hold what was checked, and what the person who says yes has read of them.
    private func changed(among ids: [Int64]) throws -> Set<Int64> {
        let held = try ledger.read { tx in try ids.compactMap { try tx.job($0) } }.filter { $0.state == .held }
        return Set(
            try held.filter { job in
                let prompt = try prompt(of: job, as: job.file, in: spool.held)
                return prompt == nil || prompt?.sha != job.promptSHA
            }.map(\.id))
    }

    /// What stands in a folder under the name of a job's file, as the job's prompt; nil where none can be read.
    private func prompt(of job: Job, as file: String, in folder: Directory) throws -> PromptFile? {
        guard let status = try folder.status(file),
            let prompt = try KeptPrompt.read(file, status, in: folder, sizeMax: OpenFile.stampedMax)
        else { return nil }
        return PromptFile.read(name: job.name, bytes: prompt.bytes)
    }

    // MARK: The ledger

    private func commit(
        _ change: Change, _ id: Int64, isChanged: Bool, _ tx: LedgerTransaction, now: Int64
    ) throws -> Outcome {
        guard var job = try tx.job(id) else { return .refused(Self.unknown("\(id)")) }
        let was = job.state
        // First: whoever has decided otherwise has decided, wherever the file is just now.
        if let refusal = Self.refusal(change, job) { return .refused(refusal) }
        if try !filing.isMoveMade(job) {
            return .refused(FlowspoolError(.unavailable, "\(job.title) is being filed at this moment", hint: "try again"))
        }
        if job.state == .active {
            try tx.request("cancel", job: id, now: now)
            return .requested(job, isRunnerAlive: try RunnerLock.holder(spool) != nil)
        }
        var status = try spool.directory(job.place)?.status(job.file)
        if status == nil, let name = try nameOfMovedBack(job, tx) {
            if change == .approve { return .refused(Self.movedBack(job)) }
            // No runner has seen it there yet.
            (job.place, job.file) = (.drop, name)
            status = try spool.root.status(name)
        }
        let isThere = status != nil
        switch change {
        case .retry where job.state == .deferred:
            job.state = .queued
            job.reason = ""
            job.notBefore = nil
            job.delay = nil
            if let runner = job.runner { try tx.clearLimit(of: runner) }
        case .approve, .retry:
            guard isThere else { return .refused(Self.gone(job, spool)) }
            if let other = try tx.waitingJob(file: job.file), job.place == .drop {
                return .refused(
                    FlowspoolError(
                        .invalidInput, "\(job.title): its file waits as job \(other.id) already",
                        hint: "`flowspool show \(other.id)`"))
            }
            try wait(change, &job, isChanged: isChanged, tx, now: now)
            // Another job's file may take its name in `done/` or `failed/` as soon as it has left.
            job.fileSignature = status?.identity
        case .reject(let reason):
            job.end(.failed, .rejected, reason: reason.isEmpty ? "rejected" : "rejected: \(reason)", now: now)
            try file(&job, isThere: isThere, tx)
        case .cancel:
            let when = job.attempts > 0 ? "its next attempt" : "it started"
            job.end(.cancelled, .cancelled, reason: "cancelled before \(when)", now: now)
            // A new file may take its name in the drop folder as soon as it has left.
            job.fileSignature = status?.identity
            try file(&job, isThere: isThere, tx)
        }
        let why =
            switch change {
            case .approve: isChanged ? "approved, but \(Self.changedReason)" : "approved"
            case .retry: was == .deferred ? "retried by hand, before its time" : "retried by hand"
            case .reject, .cancel: job.reason
            }
        // Within one transaction nobody else can have moved it.
        try tx.save(job, expecting: was, why: why, now: now)
        return .changed(job)
    }

    /// Why a job that was approved is checked anew.
    public static let changedReason = "its file has changed since it was checked: it is checked anew"

    /// Under which name the prompt of a held job stands in the drop folder, where a person has put it and no runner has seen it yet.
    private func nameOfMovedBack(_ job: Job, _ tx: LedgerTransaction) throws -> String? {
        guard job.state == .held, let sha = job.promptSHA else { return nil }
        return try [job.file, job.name].first { name in
            try tx.waitingJob(file: name) == nil && prompt(of: job, as: name, in: spool.root)?.sha == sha
        }
    }

    /// The job waits again, its file on the way to the drop folder.
    private func wait(_ change: Change, _ job: inout Job, isChanged: Bool, _ tx: LedgerTransaction, now: Int64) throws {
        let (place, file) = (job.place, job.file)
        if change == .approve {
            if !isChanged, let sha = job.promptSHA {
                let shown = try tx.findings(of: job.id).filter { $0.severity == .warning }.map(\.code)
                try tx.approve(sha: sha, codes: Set(shown), job: job.id, now: now)
            }
            job.wait(.queued, reason: isChanged ? Self.changedReason : "")
        } else {
            let arrival = try tx.fact(.arrival) + 1
            try tx.setFact(.arrival, arrival)
            job.requeue(arrival: arrival, now: now)
        }
        job.batch = nil
        guard place != .drop else { return }
        job.fromPlace = place
        job.fromFile = file
        job.file = try filing.freeName(for: job, tx)
    }

    /// The file of an ended job goes to `failed/`, wherever prompts like it go otherwise: in the drop folder it would run again.
    private func file(_ job: inout Job, isThere: Bool, _ tx: LedgerTransaction) throws {
        guard isThere else {
            job.place = .none
            job.fromPlace = nil
            job.fromFile = nil
            return
        }
        job.place = .failed
        job.file = try filing.freeName(for: job, tx)
    }

    // MARK: The file

    /// Stamps and moves the file; what fails is noted in the ledger and done by the next start.
    private func finish(_ change: Change, _ job: Job) async -> Outcome {
        do {
            if case .reject = change {
                let swap = SwapFile(spool.held)
                defer { swap.removeSpares() }
                for case .trouble(let error) in await FilingWork.run([try rejection(job)], swap) { throw error }
            }
            let moved = try filing.finishMove(job)
            if change == .retry, job.fromPlace == .failed, let file = job.fromFile { try filing.removeNote(beside: file) }
            return .changed(moved)
        } catch {
            let cause = (error as? SystemCallError)?.description ?? (error as? FlowspoolError)?.message ?? "\(error)"
            return .refused(
                FlowspoolError(
                    .unavailable, "\(job.title) is \(job.state.rawValue), but its file could not be moved: \(cause)",
                    hint: "nothing is lost: the next `flowspool watch` finishes the move"))
        }
    }

    private func rejection(_ job: Job) throws -> FilingWork {
        // Of what the file holds now: it may have been changed since it was checked.
        let now = try job.fromPlace.flatMap(spool.directory).flatMap { try prompt(of: job, as: job.fromFile ?? job.file, in: $0) }
        let sha = now?.sha ?? job.promptSHA ?? ""
        let id = sha == job.promptSHA ? job.promptID : now?.id
        var stamp = Stamp(promptID: id ?? job.name, promptSHA: sha)
        stamp.exec = Stamp.Exec(
            source: "reject", status: .blocked, runRef: "", promptSHA: sha, gate: .skipped, failedBlock: nil,
            failureClass: .blocked,
            lastOKBlock: 0, warningCount: 0, attempts: job.attempts, exitCode: nil, durationMilliseconds: 0,
            updated: Date(timeIntervalSince1970: Double(job.finished ?? 0) / 1000))
        return FilingWork(job: job, spool: spool, filing: filing, stamp: stamp, why: nil)
    }
}

extension Job {
    /// `job 7 (name.md)`, safe to print.
    public var title: String { "job \(id) (\(printable(name)))" }
}
