import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct DispatcherTests {
    @Test func drain_runsEachPromptAndFilesIt() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo a >> $OUT/trace")
        try spool.drop("b.md", "echo b >> $OUT/trace; exit 4")
        let ending = try await spool.drain()
        #expect(ending.why == .done)
        #expect(ending.exitCode == 1)
        #expect(spool.list("done") == ["a.md"])
        #expect(spool.list("failed") == ["b.md"])
        #expect(spool.list("active").isEmpty)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "a\nb\nb\n")
        let failed = try #require(try spool.job("b.md"))
        #expect(failed.status == .failed)
        #expect(failed.attempts == 2)
        #expect(try spool.ledger().read { try $0.attempts(of: failed.id).map(\.exitCode) } == [4, 4])
        #expect(try spool.ledger().read { try $0.unconfirmedMoves() }.isEmpty)
    }

    @Test func filedPrompt_withoutItsStamp_isTheAuthorsBytes() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let bytes = Data("---\r\npriority: 1 # mine\r\n---\r\n# T\r\n```bash\r\ntrue\r\n```".utf8)
        try bytes.write(to: URL(fileURLWithPath: spool.path + "/c.md"))
        try await spool.drain()
        let filed = try Data(contentsOf: URL(fileURLWithPath: spool.path + "/done/c.md"))
        #expect(filed != bytes)
        #expect(StampWriter.remove(from: filed) == bytes)
    }

    @Test func retry_resumesAtTheFailedBlock() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo one >> $OUT/trace", "echo two >> $OUT/trace; [ $(grep -c two $OUT/trace) = 2 ]")
        let ending = try await spool.drain()
        #expect(ending.exitCode == 0)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "one\ntwo\ntwo\n")
        #expect(try spool.job("a.md")?.attempts == 2)
    }

    @Test func retry_underProduction_isNotMade() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace; false")
        try await spool.drain(profile: "production")
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "x\n")
    }

    @Test func order_isPriorityThenName() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let events = EventList()
        for name in ["c.md", "a.md", "B.md"] { try spool.drop(name, "true") }
        try spool.drop("z.md", "true", front: "priority: 3")
        try await spool.drain(events: events)
        #expect(events.started == ["z.md", "B.md", "a.md", "c.md"])
    }

    /// The one that is prepared ahead of a long job gives way to what is dropped with a higher priority meanwhile.
    @Test(arguments: [("7", ["a.md", "urgent.md", "b.md"]), ("0", ["a.md", "b.md", "urgent.md"])])
    func order_isPriorityToo_whereTheNextIsReadyAlready(_ priority: String, _ order: [String]) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let gate = spool.folder.path + "/gate"
        mkfifo(gate, 0o600)
        try spool.drop("a.md", "read < $OUT/gate || true")
        try spool.drop("b.md", "true")
        let events = EventList()
        let clock = CountingClock()
        let dispatcher = try spool.dispatcher(profile: "production", clock: clock, events: events)
        async let ending = dispatcher.run()
        let ledger = try spool.ledger()
        func isActive(_ name: String) throws -> Bool { try ledger.read { try $0.job(named: name) }?.state == .active }
        while try !isActive("b.md") || events.started.isEmpty { sched_yield() }
        try spool.drop("urgent.md", "true", front: "priority: \(priority)")
        // Until it is known, and whatever comes of that is done.
        while try ledger.read({ try $0.job(named: "urgent.md") }) == nil {
            clock.waitForTurns { dispatcher.take(.file(Array("urgent.md".utf8))) }
        }
        for _ in 0..<20 { clock.waitForTurns { dispatcher.take(.file(Array(ContractFile.hold.name.utf8))) } }
        #expect(try isActive("urgent.md") == (priority != "0") && isActive("b.md") == (priority == "0"))
        close(open(gate, O_WRONLY | O_CLOEXEC))
        #expect(try await ending.succeeded == 3)
        #expect(events.started == order)
    }

    @Test func next_isClaimedAndStampedWhileOneRuns() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        // The first waits, bounded, for the second to be stamped in active/.
        try spool.drop(
            "a.md", "for i in $(seq 400); do grep -qs 'status: ready' $OUT/spool/active/b.md && exit 0; sleep 0.01; done; exit 1")
        try spool.drop("b.md", "true")
        let ending = try await spool.drain(profile: "production")
        #expect(ending.succeeded == 2)
    }

    /// The end of one attempt starts the next job, unless one that comes before that is still being checked.
    @Test func order_isKept_whereAnAttemptEndsWhileTheNextIsBeingChecked() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        // It waits, bounded, for the last one to be claimed.
        try spool.drop(
            "a.md",
            "for _ in {1..4000}; do [[ -e $OUT/spool/active/c.md ]] && exit 0; read -rt 0.001 <> <(:) || true; done; exit 1")
        try spool.drop("b.md", "echo checked late")
        try spool.drop("c.md", "true")
        let check = HeldCheck(word: "late")
        let events = EventList()
        let dispatcher = try spool.dispatcher(
            shell: check,
            observe: {
                events.take($0)
                if case .finished(let job, _) = $0, job.name == "a.md" { check.letGo() }
            }
        ) { $0.jobs = 2 }
        #expect(try await dispatcher.run().succeeded == 3)
        #expect(events.started == ["a.md", "b.md", "c.md"])
    }

    /// Instant jobs are claimed several at a time, long ones one ahead; in the same order, and all of them filed with both stamps.
    @Test(arguments: [0, 100])
    func ahead_followsHowLongJobsTake(_ milliseconds: Int64) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = (10..<40).map { "p\($0).md" }
        for name in names { try spool.drop(name, "true") }
        let ledger = try spool.ledger()
        let events = EventList()
        let most = Mutex(0)
        let observe: @Sendable (RunEvent) -> Void = { event in
            events.take(event)
            guard case .attemptStarted = event else { return }
            let active = (try? ledger.read { try $0.counts()[.active] ?? 0 }) ?? 1000
            most.withLock { $0 = max($0, active) }
        }
        let dispatcher = try spool.dispatcher(clock: PacedClock(step: milliseconds), observe: observe)
        let ending = try await dispatcher.run()
        #expect(ending.succeeded == 30 && events.troubles.isEmpty)
        #expect(events.started == names)
        let active = most.withLock { $0 }
        #expect(milliseconds == 0 ? (5...10).contains(active) : active <= 3, "\(active) at once")
        #expect(spool.list("done") == names && spool.list("active").isEmpty)
        for name in names {
            let text = try spool.text("done/" + name)
            #expect(text.contains("    preflight:") && text.contains("    exec:"), "\(name)")
        }
    }

    /// The commit that ends one attempt and starts the next fails once: the retry is made all the same, and only once.
    @Test(.timeLimit(.minutes(1))) func retryWhoseCommitFails_isMadeOnce() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace; false")
        let ledger = try spool.ledger()
        let observe: @Sendable (RunEvent) -> Void = { event in
            if case .attemptStarted(let job, _) = event, job.attempts == 1 {
                try? ledger.write {
                    try $0.execute(
                        "CREATE TRIGGER fault BEFORE UPDATE OF outcome ON attempts BEGIN SELECT RAISE(FAIL, 'fault'); END")
                }
            }
            if case .trouble = event { try? ledger.write { try $0.execute("DROP TRIGGER IF EXISTS fault") } }
        }
        let ending = try await spool.dispatcher(observe: observe).run()
        #expect(ending.failed == 1 && spool.list("failed") == ["a.md"])
        #expect(try ledger.read { try $0.attempts(of: 1) }.map(\.outcome) == [.failed, .failed])
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "x\nx\n")
    }

    /// The end of the last job that a batch of one is to start, or before a hold, cannot be committed at first: the run does not end
    /// before it is.
    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func endWhoseCommitFails_isWrittenBeforeTheRunEnds(_ isHeld: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md"] { try spool.drop(name, "echo x >> $OUT/trace") }
        let ledger = try spool.ledger()
        let holdFile = spool.path + "/" + ContractFile.hold.name
        let observe: @Sendable (RunEvent) -> Void = { event in
            if case .attemptStarted = event {
                try? ledger.write {
                    try $0.execute(
                        "CREATE TRIGGER fault BEFORE UPDATE OF outcome ON attempts BEGIN SELECT RAISE(FAIL, 'fault'); END")
                }
                if isHeld { close(open(holdFile, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)) }
            }
            if case .trouble = event { try? ledger.write { try $0.execute("DROP TRIGGER IF EXISTS fault") } }
        }
        let ending = try await spool.dispatcher(observe: observe, adjust: { $0.startsMax = isHeld ? nil : 1 }).run()
        #expect(ending.why == (isHeld ? .onHold : .done) && ending.succeeded == 1 && spool.list("done") == ["a.md"])
        #expect(try ledger.read { try $0.attempts(of: 1) }.map(\.outcome) == [.success])
    }

    /// Somebody else has recorded another end of a job meanwhile. The run says so once, and goes on.
    @Test(.timeLimit(.minutes(1))) func endThatSomebodyElseHasRecorded_isLeftAsItIs() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md"] { try spool.drop(name, "echo \(name) >> $OUT/trace") }
        let ledger = try spool.ledger()
        let events = EventList()
        let observe: @Sendable (RunEvent) -> Void = { event in
            events.take(event)
            guard case .attemptStarted(let job, _) = event, job.name == "a.md" else { return }
            try? ledger.write { try $0.execute("UPDATE jobs SET state = 'failed', status = 'interrupted' WHERE name = 'a.md'") }
        }
        let ending = try await spool.dispatcher(profile: "production", observe: observe).run()
        #expect(ending.succeeded == 1 && events.troubles.count == 1, "\(events.troubles)")
        #expect(try spool.job("a.md")?.status == .interrupted)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "a.md\nb.md\n")
    }

    /// Where jobs take milliseconds, the start of the next one is in the ledger before its turn comes, and only that of the next one.
    @Test func nextStart_ofShortJobs_isRecordedAhead() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = (10..<40).map { "p\($0).md" }
        // By the dispatcher's clock they take no time; in truth long enough to be prepared ahead on any machine.
        let isNoted = #"grep -q "^$FLOWSPOOL_JOB $FLOWSPOOL_ATTEMPT " "$OUT/spool/runs/.begun""#
        for name in names { try spool.drop(name, isNoted, "sleep 0.03") }
        let ledger = try spool.ledger()
        let recorded = Mutex<[Int]>([])
        let leaving = Mutex<[String]>([])
        let observe: @Sendable (RunEvent) -> Void = { event in
            // A new file of its name must not be taken for it.
            if case .blockStarted(let job, _, _) = event, (try? ledger.read { try $0.require(job.id) })?.fromPlace != nil {
                leaving.withLock { $0.append(job.name) }
            }
            guard case .attemptStarted = event else { return }
            let running = try? ledger.read { try $0.runningAttempts() }.count
            recorded.withLock { $0.append(running ?? 1000) }
        }
        let dispatcher = try spool.dispatcher(clock: StoppedClock(), observe: observe)
        let ending = try await dispatcher.run()
        #expect(ending.succeeded == 30 && ending.ran == 30)
        #expect(leaving.withLock { $0 } == [])
        let counts = recorded.withLock { $0 }
        #expect((2...3).contains(counts.max() ?? 0) && counts.count { $0 > 1 } > 15, "\(counts)")
        for job in try ledger.read({ try $0.page(nil, after: 0, limit: 99) }) {
            let attempts = try ledger.read { try $0.attempts(of: job.id) }
            #expect(attempts.map(\.outcome) == [.success] && job.attempts == 1 && job.budgetUsed == 1)
            #expect(try #require(attempts.first).started >= #require(job.started))
            let history = try ledger.read { try $0.transitions(of: job.id) }.map(\.to)
            #expect(history.first == "queued" && history.last == "done")
        }
    }

    /// A job whose start is recorded goes back to wait: no attempt of it is left, and it runs in full later.
    @Test func jobWhoseStartIsRecorded_andIsGivenBack_hasNoAttempt() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = (10..<30).map { "p\($0).md" }
        for name in names {
            try spool.drop(
                name, "echo \(name) >> $OUT/trace" + (name == "p20.md" ? "; touch $OUT/spool/.prompt-pipeline.HOLD" : ""))
        }
        let dispatcher = try spool.dispatcher(clock: StoppedClock())
        let ending = try await dispatcher.run()
        #expect(ending.why == .onHold && ending.succeeded == 11)
        let waiting = try spool.ledger().read { try $0.page([.queued], after: 0, limit: 99) }
        #expect(
            waiting.map(\.name).sorted() == Array(names[11...]) && waiting.allSatisfy { $0.attempts == 0 && $0.budgetUsed == 0 })
        #expect(try spool.ledger().read { try $0.runningAttempts() }.isEmpty)
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
        try FileManager.default.removeItem(atPath: spool.path + "/.prompt-pipeline.HOLD")
        try await spool.drain(profile: "production")
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == names.map { $0 + "\n" }.joined())
    }

    /// A person cancels the job whose start is recorded: it ends without that attempt, and the others go on.
    @Test(.timeLimit(.minutes(1))) func jobWhoseStartIsRecorded_andIsCancelled_neverRuns() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = (10..<30).map { "p\($0).md" }
        for name in names {
            let waits = "for i in $(seq 1000); do [ -e $OUT/go ] && break; sleep 0.01; done; "
            try spool.drop(name, (name == "p20.md" ? waits : "sleep 0.03; ") + "echo \(name) >> $OUT/trace")
        }
        let ledger = try spool.ledger()
        // It has failed before, and a person has sent it again.
        try ledger.write { tx in
            var job = try tx.require(try #require(try tx.admit(Admission(name: "p21.md"), arrival: 1, now: 1)))
            job.attempts = 1
            try tx.save(job, expecting: .queued, why: nil, now: 1)
            try tx.startAttempt(job, runDirectory: "runs/2026-01-01/1/attempt-1", now: 1)
            try tx.finishAttempt(job: job.id, attempt: 1, AttemptResult(outcome: .failed, failureClass: .exit))
        }
        let (hints, input) = AsyncStream.makeStream(of: SpoolHint.self)
        let cancelled = Mutex<Job?>(nil)
        let go = spool.folder.path + "/go"
        let observe: @Sendable (RunEvent) -> Void = { event in
            if case .attemptStarted(let job, _) = event, job.name == "p20.md" {
                let next = try? ledger.read { try $0.runningAttempts() }.first { $0.job != job.id }
                guard let next else { return }
                cancelled.withLock { $0 = try? ledger.read { try $0.job(next.job) } }
                try? ledger.write { try $0.request("cancel", job: next.job, now: 1) }
                input.yield(.file(Wake.fileBytes))
            }
            if case .finished(let job, _) = event, job.state == .cancelled {
                _ = FileManager.default.createFile(atPath: go, contents: nil)
            }
        }
        let dispatcher = try spool.dispatcher(clock: StoppedClock(), observe: observe)
        let ending = try await dispatcher.run(hints: hints)
        let name = try #require(cancelled.withLock { $0 }).name
        let job = try #require(try spool.job(name))
        #expect(name == "p21.md" && job.state == .cancelled && job.reason == "cancelled before it started")
        #expect(ending.succeeded == 19)
        #expect(try ledger.read { try $0.attempts(of: job.id) }.map(\.outcome) == [.failed] && job.attempts == 1)
        #expect(try !String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8).contains(name))
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: ledger)
        #expect(try check.violations().isEmpty)
    }

    /// Of the stamps of a group, which reach the disk together, one cannot be written.
    @Test func groupOfWhichOneCannotBeStamped_losesNoneAndRunsEachOnce() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = (10..<30).map { "p\($0).md" }
        for name in names { try spool.drop(name, "echo x >> $OUT/\(name)") }
        let events = EventList()
        let left = Mutex(40)
        let calls = SystemCalls { call, path in
            guard call == .fsync, path.contains(Directory.asidePrefix) else { return nil }
            return left.withLock { left in
                left -= 1
                return left > 0 && left % 9 == 0 ? EIO : nil
            }
        }
        let dispatcher = try spool.dispatcher(calls: calls, clock: PacedClock(step: 0), events: events)
        let ending = try await dispatcher.run()
        #expect(ending.succeeded == 20)
        #expect(!events.troubles.isEmpty)
        #expect(spool.list("done") == names && spool.list("active").isEmpty)
        for name in names { #expect(try String(contentsOfFile: spool.folder.path + "/" + name, encoding: .utf8) == "x\n") }
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
    }

    @Test(arguments: [1, 4])
    func threshold_whenReached_startsNothingMore(_ jobs: Int) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        // With 4 at a time the first four start together; the failures come one after another, each when the one before it
        // is in the ledger. One extra start would leave its mark in the trace.
        for index in 1...9 { try spool.drop("p\(index).md", "echo \(index) >> $OUT/trace; false") }
        let events = EventList()
        let ending = try await spool.drain(profile: "production", events: events) { $0.jobs = jobs }
        #expect(ending.why == .failFast)
        #expect(ending.exitCode == 10)
        let startedAfterHold = events.events.drop { if case .onHold = $0 { false } else { true } }
            .filter { if case .attemptStarted = $0 { true } else { false } }
        #expect(startedAfterHold.isEmpty)
        let traced = try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8).split(separator: "\n").count
        #expect(traced == events.started.count)
        #expect(traced <= 2 + (jobs - 1))
        #expect(spool.list("active").isEmpty)
        #expect(spool.list("failed").count == traced)
        #expect(spool.list("").count == 9 - traced)
        #expect(try spool.text(".prompt-pipeline.HOLD").contains("failed in a row"))
        let counts = try spool.ledger().read { try $0.failureCounts() }
        #expect(counts.total == traced)
    }

    /// Its run folder was made ahead.
    /// The run folder of a job that is ready, with its files, was made ahead; somebody clears it away before the turn comes.
    @Test func runFolderMadeAhead_thatIsGone_isMadeAgain() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop(
            "a.md",
            "for i in $(seq 400); do [ -e $OUT/spool/runs/*/2/attempt-1/block-001.log ] && rm -r $OUT/spool/runs/*/2 && exit 0; "
                + "sleep 0.01; done; exit 1")
        try spool.drop("b.md", "echo $FLOWSPOOL_RUN_DIR")
        let ending = try await spool.drain(profile: "production")
        #expect(ending.succeeded == 2)
        let run = try #require(try spool.ledger().read { try $0.attempts(of: 2) }.first).runDirectory
        #expect(try spool.text(run + "/block-001.log") == spool.path + "/" + run + "\n")
    }

    @Test func jobThatIsReady_andIsGivenBack_leavesNoRunFolder() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop(
            "a.md",
            "for i in $(seq 400); do [ -e $OUT/spool/runs/*/2/attempt-1/block-001.log ] && break; sleep 0.01; done\ntouch $OUT/spool/.prompt-pipeline.HOLD"
        )
        try spool.drop("b.md", "touch $OUT/ran")
        try await spool.drain()
        #expect(spool.list("done") == ["a.md"] && spool.list("") == ["b.md"])
        let days = spool.list("runs")
        #expect(days.count == 1 && spool.list("runs/\(days[0])") == ["1"])
    }

    @Test func promptThatItsBlockRewrites_toTheSameSize_keepsWhatTheBlockWrote() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "sed -i 's/left$/kept/' \"$FLOWSPOOL_PROMPT\" # left")
        try await spool.drain()
        #expect(try spool.text("done/a.md").contains("# kept") && !spool.text("done/a.md").contains("# left"))
    }

    @Test func onHold_drainChangesNothing() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try Data().write(to: URL(fileURLWithPath: spool.path + "/.prompt-pipeline.HOLD"))
        let ending = try await spool.drain()
        #expect(ending.exitCode == 12)
        #expect(spool.list("") == ["a.md"])
        #expect(try spool.text("a.md").hasPrefix("# amd"))
    }

    @Test func hold_survivesRestartsUntilItsFileIsRemoved() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for index in 1...3 { try spool.drop("p\(index).md", "false") }
        #expect(try await spool.drain(profile: "production").exitCode == 10)
        #expect(try await spool.drain(profile: "production").exitCode == 12)
        try FileManager.default.removeItem(atPath: spool.path + "/.prompt-pipeline.HOLD")
        let ending = try await spool.drain(profile: "production")
        #expect(ending.why == .done)
        #expect(ending.failures == FailureCounts(streak: 1, total: 1))
    }

    @Test func holdFile_thatACrashKeptFromBeingWritten_isWrittenAtTheNextStart() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try spool.ledger().write { tx in
            try tx.setHold(HoldRecord(since: 1, kind: .failFast, reason: "r", failStreak: 2, failTotal: 2))
        }
        #expect(try await spool.drain().exitCode == 12)
        #expect(try spool.text(".prompt-pipeline.HOLD").contains("on hold"))
    }

    @Test func failures_countAcrossRestarts() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "false")
        #expect(try await spool.drain(profile: "production").exitCode == 1)
        try spool.drop("b.md", "false")
        #expect(try await spool.drain(profile: "production").exitCode == 10)
    }

    @Test func lane_runsOneAtATime() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a", "b", "c"] {
            try spool.drop("\(name).md", "mkdir $OUT/busy; sleep 0.05; rmdir $OUT/busy", front: "lane: db")
        }
        let ending = try await spool.drain(profile: "production") { $0.jobs = 3 }
        #expect(ending.succeeded == 3)
    }

    @Test(arguments: [
        ("poc", "done"), ("production", "failed"),
    ])
    func warnings_followTheProfile(_ profile: String, _ place: String) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true # danger")
        try await spool.drain(profile: profile, shell: WordCheck(word: "danger"))
        #expect(spool.list(place) == ["a.md"])
        #expect(try spool.text("\(place)/a.md").contains("destructive_fs"))
    }

    @Test func warnings_underAsk_holdTheJobUntilApproved() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo ran >> $OUT/trace # danger")
        let flags = [
            ToggleFlag(name: "--warn-mode", toggle: .warnMode, text: "ask"),
            ToggleFlag(name: "--warn-gate", toggle: .warnGate, text: "yes"),
        ]
        let ending = try await spool.drain(flags: flags, shell: WordCheck(word: "danger"))
        #expect(ending.held == 1)
        #expect(ending.exitCode == 0)
        #expect(spool.list("held") == ["a.md"])
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        // A yes to other warnings of the same bytes, as in another mode, is none to these.
        let job = try #require(try spool.job("a.md"))
        try spool.ledger().write {
            try $0.approve(sha: try #require(job.promptSHA), codes: [.secretInPrompt], job: job.id, now: 1)
        }
        try FileManager.default.moveItem(atPath: spool.path + "/held/a.md", toPath: spool.path + "/a.md")
        #expect(try await spool.drain(flags: flags, shell: WordCheck(word: "danger")).held == 1)
        // The yes counts for these bytes, stamped or not.
        try spool.ledger().write {
            try $0.approve(sha: try #require(job.promptSHA), codes: [.destructiveFS], job: job.id, now: 1)
        }
        try FileManager.default.moveItem(atPath: spool.path + "/held/a.md", toPath: spool.path + "/again.md")
        try await spool.drain(flags: flags, shell: WordCheck(word: "danger"))
        #expect(spool.list("done") == ["again.md"])
    }

    @Test func sameNameTwice_neverOverwrites() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo 1")
        try await spool.drain()
        try spool.drop("a.md", "echo 2")
        try await spool.drain()
        #expect(spool.list("done") == ["a.2.md", "a.md"])
        #expect(try spool.text("done/a.md").contains("echo 1"))
    }

    @Test func fileMovedBack_isTheSameJobAgain() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "test -e $OUT/ready")
        try await spool.drain(profile: "production")
        try Data().write(to: URL(fileURLWithPath: spool.folder.path + "/ready"))
        try FileManager.default.moveItem(atPath: spool.path + "/failed/a.md", toPath: spool.path + "/a.md")
        try await spool.drain(profile: "production")
        #expect(spool.list("done") == ["a.md"])
        let job = try #require(try spool.job("a.md"))
        #expect(job.id == 1)
        #expect(job.attempts == 2)
    }

    @Test func promptThatKeepsItsPlace_isNotRunForItsOwnStamp() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace", front: "move_to_completed: no")
        for _ in 1...3 { try await spool.drain() }
        #expect(spool.list("") == ["a.md"])
        #expect(try spool.text("a.md").contains("status: success"))
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "x\n")
        // Changed by its author: run again.
        let text = try spool.text("a.md")
        try Data((text + "more\n").utf8).write(to: URL(fileURLWithPath: spool.path + "/a.md"))
        try await spool.drain()
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "x\nx\n")
    }

    @Test func strangers_areFiledWithAReasonAndTheOthersGoOn() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/data.csv"))
        try Data([0xFF, 0xFE, 0x00]).write(to: URL(fileURLWithPath: spool.path + "/binary.md"))
        try Data().write(to: URL(fileURLWithPath: spool.path + "/empty.md"))
        try Data("---\na: [\n---\n```bash\ntrue\n```\n".utf8).write(to: URL(fileURLWithPath: spool.path + "/yaml.md"))
        try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/ReadMe.md"))
        mkdir(spool.path + "/folder.md", 0o700)
        symlink("/etc/hostname", spool.path + "/link.md")
        try spool.drop("new\nline\u{1B}[31m.md", "true")
        try spool.drop("good.md", "true")
        let ending = try await spool.drain()
        #expect(ending.succeeded == 2)
        #expect(spool.list("") == ["ReadMe.md", "folder.md"])
        let failed = spool.list("failed")
        for name in ["data.csv", "binary.md", "empty.md", "yaml.md", "link.md"] { #expect(failed.contains(name), "\(name)") }
        for name in ["data.csv", "binary.md", "yaml.md", "link.md"] { #expect(failed.contains(name + ".why.txt"), "\(name)") }
        #expect(try Data(contentsOf: URL(fileURLWithPath: spool.path + "/failed/binary.md")) == Data([0xFF, 0xFE, 0x00]))
        #expect(try spool.job("yaml.md")?.reason.hasPrefix("front_matter_invalid") == true)
    }

    @Test func backlogBeyondTheWindow_runsInNameOrder() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for index in 0..<30 { try spool.drop(String(format: "p%02d.md", 29 - index), "true") }
        let events = EventList()
        let ending = try await spool.drain(events: events) { $0.windowMax = 4 }
        #expect(ending.succeeded == 30)
        #expect(events.started == events.started.sorted())
    }
}

/// A monotonic clock that goes on by `step` milliseconds each time that it is read, however long things take.
private final class PacedClock: SpoolClock {
    private let step: Int64
    private let now = Mutex(Int64(1000))
    init(step: Int64) { self.step = step }
    func wallMilliseconds() -> Int64 { SystemClock().wallMilliseconds() }
    func monotonicMilliseconds() -> Int64 {
        now.withLock { now in
            now += step
            return now
        }
    }
    func sleep(milliseconds: Int64) async throws {
        now.withLock { $0 += milliseconds }
        await Task.yield()
        try Task.checkCancellation()
    }
}

/// A monotonic clock that stands still, so that every job seems to take no time; sleeping takes as long as it does.
private struct StoppedClock: SpoolClock {
    func wallMilliseconds() -> Int64 { SystemClock().wallMilliseconds() }
    func monotonicMilliseconds() -> Int64 { 1000 }
    func sleep(milliseconds: Int64) async throws { try await SystemClock().sleep(milliseconds: milliseconds) }
}
