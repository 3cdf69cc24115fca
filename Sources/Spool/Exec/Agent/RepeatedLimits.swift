// Limits that jobs of one runner meet one after the other, with no success between them. An endpoint that answers "try again in a
// second" time and again is asked less and less often: what it says of the end is believed once, and then at least so long is
// waited, doubled with each.

import Foundation
import Synchronization

/// What the runners of one run have met.
final class RepeatedLimits: Sendable {
    private struct Row {
        var strikes = 0
        var until = Date.distantPast
    }

    /// Longest wait that comes of repetition alone, in seconds.
    static let waitMaxSeconds = 3600.0

    private let rows = Mutex<[String: Row]>([:])

    /// Limits of `runner` in a row so far; for `forget`.
    func strikes(of runner: String) -> Int { rows.withLock { $0[runner]?.strikes ?? 0 } }

    /// When a limit is taken to have ended that is met now.
    ///
    /// - Parameter told: when it ends, as the tool or the endpoint says.
    func end(_ told: Date, of runner: String, now: Date) -> Date {
        rows.withLock {
            var row = $0[runner] ?? Row()
            // Jobs side by side meet one limit several times; it is one strike.
            if now >= row.until { row.strikes += 1 }
            let least = row.strikes > 1 ? min(Double(1 << min(row.strikes - 1, 30)), Self.waitMaxSeconds) : 0
            row.until = max(told, now.addingTimeInterval(least))
            $0[runner] = row
            return row.until
        }
    }

    /// A job has succeeded. One that was at work already when another met a limit says nothing of it.
    ///
    /// - Parameter strikes: as they were when it began.
    func forget(_ runner: String, since strikes: Int) {
        rows.withLock { if $0[runner]?.strikes == strikes { $0[runner] = nil } }
    }

    /// Takes what an attempt came to.
    func take(_ result: inout AttemptResult, of runner: String, since strikes: Int, now milliseconds: Int64) {
        if result.failureClass == .rateLimited, let told = result.retryAt {
            result.retryAt = end(told, of: runner, now: Date(timeIntervalSince1970: Double(milliseconds) / 1000))
        } else if result.outcome == .success {
            forget(runner, since: strikes)
        }
    }
}
