import Foundation
import Synchronization
import Testing

@testable import Spool

/// The wall clock steps by a day at any moment: order, deferrals and durations do not notice.
@Suite struct ClockStepTests {
    /// The machine's clocks, the wall clock moved by what the test sets.
    private final class StepClock: SpoolClock {
        private let offset = Mutex<Int64>(0)
        /// When attempts started, on the clock that never steps.
        let starts = Mutex<[Int64]>([])
        static let day: Int64 = 86_400_000
        func step(_ milliseconds: Int64) { offset.withLock { $0 += milliseconds } }
        func wallMilliseconds() -> Int64 { SystemClock().wallMilliseconds() + offset.withLock { $0 } }
        func monotonicMilliseconds() -> Int64 { SystemClock().monotonicMilliseconds() }
        func sleep(milliseconds: Int64) async throws { try await SystemClock().sleep(milliseconds: milliseconds) }
    }

    /// Steps the clock when an attempt starts.
    private struct SteppingRunner: Runner {
        let clock: StepClock
        let step: Int64
        let inner = ScriptRunner()
        func run(_ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void) async
            -> AttemptResult
        {
            clock.starts.withLock { $0.append(clock.monotonicMilliseconds()) }
            clock.step(step)
            return await inner.run(request, on: executor, report: report)
        }
    }

    @Test(arguments: [-StepClock.day, StepClock.day])
    func clockThatStepsDuringAnAttempt_changesNeitherRetryNorDuration(_ step: Int64) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace; [ $(wc -l < $OUT/trace) = 2 ]")
        let clock = StepClock()
        let began = clock.monotonicMilliseconds()
        let ending = try await spool.dispatcher(
            runner: SteppingRunner(clock: clock, step: step), clock: clock, adjust: { $0.retryDelayMilliseconds = 30 }
        ).run()
        #expect(ending.succeeded == 1)
        let job = try #require(try spool.job("a.md"))
        #expect(job.attempts == 2)
        // Neither a day forward nor a day back makes the wait for the retry shorter.
        let starts = clock.starts.withLock { $0 }
        #expect(starts.count == 2 && starts[1] - starts[0] >= 30, "\(starts)")
        let duration = try #require(job.duration)
        #expect(duration >= 0 && duration <= clock.monotonicMilliseconds() - began)
        let attempts = try spool.ledger().read { try $0.attempts(of: job.id) }
        #expect(attempts.allSatisfy { ($0.duration ?? -1) >= 0 && ($0.duration ?? .max) <= duration })
    }

    /// The file was still on its way back when its time came; nobody looked again once it had arrived, and the drain hung.
    @Test func deferredJob_whoseTimeComesBeforeItsMoveIsConfirmed_runs() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace; [ $(wc -l < $OUT/trace) = 2 ]")
        let ending = try await spool.dispatcher(adjust: { $0.retryDelayMilliseconds = 1 }).run()
        #expect(ending.succeeded == 1)
    }

    /// After a restart only the wall clock knows how long a deferral has lasted; it is never longer than it was meant.
    @Test(arguments: [-StepClock.day, 0, StepClock.day])
    func deferredJob_afterARestartAndAStep_waitsNoLongerThanMeant(_ step: Int64) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        let clock = StepClock()
        try spool.ledger().write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .deferred
            job.delay = 40
            job.notBefore = clock.wallMilliseconds() + 40
            try tx.save(job, expecting: .queued, why: "deferred", now: 1)
        }
        clock.step(step)
        let ending = try await spool.dispatcher(clock: clock).run()
        #expect(ending.succeeded == 1)
    }

    @Test(arguments: [-StepClock.day, StepClock.day])
    func order_isThatOfArrival_notOfTheClock(_ step: Int64) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let clock = StepClock()
        let folder = try SpoolFolder.open(at: spool.path)
        let ledger = try spool.ledger()
        let intake = Intake(
            spool: folder, ledger: ledger, filing: Filing(spool: folder, ledger: ledger), clock: clock, sizeMax: 1000,
            isDone: { _ in true })
        for name in ["z.md", "m.md", "a.md"] {
            try spool.drop(name, "true")
            _ = try intake.admit(names: [Array(name.utf8)], isDraining: false)
            clock.step(step)
        }
        let events = EventList()
        _ = try await spool.dispatcher(clock: clock, events: events).run()
        #expect(events.started == ["z.md", "m.md", "a.md"])
    }

    /// A file that is no prompt is judged by its age; one from the future must not wait for that future.
    @Test func stranger_afterTheClockStepsBack_isStillFiled() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let clock = StepClock()
        clock.step(-StepClock.day)
        try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/data.csv"))
        let folder = try SpoolFolder.open(at: spool.path)
        let ledger = try spool.ledger()
        let intake = Intake(
            spool: folder, ledger: ledger, filing: Filing(spool: folder, ledger: ledger), clock: clock, sizeMax: 1000,
            isDone: { _ in true })
        #expect(try intake.scan(isDraining: false).refused.map(\.name) == ["data.csv"])
    }
}
