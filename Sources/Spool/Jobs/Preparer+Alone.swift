// The preparation of a prompt that is alone, in the time it takes the disk to sync once: two threads on two processors, each of which waits
// for the disk by itself. The thread at hand makes the commit and goes on from there to the start; the other one makes the run folder,
// lets the shell begin, which takes longest, and writes the stamp aside.

import Foundation

extension Preparer {
    /// Prepares a file that has no job yet: the commit that claims it makes its job.
    ///
    /// - Parameters:
    ///   - name: of a prompt.
    ///   - number: which that job will have: nobody else makes one meanwhile.
    ///   - recordsStart: its turn has come.
    /// - Returns: the outcome, or nil, with nothing done, where that cannot be: whatever it is, intake knows better; and files
    ///   that were replaced, for `keep` as soon as nothing waits for that.
    func prepare(
        unnumbered name: String, number: Int64, recordsStart: Bool
    ) async -> (PrepareOutcome?, replaced: [SwapFile.Spare]) {
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
        let claimed = await claim(alone: OnItsWay(prompt: consume prompt, prepared: prepared), number: number)
        switch claimed.outcomes[0] {
        case .lost(Job.noNumber), .trouble([Job.noNumber], _): return (nil, claimed.replaced)
        case let outcome: return (outcome, claimed.replaced)
        }
    }

    /// Claims a checked prompt, while its run folder is made and its stamp is written aside, and then puts both files in their places. One
    /// outcome.
    private func claim(alone given: OnItsWay, number: Int64) async -> Claimed {
        let making = Self.begin(on: SideThread.elsewhere) { run(of: given.prepared, number: number) }
        let stamping = Self.begin(on: SideThread.here) { stamp(given) }
        let starting = given.prepared.isRecorded ? [given.prompt.job.id: given.prepared] : [:]
        let committed = SideThread.keepingThisOne { Result { try claim.commit([given.prompt], starting: starting)[0] } }
        let (made, stamped) = (await making(), await stamping())
        var one = (try? stamped.get()) ?? given
        one.prepared.ready = made
        do {
            guard let prompt = try committed.get() else { return givenUp(one, .lost(Job.noNumber)) }
            one.prompt = prompt
            one.prepared.become(prompt)
        } catch {
            return givenUp(one, .trouble([Job.noNumber], Self.forUser(error)))
        }
        if case .failure(let error) = stamped { return givenUp(one, trouble(one.prompt.job, error)) }
        var claimed = Claimed()
        do {
            claimed.outcomes = [try await settle(one, &claimed.replaced)]
        } catch {
            claimed.outcomes = [trouble(one.prompt.job, error)]
        }
        return claimed
    }

    private func givenUp(_ one: OnItsWay, _ outcome: PrepareOutcome) -> Claimed {
        giveUp(one)
        return Claimed(outcomes: [outcome])
    }

    /// The run folder of a job that has no number yet; its first child has begun in it.
    private func run(of prepared: Prepared, number: Int64) -> ReadyRun? {
        guard prepared.verdict.isReady else { return nil }
        var foretold = prepared
        foretold.foretell(number)
        makeReady(&foretold, begins: true)
        return foretold.ready
    }

    /// The same with its stamped content aside.
    private func stamp(_ given: OnItsWay) -> Result<OnItsWay, any Error> {
        var one = given
        do {
            one.spare = try writeStamp(&one.prepared, mode: one.prompt.status.mode)
            try one.spare?.sync()
        } catch {
            giveUp(one)
            return .failure(error)
        }
        return .success(one)
    }

    /// Does `body` at the same time as whatever follows.
    ///
    /// - Returns: waits for what comes of it.
    private static func begin<Value: Sendable>(
        on thread: SideThread?, _ body: @escaping @Sendable () -> Value
    ) -> () async -> Value {
        if let eventual = thread?.begin(body) { return { await eventual.value } }
        let task = Task(executorPreference: WorkerThreads.shared) { body() }
        return { await task.value }
    }
}
