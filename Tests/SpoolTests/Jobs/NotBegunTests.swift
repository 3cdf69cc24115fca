// The machine would not let an attempt begin: no room, no descriptors. That is no failure of the prompt's. Nothing of it has run, so
// nothing is counted, and it runs when there is room.

import Foundation
import Synchronization
import Testing

@testable import Spool

/// Would not let the first attempts begin, and then runs scripts.
private final class RefusingRunner: Runner {
    private let left: Mutex<Int>
    private let code: Int32
    private let before: @Sendable () async -> Void

    init(_ count: Int, _ code: Int32 = ENOSPC, before: @escaping @Sendable () async -> Void = {}) {
        left = Mutex(count)
        self.code = code
        self.before = before
    }

    func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        let isRefused = left.withLock { left in
            left -= 1
            return left >= 0
        }
        guard isRefused else { return await ScriptRunner().run(request, on: executor, report: report) }
        await before()
        return AttemptResult(notBegun: SystemCallError(call: .mkdirat, path: request.runDirectory, errno: code), "no room")
    }
}

/// A clock on which waiting takes no time, and which keeps what was waited for.
private final class NotedClock: SpoolClock {
    private let state = Mutex((now: Int64(1000), waits: [Int64]()))
    var waits: [Int64] { state.withLock { $0.waits } }
    func wallMilliseconds() -> Int64 { SystemClock().wallMilliseconds() }
    func monotonicMilliseconds() -> Int64 { state.withLock { $0.now } }
    func sleep(milliseconds: Int64) async throws {
        state.withLock { state in
            state.now += milliseconds
            state.waits.append(milliseconds)
        }
    }
}

/// The machine would not start the parser for the first blocks.
private final class RefusedCheck: ShellChecking {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }

    func check(_ block: Block) async -> ShellCheckResult {
        var result = ShellCheckResult()
        let isRefused = left.withLock { left in
            left -= 1
            return left >= 0
        }
        if isRefused {
            result.findings = [Finding(.parserFailed, line: 1, message: "not judged", advice: "")]
            result.refusal = SystemCallError(call: .clone, path: "shfmt", errno: EAGAIN)
        }
        return result
    }
}

@Suite struct NotBegunTests {
    /// A folder of the spool that somebody has made unwritable.
    @Test(arguments: [EACCES, EPERM]) func runFolderThatMayNotBeMade_failsNoPrompt(_ code: Int32) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        let left = Mutex(5)
        let calls = SystemCalls { call, path in
            guard call == .mkdirat, path.contains("/runs/") else { return nil }
            return left.withLock { left in
                left -= 1
                return left >= 0 ? code : nil
            }
        }
        let ending = try await spool.drain(profile: "production", calls: calls)
        #expect(ending.failed == 0 && ending.succeeded == 1)
        #expect(try spool.job("a.md")?.attempts == 1)
        #expect(left.withLock { $0 } < 0)
    }

    /// Neither does the prompt run unjudged, nor is it blocked.
    @Test(arguments: ["poc", "production"]) func promptThatCannotBeJudged_waits(_ profile: String) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md", "c.md"] { try spool.drop(name, "echo \(name) >> $OUT/trace") }
        let events = EventList()
        let ending = try await spool.drain(profile: profile, events: events, shell: RefusedCheck(7))
        #expect(ending.succeeded == 3 && ending.failed == 0 && ending.failures == FailureCounts())
        #expect(trace(spool).sorted() == ["a.md", "b.md", "c.md"])
        #expect(!events.troubles.isEmpty)
        for name in ["a.md", "b.md", "c.md"] { #expect(try !spool.text("done/" + name).contains("parser_failed")) }
        try verify(spool)
    }

    /// A batch of so many prompts waits for one that it has started, and counts it once.
    @Test(arguments: [(1, ["one", "two"]), (2, ["one", "two", "one", "two"])])
    func batchOfSoMany_goesOnWithWhatItHasStarted(_ count: Int, _ wanted: [String]) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md", "c.md"] { try spool.drop(name, "echo one >> $OUT/trace", "echo two >> $OUT/trace") }
        let calls = failing(4, ENOSPC) { call, path in call == .openat && path.hasSuffix(RunFolder.blockName(2)) }
        let dispatcher = try spool.dispatcher(
            profile: "production", runner: ScriptRunner(calls: calls), adjust: { $0.startsMax = count })
        let ending = try await dispatcher.run()
        #expect(ending.succeeded == count && ending.ran == count && ending.deferred == 0)
        #expect(trace(spool) == wanted || trace(spool).sorted() == wanted.sorted())
        try verify(spool)
    }

    /// The same for a retry that cannot begin: it was counted before.
    @Test func batchOfSoMany_countsARetryOnce() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "test -e $OUT/again || { touch $OUT/again; exit 1; }; echo a >> $OUT/trace")
        for name in ["b.md", "c.md"] { try spool.drop(name, "echo \(name) >> $OUT/trace") }
        let calls = failing(2, ENOSPC) { call, path in call == .mkdirat && path.hasSuffix("attempt-2") }
        let ending = try await spool.drain(calls: calls) { $0.startsMax = 2 }
        #expect(ending.succeeded == 2 && ending.ran == 2)
        #expect(trace(spool).sorted() == ["a", "b.md"])
        try verify(spool)
    }

    /// Somebody has a write lease on the file (EAGAIN): that one waits, and the others do not.
    @Test func fileThatCannotBeOpenedNow_isWaitedForAlone() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md"] { try spool.drop(name, "echo \(name) >> $OUT/trace") }
        let calls = failing(3, EAGAIN) { call, path in call == .openat && path.hasSuffix("/spool/a.md") }
        let events = EventList()
        let ending = try await spool.drain(profile: "production", events: events, calls: calls)
        #expect(ending.succeeded == 2 && events.troubles.isEmpty)
        #expect(trace(spool) == ["b.md", "a.md"])
    }

    /// The first `count` calls that `isMeant` names fail.
    private func failing(
        _ count: Int, _ code: Int32, _ isMeant: @escaping @Sendable (SystemCall, String) -> Bool
    ) -> SystemCalls {
        let left = Mutex(count)
        return SystemCalls { call, path in
            guard isMeant(call, path) else { return nil }
            return left.withLock { left in
                left -= 1
                return left >= 0 ? code : nil
            }
        }
    }

    private func verify(_ spool: TestSpool) throws {
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations() == [])
    }

    private func trace(_ spool: TestSpool) -> [String] {
        let text = try? String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8)
        return (text ?? "").split(separator: "\n").map(String.init)
    }

    /// Under `production` a job has one attempt, and six failures in a row halt the spool.
    @Test(arguments: [1, 2], [ENOSPC, EMFILE])
    func runFolderThatCannotBeMade_countsForNothing(_ jobs: Int, _ code: Int32) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let names = (10..<20).map { "p\($0).md" }
        for name in names { try spool.drop(name, "echo \(name) >> $OUT/trace") }
        let calls = failing(49, code) { call, path in call == .mkdirat && path.contains("/runs/") }
        let events = EventList()
        let ending = try await spool.drain(profile: "production", events: events, calls: calls) { $0.jobs = jobs }
        #expect(ending.why == .done && ending.ran == 10 && ending.succeeded == 10 && ending.failed == 0)
        #expect(ending.failures == FailureCounts())
        #expect(trace(spool).sorted() == names && spool.list("done") == names)
        for name in names { #expect(try spool.job(name)?.attempts == 1) }
        #expect(!events.troubles.isEmpty)
        #expect(events.events.contains { if case .notBegun = $0 { true } else { false } })
        try verify(spool)
    }

    /// One block has run, and for the next there is no room: it is no failure either, and the first does not run again.
    @Test func blockThatCannotBegin_isGoneOnWith() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md"] { try spool.drop(name, "echo one >> $OUT/trace", "echo two >> $OUT/trace") }
        let calls = failing(4, ENOSPC) { call, path in call == .openat && path.hasSuffix(RunFolder.blockName(2)) }
        let dispatcher = try spool.dispatcher(profile: "production", runner: ScriptRunner(calls: calls))
        let ending = try await dispatcher.run()
        #expect(ending.succeeded == 2 && ending.failed == 0 && ending.failures == FailureCounts())
        #expect(trace(spool).sorted() == ["one", "one", "two", "two"])
        try verify(spool)
    }

    /// The blocks have run, and for the gate's command there is no room: it is asked later, and no block runs again.
    @Test func gateThatCannotBeAsked_isAskedLater() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop(
            "a.md", "echo one >> $OUT/trace; ln -s /dev/full $FLOWSPOOL_RUN_DIR/verify.log", front: "verify: {command: 'true'}")
        let ending = try await spool.drain(profile: "production")
        // A link of the block's own is no refusal of the machine's.
        #expect(ending.failed == 1)
        let second = try TestSpool()
        defer { second.remove() }
        // Its log cannot be made, because the block has taken the run folder away.
        try second.drop(
            "b.md", "echo one >> $OUT/trace; mv $FLOWSPOOL_RUN_DIR $OUT/gone",
            front: "verify: {command: 'echo asked >> $OUT/trace'}")
        let events = EventList()
        #expect(try await second.drain(profile: "production", events: events).succeeded == 1, "\(events.troubles)")
        #expect(trace(second) == ["one", "asked"] && !events.troubles.isEmpty)
        try verify(second)
    }

    /// A retry goes on where it would have.
    @Test func retryThatCannotBegin_isStillThatRetry() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop(
            "a.md", "echo one >> $OUT/trace", "test -e $OUT/again || { touch $OUT/again; exit 1; }; echo two >> $OUT/trace")
        let calls = failing(4, ENOSPC) { call, path in call == .mkdirat && path.hasSuffix("attempt-2") }
        let ending = try await spool.drain(calls: calls)
        #expect(ending.succeeded == 1 && ending.failed == 0)
        #expect(trace(spool) == ["one", "two"])
        #expect(try spool.job("a.md")?.attempts == 2)
        try verify(spool)
    }

    /// What asking again later will not mend is no prompt's failure either: a run that drains gives up, and says so by its exit status.
    @Test func lastingTrouble_endsARunThatDrains() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace")
        let calls = SystemCalls { call, path in call == .mkdirat && path.contains("/runs/") ? EACCES : nil }
        let ending = try await spool.drain(profile: "production", calls: calls)
        #expect(ending.why == .trouble && ending.exitCode == 75 && ending.failed == 0 && ending.ran == 0)
        #expect(try spool.job("a.md")?.state == .queued && spool.list("") == ["a.md"])
        try await spool.drain(profile: "production")
        #expect(spool.list("done") == ["a.md"] && trace(spool) == ["x"])
    }

    /// So with a folder into which nothing can be filed: nothing runs twice, and the next run files what has run.
    @Test func folderThatTakesNoFile_endsARunThatDrains() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace")
        let hasBegun = Mutex(false)
        let calls = SystemCalls { call, path in
            call == .renameat2 && path.hasSuffix("/active/a.md") && hasBegun.withLock { $0 } ? EACCES : nil
        }
        let dispatcher = try spool.dispatcher(
            profile: "production", calls: calls,
            observe: { event in
                if case .attemptStarted = event { hasBegun.withLock { $0 = true } }
            })
        let ending = try await dispatcher.run()
        #expect(ending.why == .trouble && ending.exitCode == 75 && ending.succeeded == 1)
        #expect(spool.list("active") == ["a.md"])
        try await spool.drain(profile: "production")
        #expect(spool.list("done") == ["a.md"] && trace(spool) == ["x"])
        try verify(spool)
    }

    @Test func pauses_growWhileTroubleLasts() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace")
        let clock = NotedClock()
        let dispatcher = try spool.dispatcher(
            profile: "production", runner: RefusingRunner(6), clock: clock, adjust: { $0.troublePauseMilliseconds = 5000 })
        #expect(try await dispatcher.run().succeeded == 1)
        #expect(clock.waits.filter { $0 >= 5000 } == [5000, 10_000, 20_000, 40_000, 60_000, 60_000])
    }

    /// What somebody cancels is not tried again because it could not begin.
    @Test func jobThatWasCancelledMeanwhile_isCancelled() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace")
        let ledger = try spool.ledger()
        let made = Mutex<Dispatcher?>(nil)
        let runner = RefusingRunner(1) {
            try? ledger.write { try $0.request("cancel", job: 1, now: 0) }
            made.withLock { $0 }?.take(.file(Wake.stateFile))
            while !Task.isCancelled { await Task.yield() }
        }
        let dispatcher = try spool.dispatcher(profile: "production", runner: runner)
        made.withLock { $0 = dispatcher }
        let ending = try await dispatcher.run()
        made.withLock { $0 = nil }
        #expect(ending.failed == 0 && ending.succeeded == 0)
        #expect(try spool.job("a.md")?.state == .cancelled)
        #expect(spool.list("failed") == ["a.md"] && trace(spool).isEmpty)
        try verify(spool)
    }
}
