// The machine in trouble: it is said, and nothing new is tried for a while.

import Foundation

extension Dispatcher {
    /// Runs `body`; an error becomes an event and a pause, because the machine, not the job, is in trouble.
    @discardableResult
    func note<T>(_ body: () throws -> T) -> T? {
        do {
            return try body()
        } catch {
            trouble(error)
            return nil
        }
    }

    func trouble(_ error: any Error) {
        let shown: FlowspoolError =
            switch error {
            case let error as FlowspoolError: error
            case let error as SystemCallError: error.forUser
            default: FlowspoolError(.bug, "\(error)")
            }
        observe(.trouble(shown))
        let now = clock.monotonicMilliseconds()
        // What else fails in the same moment is the same trouble.
        if now >= pausedUntil {
            pauses += 1
            lastingPauses = shown.isLasting ? lastingPauses + 1 : 0
        }
        let pause = settings.troublePauseMilliseconds
        pausedUntil = now + min(pause << Int64(min(max(pauses, 1) - 1, 16)), pause * Self.troublePausesMax)
    }

    /// Tells of trouble with one file, which keeps no other waiting and is met again at each look.
    func tellOnce(_ error: SystemCallError) {
        if toldOf.insert(error).inserted { observe(.trouble(error.forUser)) }
    }

    /// Trouble that lasts is met less often: up to this multiple of the first pause, so once a minute.
    static let troublePausesMax: Int64 = 12

    /// So many pauses in a row for trouble that only a person can mend, and a run that drains gives up: 35 s.
    static let lastingPausesMax = 4
}
