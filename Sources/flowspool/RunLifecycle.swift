// Signals and the end of a run. The first TERM or INT asks the dispatcher to drain, the second to stop at once; both are passed
// on, so that a signal that comes before a spool is open is not lost. One service group holds the run and the signals.

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
    }

    private let state = Mutex(State())

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
        if stops == 1 { dispatcher?.drain() } else { dispatcher?.stopNow() }
    }
}

/// Turns signals into requests.
struct SignalService: Service {
    let control: RunControl

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        for await _ in signals.cancelOnGracefulShutdown() { control.stop() }
    }
}

enum RunLifecycle {
    /// Runs `service` with signals handled, until it ends.
    static func run(_ service: some Service, control: RunControl) async throws {
        var logger = Logger(label: "flowspool") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: SignalService(control: control)),
                ], logger: logger))
        try await group.run()
    }
}
