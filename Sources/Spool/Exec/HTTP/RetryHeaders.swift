// When an endpoint that refuses for a limit wants to be asked again: `Retry-After` (RFC 9110, 10.2.3) in both forms, the
// `retry-after-ms` and `x-ratelimit-reset-*` of OpenAI-compatible servers, `anthropic-ratelimit-*-reset`.

import Foundation

enum RetryHeaders {
    /// - Parameter headers: names in any case.
    /// - Returns: nil where no header says so.
    static func retryAt(_ headers: [(name: String, value: String)], now: Date) -> Date? {
        func value(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
        if let text = value("retry-after-ms"), let milliseconds = Double(text) {
            return LimitText.believed(now.addingTimeInterval(milliseconds / 1000), now)
        }
        if let text = value("retry-after") {
            if let seconds = Double(text) { return LimitText.believed(now.addingTimeInterval(seconds), now) }
            if let date = HTTPDate.http(text) { return LimitText.believed(date, now) }
        }
        // Only the limits of which nothing is left count; where none says so, the latest reset does.
        var latest: Date?
        for (name, text) in headers {
            let name = name.lowercased()
            guard name.contains("ratelimit"), name.contains("reset") else { continue }
            let remaining = headers.first { $0.name.lowercased() == name.replacingOccurrences(of: "reset", with: "remaining") }?
                .value
            if let remaining, Double(remaining).map({ $0 > 0 }) ?? false { continue }
            let date = HTTPDate.iso(text) ?? LimitText.resetTime(in: "resets in \(text)", now: now, timeZone: .gmt)
            if let date = date.flatMap({ LimitText.believed($0, now) }) { latest = max(latest ?? date, date) }
        }
        return latest
    }
}
