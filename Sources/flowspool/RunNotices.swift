// `notify:` of spool.yaml, joined to a run: events become messages, and messages go to the user's commands beside the work, one
// after the other. What always holds: no job waits for a command, a run's end waits for a bounded time, and a command that fails
// costs a line on standard error. Both the queue and the waiting are bounded; what did not fit is counted and said.

import Foundation
import Spool
import Synchronization

/// The user's commands as an observer of a run.
final class RunNotices: Sendable {
    /// Messages that wait at most; a command of ten seconds is behind by then anyway.
    private static let waitingMax = 256

    private struct State {
        var notifier: Notifier
        /// When the messages that still wait are given up, on the monotonic clock; nil: the run goes on.
        var giveUpAt: Int64?
        var dropped = 0
    }

    private let opened: OpenedSpool
    private let runID: String
    private let isBatch: Bool
    private let clock = SystemClock()
    private let state: Mutex<State>
    private let stream: AsyncStream<Notifier.Message>
    private let input: AsyncStream<Notifier.Message>.Continuation

    init(_ opened: OpenedSpool, runID: String, isBatch: Bool) {
        self.opened = opened
        self.runID = runID
        self.isBatch = isBatch
        state = Mutex(State(notifier: Self.notifier(opened, opened.configuration)))
        (stream, input) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    /// The commands get this process's whole environment: they are the owner's, and often need the very secrets that prompts
    /// must not see.
    private static func notifier(_ opened: OpenedSpool, _ configuration: SpoolConfiguration) -> Notifier {
        Notifier(
            configuration.notifiers, executor: LocalExecutor(outputBytesMax: 64 << 10), scratch: opened.spool.control,
            environment: opened.facts.environment)
    }

    /// From the next message on, these commands are told.
    func reload(_ configuration: SpoolConfiguration) {
        let notifier = Self.notifier(opened, configuration)
        state.withLock { $0.notifier = notifier }
    }

    /// Takes an event; returns at once.
    func take(_ event: RunEvent) {
        guard let message = message(event), state.withLock({ $0.notifier.wants(message.event) }) else { return }
        if case .dropped = input.yield(message) { state.withLock { $0.dropped += 1 } }
    }

    /// No more events will come. The messages that wait are sent for at most the longest `notify.timeout` more; then only the
    /// batch's own end is told.
    func finish() {
        let limit = opened.configuration.notifiers.map(\.timeoutSeconds).max() ?? 0
        state.withLock { $0.giveUpAt = clock.monotonicMilliseconds() + Int64(limit * 1000) }
        input.finish()
    }

    /// Tells the commands until `finish`.
    func run() async {
        for await message in stream {
            let notifier: Notifier? = state.withLock { state in
                guard let at = state.giveUpAt, at <= clock.monotonicMilliseconds(), message.event != .batchDone else {
                    return state.notifier
                }
                state.dropped += 1
                return nil
            }
            guard let notifier else { continue }
            for failure in await notifier.notify(addingRunDirectory(message)) {
                StandardError.write("\(StandardError.prefix)\(failure)\n")
            }
        }
        let dropped = state.withLock { $0.dropped }
        if dropped > 0 {
            StandardError.write(
                "\(StandardError.prefix)notify: \(dropped) events were not told, because the commands were too slow\n")
        }
    }

    // MARK: Messages

    private func message(_ event: RunEvent) -> Notifier.Message? {
        switch event {
        case .finished(let job, _) where job.state == .failed: about(job, .jobFailed)
        case .blocked(let job, _), .refused(let job): about(job, .jobFailed)
        case .held(let job, _): about(job, .jobHeld)
        case .onHold(let hold): about(hold)
        case .ended(let ending) where isBatch: about(ending)
        default: nil
        }
    }

    private func about(_ job: Job, _ event: Notifier.Event) -> Notifier.Message {
        var message = begin(event, reason: job.reason)
        message.job = job.id
        message.prompt = job.name
        message.status = job.status?.rawValue ?? job.state.rawValue
        return message
    }

    private func about(_ hold: HoldRecord) -> Notifier.Message {
        var message = begin(.spoolHold, reason: hold.reason)
        message.prompt = hold.lastPrompt
        message.status = hold.kind.rawValue
        message.failStreak = hold.failStreak
        message.failTotal = hold.failTotal
        return message
    }

    private func about(_ ending: RunEnding) -> Notifier.Message {
        var message = begin(
            .batchDone,
            reason: "\(ending.ran) started, \(ending.succeeded) succeeded, \(ending.failed) failed, \(ending.held) held")
        message.status = ending.why.rawValue
        message.failStreak = ending.failures.streak
        message.failTotal = ending.failures.total
        return message
    }

    private func begin(_ event: Notifier.Event, reason: String) -> Notifier.Message {
        var message = Notifier.Message(event, at: clock.wallMilliseconds(), spool: opened.spool.path, reason: reason)
        message.runID = runID
        return message
    }

    private func addingRunDirectory(_ message: Notifier.Message) -> Notifier.Message {
        guard let id = message.job else { return message }
        var message = message
        // A message without its folder is better than none.
        let attempts = (try? opened.ledger.read { try $0.attempts(of: id) }) ?? []
        message.runDirectory = attempts.last.map { opened.spool.path + "/" + $0.runDirectory }
        return message
    }
}
