// From the folder to a running attempt: look for files, prepare the next jobs, start what is ready. Preparation runs in tasks
// of its own, ahead of the slots, so that a slot that falls free finds a job ready.

import Foundation

extension Dispatcher {
    /// Named files that are taken in with one commit: few enough that nobody waits for the dispatcher for long.
    private static let namesAtOnceMax = 512

    /// Looks at the files that hints named, or at the whole folder when that is asked for or when the ledger runs low.
    func lookForFiles() {
        guard stopping == .no, !isReplaced else { return }
        if settings.isBatch { return refillBatch() }
        if !wantsScan, backlog > 0 {
            let queued = note { try ledger.read { try $0.counts()[.queued] ?? 0 } } ?? 0
            if queued < settings.windowMax / 2 { wantsScan = true }
        }
        var report: IntakeReport?
        if wantsScan {
            wantsScan = false
            namedFiles.removeAll()
            tryBusyAgain()
            adoptMoves()
            report = note { try intake.scan(isDraining: settings.drains) }
            if report == nil { wantsScan = true }
        } else if !namedFiles.isEmpty {
            let names = Array(namedFiles.prefix(Self.namesAtOnceMax))
            namedFiles.removeFirst(names.count)
            tryBusyAgain()
            report = note { try intake.admit(names: names, isDraining: settings.drains) }
            // These were not among them.
            report?.backlog += backlog
            if report == nil { wantsScan = true }
            // What else waits for the dispatcher has its turn first.
            if !namedFiles.isEmpty { post.yield(.hints) }
        }
        if let report { take(report) }
    }

    /// What waits in the ledger is not what was read of it any more.
    func waitingChanged() {
        wantsWaiting = true
        upcoming.forget()
    }

    /// Somebody may have finished writing.
    func tryBusyAgain() {
        guard !busy.isEmpty else { return }
        busy.removeAll()
        waitingChanged()
    }

    func take(_ report: IntakeReport) {
        backlog = report.backlog
        wantsWaiting = true
        if !report.admitted.isEmpty || !report.withdrawn.isEmpty { upcoming.forget() }
        for job in report.refused { observe(.refused(job)) }
        for job in report.withdrawn { observe(.withdrawn(job)) }
        unconfirmed += report.refused
        isStrayYoung = report.lookAgainMilliseconds != nil
        if let delay = report.lookAgainMilliseconds { scanLater(afterMilliseconds: delay) }
    }

    /// Starts preparing the jobs that come next.
    func prepareNext() {
        guard mayStart, wantsWaiting else { return }
        if settings.isBatch && batch == nil { return }
        // A job that is ready but whose lane is busy takes no slot here.
        let lanes = busyLanes
        let usable = ready.count { !isBlockedByLane($0, lanes) }
        let ahead = pace.ahead(slots: settings.jobs, usesLanes: usesLanes)
        let room = settings.jobs - running.count + ahead - usable - preparing.count
        guard room > 0, hasRoom, ready.count < settings.jobs * 4 + ahead else { return }
        // Not one by one: those of a group share what waits for the disk.
        if ahead > settings.jobs, usable + preparing.count > 0, room < ahead / 2 { return }
        let inHand = busy.union(preparing.keys).union(ready.map(\.job.id))
        let found = note {
            try upcoming.next(room, without: inHand, lanes: lanes) { limit in
                try ledger.read { try $0.nextWaiting(limit: limit, batch: batch, busyLanes: lanes) }
            }
        }
        guard let fresh = found else { return }
        if fresh.isEmpty { wantsWaiting = false }
        var chosen: [Job] = []
        for job in fresh {
            guard hasRoom else {
                upcoming.forget()
                break
            }
            preparing[job.id] = job
            chosen.append(job)
        }
        // Where jobs take long, each is prepared by itself, and starts as soon as it can.
        let groups = ahead > settings.jobs ? [chosen] : chosen.map { [$0] }
        for group in groups where !group.isEmpty {
            Task(executorPreference: WorkerThreads.shared) { [preparer, post] in
                post.yield(.prepared(await preparer.prepare(group)))
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
        switch outcome {
        case .ready(let prepared):
            preparing[prepared.job.id] = nil
            if cancelWhenPrepared.remove(prepared.job.id) != nil {
                return finishUnstarted(prepared)
            }
            if limitLeft(of: prepared.job) != nil { return postpone(prepared) }
            ready.append(prepared)
            // Jobs are prepared side by side and may come out of order.
            ready.sort { $0.job.startsBefore($1.job) }
        case .blocked(let prepared):
            preparing[prepared.job.id] = nil
            ending.ran += 1
            finish(prepared, nil)
        case .held(let job, let findings):
            preparing[job.id] = nil
            ending.ran += 1
            ending.held += 1
            unconfirmed.append(job)
            observe(.held(job, findings))
        case .busy(let job):
            preparing[job.id] = nil
            busy.insert(job.id)
            observe(.waitsForWriter(job))
            // IN_CLOSE_WRITE wakes us where leases work; the quiet period has no event.
            scanLater(afterMilliseconds: max(settings.quietMilliseconds, 100))
        case .withdrawn(let job):
            preparing[job.id] = nil
            observe(.withdrawn(job))
        case .refused(let job):
            preparing[job.id] = nil
            unconfirmed.append(job)
            ending.ran += 1
            ending.failed += 1
            observe(.refused(job))
            note { try learnCounts() }
        case .lost(let id):
            preparing[id] = nil
        case .trouble(let ids, let error):
            for id in ids {
                preparing[id] = nil
                unwritten.append(.giveBack(id, why: "given back: \(error.message)"))
            }
            trouble(error)
        }
    }

    /// A claim that was refused has counted itself, and may have crossed a threshold.
    private func learnCounts() throws {
        let (counts, crossed) = try ledger.read { (try $0.failureCounts(), try $0.openHold()) }
        ending.failures = counts
        guard hold == nil, let crossed, !crossed.fileWritten else { return }
        tookHold(crossed)
        observe(.onHold(crossed))
    }

    /// Starts ready jobs while slots and lanes are free.
    func startReady() {
        while running.count < settings.jobs, mayStart {
            let lanes = busyLanes
            guard let index = ready.firstIndex(where: { !isBlockedByLane($0, lanes) }) else { return }
            // One that comes first is on its way: wait for it, it will be ready in a moment.
            if preparing.values.contains(where: { $0.startsBefore(ready[index].job) }) { return }
            // The file can be made by hand at any moment, and no event may have come yet.
            note { try syncHold(force: false) }
            if hold != nil { return }
            let prepared = ready.remove(at: index)
            if note({ try start(prepared) { _ in } }) != nil { announceStart(of: prepared.job.id) }
        }
    }

    /// Commits that an attempt starts (together with whatever `finishing` writes), then starts it.
    @discardableResult
    func start<T>(_ prepared: Prepared, finishing: (LedgerTransaction) throws -> T) throws -> T {
        var prepared = prepared
        let now = clock.wallMilliseconds()
        prepared.job.attempts += 1
        prepared.job.budgetUsed += 1
        let runDirectory = RunPath.relativePath(job: prepared.job.id, attempt: prepared.job.attempts, at: now)
        prepared.job.fromPlace = nil
        prepared.job.fromFile = nil
        let isFirst = prepared.isFresh
        prepared.isFresh = false
        prepared.runDirectory = runDirectory
        // Made ahead before midnight.
        if let ahead = prepared.readyDirectory, ahead != runDirectory { RunPath.removeUnused(ahead, in: spool) }
        prepared.readyDirectory = nil
        let job = prepared.job
        let saved = prepared.saved
        prepared.saved = job
        let findings = prepared.report.findings
        let finished: T
        do {
            finished = try ledger.write { tx in
                let finished = try finishing(tx)
                guard try tx.save(job, from: saved, expecting: .active, why: nil, now: now) else {
                    throw FlowspoolError(.bug, "job \(job.id) is not active in the ledger, but was about to start")
                }
                try tx.record(job.id, from: "active", to: "active", why: "attempt \(job.attempts) starts", at: now)
                if isFirst { try tx.setFindings(findings, of: job.id) }
                try tx.startAttempt(job, runDirectory: runDirectory, now: now)
                return finished
            }
        } catch {
            unwritten.append(.giveBack(job.id, why: "given back: its start could not be recorded"))
            throw error
        }
        if isFirst { ending.ran += 1 }
        launch(prepared, runDirectory: runDirectory)
        return finished
    }

    /// Tells of a start, once whatever was committed with it has been told.
    func announceStart(of id: Int64) {
        guard let entry = running[id] else { return }
        observe(.attemptStarted(entry.prepared.job, blocks: entry.prepared.prompt.blocks.count))
    }

    private func launch(_ prepared: Prepared, runDirectory: String) {
        let job = prepared.job
        let mode = prepared.report.mode
        let task = Task(executorPreference: WorkerThreads.shared) { [preparer, runners, post, executor, settings] in
            let result: AttemptResult
            if let runner = runners[mode] {
                do {
                    let request = try preparer.request(prepared, settings, runDirectory: runDirectory)
                    result = await runner.run(request, on: executor) { post.yield(.block(job, $0)) }
                } catch {
                    let text = (error as? SystemCallError)?.description ?? "\(error)"
                    result = AttemptResult(
                        outcome: .failed, failureClass: .runner, message: "the run folder could not be made: \(text)")
                }
            } else {
                result = AttemptResult(
                    outcome: .failed, failureClass: .runner, message: "nothing here can run exec_mode \(mode.rawValue)")
            }
            post.yield(.attemptEnded(job.id, result))
        }
        running[job.id] = Running(prepared: prepared, task: task, since: clock.monotonicMilliseconds())
        // Stopped between the commit and now: end it like any other.
        if stopping == .now { task.cancel() }
    }

    var busyLanes: Set<String> { Set(running.values.compactMap(\.prepared.job.lane)) }

    private func isBlockedByLane(_ prepared: Prepared, _ lanes: Set<String>) -> Bool {
        prepared.job.lane.map(lanes.contains) ?? false
    }

    /// Learns which jobs are deferred, and until when.
    func loadDeferred() throws {
        let wall = clock.wallMilliseconds()
        let now = clock.monotonicMilliseconds()
        let known = dueAt
        dueAt.removeAll()
        for job in try ledger.read({ try $0.deferred() }) {
            // Never longer than was meant, whatever was done to the clock meanwhile.
            let wait = min(max(0, (job.notBefore ?? wall) - wall), job.delay ?? .max)
            dueAt[job.id] = known[job.id] ?? now + wait
        }
    }

    /// Makes deferred jobs whose time has come wait like the others.
    func releaseDeferred() throws {
        guard !dueAt.isEmpty else { return }
        let now = clock.monotonicMilliseconds()
        let due = dueAt.filter { $0.value <= now }.keys
        guard !due.isEmpty else { return }
        let wall = clock.wallMilliseconds()
        var later: [Int64: Int64] = [:]
        try ledger.write { tx in
            for id in due {
                guard var job = try tx.job(id), job.state == .deferred else { continue }
                if let left = limitLeft(of: job) {
                    // Its runner has met a limit again meanwhile.
                    job.notBefore = wall + left
                    job.delay = left
                    try tx.save(job, expecting: .deferred, why: nil, now: wall)
                    later[id] = now + left
                } else {
                    job.state = .queued
                    job.notBefore = nil
                    job.delay = nil
                    try tx.save(job, expecting: .deferred, why: "its time has come", now: wall)
                }
            }
        }
        for id in due { dueAt[id] = later[id] }
        if later.count < due.count { waitingChanged() }
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
