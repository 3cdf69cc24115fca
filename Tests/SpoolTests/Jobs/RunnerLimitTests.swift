import Foundation
import Synchronization
import Testing

@testable import Spool

/// Meets a limit the first times that it is asked, and then works.
private final class LimitedRunner: Runner {
    let runs = Mutex<[String]>([])
    let retryAt: Date?
    let limits: Int
    init(retryAt: Date?, limits: Int = 1) {
        self.retryAt = retryAt
        self.limits = limits
    }

    func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        let count = runs.withLock {
            $0.append(request.prompt.name)
            return $0.count
        }
        var usage = RunUsage(runner: "mine")
        usage.tokensIn = 10
        usage.costUSD = 0.5
        var result = AttemptResult(outcome: .success, lastOKBlock: 1, message: "ok")
        if count <= limits {
            result = AttemptResult(outcome: .failed, failureClass: .rateLimited, message: "usage limit reached", retryAt: retryAt)
        }
        result.usage = usage
        return result
    }
}

@Suite struct RunnerLimitTests {
    /// - Parameter onWait: done when the second job of the limited runner waits, too.
    private func run(
        _ spool: TestSpool, _ runner: LimitedRunner, clock: any SpoolClock, events: EventList,
        onWait: @escaping @Sendable (Dispatcher) -> Void = { _ in }
    ) async throws -> RunEnding {
        let own = Mutex<Dispatcher?>(nil)
        let dispatcher = try spool.agentDispatcher(runner, clock: clock, adjust: { $0.deferredWaitMaxMilliseconds = 5000 }) {
            event in
            events.take(event)
            if case .finished(let job, _) = event, job.name == "c.md", let dispatcher = own.withLock({ $0 }) {
                onWait(dispatcher)
            }
        }
        own.withLock { $0 = dispatcher }
        defer { own.withLock { $0 = nil } }
        return try await dispatcher.run()
    }

    private func drop(_ spool: TestSpool) throws {
        for name in ["a.md", "b.md"] {
            try Data("---\nexec_mode: agent\nisolation: scratch\n---\n# x\nDo it.\n".utf8).write(
                to: URL(filePath: spool.path + "/" + name))
        }
        try spool.drop("c.md", "true")
    }

    /// Whoever retries a job of a limited runner knows better than what the tool has said.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false]) func retry_endsTheWait(_ isRunning: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try drop(spool)
        let runner = LimitedRunner(retryAt: Date().addingTimeInterval(isRunning ? 4 : 300_000))
        let clock = SystemClock()
        let began = clock.monotonicMilliseconds()
        if isRunning {
            let ending = try await run(spool, runner, clock: clock, events: EventList()) { dispatcher in
                Task {
                    let ids = try spool.ledger().read { try $0.jobs(in: .deferred) }
                    _ = try await Steering(path: spool.path).apply(.retry, to: ids)
                    dispatcher.take(.everything)
                }
            }
            #expect(ending.exitCode == 0 && clock.monotonicMilliseconds() - began < 3000)
        } else {
            let ending = try await run(spool, runner, clock: clock, events: EventList())
            #expect(ending.deferred == 2)
            let ids = try spool.ledger().read { try $0.jobs(in: .deferred) }
            _ = try await Steering(path: spool.path).apply(.retry, to: ids)
            #expect(try spool.ledger().read { try $0.runnerLimits() }.isEmpty)
            #expect(try await run(spool, runner, clock: clock, events: EventList()).succeeded == 2)
        }
        #expect(spool.list("done") == ["a.md", "b.md", "c.md"])
    }

    @Test func limit_makesTheWholeRunnerWait_andOthersGoOn() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try drop(spool)
        // In a second: the run waits for it, because it drains.
        let runner = LimitedRunner(retryAt: Date().addingTimeInterval(1))
        let events = EventList()
        let ending = try await run(spool, runner, clock: SystemClock(), events: events)
        #expect(ending.exitCode == 0)
        #expect(ending.failures.total == 0)
        #expect(events.started.contains("c.md"))
        #expect(runner.runs.withLock { $0 }.first == "a.md")
        // b waited without being tried.
        #expect(runner.runs.withLock { $0 }.sorted() == ["a.md", "a.md", "b.md"])
        #expect(spool.list("done") == ["a.md", "b.md", "c.md"])
        let job = try #require(try spool.job("a.md"))
        #expect(job.budgetUsed == 1)
        #expect(job.runner == "mine")
        #expect(job.tokens == 20)
        #expect(job.costUSD == 1.0)
        let transitions = try spool.ledger().read { try $0.transitions(of: try #require(try $0.job(named: "b.md")).id) }
        #expect(transitions.contains { $0.why == "waits for the runner mine: usage limit reached" })
        #expect(try spool.ledger().read { try $0.runnerLimits() }.isEmpty)
        #expect(try spool.text("done/a.md").contains("runner: mine\n"))
        #expect(try spool.ledger().read { try $0.usage(since: 0) }.tokensIn == 30)
    }

    @Test func limit_withoutATime_backsOff_andSurvivesTheRun() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try drop(spool)
        let runner = LimitedRunner(retryAt: nil)
        _ = try await run(spool, runner, clock: SystemClock(), events: EventList())
        #expect(runner.runs.withLock { $0 } == ["a.md"])
        let limits = try spool.ledger().read { try $0.runnerLimits() }
        #expect(limits.map(\.strikes) == [1])
        for name in ["a.md", "b.md"] {
            let job = try #require(try spool.job(name))
            #expect(job.state == .deferred)
            #expect(job.budgetUsed == 0)
        }
        // A later run still knows: a new prompt of that runner waits, too.
        try Data("---\nexec_mode: agent\n---\n# x\nDo it.\n".utf8).write(to: URL(filePath: spool.path + "/d.md"))
        _ = try await run(spool, runner, clock: SystemClock(), events: EventList())
        #expect(runner.runs.withLock { $0 } == ["a.md"])
        #expect(try spool.job("d.md")?.state == .deferred)
    }

    /// The jobs of a limited runner were claimed and put back at every round.
    @Test func limitThatComesAgain_movesNoJobThatIsKnownToWaitForIt() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "b.md", "c.md", "d.md", "e.md", "f.md"] {
            try Data("---\nexec_mode: agent\nisolation: scratch\n---\n# x\nDo it.\n".utf8).write(
                to: URL(filePath: spool.path + "/" + name))
        }
        // A second is the shortest wait; its end lies in the past, so each round takes that long.
        let runner = LimitedRunner(retryAt: Date(), limits: 2)
        let ending = try await run(spool, runner, clock: SystemClock(), events: EventList())
        #expect(ending.exitCode == 0)
        #expect(spool.list("done").count == 6)
        // Once to learn whose it is, once to run.
        for name in ["d.md", "e.md", "f.md"] {
            let id = try #require(try spool.job(name)).id
            let claims = try spool.ledger().read { try $0.transitions(of: id) }.count { $0.to == "active" && $0.from != "active" }
            #expect(claims == 2, "\(name)")
        }
    }
}
