// A prompt that is dropped while nothing else is at work or waits: prepared before it is a job. Whatever is in the way leaves it to
// intake, as if nothing had been tried.

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
        let recordsStart = startsToRecord(freeSlots: 1, areShort: false) > 0
        Task(executorPreference: WorkerThreads.shared) { [preparer, mailbox] in
            await preparer.prepare(unnumbered: prompt.text, recordsStart: recordsStart) { mailbox.post(.preparedUnnumbered($0)) }
        }
        letWokenThreadBegin()
        return true
    }

    /// What came of the preparation of a file that had no job.
    func takeUnnumbered(_ outcome: PrepareOutcome?) {
        preparing[Job.noNumber] = nil
        if let outcome {
            take(outcome)
        } else if let name = unnumbered {
            namedFiles.insert(name, at: 0)
            isForIntake = true
        }
        unnumbered = nil
        // They may name the job that it has become.
        if areRequestsLeft { note { try readRequests() } }
    }
}
