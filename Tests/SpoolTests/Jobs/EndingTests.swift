// How a run ends while something stands in the way: a disk that takes no record, a hold, jobs of others that wait.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct EndingTests {
    /// The ledger takes no end of a job until the trigger goes, as on a full disk.
    private static func refuseEnds(_ path: String, _ refuses: Bool) {
        let sql =
            refuses
            ? "CREATE TRIGGER full BEFORE UPDATE ON jobs WHEN new.state = 'done' BEGIN SELECT RAISE(FAIL, 'no room'); END"
            : "DROP TRIGGER full"
        do {
            try Ledger(path: path + "/.flowspool/" + Ledger.fileName).write { try $0.execute(sql, []) }
        } catch {
            Issue.record(error)
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func stop_whileAnEndCannotBeRecorded_waitsForIt_unlessToldTwice(_ isTwice: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo ran >> $OUT/trace")
        let path = spool.path
        let (seen, input) = AsyncStream.makeStream(of: RunEvent.self)
        let dispatcher = try spool.dispatcher(
            observe: { event in
                if case .attemptStarted = event { Self.refuseEnds(path, true) }
                input.yield(event)
            }, adjust: { $0.drains = false })
        async let run = dispatcher.run()
        var isAsked = false
        var told: [Int64]?
        for await event in seen {
            if case .trouble = event, !isAsked {
                isAsked = true
                dispatcher.drain()
            }
            if case .stopping(_, let unrecorded) = event {
                told = unrecorded
                if isTwice { dispatcher.drain() } else { Self.refuseEnds(path, false) }
            }
            if case .ended = event { break }
        }
        let ending = try await run
        #expect(told == [1])
        #expect(ending.unrecorded == (isTwice ? 1 : 0) && ending.exitCode == 75)
        if isTwice { Self.refuseEnds(path, false) }
        try await spool.drain(profile: "production")
        #expect(try spool.job("a.md")?.state == (isTwice ? .queued : .done) || isTwice)
        let trace = try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8)
        if !isTwice { #expect(trace == "ran\n") }
    }

    /// Nothing more starts, an attempt of a job that has failed before no more than any other.
    @Test(arguments: [true, false]) func attemptThatFailsUnderAHoldOrAStop_isTriedAgainLater(_ isHold: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo ran >> $OUT/trace; [ $(wc -l < $OUT/trace) = 2 ]", front: "retry_max: 1")
        let path = spool.path
        let own = Mutex<Dispatcher?>(nil)
        let dispatcher = try spool.dispatcher(observe: { event in
            guard case .attemptStarted = event else { return }
            if isHold {
                try? Data("look at it\n".utf8).write(to: URL(fileURLWithPath: path + "/.prompt-pipeline.HOLD"))
            } else {
                own.withLock { $0 }?.drain()
            }
        })
        own.withLock { $0 = dispatcher }
        let ending = try await dispatcher.run()
        own.withLock { $0 = nil }
        #expect(ending.why == (isHold ? .onHold : .stopped) && ending.failed == 0)
        #expect(spool.list("") == ["a.md"])
        let waiting = try #require(try spool.job("a.md"))
        #expect(waiting.state == .queued && waiting.attempts == 1)
        if isHold { try FileManager.default.removeItem(atPath: path + "/.prompt-pipeline.HOLD") }
        try await spool.drain()
        #expect(spool.list("done") == ["a.md"])
        #expect(try spool.job("a.md")?.attempts == 2)
    }

    /// What preflight blocks is known long before its turn, and counts when that comes.
    /// A job that goes back to wait, because its start could not be written down, keeps its turn.
    @Test(arguments: ["INSERT ON attempts WHEN NEW.job = 2", "UPDATE ON attempts WHEN NEW.job = 1"])
    func jobThatWasGivenBack_keepsItsTurn(_ fault: String) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = ["a.md", "c.md", "d1.md", "d2.md", "d3.md", "d4.md"]
        // Long enough that each is claimed by itself, one ahead of the one that runs.
        for name in names { try spool.drop(name, "echo \(name) >> $OUT/trace; sleep 0.1") }
        let ledger = try spool.ledger()
        try ledger.write { try $0.execute("CREATE TRIGGER fault BEFORE \(fault) BEGIN SELECT RAISE(FAIL, 'fault'); END") }
        let troubles = Mutex(0)
        let ending = try await spool.dispatcher(observe: { event in
            guard case .trouble = event else { return }
            troubles.withLock { $0 += 1 }
            try? ledger.write { try $0.execute("DROP TRIGGER IF EXISTS fault") }
        }).run()
        #expect(ending.succeeded == names.count && troubles.withLock { $0 } > 0)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == names.map { $0 + "\n" }.joined())
    }

    @Test(arguments: [1, 2]) func blockedPrompts_countInTheOrderOfTheirTurns(_ jobs: Int) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for index in 10..<50 { try spool.drop("\(index).md", index % 3 == 0 ? "true # BAD" : "true") }
        let events = EventList()
        let flags = [ToggleFlag(name: "--max-total-failures", toggle: .totalFailuresMax, text: "99")]
        let ending = try await spool.drain(
            profile: "production", flags: flags, events: events, shell: WordCheck(word: "BAD")
        ) { $0.jobs = jobs }
        #expect(ending.why == .done && ending.ran == 40 && ending.failed == 13 && ending.failures.streak == 0)
        #expect(try spool.ledger().read { try $0.openHold() } == nil)
        guard jobs == 1 else { return }
        let order = events.events.compactMap { event -> String? in
            switch event {
            case .attemptStarted(let job, _), .blocked(let job, _): job.name
            default: nil
            }
        }
        #expect(order == (10..<50).map { "\($0).md" })
    }

    /// Two in a row halt the spool: nothing behind them starts, and what was judged waits again.
    @Test func blockedPromptsInARow_halt_andTheNextOnesWait() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for (name, text) in [("1", "true"), ("2", "BAD"), ("3", "BAD"), ("4", "true"), ("5", "BAD"), ("6", "true")] {
            try spool.drop("\(name).md", "true # \(text)")
        }
        let events = EventList()
        let ending = try await spool.drain(profile: "production", events: events, shell: WordCheck(word: "BAD"))
        #expect(ending.why == .failFast && ending.ran == 3 && events.started == ["1.md"])
        #expect(spool.list("") == ["4.md", "5.md", "6.md"] && spool.list("active").isEmpty)
        #expect(spool.list("failed") == ["2.md", "3.md"])
        let checked = try SpoolCheck(spool: SpoolFolder.open(at: spool.path), ledger: spool.ledger()).violations()
        #expect(checked.isEmpty, "\(checked)")
    }

    /// A file that somebody keeps open for writing is waited for, and then left.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func fileThatIsStillWritten_isLeftInTheEnd(_ isBatch: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md", "c.md"] { try spool.drop(name, "true") }
        let writer = try #require(FileHandle(forWritingAtPath: spool.path + "/b.md"))
        let events = EventList()
        let ending = try await spool.drain(events: events) {
            $0.deferredWaitMaxMilliseconds = 300
            $0.isBatch = isBatch
            $0.batchNames = isBatch ? ["a.md", "b.md", "c.md"] : nil
        }
        #expect(ending.why == .done && ending.succeeded == 2)
        #expect(spool.list("done") == ["a.md", "c.md"] && spool.list("") == ["b.md"])
        #expect(events.troubles.count == 1 && events.troubles.first?.contains("b.md") == true, "\(events.troubles)")
        try writer.close()
        try await spool.drain()
        #expect(spool.list("done") == ["a.md", "b.md", "c.md"])
    }

    /// A batch waits for jobs of its own that are due soon, and for no others.
    @Test(.timeLimit(.minutes(1))) func batch_waitsForNoDeferredJobOfOthers() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try spool.drop("later.md", "true")
        try spool.ledger().write { tx in
            let admitted = try tx.admit(Admission(name: "later.md"), arrival: 1, now: 1)
            var job = try tx.require(try #require(admitted))
            job.state = .deferred
            job.notBefore = SystemClock().wallMilliseconds() + 300_000
            job.delay = 300_000
            try tx.save(job, expecting: .queued, why: "later", now: 1)
        }
        let ending = try await spool.drain {
            $0.isBatch = true
            $0.batchNames = ["a.md"]
        }
        #expect(ending.why == .done && ending.ran == 1)
        #expect(try spool.job("later.md")?.state == .deferred)
    }
}
