// The second way to tell that nobody writes, for files that allow no lease (another owner, some network file systems): size
// and times have not changed for a while. One small table, bounded; forgetting an entry only makes a file wait again.

import Synchronization

/// Remembers when files were last seen to change.
final class QuietPeriod: Sendable {
    /// How long a file must stand unchanged, in milliseconds.
    let milliseconds: Int64
    private let seen = Mutex<[String: (signature: String, since: Int64)]>([:])
    private static let entriesMax = 10_000

    init(milliseconds: Int64 = 2000) {
        self.milliseconds = milliseconds
    }

    /// Whether the file has had this signature for the whole period, ending now on the monotonic clock.
    func hasPassed(for name: String, signature: String, now: Int64) -> Bool {
        seen.withLock { table in
            if let entry = table[name], entry.signature == signature {
                guard now - entry.since >= milliseconds else { return false }
                table[name] = nil
                return true
            }
            if table.count >= Self.entriesMax { table.removeAll() }
            table[name] = (signature, now)
            return milliseconds == 0
        }
    }
}
