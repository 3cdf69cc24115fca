// Times as the contract files write them: UTC, whole seconds, no locale. What can go wrong: nothing; a time outside the years
// 0 to 9999 is written as the nearest of them.

import Foundation

/// UTC times as text.
enum UTCText {
    /// `2026-02-13T23:52:08Z` (RFC 3339).
    static func extended(_ date: Date) -> String {
        let (year, rest) = parts(date)
        return pad(year, 4) + "-" + pad(rest[0]) + "-" + pad(rest[1]) + "T" + pad(rest[2]) + ":" + pad(rest[3]) + ":"
            + pad(rest[4]) + "Z"
    }

    /// `20260213T235208Z` (ISO 8601 basic), as in run ids.
    static func basic(_ date: Date) -> String {
        let (year, rest) = parts(date)
        return pad(year, 4) + pad(rest[0]) + pad(rest[1]) + "T" + rest[2...].map { pad($0) }.joined() + "Z"
    }

    private static func parts(_ date: Date) -> (Int, [Int]) {
        // From 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
        let seconds = min(max(date.timeIntervalSince1970.rounded(.down), -62_167_219_200), 253_402_300_799)
        var time = time_t(seconds)
        var fields = tm()
        gmtime_r(&time, &fields)
        return (
            Int(fields.tm_year) + 1900,
            [fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec].map(Int.init)
        )
    }

    private static func pad(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
