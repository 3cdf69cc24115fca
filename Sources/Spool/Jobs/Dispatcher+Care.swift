// What keeps a run honest: jobs given back, moves confirmed, trouble written down later, and the beginning and end of a batch.

import Foundation

extension Dispatcher {
    // MARK: Giving back

    /// Jobs that are claimed but may not start go back to wait where they were.
    func giveBackReady() {
        let back = ready + blocked
        ready.removeAll()
        blocked.removeAll()
        for prepared in back {
            removeUnused(prepared)
            giveBack(prepared.job, why: "given back: \(whyNothingStarts)")
        }
    }

    private var whyNothingStarts: String {
        if hold != nil { return "the spool is on hold" }
        return stopping != .no || isReplaced ? "the run is ending" : "the machine is in trouble"
    }

    /// A prepared job does not start after all: what was made ahead for it goes.
    func removeUnused(_ prepared: Prepared) {
        if let ready = prepared.ready { RunPath.removeUnused(ready.directory, in: spool) }
    }

    func giveBack(_ job: Job, why: String) {
        do {
            try giveBackOrThrow(job.id, why: why)
        } catch {
            unwritten.append(.giveBack(job.id, why: why))
            trouble(error)
        }
    }

    private func giveBackOrThrow(_ id: Int64, why: String) throws {
        let now = clock.wallMilliseconds()
        guard var job = try ledger.read({ try $0.job(id) }) else { return }
        guard job.state == .active else {
            // Refused or held in the ledger already, and then its file could not be moved.
            if job.fromPlace != nil { hasMoved(try filing.finishMove(job)) }
            return
        }
        if let from = job.fromPlace, from == .drop { job = try filing.finishMove(job) }
        job.wait(.queued, reason: "")
        let isCancelled = cancelWhenGivenBack.contains(id)
        let isSaved = try ledger.write { tx in
            if try tx.removeUnbegunAttempt(of: id) { job.takeBackAttempt() }
            if try tx.takeCancel(of: id) || isCancelled { job.cancelInstead(now: now) }
            job.file = try filing.freeName(for: job, tx)
            return try tx.save(job, expecting: .active, why: job.state == .cancelled ? job.reason : why, now: now)
        }
        cancelWhenGivenBack.remove(id)
        guard isSaved else { return }
        hasMoved(try filing.finishMove(job))
        if job.state == .cancelled { observe(.finished(job, nil)) }
        waitingChanged()
    }

    /// Tries again to write down what could not be written.
    func retryUnwritten() {
        guard !unwritten.isEmpty, clock.monotonicMilliseconds() >= pausedUntil || stopping != .no else { return }
        let work = unwritten
        unwritten.removeAll()
        for item in work {
            switch item {
            case .giveBack(let id, let why):
                if let job = note({ try ledger.read { try $0.job(id) } }) {
                    if let job { giveBack(job, why: why) }
                } else {
                    unwritten.append(item)
                }
            case .ended(let prepared, let result): finish(prepared, result)
            case .moved(let id):
                if let job = note({ try ledger.read { try $0.job(id) } }) ?? nil, let moved = note({ try filing.finishMove(job) })
                {
                    hasMoved(moved)
                } else {
                    unwritten.append(item)
                }
            }
        }
    }

    // MARK: Moves

    func filed(_ id: Int64, _ outcome: FilingWork.Outcome) {
        switch outcome {
        case .moved(let job, let isRenamed):
            hasMoved(job)
            // A file of the same name came meanwhile, and had no job while ours bore its name.
            if isRenamed { wantsScan = true }
        case .trouble(let error):
            unwritten.append(.moved(id))
            trouble(error)
        }
    }

    /// Moves that a person's command has begun and not finished, because it died: finished here, once they are old enough that
    /// nobody can be at work on them. Called whenever the folder is looked at.
    func adoptMoves() {
        let now = clock.monotonicMilliseconds()
        guard let noted = note({ try ledger.read { try $0.unconfirmedMoves(limit: 1000) } }) else { return }
        let own = Set(running.keys).union(preparing.keys).union((ready + blocked).map(\.job.id)).union(filings.jobs)
            .union(unconfirmed.jobs.map(\.id))
        let foreign = noted.filter { $0.state != .active && !own.contains($0.id) }
        foreignMoves = foreignMoves.filter { id, _ in foreign.contains { $0.id == id } }
        for job in foreign {
            let since = foreignMoves[job.id] ?? now
            foreignMoves[job.id] = since
            guard now - since >= settings.foreignMoveGraceMilliseconds else { continue }
            do {
                hasMoved(try filing.finishMove(job))
            } catch let error as SystemCallError where error.isOfOneFile {
                tellOnce(error)
            } catch {
                trouble(error)
            }
        }
        if !foreign.isEmpty { scanLater(afterMilliseconds: max(1, settings.foreignMoveGraceMilliseconds)) }
    }

    /// Tells the ledger that files whose jobs were claimed with their start are in `active/`: a new file of that name must not be
    /// taken for one of them. Not synced: should a power loss take it back, the next start finds the file where it is.
    func confirmClaims() {
        guard !claimsToConfirm.isEmpty, clock.monotonicMilliseconds() >= pausedUntil else { return }
        let claimed = claimsToConfirm
        if note({ try ledger.writeUnsynced(isOwed: false) { try $0.confirmMoves(claimed) } }) != nil {
            claimsToConfirm.removeAll()
        }
    }

    /// A file stands where the ledger has it, and the ledger is to learn that it does.
    func hasMoved(_ job: Job) {
        unconfirmed.add(job, now: clock.monotonicMilliseconds())
        lookAgain(at: job)
    }

    /// While this run moved a file out of the drop folder or back to it, somebody may have put another one there. The event that told
    /// of it came while the ledger had the move as under way, and said nothing then.
    private func lookAgain(at job: Job) {
        let isAnother: Bool?
        let name: String
        if job.fromPlace == .drop, let file = job.fromFile {
            name = file
            isAnother = note { try spool.root.status(file) != nil }
        } else if job.isKept {
            name = job.file
            isAnother = note { try isChanged(job) }
        } else {
            return
        }
        guard isAnother ?? true else { return }
        namedFiles.append(Array(name.utf8))
        mailbox.post(.hints)
    }

    /// Whether a prompt that was put back does not stand there as it was put back.
    private func isChanged(_ job: Job) throws -> Bool { try spool.root.status(job.file)?.signature != job.fileSignature }

    /// Before files of the drop folder are judged by what the ledger says of the last ones that bore their names: what matters to that is
    /// confirmed. Then the ledger has no move of theirs as under way but those that are.
    ///
    /// - Parameter names: of the files; nil: of all.
    /// - Returns: false where that could not be done now.
    func confirmMoves(before names: [[UInt8]]?) -> Bool {
        guard !unconfirmed.isEmpty else { return true }
        if let names {
            let named = Set(names)
            let matters = note {
                try unconfirmed.jobs.contains { job in
                    if job.fromPlace == .drop, let file = job.fromFile { return named.contains(Array(file.utf8)) }
                    return try job.isKept && named.contains(Array(job.file.utf8)) && isChanged(job)
                }
            }
            if matters == false { return true }
        }
        confirmMoves(all: true)
        return unconfirmed.isEmpty
    }

    /// Before a run ends: whatever move is still noted is made, however it came to be left.
    func finishMoves() {
        confirmMoves(all: true)
        note {
            let known = Set(unconfirmed.jobs.map(\.id))
            for job in try ledger.read({ try $0.unconfirmedMoves() }) where !known.contains(job.id) {
                hasMoved(try filing.finishMove(job))
            }
        }
        confirmMoves(all: true)
    }

    /// Strikes out the notes of moves that are done: many at once, after one fsync of each folder, or all when idle.
    ///
    /// - Returns: whether a waiting job is among them, which can be claimed from now on.
    @discardableResult
    func confirmMoves(all: Bool) -> Bool {
        let now = clock.monotonicMilliseconds()
        guard !unconfirmed.isEmpty, all || unconfirmed.areDue(now: now) else { return false }
        let moved = unconfirmed.take()
        let confirmed: Bool? = note {
            try preparer.swap.syncFolder(after: [spool.root, spool.done, spool.failed, spool.held])
            // A person may have sent a job elsewhere since (`retry`, `approve`): that move is not struck out, it is theirs.
            try ledger.write { try $0.confirmMoves(moved, keptIn: spool.root) }
            return moved.contains { $0.state.isWaiting }
        }
        if confirmed == nil { unconfirmed.putBack(moved, due: max(pausedUntil, now + MovesToConfirm.waitMax)) }
        if confirmed == true { waitingChanged() }
        return confirmed ?? false
    }

    // MARK: Batch

    /// Puts a spool whose runner died back in order, as `run` does first: a batch must see what waits before it plans. Call it
    /// with the spool's lock held.
    ///
    /// - Returns: what failed by it, for `RunSettings.recovered`.
    public static func recover(
        _ spool: SpoolFolder, _ ledger: Ledger, policy: ResolvedPolicy, runID: String, clock: any SpoolClock = SystemClock()
    ) async throws -> Recovered {
        let filing = Filing(spool: spool, ledger: ledger)
        // A batch has counts of its own, to which these failures belong; those of the one that was cut off are over. Under a hold they stay
        // as they are: it says what has led to it.
        try ledger.write { tx in
            if try tx.openHold() == nil { try tx.setFailureCounts(FailureCounts()) }
        }
        return try await Recovery(
            spool: spool, ledger: ledger, filing: filing, executor: LocalExecutor(), clock: clock, counting: (policy, runID)
        ).run()
    }

    /// What a dead runner left failed is told and counted like any other failure of this run.
    func take(_ recovered: Recovered) {
        for error in recovered.unmoved { tellOnce(error) }
        if let first = recovered.forgotten.first {
            let count = recovered.forgotten.count
            let what = count == 1 ? "a prompt" : "\(count) prompts"
            observe(
                .trouble(
                    FlowspoolError(
                        .unavailable,
                        "held/ has \(what) that the ledger does not know, so nobody is asked about it: \(printable(first))",
                        hint: "move it back into the spool: it is checked anew, and asked about")))
        }
        for job in recovered.failed {
            ending.failed += 1
            if job.status == .blocked { observe(.refused(job)) } else { observe(.finished(job, nil)) }
        }
        // Where they cannot be read now, the next end of a job brings them.
        if !recovered.failed.isEmpty, let counts = note({ try ledger.read { try $0.failureCounts() } }) {
            ending.failures = counts
        }
    }

    /// Begins a batch: failure counts of its own, to which what it has recovered belongs, and so does all that waits.
    func startBatch(_ recovered: Recovered) throws {
        let now = clock.wallMilliseconds()
        let failed = recovered.failed.count
        ending.failures = FailureCounts(streak: failed, total: failed)
        try ledger.write { tx in
            try tx.setFailureCounts(FailureCounts(streak: failed, total: failed))
            let id = try tx.startBatch(
                runID: settings.runID, kind: settings.command, profile: thresholds.profile ?? "none", now: now)
            batch = id
            batchArrival = try tx.fact(.arrival) + 1
            try tx.setFact(.arrival, batchArrival)
        }
        planned = (settings.batchNames ?? [])[...]
        // No look at the whole folder would find them in a batch.
        if let report = note({ try intake.withdrawGone() }) { take(report) }
        if !settings.batchRefusals.isEmpty { take(try intake.admit(names: settings.batchRefusals, isDraining: true)) }
    }

    /// Admits the next names of the batch while the ledger has room.
    func refillBatch() {
        if wantsScan || !namedFiles.isEmpty {
            tryBusyAgain()
            waitingChanged()
        }
        wantsScan = false
        namedFiles.removeAll()
        guard let batch, !planned.isEmpty else { return }
        let queued = note { try ledger.read { try $0.counts()[.queued] ?? 0 } } ?? settings.windowMax
        guard queued < settings.windowMax / 2 else { return }
        let next = planned.prefix(settings.windowMax - queued)
        let report = note { try intake.admit(planned: Array(next), batch: batch, arrival: batchArrival) }
        guard let report else { return }
        planned = planned.dropFirst(next.count)
        take(report)
    }

    /// Writes down how the run went.
    func finishRun() {
        ending.deferred = dueAt.count
        for id in settings.drains && stopping == .no ? stillWritten : [] {
            guard let job = try? ledger.read({ try $0.job(id) }), job.state.isWaiting else { continue }
            let what = "\(job.title) is left for another run: somebody still writes it"
            observe(.trouble(FlowspoolError(.unavailable, what, hint: "`fuser -v` says who has it open")))
        }
        for job in unrecordedEnds {
            ending.unrecorded += 1
            let what = "\(job.title) has ended, which could not be recorded: at the next start it counts as interrupted"
            observe(.trouble(FlowspoolError(.unavailable, what, hint: "`flowspool logs \(job.id)` has what it printed")))
        }
        if let batch {
            note {
                try ledger.write {
                    try $0.finishBatch(
                        batch, status: ending.why.rawValue, reason: hold?.reason ?? "", ran: ending.ran, counts: ending.failures,
                        now: clock.wallMilliseconds())
                }
            }
        }
        observe(.ended(ending))
    }
}

extension LedgerTransaction {
    func hasRequests() throws -> Bool { try row("SELECT 1 FROM requests LIMIT 1") != nil }

    /// How many wait, of a batch or of all.
    func queuedCount(batch: Int64?) throws -> Int64 {
        try number(
            "SELECT count(*) FROM jobs WHERE state = 'queued' AND from_place IS NULL AND (?1 IS NULL OR batch = ?1)", [batch])
            ?? 0
    }

    func isAnyQueued(batch: Int64?) throws -> Bool {
        // One that is still on its way to the drop folder is somebody else's move, and nobody here could wait for it.
        let clause = "SELECT 1 FROM jobs WHERE state = 'queued' AND from_place IS NULL"
        guard let batch else { return try row(clause + " LIMIT 1") != nil }
        return try row(clause + " AND batch = ? LIMIT 1", [batch]) != nil
    }
}
