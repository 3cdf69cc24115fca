// A prompt that is dropped while nothing else is at work or waits: prepared before it is a job, and started by whoever has prepared it.
// Whatever is in the way leaves it to intake, or its start to the dispatcher, as if nothing had been tried.

import Dispatch
import Foundation

/// What it takes to begin with such a prompt.
private struct LoneStart: Sendable {
    let attempts: AttemptMaker
    let settings: RunSettings
    /// The number of the job that is made next.
    let number: Int64
    /// It may start as soon as it is prepared.
    let mayStart: Bool
    let preparations: DispatchGroup

    /// Begins with the file of this name; nil, with nothing done, where it is no prompt.
    func begin(_ name: [UInt8]) -> Dispatcher.Unnumbered? {
        guard let prompt = PromptName(bytes: name), prompt.kind == .prompt, prompt.isText else { return nil }
        let permit = mayStart ? StartPermit() : nil
        preparations.enter()
        let task = Task(executorPreference: WorkerThreads.shared) { [attempts, settings, number, preparations] in
            defer { preparations.leave() }
            let (preparer, mailbox) = (attempts.preparer, attempts.mailbox)
            let (outcome, replaced) = await preparer.prepare(
                unnumbered: prompt.text, number: number, recordsStart: permit != nil)
            if case .ready(let prepared)? = outcome, let permit, let begun = attempts.begin(prepared, permit) {
                // The kernel may let a thread that this one wakes go first. The attempt tells of its first block, once that has started.
                mailbox.post(.begunUnnumbered(begun, replaced: replaced), wakesReader: false)
                return await attempts.make(begun, settings)
            }
            if case .ready(let prepared)? = outcome { prepared.ready?.endBegun() }
            mailbox.post(.preparedUnnumbered(outcome))
            letWokenThreadBegin()
            preparer.keep(replaced)
        }
        return Dispatcher.Unnumbered(name: name, task: task, permit: permit)
    }
}

extension Dispatcher {
    /// A file that is being prepared and becomes a job with its claim.
    struct Unnumbered: Sendable {
        let name: [UInt8]
        let task: Task<Void, Never>
        /// With it, the task may start what it has prepared; nil: it may not, or not any more.
        var permit: StartPermit?
    }

    /// One prompt is dropped and nothing else is at work or waits: it needs no place among others, so that it becomes a job with
    /// the commit of its claim.
    ///
    /// - Returns: false, with nothing done, where it is not so.
    func prepareUnnumbered() -> Bool {
        guard let name = namedFiles.first, !isForIntake, namedFiles.allSatisfy({ $0 == name }), isAtRest,
            let begun = loneStart?.begin(name)
        else { return false }
        letWokenThreadBegin()
        namedFiles.removeAll()
        take(begun)
        return true
    }

    /// Leaves it to whoever brings the next hint to begin with the prompt that is dropped.
    func giveStandingOrder() {
        guard isAllFiled, namedFiles.isEmpty, !settings.drains, !settings.isBatch, let loneStart else { return }
        inbox.leave(loneStart.begin)
    }

    /// Nothing is begun without the dispatcher from now on, and it knows of what was.
    func withdrawStandingOrder() {
        if let begun = inbox.withdrawOrder() { take(begun) }
    }

    private func take(_ begun: Unnumbered) {
        unnumbered = begun
        var job = Job(
            waiting: Admission(name: String(decoding: begun.name, as: UTF8.self), priority: .min), now: clock.wallMilliseconds())
        job.arrival = .max
        preparing[job.id] = job
    }

    private var isAtRest: Bool {
        mayStart && hasRoom && !wantsScan && !wantsWaiting && backlog == 0 && running.isEmpty && areNoneReady
            && preparing.isEmpty && busy.isEmpty
    }

    /// At rest, and nothing of a job that has ended is left to be done: the author may put the last one back, and intake finds its job by
    /// where the ledger has its file.
    var isAllFiled: Bool { isAtRest && filings.isEmpty && unconfirmed.isEmpty }

    /// nil where the ledger cannot be read: intake meets that, too, and reports it.
    private var loneStart: LoneStart? {
        guard let number = try? ledger.read({ try $0.nextNumber() }) else { return nil }
        let mayStart = startsToRecord(freeSlots: 1, areShort: false) > 0
        return LoneStart(
            attempts: attempts, settings: settings, number: number, mayStart: mayStart, preparations: preparations)
    }

    /// What came of the preparation of a file that had no job, and was not started.
    func takeUnnumbered(_ outcome: PrepareOutcome?) {
        preparing[Job.noNumber] = nil
        if let outcome {
            take(outcome)
            if outcome.isRefused { note { try learnCounts() } }
        } else if let name = unnumbered?.name {
            namedFiles.insert(name, at: 0)
            isForIntake = true
        }
        endUnnumbered()
    }

    /// A file that had no job is one, and its attempt has begun.
    func takeBegun(_ prepared: Prepared, _ replaced: [SwapFile.Spare]) {
        preparing[Job.noNumber] = nil
        wantsWaiting = true
        claimsToConfirm.append(prepared.saved)
        if let task = unnumbered?.task { runs(prepared, task, isFirst: true) }
        announceStart(of: prepared.job.id)
        endUnnumbered()
        preparer.keep(replaced)
    }

    private func endUnnumbered() {
        unnumbered = nil
        // They may name the job that it has become.
        if areRequestsLeft { note { try readRequests() } }
    }

    /// Slots that neither an attempt has, nor one that may start at any instant.
    var slotsFree: Int { settings.jobs - running.count - (unnumbered?.permit == nil ? 0 : 1) }

    /// Nothing may start without the dispatcher from now on. Where something has, its message is on the way.
    func withdrawPermit() {
        if unnumbered?.permit?.withdraw() == true { unnumbered?.permit = nil }
    }
}

extension AttemptMaker {
    /// Begins an attempt whose start is recorded, unless its permit was withdrawn or the spool is on hold.
    func begin(_ prepared: Prepared, _ permit: StartPermit) -> Prepared? {
        // The hold's file can be made by hand at any moment, and no event may have come yet.
        guard prepared.isRecorded, !HoldGate.isFileThere(preparer.spool) else { return nil }
        // Trouble, as a lock that has gone, is met again by the dispatcher, which says so.
        guard (try? preparer.spool.changed(since: anchors)) == .some(nil), permit.use() else { return nil }
        // Trouble is met again, and reported, by the dispatcher's start.
        guard (try? noteBegin(of: prepared)) != nil else { return nil }
        var begun = prepared
        begun.begin(now: preparer.clock.wallMilliseconds())
        return begun
    }
}
