import Foundation
import Testing

@testable import Spool

/// A spool with jobs in chosen states, without a runner.
private struct SteeringSpool {
    let folder: TestFolder
    let spool: SpoolFolder
    let ledger: Ledger
    let steering: Steering

    init() throws {
        folder = try TestFolder()
        spool = try SpoolFolder.make(at: folder.path)
        ledger = try Ledger(path: spool.ledgerPath)
        steering = Steering(spool: spool, ledger: ledger)
    }

    func remove() { folder.remove() }

    /// A job in `state` whose file stands where such a job's file stands.
    @discardableResult
    func job(_ name: String, _ state: JobState, status: JobStatus? = nil, text: String = "# T\n\n```bash\ntrue\n```\n") throws
        -> Int64
    {
        let place: Place =
            switch state {
            case .queued, .deferred: .drop
            case .active: .active
            case .held: .held
            case .done: .done
            case .failed, .cancelled: .failed
            }
        let id = try ledger.write { tx in
            let admitted = try tx.admit(Admission(name: name), arrival: 1, now: 1000)
            let id = try #require(admitted)
            var job = try tx.require(id)
            job.state = state
            job.status = status
            job.place = place
            job.promptSHA = PromptFile.read(name: name, bytes: Data(text.utf8)).sha
            job.promptID = "\(name)--x"
            if state.isTerminal { job.finished = 2000 }
            if state.isTerminal || state == .active { job.budgetUsed = 2 }
            try tx.save(job, expecting: .queued, why: nil, now: 1000)
            return id
        }
        let job = try now(id)
        let path = try #require(spool.pathOf(job))
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return id
    }

    func now(_ id: Int64) throws -> Job { try ledger.read { try $0.require(id) } }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: folder.path + "/" + path) }

    /// The one change, which must succeed.
    func change(_ change: Steering.Change, _ id: Int64) async throws -> Job {
        let outcome = try #require(try await steering.apply(change, to: [id]).first)
        guard case .changed(let job) = outcome else {
            Issue.record("\(outcome)")
            return try now(id)
        }
        return job
    }

    func refusal(_ change: Steering.Change, _ id: Int64) async throws -> FlowspoolError? {
        if case .refused(let error)? = try await steering.apply(change, to: [id]).first { return error }
        return nil
    }
}

@Suite struct SteeringTests {
    /// The command has moved the file and died before it could say so. What bears the name by then is a new prompt.
    @Test func cancel_thatIsCutOff_takesNoNewFile() async throws {
        let steered = try SteeringSpool()
        defer { steered.remove() }
        let id = try steered.job("a.md", .queued)
        let fault = SystemCalls { call, path in call == .fsync && !path.contains("/.flowspool") ? EIO : nil }
        let cut = Steering(spool: try SpoolFolder.make(at: steered.folder.path, calls: fault), ledger: steered.ledger)
        await #expect(throws: FlowspoolError.self) { try await cut.apply(.cancel, to: [id]) }
        #expect(steered.exists("failed/a.md") && !steered.exists("a.md"))
        #expect(try steered.now(id).fromPlace == .drop)
        try Data("# New\n\n```bash\ntrue\n```\n".utf8).write(to: URL(fileURLWithPath: steered.folder.path + "/a.md"))
        try await Recovery(
            spool: steered.spool, ledger: steered.ledger, filing: steered.steering.filing, executor: LocalExecutor(),
            clock: SystemClock()
        ).run()
        #expect(steered.exists("a.md") && !steered.exists("failed/a.\(id).md"))
        #expect(try steered.now(id).fromPlace == nil)
    }

    /// Another command has decided, and has not moved the file yet.
    @Test(arguments: [true, false]) func approve_whileTheFileIsOnItsWay_saysWhatWasDecided(_ isDecided: Bool) async throws {
        let steered = try SteeringSpool()
        defer { steered.remove() }
        let lock = try RunnerLock(steered.spool, command: "watch", now: 1)
        defer { withExtendedLifetime(lock) {} }
        let id = try steered.job("a.md", .held)
        try steered.ledger.write { tx in
            var job = try tx.require(id)
            if isDecided {
                job.end(.failed, .rejected, reason: "rejected", now: 2)
            } else {
                (job.fromPlace, job.fromFile, job.file) = (.held, "a.md", "b.md")
            }
            try tx.save(job, expecting: .held, why: nil, now: 2)
        }
        let outcomes = try await Steering(spool: steered.spool, ledger: steered.ledger, clock: ImpatientClock()).apply(
            .approve, to: [id])
        guard case .refused(let error) = try #require(outcomes.first) else { return #expect(Bool(false), "it was changed") }
        #expect(error.code == (isDecided ? .invalidInput : .unavailable))
        #expect(error.message.contains(isDecided ? "is failed, not held" : "is being filed"))
    }

    @Test func approve_putsTheFileBackAndRemembersTheYes() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        let job = try await made.change(.approve, id)
        #expect(job.state == .queued)
        #expect(made.exists("a.md"))
        #expect(!made.exists("held/a.md"))
        let after = try made.now(id)
        #expect(after.fromPlace == nil)
        #expect(try made.ledger.read { try $0.isApproved(sha: after.promptSHA ?? "", codes: []) })
        #expect(try made.ledger.read { try $0.nextWaiting(limit: 9, batch: nil, busyLanes: []) }.map(\.id) == [id])
    }

    @Test func approve_whenTheNameIsTakenInTheDropFolder_takesAnother() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        try made.folder.write("another", to: "a.md")
        let job = try await made.change(.approve, id)
        #expect(job.file == "a.\(id).md")
        #expect(try String(contentsOfFile: made.folder.path + "/a.md", encoding: .utf8) == "another")
        #expect(made.exists("a.\(id).md"))
    }

    @Test func approve_whenTheNameIsThatOfAWaitingJobWithoutFile_takesAnother() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        _ = try made.ledger.write { try $0.admit(Admission(name: "a.md"), arrival: 2, now: 1) }
        #expect(try await made.change(.approve, id).file == "a.\(id).md")
    }

    /// The yes is to what was checked and shown, not to what has taken its place in `held/`.
    @Test func approve_ofAChangedFile_remembersNothing_andHasItChecked() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        let sha = try #require(try made.now(id).promptSHA)
        try Data("```bash\nother\n```\n".utf8).write(to: URL(fileURLWithPath: made.folder.path + "/held/a.md"))
        let job = try await made.change(.approve, id)
        #expect(job.state == .queued && job.reason == Steering.changedReason && made.exists("a.md"))
        #expect(try !made.ledger.read { try $0.isApproved(sha: sha, codes: [.destructiveFS]) })
        #expect(try made.ledger.read { try $0.transitions(of: id) }.last?.why == "approved, but \(Steering.changedReason)")
    }

    @Test func reject_ofAChangedFile_stampsWhatItHolds() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        let text = Data("```bash\nother\n```\n".utf8)
        try text.write(to: URL(fileURLWithPath: made.folder.path + "/held/a.md"))
        _ = try await made.change(.reject(reason: ""), id)
        let now = PromptFile.read(name: "a.md", bytes: text)
        let stamp = try #require(ExistingStamp(in: Data(contentsOf: URL(fileURLWithPath: made.folder.path + "/failed/a.md"))))
        #expect(stamp.promptSHA == now.sha && stamp.promptID == now.id)
    }

    /// Moved back by hand, and no runner has seen it yet: what is cancelled must not run.
    @Test func cancel_ofAHeldJobThatWasMovedBack_takesItsFileAlong() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        try FileManager.default.moveItem(atPath: made.folder.path + "/held/a.md", toPath: made.folder.path + "/a.md")
        let error = try await made.refusal(.approve, id)
        #expect(error?.message == "job 1 (a.md): its file was moved back to the drop folder, where it is checked anew")
        let job = try await made.change(.cancel, id)
        #expect(job.state == .cancelled && job.place == .failed && made.exists("failed/a.md") && !made.exists("a.md"))
    }

    /// Another prompt of that name is none of a job's.
    @Test func cancel_ofAHeldJobWhoseFileIsGone_leavesOthers() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        try FileManager.default.removeItem(atPath: made.folder.path + "/held/a.md")
        try Data("```bash\nother\n```\n".utf8).write(to: URL(fileURLWithPath: made.folder.path + "/a.md"))
        #expect(try await made.change(.cancel, id).place == .none)
        #expect(made.exists("a.md"))
    }

    /// Two prompts of one name wait for a word: which of them is meant must be said.
    @Test func find_amongJobsOfOneName() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let ids = try ["a.md", "a.md", "a.md"].enumerated().map { index, name in
            let id = try made.job(name, index == 2 ? .done : .held, status: index == 2 ? .success : nil)
            // The names in the folders as filing gives them.
            guard index == 1 else { return id }
            var job = try made.now(id)
            job.file = "a.\(id).md"
            try made.ledger.write { _ = try $0.save(job, expecting: .held, why: nil, now: 1) }
            return id
        }
        try made.ledger.read { tx throws in
            for states in [Set<JobState>(), [.held], [.done]] {
                #expect(try tx.find("held/a.md", in: states).id == ids[0])
                #expect(try tx.find("spool/held/a.2.md", in: states).id == ids[1])
                #expect(try tx.find("/x/done/a.md", in: states).id == ids[2])
                #expect(try tx.find("#2", in: states).id == 2)
            }
            #expect(try tx.find("a.md").id == ids[2] && tx.find("a.md", in: [.done]).id == ids[2])
            #expect(try tx.find("a.2.md").id == ids[1] && tx.find("a.2.md", in: [.held]).id == ids[1])
            #expect(try tx.find("a.md", in: [.active]).id == ids[2])
            let error = #expect(throws: FlowspoolError.self) { try tx.find("a.md", in: [.held]) }
            #expect(error?.message == "“a.md” is the name of 2 jobs: 2 (held/a.2.md), 1 (held/a.md)")
        }
    }

    /// `wait` waits for a file on its way, for one that may not be moved it does not, nor where nobody moves it.
    @Test func filing_isOfARunner_andOfAMoment() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .done, status: .success)
        var job = try made.now(id)
        (job.fromPlace, job.fromFile, job.finished) = (.active, "a.md", 100_000)
        try made.ledger.write { _ = try $0.save(job, expecting: .done, why: nil, now: 1) }
        let lock = try RunnerLock(made.spool, command: "watch", now: 1)
        #expect(try !made.spool.isFiling(made.ledger, now: 100_010))
        try FileManager.default.moveItem(atPath: made.folder.path + "/done/a.md", toPath: made.folder.path + "/active/a.md")
        #expect(try made.spool.isFiling(made.ledger, now: 100_010))
        #expect(try !made.spool.isFiling(made.ledger, now: 200_000))
        withExtendedLifetime(lock) {}
    }

    @Test func filing_withoutARunner_isNone() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        var job = try made.now(try made.job("a.md", .done, status: .success))
        (job.fromPlace, job.fromFile, job.finished) = (.active, "a.md", 100_000)
        try made.ledger.write { _ = try $0.save(job, expecting: .done, why: nil, now: 1) }
        try FileManager.default.moveItem(atPath: made.folder.path + "/done/a.md", toPath: made.folder.path + "/active/a.md")
        #expect(try !made.spool.isFiling(made.ledger, now: 100_010))
    }

    // MARK: Hold

    /// A person's words in the hold file are the reason, whoever took the hold before.
    @Test func holdFile_writtenByHand_takesThePlaceOfAnotherHold() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let gate = HoldGate(spool: made.spool, ledger: made.ledger)
        try made.ledger.write { try $0.setFailureCounts(FailureCounts(streak: 2, total: 2)) }
        _ = try gate.take(HoldRecord(since: 1, kind: .failFast, reason: "2 failed in a row", failStreak: 2, failTotal: 2))
        #expect(try gate.reconcile(now: 2)?.reason == "2 failed in a row")
        let file = made.folder.path + "/.prompt-pipeline.HOLD"
        try FileManager.default.removeItem(atPath: file)
        try Data("the disk is replaced\n".utf8).write(to: URL(fileURLWithPath: file))
        let seen = try SpoolStatus(made.spool, made.ledger)
        #expect(seen.hold?.reason == "the disk is replaced" && seen.failures == FailureCounts())
        for now in [3, 4] as [Int64] {
            let hold = try #require(try gate.reconcile(now: now))
            #expect(hold.kind == .byHand && hold.reason == "the disk is replaced" && hold.since == 3)
        }
        #expect(try made.ledger.read { try $0.failureCounts() } == FailureCounts())
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "the disk is replaced\n")
    }

    /// Its file cannot be written: then there is no hold either, and the error says what is so.
    @Test func hold_whoseFileCannotBeWritten_isNone() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let calls = SystemCalls { call, path in call == .openat && path.contains(".prompt-pipeline.HOLD") ? EACCES : nil }
        let steering = Steering(spool: try SpoolFolder.make(at: made.folder.path, calls: calls), ledger: made.ledger)
        #expect(throws: (any Error).self) { try steering.hold(reason: "x") }
        #expect(try made.ledger.read { try $0.openHold() } == nil)
        #expect(try made.steering.hold(reason: "y").wasOnHold == false && made.exists(".prompt-pipeline.HOLD"))
    }

    /// With a runner at work, a hold is seen once that says so.
    @Test(.timeLimit(.minutes(1))) func hold_isSeenOnceTheRunnerStartsNothingMore() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let watching = try WatchingRun(spool)
        let folder = try SpoolFolder.open(at: spool.path)
        let steering = Steering(spool: folder, ledger: try spool.ledger())
        let lock = try RunnerLock(folder, command: "watch", now: 1)
        let ending = try await watching.run { _ in
            let hold = try steering.hold(reason: "r").hold
            #expect(try !steering.isSeen(hold))
            watching.dispatcher.take(.file(Wake.fileBytes))
            while try !steering.isSeen(hold) {
                try Task.checkCancellation()
                sched_yield()
            }
            return nil
        }
        #expect(ending.why == .stopped)
        withExtendedLifetime(lock) {}
    }

    /// A hold that is lifted before its file is written leaves none.
    @Test func fileOfALiftedHold_isNotWritten() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let gate = HoldGate(spool: made.spool, ledger: made.ledger)
        try made.ledger.write {
            try $0.setHold(HoldRecord(since: 1, kind: .failFast, reason: "r", failStreak: 2, failTotal: 2))
        }
        _ = try made.steering.resume()
        try gate.write()
        #expect(!made.exists(".prompt-pipeline.HOLD"))
        #expect(try gate.reconcile(now: 2) == nil)
    }

    @Test func approve_whenNotHeld_saysTheState() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let error = try await made.refusal(.approve, try made.job("a.md", .done, status: .success))
        #expect(error?.message == "job 1 (a.md) is done, not held: there is nothing to approve")
        #expect(try await made.refusal(.approve, 99)?.code == .invalidInput)
    }

    @Test func approve_whenTheFileIsGone_changesNothing() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        try FileManager.default.removeItem(atPath: made.folder.path + "/held/a.md")
        #expect(try await made.refusal(.approve, id) != nil)
        #expect(try made.now(id).state == .held)
    }

    @Test func reject_filesAsRejectedWithAStampAndCountsNoFailure() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        let job = try await made.change(.reject(reason: "wrong host"), id)
        #expect(job.state == .failed)
        #expect(job.status == .rejected)
        #expect(job.reason == "rejected: wrong host")
        let text = try String(contentsOfFile: made.folder.path + "/failed/a.md", encoding: .utf8)
        #expect(text.contains("source: reject"))
        #expect(StampWriter.remove(from: Data(text.utf8)) == Data("# T\n\n```bash\ntrue\n```\n".utf8))
        #expect(try made.ledger.read { try $0.failureCounts() } == FailureCounts())
    }

    @Test func retry_givesAFreshBudgetAndTakesTheNoteAway() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .failed, status: .failed)
        try made.folder.write("why", to: "failed/a.md.why.txt")
        let job = try await made.change(.retry, id)
        #expect(job.state == .queued)
        #expect(job.status == nil)
        #expect(job.budgetUsed == 0)
        #expect(job.finished == nil)
        #expect(made.exists("a.md"))
        #expect(!made.exists("failed/a.md.why.txt"))
    }

    @Test func retry_ofManyJobs_changesThoseThatCanBe() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        var ids: [Int64] = []
        for number in 1...70 {
            ids.append(try made.job("\(number).md", number == 3 ? .held : .failed, status: number == 3 ? nil : .failed))
        }
        let outcomes = try await made.steering.apply(.retry, to: ids)
        #expect(outcomes.count == 70)
        #expect(outcomes.indices.filter { if case .refused = outcomes[$0] { true } else { false } } == [2])
        #expect(try made.ledger.read { try $0.counts() }[.queued] == 69)
        #expect(try made.ledger.read { try $0.unconfirmedMoves() }.isEmpty)
    }

    @Test func cancel_ofAWaitingJob_filesIt() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .queued)
        #expect(try await made.change(.cancel, id).status == .cancelled)
        #expect(made.exists("failed/a.md"))
        #expect(!made.exists("a.md"))
    }

    @Test func cancel_ofAJobWhoseFileIsGone_endsIt() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        try FileManager.default.removeItem(atPath: made.folder.path + "/held/a.md")
        let job = try await made.change(.cancel, id)
        #expect(job.state == .cancelled)
        #expect(job.place == .none)
        #expect(try await made.refusal(.retry, id) != nil)
    }

    @Test func cancel_ofAnActiveJobWithoutRunner_isDoneByTheNextStart() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .active)
        guard case .requested(_, isRunnerAlive: false)? = try await made.steering.apply(.cancel, to: [id]).first else {
            Issue.record("not requested")
            return
        }
        #expect(try made.now(id).state == .active)
        try await Recovery(
            spool: made.spool, ledger: made.ledger, filing: Filing(spool: made.spool, ledger: made.ledger),
            executor: NoExecutor(),
            clock: SystemClock()
        ).run()
        #expect(try made.now(id).state == .cancelled)
        #expect(made.exists("failed/a.md"))
        #expect(try made.ledger.read { try $0.hasRequests() } == false)
    }

    @Test func confirmMoves_whenTheJobWasSentElsewhereMeanwhile_leavesThatMoveNoted() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        var seen = try made.now(id)
        seen.fromPlace = .active
        seen.fromFile = "a.md"
        let (before, expected) = (seen, JobState.held)
        try made.ledger.write { tx in
            try tx.save(before, expecting: expected, why: nil, now: 1)
            var job = before
            job.state = .queued
            job.place = .drop
            job.fromPlace = .held
            try tx.save(job, expecting: .held, why: nil, now: 1)
            try tx.confirmMoves([before])
        }
        #expect(try made.now(id).fromPlace == .held)
    }

    @Test func aCrashBetweenCommitAndMove_isFinishedByTheNextStart() async throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        let id = try made.job("a.md", .held)
        var job = try made.now(id)
        job.wait(.queued, reason: "")
        let saved = job
        try made.ledger.write { _ = try $0.save(saved, expecting: .held, why: "approved", now: 1) }
        #expect(try made.ledger.read { try $0.nextWaiting(limit: 9, batch: nil, busyLanes: []) }.isEmpty)
        try await Recovery(
            spool: made.spool, ledger: made.ledger, filing: Filing(spool: made.spool, ledger: made.ledger),
            executor: NoExecutor(),
            clock: SystemClock()
        ).run()
        #expect(made.exists("a.md"))
        #expect(try made.now(id).fromPlace == nil)
    }

    @Test func holdAndResume_areOneFileAndSetTheCountsBack() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        try made.ledger.write { try $0.setFailureCounts(FailureCounts(streak: 2, total: 3)) }
        let first = try made.steering.hold(reason: "disk")
        #expect(!first.wasOnHold)
        #expect(made.exists(".prompt-pipeline.HOLD"))
        let second = try made.steering.hold(reason: "other")
        #expect(second.wasOnHold)
        #expect(second.hold.reason == "disk")
        #expect(try SpoolStatus(made.spool, made.ledger).hold?.reason == "disk")
        #expect(try made.steering.resume()?.reason == "disk")
        #expect(!made.exists(".prompt-pipeline.HOLD"))
        let status = try SpoolStatus(made.spool, made.ledger)
        #expect(status.hold == nil)
        #expect(status.failures == FailureCounts())
        #expect(try made.steering.resume() == nil)
    }

    @Test func status_seesTheFileThatAPersonMadeOrRemoved() throws {
        let made = try SteeringSpool()
        defer { made.remove() }
        try made.folder.write("", to: ".prompt-pipeline.HOLD")
        #expect(try SpoolStatus(made.spool, made.ledger).hold?.kind == .byHand)
        _ = try made.steering.hold(reason: "")
        try FileManager.default.removeItem(atPath: made.folder.path + "/.prompt-pipeline.HOLD")
        #expect(try SpoolStatus(made.spool, made.ledger).hold == nil)
    }
}

private struct NoExecutor: Executor {
    func run(_ command: Command) async -> CommandResult { CommandResult(ending: .notStarted("test"), durationSeconds: 0) }
    func endStrays(runsDirectory: String) async throws -> Int { 0 }
}

/// Whose waits are over at once.
private struct ImpatientClock: SpoolClock {
    func wallMilliseconds() -> Int64 { 3 }
    func monotonicMilliseconds() -> Int64 { 3 }
    func sleep(milliseconds: Int64) async throws {}
}

@Suite struct HoldGateTests {
    /// A folder that cannot be looked at is no word of a person's: no hold is taken, and none is lifted, which would set the counts to 0.
    @Test(arguments: [true, false]) func folderThatCannotBeLookedAt_changesNothing(_ isOnHold: Bool) throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let whole = try SpoolFolder.open(at: spool.path)
        try ledger.write { try $0.setFailureCounts(FailureCounts(streak: 2, total: 2)) }
        if isOnHold {
            _ = try HoldGate(spool: whole, ledger: ledger).take(
                HoldRecord(since: 1, kind: .byHand, reason: "x", failStreak: 2, failTotal: 2))
        }
        let faulty = SystemCalls { call, path in call == .fstatat && path.hasSuffix(ContractFile.hold.name) ? EACCES : nil }
        let folder = try SpoolFolder.open(at: spool.path, calls: faulty)
        #expect(throws: SystemCallError.self) { try HoldGate(spool: folder, ledger: ledger).reconcile(now: 2) }
        #expect(try ledger.read { try $0.failureCounts() }.total == 2)
        #expect(try HoldGate(spool: whole, ledger: ledger).reconcile(now: 3)?.reason == (isOnHold ? "x" : nil))
        #expect(try ledger.read { try $0.failureCounts() }.total == 2)
    }
}
