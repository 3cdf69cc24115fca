// Somebody says no to a job that is at work: whatever state it is in by the time the runner hears of it, it does not run again.

import Foundation
import Synchronization
import Testing

@testable import Spool

/// Somebody says no to a job while it is on its way to those that wait for a yes.
@Suite struct CancelledOnItsWayTests {
    @Test(.timeLimit(.minutes(1)), arguments: [true, false]) func jobThatComesToBeHeld_isCancelled(_ isTold: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let run = Mutex<Dispatcher?>(nil)
        let isAsked = Mutex(false)
        let calls = SystemCalls { call, path in
            // The ledger has it as held, and its file is about to move there; or it is about to be claimed.
            guard call == .renameat2, path.hasSuffix(isTold ? "/spool/a.md" : "/active/a.md") else { return nil }
            let isFirst = isAsked.withLock { asked in
                defer { asked = true }
                return !asked
            }
            guard isFirst else { return nil }
            try? ledger.write { try $0.request("cancel", job: 1, now: 1) }
            run.withLock { $0 }?.take(.everything)
            return nil
        }
        let flags = [
            ToggleFlag(name: "--warn-mode", toggle: .warnMode, text: "ask"),
            ToggleFlag(name: "--warn-gate", toggle: .warnGate, text: "yes"),
        ]
        try spool.drop("a.md", "sudo true")
        let events = EventList()
        let dispatcher = try spool.dispatcher(flags: flags, calls: calls, shell: try ShellAnalyzer(), events: events)
        run.withLock { $0 = dispatcher }
        let ending = try await dispatcher.run()
        run.withLock { $0 = nil }
        let job = try #require(try spool.job("a.md"))
        #expect(job.state == .cancelled && job.attempts == 0, "\(job.state)")
        #expect(ending.held == 0 || !isTold)
        #expect(spool.list("held").isEmpty && spool.list("failed") == ["a.md"])
        #expect(try !ledger.read { try $0.hasRequests() })
    }
}

/// Ends the first attempt as given, after somebody has asked for the job's cancellation.
private final class CancelledWhileItRuns: Runner {
    private let path: String
    private let result: AttemptResult
    private let mayLook: Bool
    let attempts = Mutex(0)
    /// Whom to tell, as the watcher would.
    let dispatcher = Mutex<Dispatcher?>(nil)

    init(_ path: String, _ result: AttemptResult, mayLook: Bool) {
        self.path = path
        self.result = result
        self.mayLook = mayLook
    }

    func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        let number = attempts.withLock { count in
            count += 1
            return count
        }
        guard number == 1 else { return AttemptResult(outcome: .success) }
        if mayLook {
            // The runner's cancellation comes by the wake that follows.
            await withTaskCancellationHandler {
                _ = try? await Steering(path: path).apply(.cancel, to: [request.job])
                dispatcher.withLock { $0 }?.take(.everything)
                await withCheckedContinuation { continuation in
                    waiting.withLock { $0 = continuation }
                    if Task.isCancelled { resume() }
                }
            } onCancel: {
                resume()
            }
        } else {
            // Written down, and nobody has looked yet.
            _ = try? Ledger(path: path + "/.flowspool/" + Ledger.fileName).write { tx in
                try tx.request("cancel", job: request.job, now: 1)
            }
        }
        return result
    }

    private let waiting = Mutex<CheckedContinuation<Void, Never>?>(nil)
    private func resume() {
        let continuation = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        continuation?.resume()
    }
}

@Suite struct CancelTests {
    private static func failed(_ failure: FailureClass, retryAt: Date? = nil) -> AttemptResult {
        var result = AttemptResult(outcome: .failed, failureClass: failure, message: "it failed")
        result.retryAt = retryAt
        return result
    }

    /// It failed by itself, or met a limit, before it could be ended.
    @Test(arguments: [FailureClass.timeout, .exit, .rateLimited, .idle], [true, false])
    func jobThatFailsAfterItWasCancelled_isCancelled(_ failure: FailureClass, _ mayLook: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        let runner = CancelledWhileItRuns(spool.path, Self.failed(failure), mayLook: mayLook)
        let events = EventList()
        let dispatcher = try spool.dispatcher(
            flags: [ToggleFlag(name: "--max-retries", toggle: .retryMax, text: "1")], runner: runner, events: events,
            adjust: { $0.retryDelayMilliseconds = mayLook ? 0 : 3_600_000 })
        runner.dispatcher.withLock { $0 = dispatcher }
        let ending = try await dispatcher.run()
        runner.dispatcher.withLock { $0 = nil }
        #expect(try spool.job("a.md")?.state == .cancelled)
        #expect(runner.attempts.withLock { $0 } == 1)
        #expect(spool.list("failed") == ["a.md"] && spool.list("") == [])
        #expect(ending.failures == FailureCounts() && ending.deferred == 0)
        #expect(try spool.ledger().read { try $0.requests() }.isEmpty)
    }

    /// A job that goes back to wait, because the spool is on hold, is cancelled instead.
    @Test func jobThatIsGivenBackAfterItWasCancelled_isCancelled() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "exit 1", front: "retry_max: 0")
        try spool.drop("b.md", "true")
        let path = spool.path
        let dispatcher = try spool.dispatcher(
            flags: [ToggleFlag(name: "--fail-fast-threshold", toggle: .failFastThreshold, text: "1")],
            observe: { event in
                // `b.md` is in hand by then.
                guard case .attemptStarted = event else { return }
                _ = try? Ledger(path: path + "/.flowspool/" + Ledger.fileName).write { tx in
                    guard let job = try tx.job(named: "b.md") else { return }
                    try tx.request("cancel", job: job.id, now: 1)
                }
            })
        _ = try await dispatcher.run()
        #expect(try spool.job("a.md")?.state == .failed)
        #expect(try spool.job("b.md")?.state == .cancelled)
        #expect(spool.list("") == [])
    }

    /// The runner has read what was asked while it could not write down that the job waits again.
    @Test(.timeLimit(.minutes(1))) func jobWhoseWayBackCannotBeWritten_isCancelled() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "exit 1", front: "retry_max: 0")
        try spool.drop("b.md", "true")
        let ledger = try spool.ledger()
        try ledger.write {
            try $0.execute(
                """
                CREATE TRIGGER fault BEFORE UPDATE ON jobs WHEN OLD.state = 'active' AND NEW.state IN ('queued', 'cancelled')
                BEGIN SELECT RAISE(FAIL, 'fault'); END
                """)
        }
        let run = Mutex<Dispatcher?>(nil)
        let troubles = Mutex(0)
        let dispatcher = try spool.dispatcher(
            flags: [ToggleFlag(name: "--fail-fast-threshold", toggle: .failFastThreshold, text: "1")],
            observe: { event in
                guard case .trouble = event else { return }
                let count = troubles.withLock { count in
                    count += 1
                    return count
                }
                if count == 1 {
                    _ = try? ledger.write { try $0.request("cancel", job: 2, now: 1) }
                    run.withLock { $0 }?.take(.everything)
                } else {
                    try? ledger.write { try $0.execute("DROP TRIGGER IF EXISTS fault") }
                }
            })
        run.withLock { $0 = dispatcher }
        _ = try await dispatcher.run()
        run.withLock { $0 = nil }
        #expect(troubles.withLock { $0 } >= 2)
        #expect(try spool.job("b.md")?.state == .cancelled && spool.job("b.md")?.attempts == 0)
        #expect(spool.list("") == [] && spool.list("failed") == ["a.md", "b.md"])
    }
}
