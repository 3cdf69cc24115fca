// From the folder to a running attempt: look for files, prepare the next jobs, start what is ready. Preparation runs in tasks
// of its own, ahead of the slots, so that a slot that falls free finds a job ready.

import Foundation

extension Dispatcher {
    /// Named files that are taken in with one commit: few enough that nobody waits for the dispatcher for long.
    private static let namesAtOnceMax = 512

    /// Looks at the files that hints named, or at the whole folder when that is asked for or when the ledger runs low.
    func lookForFiles() {
        // A file that is becoming a job at this moment is in neither place for sure.
        guard stopping == .no, !isReplaced, unnumbered == nil else { return }
        if settings.isBatch { return refillBatch() }
        if prepareUnnumbered() { return }
        if !wantsScan, backlog > 0 {
            let queued = note { try ledger.read { try $0.counts()[.queued] ?? 0 } } ?? 0
            if queued < settings.windowMax / 2 { wantsScan = true }
        }
        var report: IntakeReport?
        if wantsScan {
            guard confirmMoves(before: nil) else { return }
            wantsScan = false
            namedFiles.removeAll()
            isForIntake = false
            tryBusyAgain()
            adoptMoves()
            report = note { try intake.scan(isDraining: settings.drains) }
            if let report { filesAtLastScan = report.seen } else { wantsScan = true }
        } else if !namedFiles.isEmpty {
            let names = Array(namedFiles.prefix(Self.namesAtOnceMax))
            guard confirmMoves(before: names) else { return }
            namedFiles.removeFirst(names.count)
            isForIntake = false
            tryBusyAgain()
            report = note { try intake.admit(names: names, isDraining: settings.drains) }
            // These were not among them.
            report?.backlog += backlog
            if report == nil { wantsScan = true }
            // What else waits for the dispatcher has its turn first.
            if !namedFiles.isEmpty { mailbox.post(.hints) }
        }
        if let report { take(report) }
    }

    /// What waits in the ledger is not what was read of it any more.
    func waitingChanged() {
        wantsWaiting = true
        mayBeOvertaken = true
        upcoming.forget()
    }

    /// Somebody may have finished writing.
    func tryBusyAgain() {
        hintedSince.formUnion(preparing.keys)
        guard !busy.isEmpty else { return }
        busy.removeAll()
        waitingChanged()
    }

    func take(_ report: IntakeReport) {
        backlog = report.backlog
        wantsWaiting = true
        if !report.admitted.isEmpty || !report.withdrawn.isEmpty { upcoming.forget() }
        if !report.admitted.isEmpty { mayBeOvertaken = true }
        for error in report.troubles { tellOnce(error) }
        for job in report.refused { observe(.refused(job)) }
        for job in report.withdrawn { observe(.withdrawn(job)) }
        for job in report.refused { hasMoved(job) }
        ending.failed += report.refused.count
        isStrayYoung = report.lookAgainMilliseconds != nil
        if let delay = report.lookAgainMilliseconds { scanLater(afterMilliseconds: delay) }
    }

    /// Jobs that take long are prepared one ahead of each slot. Where others of higher priority have come since, those go back: they
    /// could keep these waiting for hours.
    private func giveWay() {
        guard mayBeOvertaken, pace.ahead(slots: settings.jobs, usesLanes: usesLanes) <= settings.jobs else { return }
        // One that is being prepared is judged when it is ready.
        mayBeOvertaken = !preparing.isEmpty
        if ready.isEmpty { return }
        let inHand = busy.union(preparing.keys).union(blocked.map(\.job.id))
        let lanes = busyLanes
        let limit = ready.count + inHand.count
        let waiting = note { try ledger.read { try $0.nextWaiting(limit: limit, batch: batch, busyLanes: lanes) } } ?? []
        for job in waiting where !inHand.contains(job.id) {
            guard let last = ready.last, !last.isRecorded, job.priority > last.job.priority else { return }
            ready.removeLast()
            removeUnused(last)
            giveBack(last.job, why: "given back: job \(job.id) has a higher priority")
        }
    }

    /// Starts preparing the jobs that come next.
    func prepareNext() {
        guard mayStart, wantsWaiting else { return }
        if settings.isBatch && batch == nil { return }
        giveWay()
        // A job that is ready but whose lane is busy takes no slot here.
        let lanes = busyLanes
        let usable = ready.count { !isBlockedByLane($0, lanes) } + blocked.count
        let ahead = pace.ahead(slots: settings.jobs, usesLanes: usesLanes)
        let room = settings.jobs - running.count + ahead - usable - preparing.count
        guard room > 0, hasRoom || !goesOn.isEmpty, ready.count < settings.jobs * 4 + ahead else { return }
        // Not one by one: those of a group share what waits for the disk.
        if ahead > settings.jobs, usable + preparing.count > 0, room < ahead / 2 { return }
        let inHand = busy.union(preparing.keys).union((ready + blocked).map(\.job.id))
        let found = note {
            try upcoming.next(room, without: inHand, lanes: lanes) { limit in
                try ledger.read { try $0.nextWaiting(limit: limit, batch: batch, busyLanes: lanes) }
            }
        }
        guard let fresh = found else { return }
        if fresh.isEmpty { wantsWaiting = false }
        var chosen: [Job] = []
        for job in fresh {
            guard hasRoom || goesOn.contains(job.id) else {
                upcoming.forget()
                continue
            }
            preparing[job.id] = job
            chosen.append(job)
        }
        // Where jobs take long, each is prepared by itself, and starts as soon as it can.
        let areShort = ahead > settings.jobs
        let groups = areShort ? [chosen] : chosen.map { [$0] }
        var starts = startsToRecord(freeSlots: room - ahead, areShort: areShort)
        for group in groups where !group.isEmpty {
            let startsRecorded = min(starts, group.count)
            starts -= startsRecorded
            preparations.enter()
            Task(executorPreference: WorkerThreads.shared) { [preparer, mailbox, preparations] in
                await preparer.prepare(group, startsRecorded: startsRecorded) { mailbox.post(.prepared($0)) }
                preparations.leave()
            }
        }
    }

    /// Whether jobs that must not run side by side are about: one of them, ready but blocked, would stand in the way of others.
    private var usesLanes: Bool {
        running.values.contains { $0.prepared.job.lane != nil } || ready.contains { $0.job.lane != nil }
            || preparing.values.contains { $0.lane != nil }
    }

    /// What came of a preparation.
    func take(_ outcome: PrepareOutcome) {
        wantsWaiting = true
        let isCancelled = outcome.job.map { cancelWhenPrepared.remove($0) != nil } ?? false
        if let id = outcome.job {
            busySince[id] = nil
            hintedSince.remove(id)
        }
        switch outcome {
        case .ready(var prepared):
            preparing[prepared.job.id] = nil
            if preparedElsewhere.remove(prepared.job.id) != nil {
                prepared.ready?.endBegun()
                prepared.ready = nil
            }
            if isCancelled { return finishUnstarted(prepared) }
            if limitLeft(of: prepared.job) != nil { return postpone(prepared) }
            ready.append(prepared)
            if prepared.isRecorded { claimsToConfirm.append(prepared.saved) }
            // Jobs are prepared side by side and may come out of order.
            ready.sort { $0.job.startsBefore($1.job) }
        case .blocked(let prepared):
            preparing[prepared.job.id] = nil
            if isCancelled { return finishUnstarted(prepared) }
            blocked.append(prepared)
        case .held(let job, let findings):
            preparing[job.id] = nil
            ending.ran += 1
            hasMoved(job)
            if isCancelled { return cancelHeld(job.id) }
            ending.held += 1
            observe(.held(job, findings))
        case .busy(let job):
            preparing[job.id] = nil
            busySince[job.id] = busySince[job.id] ?? clock.monotonicMilliseconds()
            // The event that would have it tried again has come already.
            if hintedSince.remove(job.id) != nil { return waitingChanged() }
            busy.insert(job.id)
            observe(.waitsForWriter(job))
            // IN_CLOSE_WRITE wakes us where leases work; the quiet period has no event.
            scanLater(afterMilliseconds: max(settings.quietMilliseconds, 100))
        case .overtaken(let job):
            preparing[job.id] = nil
            hintedSince.remove(job.id)
            // The next look finds him at work, or what he has written.
            giveBack(job, why: "given back: somebody writes its file")
        case .withdrawn(let job):
            preparing[job.id] = nil
            observe(.withdrawn(job))
        case .refused(let job):
            preparing[job.id] = nil
            // One that may not be moved stays where it is, and is looked at again with all moves that are noted.
            if note({ try filing.isMoveMade(job) }) == true { hasMoved(job) }
            ending.ran += 1
            ending.failed += 1
            observe(.refused(job))
        case .lost(let id):
            preparing[id] = nil
        case .trouble(let ids, let error):
            for id in ids {
                preparing[id] = nil
                hintedSince.remove(id)
                unwritten.append(.giveBack(id, why: "given back: \(error.message)"))
            }
            trouble(error)
        }
    }

    /// A claim that was refused has counted itself, and may have crossed a threshold.
    func learnCounts() throws {
        let (counts, crossed) = try ledger.read { (try $0.failureCounts(), try $0.openHold()) }
        ending.failures = counts
        if hold == nil, let crossed, !crossed.fileWritten {
            tookHold(crossed)
            untoldHold = crossed
        }
    }

    /// The files that have caused a hold are told of first: their preparations may not have come back yet, in whatever order they were
    /// refused.
    func tellHold() {
        guard let untold = untoldHold, preparing.isEmpty else { return }
        untoldHold = nil
        observe(.onHold(untold))
    }

    /// Starts ready jobs while slots and lanes are free, and ends those that preflight has blocked when their turn comes.
    func startReady() {
        while mayStart {
            if let index = indexToBlock {
                ending.ran += 1
                finish(blocked.remove(at: index), nil)
                continue
            }
            guard let index = indexToStart else { return }
            // The file can be made by hand at any moment, and no event may have come yet.
            guard note({ try syncHold(force: false) }) != nil, hold == nil else { return }
            let prepared = ready.remove(at: index)
            if prepared.isRecorded {
                startRecorded(prepared)
            } else if note({ try start(prepared) { _ in } }) == nil {
                unwritten.append(.giveBack(prepared.job.id, why: Self.unrecorded))
                return
            }
            announceStart(of: prepared.job.id)
        }
    }

    /// The ready job whose turn it is, while a slot and its lane are free; nil also where one that comes first is on its way, and will
    /// be ready in a moment.
    var indexToStart: Int? {
        guard slotsFree > 0 else { return nil }
        let lanes = busyLanes
        guard let index = ready.firstIndex(where: { !isBlockedByLane($0, lanes) }),
            !(preparing.values + blocked.map(\.job)).contains(where: { $0.startsBefore(ready[index].job) })
        else { return nil }
        return index
    }

    /// The job that preflight has blocked and whose turn it is: a slot is free, and none comes before it.
    private var indexToBlock: Int? {
        guard slotsFree > 0, let index = blocked.indices.min(by: { blocked[$0].job.startsBefore(blocked[$1].job) }) else {
            return nil
        }
        let lanes = busyLanes
        let others = ready.filter { !isBlockedByLane($0, lanes) }.map(\.job) + preparing.values
        return others.contains { $0.startsBefore(blocked[index].job) } ? nil : index
    }

    /// How many of the jobs that are prepared next have their starts recorded with their claims: those for which a slot is free,
    /// and where jobs take milliseconds, one for each slot.
    func startsToRecord(freeSlots: Int, areShort: Bool) -> Int {
        guard begun != nil else { return 0 }
        return max(freeSlots, areShort ? settings.jobs - ready.count(where: \.isRecorded) : 0, 0)
    }

    /// The job whose attempt is to be recorded ahead with the commit that is being made: where jobs take milliseconds, one for
    /// each slot, so that nothing is waited for between two of them. After a power loss such an attempt counts as interrupted,
    /// though it may not have begun.
    private var indexToRecord: Int? {
        guard begun != nil, pace.ahead(slots: settings.jobs, usesLanes: usesLanes) > settings.jobs,
            ready.count(where: \.isRecorded) < settings.jobs
        else { return nil }
        return ready.firstIndex(where: \.mayBeRecorded)
    }

    /// Commits what `body` writes and, with it, the start of the job that comes next.
    func writeRecordingNext<T>(_ body: (LedgerTransaction) throws -> T) throws -> T {
        guard let index = indexToRecord else { return try ledger.write(body) }
        let now = clock.wallMilliseconds()
        var next = ready[index]
        next.recordStart(now: now)
        next.job.fromPlace = nil
        next.job.fromFile = nil
        let result = try ledger.write { tx in
            let result = try body(tx)
            try tx.record(startOf: next, now: now)
            return result
        }
        next.saved = next.job
        ready[index] = next
        return result
    }

    /// Starts an attempt that is in the ledger already.
    func startRecorded(_ prepared: Prepared) {
        var prepared = prepared
        prepared.begin(now: clock.wallMilliseconds())
        launch(prepared, isFirst: true)
    }

    static let unrecorded = "given back: its start could not be recorded"

    /// Commits that an attempt starts (together with whatever `finishing` writes), then starts it. Where that throws, the caller
    /// notes what is to become of the job.
    @discardableResult
    func start<T>(_ prepared: Prepared, finishing: (LedgerTransaction) throws -> T) throws -> T {
        var prepared = prepared
        let now = clock.wallMilliseconds()
        prepared.countAttempt(now: now)
        prepared.began = nil
        let runDirectory = prepared.runDirectory
        prepared.job.fromPlace = nil
        prepared.job.fromFile = nil
        let isFirst = prepared.isFresh
        // Made ahead before midnight.
        if let ahead = prepared.ready, ahead.directory != runDirectory {
            RunPath.removeUnused(ahead.directory, in: spool)
            prepared.ready = nil
        }
        let job = prepared.job
        let recorded = prepared
        let finished = try writeRecordingNext { tx in
            let finished = try finishing(tx)
            try tx.record(startOf: recorded, now: now)
            return finished
        }
        prepared.saved = job
        prepared.isFresh = false
        launch(prepared, isFirst: isFirst)
        return finished
    }

    /// Tells of a start, once whatever was committed with it has been told.
    func announceStart(of id: Int64) {
        guard let entry = running[id] else { return }
        observe(.attemptStarted(entry.prepared.job, blocks: entry.prepared.prompt.blocks.count))
    }

    /// Starts what the ledger has as started. Where it cannot be started, it goes back to wait.
    ///
    /// - Parameter isFirst: of this job, since it was claimed.
    private func launch(_ prepared: Prepared, isFirst: Bool) {
        do throws(SystemCallError) {
            try attempts.noteBegin(of: prepared)
        } catch {
            unwritten.append(.giveBack(prepared.job.id, why: "given back: that it begins could not be written down"))
            return trouble(error)
        }
        let task = Task(executorPreference: WorkerThreads.shared) { [attempts, settings] in
            await attempts.make(prepared, settings)
        }
        runs(prepared, task, isFirst: isFirst)
        letWokenThreadBegin()
    }

    /// An attempt is being made.
    func runs(_ prepared: Prepared, _ task: Task<Void, Never>, isFirst: Bool) {
        let countsAsRan = isFirst && goesOn.remove(prepared.job.id) == nil
        if countsAsRan { ending.ran += 1 }
        var started = prepared
        // It is the attempt's from now on.
        started.ready = nil
        running[prepared.job.id] = Running(
            prepared: started, task: task, since: clock.monotonicMilliseconds(), countsAsRan: countsAsRan)
        // Stopped between the commit and now: end it like any other.
        if stopping == .now { task.cancel() }
    }

    var busyLanes: Set<String> { Set(running.values.flatMap(\.prepared.lanes)) }

    private func isBlockedByLane(_ prepared: Prepared, _ lanes: Set<String>) -> Bool {
        prepared.lanes.contains(where: lanes.contains)
    }
}

extension LedgerTransaction {
    /// Records that the attempt which `prepared` counts is about to start.
    fileprivate func record(startOf prepared: Prepared, now: Int64) throws {
        let job = prepared.job
        guard try save(job, from: prepared.saved, expecting: .active, why: nil, now: now) else {
            throw FlowspoolError(.bug, "job \(job.id) is not active in the ledger, but was about to start")
        }
        try record(job.id, from: "active", to: "active", why: "attempt \(job.attempts) starts", at: now)
        if prepared.isFresh { try setFindings(prepared.report.findings, of: job.id) }
        try startAttempt(job, runDirectory: prepared.runDirectory, now: now)
    }
}

extension Job {
    /// Whether this job comes before `other` where both are ready.
    func startsBefore(_ other: Job) -> Bool {
        if priority != other.priority { return priority > other.priority }
        if arrival != other.arrival { return arrival < other.arrival }
        return name == other.name ? id < other.id : precedes(name, other.name)
    }
}
