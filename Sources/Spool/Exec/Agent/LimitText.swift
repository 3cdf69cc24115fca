// Whether a tool's last words say that an account has reached a limit, and when that ends. Only ever given terminal events and
// standard error: what an agent merely printed may say anything. Times come in many forms; each is tried, and one that lies
// beyond a month or in the past is not believed.

import Foundation

enum LimitText {
    /// Longest wait that is believed, in seconds.
    static let waitMax = 31 * 86_400.0
    /// What is looked at of a text.
    private static let charactersMax = 8192

    private static let phrases = [
        "hit your limit", "limit reached", "too many requests", "resource has been exhausted", "exceeded your current quota",
        "quota exceeded", "quota will reset", "out of extra usage", "exhausted your capacity",
    ]
    /// Limits, where the same line says what has become of them.
    private static let limits = [
        "usage limit", "rate limit", "session limit", "weekly limit", "daily limit", "hourly limit", "monthly limit",
        "opus limit",
        "sonnet limit",
    ]
    private static let fates = [
        "reached", "exceeded", "hit ", "hit:", "reset", "try again", "retry", "wait", "429", "limited", "error", "quota",
        "too many",
        "upgrade", "used up",
    ]
    /// Names of errors, as words of their own: `test_rate_limit.py` is none, and `rate_limit` by itself may be anything's name.
    private static let names: Set<String> = [
        "rate_limited", "rate_limit_error", "rate_limit_exceeded", "rate_limit_reached", "ratelimiterror", "ratelimitexceeded",
        "ratelimitexceedederror", "usage_limit_reached", "usage_limit_exceeded", "resource_exhausted", "overloaded_error",
    ]
    /// Words by which a line tells of a program's own checks.
    private static let ofTests = ["assert", "disk quota", "expected ", "test failed", "tests failed", "fail src/", "fail test"]
    /// A limit that no waiting lifts.
    private static let never = ["insufficient_quota", "check your plan and billing", "credit balance is too low"]

    static func isLimit(_ text: String) -> Bool {
        let text = tail(text).lowercased()
        // Some say both: that one may pay, and when it goes on by itself.
        let hasEnd = ["retry in ", "try again in ", "retrydelay", "retry-after"].contains(where: text.contains)
        if !hasEnd, never.contains(where: text.contains) { return false }
        return text.split(whereSeparator: \.isNewline).contains { isLimit(line: $0) }
    }

    private static func isLimit(line text: Substring) -> Bool {
        // A test that fails may be about limits, and a disk has a quota as well.
        if ofTests.contains(where: text.contains) || text.hasPrefix("failed ") && text.contains("::") { return false }
        if phrases.contains(where: text.contains) || holdsName(text) { return true }
        if limits.contains(where: text.contains), fates.contains(where: text.contains) { return true }
        // The status, as a word of its own beside a word that says what it is.
        let words = text.split { !($0.isLetter || $0.isNumber) }
        for (first, second) in zip(words, words.dropFirst()) {
            if second == "429", ["status", "code", "error", "http", "statuscode", "rejected"].contains(String(first)) {
                return true
            }
            if first == "429", ["too", "error", "rate"].contains(String(second)) { return true }
            if first == "529", second == "overloaded" { return true }
        }
        return false
    }

    /// Whether an error's name stands there, and is no part of a path or of a longer name.
    private static func holdsName(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        func isPart(_ byte: UInt8) -> Bool { byte.isASCIILetterOrDigit || byte == UInt8(ascii: "_") }
        var start = 0
        while start < bytes.count {
            guard isPart(bytes[start]) else {
                start += 1
                continue
            }
            let end = bytes[start...].firstIndex { !isPart($0) } ?? bytes.count
            let isInPath =
                start > 0 && bytes[start - 1] == UInt8(ascii: "/")
                || end + 1 < bytes.count && bytes[end] == UInt8(ascii: ".") && isPart(bytes[end + 1])
                || end < bytes.count && bytes[end] == UInt8(ascii: "/")
            if !isInPath, names.contains(String(decoding: bytes[start..<end], as: UTF8.self)) { return true }
            start = end
        }
        return false
    }

    /// The end of the limit, as the text gives it.
    ///
    /// - Parameters:
    ///   - now: the present time, which relative times and times of day are counted from.
    ///   - timeZone: that of times without one of their own.
    static func resetTime(in text: String, now: Date, timeZone: TimeZone) -> Date? {
        let text = tail(text)
        let found =
            keyed(text, now: now) ?? epochAfterBar(text) ?? iso(text) ?? relative(text, now: now)
            ?? timeOfDay(text, now: now, timeZone: timeZone)
        guard let found, found.timeIntervalSince(now) <= waitMax, found.timeIntervalSince(now) > -300 else { return nil }
        return max(found, now.addingTimeInterval(1))
    }

    private static func tail(_ text: String) -> String { String(text.suffix(charactersMax)) }

    /// The end of a limit as a program has told it as a number; nil where it lies too far away. In the past: it ends in a moment.
    static func believed(_ date: Date, _ now: Date) -> Date? {
        let wait = date.timeIntervalSince(now)
        return wait.isFinite && wait <= waitMax ? max(date, now.addingTimeInterval(1)) : nil
    }

    // MARK: Machine-readable forms

    /// `"resets_at": 1777936568`, `resets_in_seconds`, `retry_after`, `"retryDelay": "34s"`, `retry-after: 20`.
    private static func keyed(_ text: String, now: Date) -> Date? {
        let folded = text.lowercased().replacingOccurrences(of: "-", with: "_")
        for (key, isMoment) in [
            ("resets_at", true), ("resetsat", true), ("reset_at", true), ("resets_in_seconds", false),
            ("reset_after_seconds", false),
            ("retry_after", false), ("retrydelay", false), ("retryafter", false),
        ] {
            guard let range = folded.range(of: key) else { continue }
            let rest = folded[range.upperBound...].drop { "\"': =".contains($0) }
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(number) else { continue }
            if isMoment {
                if let date = epoch(value) { return date }
            } else if number.endIndex < folded.endIndex, folded[number.endIndex] == "m",
                folded[number.endIndex...].hasPrefix("ms")
            {
                return now.addingTimeInterval(value / 1000)
            } else {
                return now.addingTimeInterval(span(rest)?.seconds ?? value)
            }
        }
        return nil
    }

    private static func epoch(_ value: Double) -> Date? {
        switch value {
        case 1e9..<1e11: Date(timeIntervalSince1970: value)
        case 1e12..<1e14: Date(timeIntervalSince1970: value / 1000)
        default: nil
        }
    }

    /// `Claude AI usage limit reached|1755806400`.
    private static func epochAfterBar(_ text: String) -> Date? {
        for part in text.split(separator: "|").dropFirst() {
            let digits = part.drop { $0 == " " }.prefix { $0.isASCII && $0.isNumber }
            if digits.count >= 10, let value = Double(digits), let date = epoch(value) { return date }
        }
        return nil
    }

    /// `2026-01-02T03:04:05Z`, with fraction and offset.
    private static func iso(_ text: String) -> Date? {
        let characters = Array(text.utf8)
        guard characters.count >= 19 else { return nil }
        for start in 0...(characters.count - 19) where characters[start + 10] == UInt8(ascii: "T") && characters[start + 4] == 45
        {
            let rest = String(decoding: characters[start..<min(characters.count, start + 40)], as: UTF8.self)
            if let date = HTTPDate.iso(rest) { return date }
        }
        return nil
    }

    // MARK: Written forms

    /// `try again in 2 days 17 hours`, `retry in 34.5s`, `resets in 3h20m`, `reset after 5 minutes`.
    private static func relative(_ text: String, now: Date) -> Date? {
        let folded = text.lowercased()
        for lead in [
            "again in ", "retry in ", "resets in ", "reset in ", "reset after ", "retry after ", "available in ", "wait ",
        ] {
            guard let range = folded.range(of: lead) else { continue }
            if let span = span(folded[range.upperBound...]) { return now.addingTimeInterval(span.seconds) }
        }
        return nil
    }

    /// `2 days 17 hours 14 minutes`, `6m0s`, `1h 5m`, `20s`, `500ms`, `30 seconds`; a bare number is seconds.
    private static func span(_ text: Substring) -> (seconds: Double, count: Int)? {
        var rest = text
        var seconds = 0.0
        var count = 0
        while count < 6 {
            rest = rest.drop { $0 == " " || $0 == "," }
            if rest.hasPrefix("and ") { rest = rest.dropFirst(4) }
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(number) else { break }
            rest = rest[number.endIndex...].drop { $0 == " " }
            let unit = rest.prefix { $0.isLetter }
            guard let factor = factor(unit) else {
                if count == 0, unit.isEmpty { return (value, 1) }
                break
            }
            seconds += value * factor
            count += 1
            rest = rest[unit.endIndex...]
        }
        return count > 0 ? (seconds, count) : nil
    }

    private static func factor(_ unit: Substring) -> Double? {
        switch unit {
        case "ms", "milliseconds": 0.001
        case "s", "sec", "secs", "second", "seconds": 1
        case "m", "min", "mins", "minute", "minutes": 60
        case "h", "hr", "hrs", "hour", "hours": 3600
        case "d", "day", "days": 86_400
        case "w", "week", "weeks": 604_800
        default: nil
        }
    }

    /// `try again at 3:28 PM`, `resets 1pm (Europe/Lisbon)`, `try again at Sep 4th, 2025 3:28 PM`, `resets Oct 6 at 13:00`.
    private static func timeOfDay(_ text: String, now: Date, timeZone: TimeZone) -> Date? {
        let folded = text.lowercased()
        for lead in ["again at ", "resets at ", "reset at ", "resets on ", "resets ", "available at ", "reset on ", "until "] {
            var from = folded.startIndex
            while let range = folded.range(of: lead, range: from..<folded.endIndex) {
                from = range.upperBound
                let original = text.dropFirst(folded.distance(from: folded.startIndex, to: range.upperBound)).prefix(80)
                var moment = WrittenMoment(now: now, timeZone: timeZone)
                if let date = moment.read(original) { return date }
            }
        }
        return nil
    }
}
