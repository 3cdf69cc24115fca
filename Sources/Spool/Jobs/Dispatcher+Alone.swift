// A prompt that is dropped while nothing else is at work or waits: prepared before it is a job, and started by whoever has prepared it.
// Whatever is in the way leaves it to intake, or its start to the dispatcher, as if nothing had been tried.

import Foundation

extension Dispatcher {
    /// One prompt is dropped and nothing else is at work or waits: it needs no place among others, so that it becomes a job with
    /// the commit of its claim.
    ///
    /// - Returns: false, with nothing done, where it is not so.
    func prepareUnnumbered() -> Bool {
        guard let name = namedFiles.first, !isForIntake, namedFiles.allSatisfy({ $0 == name }),
            let prompt = PromptName(bytes: name),
            prompt.kind == .prompt, prompt.isText, mayStart, hasRoom, !wantsScan, !wantsWaiting, backlog == 0,
            running.isEmpty, ready.isEmpty, preparing.isEmpty, busy.isEmpty
        else { return false }
        namedFiles.removeAll()
        unnumbered = name
        var job = Job(waiting: Admission(name: prompt.text, priority: .min), now: clock.wallMilliseconds())
        job.arrival = .max
        preparing[job.id] = job
        let permit = startsToRecord(freeSlots: 1, areShort: false) > 0 ? StartPermit() : nil
        startPermit = permit
        unnumberedTask = Task(executorPreference: WorkerThreads.shared) { [attempts, settings, mailbox] in
            let preparer = attempts.preparer
            let (outcome, replaced) = await preparer.prepare(unnumbered: prompt.text, recordsStart: permit != nil)
            if case .ready(let prepared)? = outcome, let permit, let begun = attempts.begin(prepared, permit) {
                mailbox.post(.begunUnnumbered(begun, replaced: replaced))
                return await attempts.make(begun, settings)
            }
            mailbox.post(.preparedUnnumbered(outcome))
            letWokenThreadBegin()
            preparer.keep(replaced)
        }
        letWokenThreadBegin()
        return true
    }

    /// What came of the preparation of a file that had no job, and was not started.
    func takeUnnumbered(_ outcome: PrepareOutcome?) {
        preparing[Job.noNumber] = nil
        if let outcome {
            take(outcome)
        } else if let name = unnumbered {
            namedFiles.insert(name, at: 0)
            isForIntake = true
        }
        endUnnumbered()
    }

    /// A file that had no job is one, and its attempt has begun.
    func takeBegun(_ prepared: Prepared, _ replaced: [SwapFile.Spare]) {
        preparing[Job.noNumber] = nil
        wantsWaiting = true
        ending.ran += 1
        claimsToConfirm.append(prepared.saved)
        if let task = unnumberedTask { runs(prepared, task) }
        announceStart(of: prepared.job.id)
        endUnnumbered()
        preparer.keep(replaced)
    }

    private func endUnnumbered() {
        (unnumbered, unnumberedTask, startPermit) = (nil, nil, nil)
        // They may name the job that it has become.
        if areRequestsLeft { note { try readRequests() } }
    }
    /// Slots that neither an attempt has, nor one that may start at any instant.
    var slotsFree: Int { settings.jobs - running.count - (startPermit == nil ? 0 : 1) }

    /// Nothing may start without the dispatcher from now on. Where something has, its message is on the way.
    func withdrawPermit() {
        if startPermit?.withdraw() == true { startPermit = nil }
    }
}

extension AttemptMaker {
    /// Begins an attempt whose start is recorded, unless its permit was withdrawn or the spool is on hold.
    func begin(_ prepared: Prepared, _ permit: StartPermit) -> Prepared? {
        // The hold's file can be made by hand at any moment, and no event may have come yet.
        guard prepared.isRecorded, !HoldGate.isFileThere(preparer.spool), permit.use() else { return nil }
        // Trouble is met again, and reported, by the dispatcher's start.
        guard (try? noteBegin(of: prepared)) != nil else { return nil }
        var begun = prepared
        begun.begin(now: preparer.clock.wallMilliseconds())
        return begun
    }
}
