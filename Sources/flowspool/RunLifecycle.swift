// Signals and the end of a run. The first TERM or INT asks the dispatcher to drain, the second to stop at once; both are passed
// on, so that a signal that comes before a spool is open is not lost. HUP reads spool.yaml again under `watch`, unless its terminal has been closed; a batch, which
// has no use for that, takes it as a request to stop, unless its caller ignores it (nohup). One service group holds the run and
// the signals.

import Foundation
import Logging
import ServiceLifecycle
import Spool
import Synchronization
import UnixSignals

/// What outside events may do to a run; safe to use from anywhere.
final class RunControl: Sendable {
    private struct State {
        var dispatcher: Dispatcher?
        var stops = 0
        var ending: RunEnding?
        var reload: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    /// Whether there was a terminal when it began.
    private let hadTerminal = RunControl.hasTerminal
    /// Told of the first request to stop.
    private let stopping: @Sendable () -> Void

    init(stopping: @escaping @Sendable () -> Void = {}) { self.stopping = stopping }

    var isStopping: Bool { state.withLock { $0.stops > 0 } }
    /// How the last session ended.
    var ending: RunEnding? { state.withLock { $0.ending } }

    func set(_ dispatcher: Dispatcher) {
        let stops = state.withLock { state in
            state.dispatcher = dispatcher
            return state.stops
        }
        if stops > 0 { dispatcher.drain() }
        if stops > 1 { dispatcher.stopNow() }
    }

    func clear(_ ending: RunEnding) {
        state.withLock { state in
            state.dispatcher = nil
            state.ending = ending
        }
    }

    /// One more request to stop.
    func stop() {
        let (dispatcher, stops) = state.withLock { state in
            state.stops += 1
            return (state.dispatcher, state.stops)
        }
        if stops == 1 { stopping() }
        if stops == 1 { dispatcher?.drain() } else { dispatcher?.stopNow() }
    }

    /// What HUP does from now on; nil: it stops.
    func onHangup(_ reload: (@Sendable () -> Void)?) { state.withLock { $0.reload = reload } }

    /// Whether this process has a terminal that steers it, tty(4); it has none once that was closed.
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// The terminal has gone, or somebody asks for the settings to be read again.
    func hangUp() {
        // Who closes the terminal of a watcher has stopped watching.
        if hadTerminal, !Self.hasTerminal { return stop() }
        guard let reload = state.withLock({ $0.reload }) else { return stop() }
        reload()
    }
}

/// Turns signals into requests.
struct SignalService: Service {
    let control: RunControl
    private let signals: UnixSignalsSequence

    /// Returns once the signals are caught: until then each would end the process at once.
    init(control: RunControl, takesHangup: Bool) async {
        self.control = control
        var trapped: [UnixSignal] = [.sigterm, .sigint]
        if takesHangup { trapped.append(.sighup) }
        signals = await UnixSignalsSequence(trapping: trapped)
    }

    func run() async throws {
        for await signal in signals.cancelOnGracefulShutdown() {
            if signal == .sighup { control.hangUp() } else { control.stop() }
        }
    }

    /// Whether HUP comes as a signal at all: under nohup(1) it is ignored, and stays so.
    static var isHangupIgnored: Bool {
        var action = sigaction()
        guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1  // SIG_IGN, <signal.h>
    }
}

enum RunLifecycle {
    /// Runs `service` with signals handled, until it ends.
    ///
    /// - Parameter takesHangup: whether HUP is a request even where the caller ignores it.
    static func run(_ service: some Service, control: RunControl, takesHangup: Bool = false) async throws {
        var logger = Logger(label: "flowspool") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        // Before the group, whose services all begin at once: what is run must not begin uncaught.
        let signals = await SignalService(control: control, takesHangup: takesHangup || !SignalService.isHangupIgnored)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: signals),
                ], logger: logger))
        try await group.run()
    }
}
