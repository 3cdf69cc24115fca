import Foundation
import Testing

@testable import Spool

/// States that a crash can leave behind, made by hand; the real kills are in the black-box tests.
@Suite struct RecoveryTests {
    /// A spool whose job 1 was claimed, with its attempt recorded as running.
    private func crashed(retryMax: Int, moved: Bool = true) throws -> TestSpool {
        let spool = try TestSpool()
        try spool.drop("a.md", "echo ran >> $OUT/trace")
        let ledger = try spool.ledger()
        try ledger.write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .active
            job.place = .active
            job.attempts = 1
            job.budgetUsed = 1
            job.policyJSON = "{\"retry_max\":\"\(retryMax)\"}"
            try tx.save(job, expecting: .queued, why: "claimed", now: 1)
            try tx.startAttempt(job, runDirectory: "runs/2026-01-01/1/attempt-1", now: 1)
        }
        if moved { try FileManager.default.moveItem(atPath: spool.path + "/a.md", toPath: spool.path + "/active/a.md") }
        return spool
    }

    @Test func interruptedAttempt_withoutRetry_failsAndIsNeverRunAgain() async throws {
        let spool = try crashed(retryMax: 0)
        defer { spool.remove() }
        try await spool.drain(profile: "production")
        #expect(spool.list("failed") == ["a.md"])
        #expect(try spool.job("a.md")?.status == .interrupted)
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(try spool.ledger().read { try $0.failureCounts().total } == 1)
    }

    /// A spool whose job 1 was in its second block when the runner died.
    private func crashedInBlockTwo(retryMax: Int, script: String? = nil) throws -> TestSpool {
        let spool = try crashed(retryMax: retryMax)
        let blocks = ["echo one >> $OUT/trace\n", "echo two ${GIVEN-} >> $OUT/trace\n"]
        let text = "# T\n\n" + blocks.map { "```bash\n\($0)```\n\n" }.joined()
        try Data(text.utf8).write(to: URL(fileURLWithPath: spool.path + "/active/a.md"))
        try spool.ledger().write { tx in
            var job = try tx.require(1)
            job.mode = "script"
            job.promptSHA = PromptFile.read(name: "a.md", bytes: Data(text.utf8)).sha
            job.promptID = PromptFile.read(name: "a.md", bytes: Data(text.utf8)).id
            try tx.save(job, expecting: .active, why: nil, now: 1)
        }
        let run = spool.path + "/runs/2026-01-01/1/attempt-1"
        try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
        for (name, bytes) in [
            ("block-001.sh", blocks[0]), ("block-002.sh", script ?? blocks[1]), ("env", "GIVEN=x\nREPO_ROOT=/nowhere\n"),
        ] {
            try Data(bytes.utf8).write(to: URL(fileURLWithPath: run + "/" + name))
        }
        return spool
    }

    @Test func interruptedAttempt_goesOnAtTheBlockThatWasCutOff() async throws {
        let spool = try crashedInBlockTwo(retryMax: 1)
        defer { spool.remove() }
        #expect(try await spool.drain().succeeded == 1)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "two x\n")
        let attempts = try spool.ledger().read { try $0.attempts(of: 1) }
        #expect(
            attempts.map(\.outcome) == [.interrupted, .success] && attempts[0].failedBlock == 2 && attempts[0].lastOKBlock == 1)
    }

    /// A file of that name that holds something else was not made for the block.
    @Test func traceOfABlockThatIsNotOurs_isNotBelieved() async throws {
        let spool = try crashedInBlockTwo(retryMax: 1, script: "true\n")
        defer { spool.remove() }
        #expect(try await spool.drain().succeeded == 1)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "one\ntwo\n")
    }

    @Test func interruptedAttempt_isStamped() async throws {
        let spool = try crashedInBlockTwo(retryMax: 0)
        defer { spool.remove() }
        try await spool.drain(profile: "production")
        let text = try spool.text("failed/a.md")
        let stamp = try #require(ExistingStamp(in: Data(text.utf8)))
        #expect(stamp.execStatus == "interrupted" && stamp.pipelineStatus == "failed")
        for line in ["run_ref: runs/2026-01-01/1/attempt-1", "failed_block: 2", "failure_class: interrupted", "last_ok_block: 1"]
        {
            #expect(text.contains(line), "\(text)")
        }
        #expect(spool.list("active").isEmpty)
    }

    /// What a living process writes aside at this moment is its own.
    @Test func asides_goUnlessTheirProcessLives() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        _ = try SpoolFolder.make(at: spool.path)
        // That of process 1, and of one that cannot be.
        let (own, dead) = (".flowspool-aside-1-x", ".flowspool-aside-2000000000-x")
        for name in [own, dead, ".flowspool-aside-x"] { try Data().write(to: URL(fileURLWithPath: spool.path + "/" + name)) }
        try await spool.drain()
        let left = try FileManager.default.contentsOfDirectory(atPath: spool.path).filter { $0.hasPrefix(Directory.asidePrefix) }
        #expect(left == [own])
        #expect(Directory.asideName(for: "x") == ".flowspool-aside-\(getpid())-x")
    }

    /// Whose ledger was begun anew: no run folder is given to another job, and no log of an old one shown as a new one's.
    @Test func jobsOfANewLedger_areNumberedAfterTheTracesOfTheOldOne() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let folder = try SpoolFolder.make(at: spool.path)
        for path in ["2026-01-01/7/attempt-1", "2026-01-02/12", "2026-01-02/x"] {
            try FileManager.default.createDirectory(atPath: spool.path + "/runs/" + path, withIntermediateDirectories: true)
        }
        for _ in 0..<2 { try folder.numberJobs(of: try spool.ledger()) }
        try spool.drop("a.md", "true")
        try await spool.drain()
        #expect(try spool.job("a.md")?.id == 13)
        try folder.numberJobs(of: try spool.ledger())
        try spool.drop("b.md", "true")
        try await spool.drain()
        #expect(try spool.job("b.md")?.id == 14)
        // A copy that another runner has not marked, and whose next number is taken.
        let attempt = try folder.runs.makeFolder("2026-01-03").makeFolder("15").makeFolder("attempt-1")
        try attempt.replace(RunFolder.resultName, with: Data("{}".utf8), mode: 0o600)
        try folder.numberJobs(of: try spool.ledger())
        try spool.drop("c.md", "true")
        try await spool.drain()
        #expect(try spool.job("c.md")?.id == 16)
    }

    /// What an agent had written when its runner died is found again.
    @Test func interruptedAgent_saysWhereItsWorktreeIs() async throws {
        let spool = try crashed(retryMax: 0)
        defer { spool.remove() }
        let tree = spool.path + "/.flowspool/worktrees/job-1-1-2"
        let run = spool.path + "/runs/2026-01-01/1/attempt-1"
        for path in [tree, run] { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        let note = WorktreeNote(runner: "codex", name: "job-1-1-2", branch: "flowspool/job-1-1-2")
        try note.write(in: try RunFolder(path: run))
        try await spool.drain(profile: "production")
        let attempt = try #require(try spool.ledger().read { try $0.attempts(of: 1) }.first)
        #expect(attempt.outcome == .interrupted && attempt.message.hasSuffix("; its changes are in \(tree)"))
        #expect(attempt.usage?.worktree == tree && attempt.usage?.branch == "flowspool/job-1-1-2")
        #expect(attempt.usage?.runner == "codex")
    }

    /// The agent can write there as well. Other attempts have their folders beside it; the last one is a link.
    @Test(arguments: ["../worktrees/job-1-1", "job-1-1/..", "job-1-12", "job-2-1", "job-1-1-x", "job-1-1-9", "job-1-1-3"])
    func noteOfAWorktreeThatIsNotTheAttempts_isNotBelieved(_ name: String) async throws {
        let spool = try crashed(retryMax: 0)
        defer { spool.remove() }
        let trees = spool.path + "/.flowspool/worktrees/"
        let run = spool.path + "/runs/2026-01-01/1/attempt-1"
        for path in [run, trees + "job-1-1", trees + "job-1-12", trees + "job-2-1", trees + "job-1-1-x"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        try FileManager.default.createSymbolicLink(atPath: trees + "job-1-1-3", withDestinationPath: "/etc")
        try WorktreeNote(runner: "codex", name: name, branch: "flowspool/" + name).write(in: try RunFolder(path: run))
        try await spool.drain(profile: "production")
        let attempt = try #require(try spool.ledger().read { try $0.attempts(of: 1) }.first)
        #expect(attempt.outcome == .interrupted && attempt.usage == nil)
        #expect(attempt.message == "the runner ended before the attempt did")
    }

    @Test func interruptionThatCrossesAThreshold_halts_andIsToldOnce() async throws {
        let spool = try crashed(retryMax: 0)
        defer { spool.remove() }
        try spool.drop("b.md", "echo ran >> $OUT/trace")
        let flags = [ToggleFlag(name: "--fail-fast-threshold", toggle: .failFastThreshold, text: "1")]
        let events = EventList()
        let ending = try await spool.drain(profile: "production", flags: flags, events: events)
        #expect(ending.why == .failFast && ending.exitCode == 10 && ending.failed == 1)
        #expect(ending.failures == FailureCounts(streak: 1, total: 1))
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(try spool.ledger().read { try $0.openHold() }?.lastPrompt == "a.md")
        #expect(FileManager.default.fileExists(atPath: spool.path + "/.prompt-pipeline.HOLD"))
        let told = events.events.compactMap { if case .finished(let job, _) = $0 { job.name } else { nil } }
        #expect(told == ["a.md"])
        let again = try await spool.drain(profile: "production", flags: flags)
        #expect(again.why == .onHold && again.failed == 0)
    }

    /// A command that approved a job died before it moved the file; the runner that lives finishes it.
    @Test(.timeLimit(.minutes(1))) func moveThatACommandHasLeft_isFinishedByALivingRunner() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let (hints, input) = AsyncStream.makeStream(of: SpoolHint.self)
        let (seen, events) = AsyncStream.makeStream(of: RunEvent.self)
        let dispatcher = try spool.dispatcher(observe: { events.yield($0) }) {
            $0.drains = false
            $0.foreignMoveGraceMilliseconds = 1
        }
        async let ending = dispatcher.run(hints: hints)
        for await event in seen {
            if case .started = event {
                try spool.drop("held/a.md", "true")
                try spool.ledger().write { tx in
                    _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
                    var job = try tx.require(1)
                    job.fromPlace = .held
                    job.fromFile = "a.md"
                    try tx.save(job, expecting: .queued, why: "approved", now: 1)
                }
                input.yield(.everything)
            }
            if case .finished(let job, _) = event {
                #expect(job.state == .done)
                dispatcher.drain()
                break
            }
        }
        _ = try await ending
        #expect(spool.list("done") == ["a.md"] && spool.list("held").isEmpty)
    }

    /// What the run that was cut off would have allowed, the one that begins may forbid.
    @Test func interruptedAttempt_underAMoreCarefulProfile_failsAndIsNeverRunAgain() async throws {
        let spool = try crashed(retryMax: 1)
        defer { spool.remove() }
        try await spool.drain(profile: "production")
        #expect(spool.list("failed") == ["a.md"])
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
    }

    /// A block may leave anything beside its prompt. It is found once, and counts once.
    @Test func orphanWhoseNameIsNoText_isFiledOnce() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let raw = Array((spool.path + "/active/note").utf8) + [0xFF] + Array(".log\0".utf8)
        let descriptor = raw.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { open($0.baseAddress!, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600) }
        }
        try #require(descriptor >= 0)
        close(descriptor)
        for _ in 0..<3 { try await spool.drain(profile: "production") }
        #expect(spool.list("active").isEmpty && spool.list("failed") == ["note%FF.log", "note%FF.log.why.txt"])
        #expect(try spool.ledger().read { try $0.counts()[.failed] } == 1)
        #expect(try spool.ledger().read { try $0.failureCounts() } == FailureCounts(streak: 1, total: 1))
    }

    /// The counts of the batch that was cut off are over; only what it left interrupted belongs to the next one.
    @Test func batchAfterOneThatWasCutOff_countsFromItsOwnFirstFailure() async throws {
        let spool = try crashed(retryMax: 0)
        defer { spool.remove() }
        try spool.ledger().write { try $0.setFailureCounts(FailureCounts(streak: 1, total: 1)) }
        try spool.drop("b.md", "echo ran >> $OUT/trace")
        let folder = try SpoolFolder.open(at: spool.path)
        let policy = try TestSpool.resolver(profile: "production").base
        let recovered = try await Dispatcher.recover(folder, spool.ledger(), policy: policy, runID: "test")
        let ending = try await spool.drain(profile: "production") {
            $0.isBatch = true
            $0.recovered = recovered
            $0.batchNames = ["b.md"]
        }
        #expect(ending.why == .done && ending.ran == 1 && ending.failed == 1)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "ran\n")
    }

    /// Under a hold the counts say what has led to it.
    @Test func batchUnderAHold_leavesTheCounts() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let folder = try SpoolFolder.make(at: spool.path)
        let ledger = try spool.ledger()
        let policy = try TestSpool.resolver(profile: "production").base
        for isOnHold in [true, false] {
            try ledger.write { try $0.setFailureCounts(FailureCounts(streak: 2, total: 3)) }
            let gate = HoldGate(spool: folder, ledger: ledger)
            if isOnHold {
                _ = try gate.take(HoldRecord(since: 1, kind: .failFast, reason: "r", failStreak: 2, failTotal: 3))
            }
            _ = try await Dispatcher.recover(folder, ledger, policy: policy, runID: "test")
            let counts = try ledger.read { try $0.failureCounts() }
            #expect(counts == (isOnHold ? FailureCounts(streak: 2, total: 3) : FailureCounts()))
            try gate.lift(why: "test", now: 1)
        }
    }

    @Test func interruptedAttempt_withRetry_runsOnceMore() async throws {
        let spool = try crashed(retryMax: 1)
        defer { spool.remove() }
        try await spool.drain()
        #expect(spool.list("done") == ["a.md"])
        let attempts = try spool.ledger().read { try $0.attempts(of: 1) }
        #expect(attempts.map(\.outcome) == [.interrupted, .success])
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "ran\n")
    }

    @Test func claimWhoseRenameWasLost_waitsAgain() async throws {
        let spool = try crashed(retryMax: 1, moved: false)
        defer { spool.remove() }
        try await spool.drain()
        #expect(spool.list("done") == ["a.md"])
        #expect(spool.list("").isEmpty)
    }

    @Test func claimWithoutAttempt_waitsAgainAndUsesUpNothing() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try spool.ledger().write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .active
            job.place = .active
            job.fromPlace = .drop
            job.fromFile = "a.md"
            try tx.save(job, expecting: .queued, why: "claimed", now: 1)
        }
        try await spool.drain(profile: "production")
        #expect(spool.list("done") == ["a.md"])
        #expect(try spool.job("a.md")?.attempts == 1)
    }

    @Test func moveThatWasCutOff_isFinished() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/active/a.md"))
        try spool.ledger().write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .done
            job.status = .success
            job.place = .done
            job.fromPlace = .active
            job.fromFile = "a.md"
            try tx.save(job, expecting: .queued, why: "done", now: 1)
        }
        try await spool.drain()
        #expect(spool.list("done") == ["a.md"])
        #expect(spool.list("active").isEmpty)
    }

    @Test func newFileOfAClaimedName_isNotTakenForTheClaimedOne() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo old >> $OUT/trace")
        let old = try #require(try SpoolFolder.open(at: spool.path).root.status("a.md")).identity
        try spool.ledger().write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .active
            job.place = .active
            job.fromPlace = .drop
            job.fromFile = "a.md"
            job.fileSignature = old
            try tx.save(job, expecting: .queued, why: "claimed", now: 1)
        }
        try FileManager.default.moveItem(atPath: spool.path + "/a.md", toPath: spool.path + "/active/a.md")
        try spool.drop("a.md", "echo new >> $OUT/trace")
        let ending = try await spool.drain()
        #expect(ending.succeeded == 2)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "old\nnew\n")
        #expect(spool.list("done").count == 2)
    }

    /// A power loss undid the claim's rename after the attempt had begun: the file in the drop folder is that job's, no new one.
    @Test func claimWhoseRenameWasLost_underNoRetry_isNotRunAgain() async throws {
        let spool = try crashed(retryMax: 0, moved: false)
        defer { spool.remove() }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: spool.path + "/a.md"))
        let sha = PromptFile.read(name: "a.md", bytes: bytes).sha
        try spool.ledger().write { tx in
            var job = try tx.require(1)
            job.promptSHA = sha
            try tx.save(job, expecting: .active, why: nil, now: 1)
        }
        try await spool.drain(profile: "production")
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(spool.list("") == [])
        #expect(spool.list("failed") == ["a.md"])
        #expect(try spool.ledger().read { try $0.page(nil, after: 0, limit: 9) }.count == 1)
    }

    /// A power loss undid the claim's rename and the one to `done/`: the prompt in the drop folder looked as if the user had moved it
    /// back, and ran a second time.
    @Test func doneJobWhoseRenamesWereLost_isFiledAndNotRunAgain() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo ran >> $OUT/trace")
        let sha = PromptFile.read(name: "a.md", bytes: try Data(contentsOf: URL(fileURLWithPath: spool.path + "/a.md"))).sha
        try spool.ledger().write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .done
            job.status = .success
            job.place = .done
            job.fromPlace = .active
            job.fromFile = "a.md"
            job.promptSHA = sha
            try tx.save(job, expecting: .queued, why: "done", now: 1)
        }
        try await spool.drain(profile: "production")
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(spool.list("") == [] && spool.list("done") == ["a.md"])
        #expect(try spool.ledger().read { try $0.unconfirmedMoves() }.isEmpty)
    }

    /// The start failed for ever: two jobs may not wait under one name.
    @Test func activeJobWithoutFile_whoseNameWaitsAgain_doesNotKeepTheSpoolFromStarting() async throws {
        let spool = try crashed(retryMax: 1, moved: false)
        defer { spool.remove() }
        try spool.ledger().write { tx in
            try tx.execute("DELETE FROM attempts")
            _ = try tx.admit(Admission(name: "a.md"), arrival: 2, now: 2)
        }
        try await spool.drain()
        #expect(spool.list("done") == ["a.md"])
        #expect(try spool.ledger().read { try $0.job(1)?.state } == .cancelled)
    }

    /// The ledger had the refusal under the escaped name, the folder under the raw one; the next start made a second job.
    @Test func refusalOfANameThatIsNoText_cutOffBeforeTheMove_isOneJob() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let raw = Array(spool.path.utf8) + [0x2F, 0xFF] + Array(".md".utf8) + [0]
        let descriptor = raw.withUnsafeBytes {
            open($0.assumingMemoryBound(to: CChar.self).baseAddress!, O_CREAT | O_WRONLY, 0o600)
        }
        var info = stat()
        fstat(descriptor, &info)
        close(descriptor)
        try spool.ledger().write { tx in
            _ = try tx.admitRefused(name: "%FF.md", file: "%FF.md", reason: "r", identity: FileStatus(info).identity, now: 1)
        }
        try await spool.drain()
        #expect(spool.list("failed").contains("%FF.md"))
        #expect(spool.list("").isEmpty)
        #expect(try spool.ledger().read { try $0.page(nil, after: 0, limit: 9) }.count == 1)
    }

    @Test func fileInActiveWithoutAJob_isFiledAndNotRun() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try Data("```bash\necho ran >> $OUT/trace\n```\n".utf8).write(to: URL(fileURLWithPath: spool.path + "/active/o.md"))
        try Data("half".utf8).write(to: URL(fileURLWithPath: spool.path + "/active/.flowspool-aside-o.md"))
        try await spool.drain()
        #expect(spool.list("failed") == ["o.md", "o.md.why.txt"])
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(!FileManager.default.fileExists(atPath: spool.path + "/active/.flowspool-aside-o.md"))
    }
}
