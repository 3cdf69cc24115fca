// The preparation of a prompt that is alone, in the time it takes the disk to sync once: two threads on two processors, each of which waits
// for the disk by itself. The thread at hand makes the commit, which takes longest, and goes on from there to the start; the other
// one writes the stamp aside. While both wait, a third one makes the run folder.

import Foundation

extension Preparer {
    /// Prepares a file that has no job yet: the commit that claims it makes its job.
    ///
    /// - Parameters:
    ///   - name: of a prompt.
    ///   - recordsStart: its turn has come.
    /// - Returns: the outcome, or nil, with nothing done, where that cannot be: whatever it is, intake knows better; and files
    ///   that were replaced, for `keep` as soon as nothing waits for that.
    func prepare(unnumbered name: String, recordsStart: Bool) async -> (PrepareOutcome?, replaced: [SwapFile.Spare]) {
        // Trouble is met again, and reported, by intake and the claim of its job.
        guard var prompt = try? claim.open(unnumbered: Admission(name: name)),
            var prepared = try? await check(prompt.claimed, prompt.bytes)
        else { return (nil, []) }
        let settings = prepared.prompt.settings
        prompt.change { job in
            job.priority = settings.priority
            job.lane = settings.lane
        }
        prepared.saved = prompt.claimed
        if recordsStart, prepared.mayBeRecorded { prepared.recordStart(now: clock.wallMilliseconds()) }
        let claimed = await claim(alone: OnItsWay(prompt: consume prompt, prepared: prepared))
        switch claimed.outcomes[0] {
        case .lost(Job.noNumber), .trouble([Job.noNumber], _): return (nil, claimed.replaced)
        case let outcome: return (outcome, claimed.replaced)
        }
    }

    /// Claims a checked prompt, while its stamp is written aside and its run folder is made, and then puts both files in their places. One
    /// outcome.
    private func claim(alone one: OnItsWay) async -> Claimed {
        let numbers = Mailbox<OpenPrompt?>()
        let begun = Self.beginElsewhere { stampAside(one, numbers) }
        let starting = one.prepared.isRecorded ? [one.prompt.job.id: one.prepared] : [:]
        let committed = OtherProcessor.keepingThisOne {
            // Where it gets no number, nobody is to wait for one.
            defer { numbers.post(nil) }
            return Result { try claim.commit([one.prompt], starting: starting) { numbers.post($0) }[0] }
        }
        let (stamped, readying) = await begun()
        let aside = joined(stamped, await readying?.value)
        var claimed = Claimed()
        switch committed {
        case .success(let prompt?):
            do {
                var one = try aside.get()
                one.prompt = prompt
                one.prepared.become(prompt)
                claimed.outcomes = [try await settle(one, &claimed.replaced)]
            } catch {
                claimed.outcomes = [trouble(prompt.job, error)]
            }
        case .success(nil):
            if case .success(let one) = aside { giveUp(one) }
            claimed.outcomes = [.lost(one.prompt.job.id)]
        case .failure(let error):
            if case .success(let one) = aside { giveUp(one) }
            claimed.outcomes = [.trouble([one.prompt.job.id], Self.forUser(error))]
        }
        return claimed
    }

    /// Writes the stamped content aside, and begins with the run folder.
    private func stampAside(
        _ given: OnItsWay, _ numbers: Mailbox<OpenPrompt?>
    ) -> (Result<OnItsWay, any Error>, Task<ReadyRun?, Never>?) {
        var one = given
        do {
            one.spare = try writeStamp(&one.prepared, mode: one.prompt.status.mode)
        } catch {
            return (.failure(error), nil)
        }
        let readying = one.prepared.verdict.isReady ? makingReady(one.prepared, numbers) : nil
        do {
            try one.spare?.sync()
        } catch {
            giveUp(one)
            return (.failure(error), readying)
        }
        return (.success(one), readying)
    }

    /// Makes the run folder, once the job has the number after which it is named.
    private func makingReady(_ prepared: Prepared, _ numbers: Mailbox<OpenPrompt?>) -> Task<ReadyRun?, Never> {
        Task(executorPreference: WorkerThreads.shared) {
            guard let prompt = numbers.next() else { return nil }
            var prepared = prepared
            prepared.become(prompt)
            makeReady(&prepared)
            return prepared.ready
        }
    }

    private func joined(_ stamped: Result<OnItsWay, any Error>, _ run: ReadyRun??) -> Result<OnItsWay, any Error> {
        guard let run = run ?? nil else { return stamped }
        if case .failure = stamped { RunPath.removeUnused(run.directory, in: spool) }
        return stamped.map { one in
            var one = one
            one.prepared.ready = run
            return one
        }
    }

    /// Does `body` at the same time as whatever follows, on another processor where there is one.
    ///
    /// - Returns: waits for what comes of it.
    private static func beginElsewhere<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> () async -> Value {
        if let eventual = OtherProcessor.shared?.begin(body) { return { await eventual.value } }
        let task = Task(executorPreference: WorkerThreads.shared) { body() }
        return { await task.value }
    }
}
