// Tells how far a dispatcher has come, without waiting for time.

import Foundation
import Synchronization

@testable import Spool

/// The real clock, which counts how often the monotonic time was asked for.
final class CountingClock: SpoolClock {
    private let count = Mutex(0)
    var looks: Int { count.withLock { $0 } }

    func wallMilliseconds() -> Int64 { SystemClock().wallMilliseconds() }
    func monotonicMilliseconds() -> Int64 {
        count.withLock { $0 += 1 }
        return SystemClock().monotonicMilliseconds()
    }
    func sleep(milliseconds: Int64) async throws { try await SystemClock().sleep(milliseconds: milliseconds) }

    /// Waits until a dispatcher has taken in what happened before: it looks at the clock a few times in each turn.
    ///
    /// - Parameter wake: gives it a turn.
    func waitForTurns(_ wake: () -> Void) {
        let before = looks
        while looks < before + 40 {
            wake()
            sched_yield()
        }
    }
}
