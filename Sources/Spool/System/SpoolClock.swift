// Time, passed in. Wall-clock time is for people and for what must survive a restart; durations and waits in a process use
// the monotonic clock, so that a clock that is set never stretches or shrinks them.

import Foundation

/// The two clocks that the spool reads.
public protocol SpoolClock: Sendable {
    /// Milliseconds since 1970 UTC (clock_gettime(2), CLOCK_REALTIME).
    func wallMilliseconds() -> Int64
    /// Milliseconds on a clock that never steps, and that goes on while the machine is suspended (CLOCK_BOOTTIME).
    func monotonicMilliseconds() -> Int64
    /// Waits on the monotonic clock; ends early by throwing `CancellationError`.
    func sleep(milliseconds: Int64) async throws
}

/// The machine's clocks.
public struct SystemClock: SpoolClock {
    public init() {}

    public func wallMilliseconds() -> Int64 { Self.read(CLOCK_REALTIME) }
    public func monotonicMilliseconds() -> Int64 { Self.read(CLOCK_BOOTTIME) }

    public func sleep(milliseconds: Int64) async throws {
        try await Task.sleep(for: .milliseconds(Int(max(0, milliseconds))))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// `2026-01-02T03:04:05.006Z` (RFC 3339) for milliseconds since 1970 UTC, proleptic Gregorian calendar.
public func utcText(_ milliseconds: Int64, fraction: Bool = true) -> String {
    let day = Int64(86_400_000)
    var days = milliseconds / day
    var rest = milliseconds % day
    if rest < 0 {
        rest += day
        days -= 1
    }
    let (year, month, dayOfMonth) = civil(fromDays: days)
    let yearText = String(year)
    // By bytes, in one piece of memory: each job has a dozen of these.
    return String(unsafeUninitializedCapacity: 24 + yearText.utf8.count) { out in
        var count = 0
        func append(_ byte: UInt8) {
            out.initializeElement(at: count, to: byte)
            count += 1
        }
        func append(digit: Int64) { append(UInt8(ascii: "0") + UInt8(digit % 10)) }
        for _ in yearText.utf8.count..<max(4, yearText.utf8.count) { append(digit: 0) }
        yearText.utf8.forEach { append($0) }
        for (mark, value): (Unicode.Scalar, Int64) in [
            ("-", month), ("-", dayOfMonth), ("T", rest / 3_600_000), (":", rest / 60_000 % 60), (":", rest / 1000 % 60),
        ] {
            append(UInt8(ascii: mark))
            append(digit: value / 10)
            append(digit: value)
        }
        if fraction {
            append(UInt8(ascii: "."))
            for unit in [100, 10, 1] as [Int64] { append(digit: rest / unit) }
        }
        append(UInt8(ascii: "Z"))
        return count
    }
}

/// Days since 1970-01-01 to year, month, day (H. Hinnant, “chrono-compatible low-level date algorithms”).
private func civil(fromDays days: Int64) -> (Int64, Int64, Int64) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
}
