// systemd, where it started this process (Type=notify): told when the spool is watched, when spool.yaml is being read again, and
// when the run is coming to its end. That it cannot be told is said once and changes nothing else.

import Spool
import Synchronization

/// Whoever started this service.
final class Supervisor: Sendable {
    private let notify: SystemdNotify
    private let clock = SystemClock()
    private let hasFailed = Mutex(false)

    init(environment: [String: String]) { notify = SystemdNotify(environment: environment) }

    func ready() { tell { try notify.ready(status: "watching") } }

    func stopping() { tell { try notify.stopping(status: "lets running jobs finish") } }

    /// `ready` must follow.
    func reloading() { tell { try notify.reloading(monotonicMicroseconds: clock.monotonicMilliseconds() * 1000) } }

    private func tell(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            guard
                hasFailed.withLock({ failed in
                    defer { failed = true }; return !failed
                })
            else { return }
            let text = (error as? FlowspoolError)?.message ?? "\(error)"
            StandardError.warn("systemd cannot be told: \(printable(text))")
        }
    }
}
