import Foundation
import Testing

@testable import Spool

@Suite struct LimitTextTests {
    /// 2026-01-02T03:04:05Z, a Friday.
    private static let now = Date(timeIntervalSince1970: 1_767_323_045)

    private func reset(_ text: String, zone: String = "UTC") throws -> String? {
        let zone = try #require(TimeZone(identifier: zone))
        return LimitText.resetTime(in: text, now: Self.now, timeZone: zone).map(Stamp.utc)
    }

    @Test(arguments: [
        ("Claude AI usage limit reached|1767330000", "2026-01-02T05:00:00Z"),
        (#"{"type":"usage_limit_reached","resets_at":1767330000,"resets_in_seconds":13872}"#, "2026-01-02T05:00:00Z"),
        (#"{"resets_in_seconds": 60}"#, "2026-01-02T03:05:05Z"), ("Retry-After: 20", "2026-01-02T03:04:25Z"),
        (#""retryDelay": "34s""#, "2026-01-02T03:04:39Z"), ("limit resets at 2026-01-02T05:00:00Z", "2026-01-02T05:00:00Z"),
        ("until 2026-01-02T05:00:00.5+01:00", "2026-01-02T04:00:00Z"),
        ("try again in 2 days 17 hours 14 minutes.", "2026-01-04T20:18:05Z"),
        ("Please try again in 6m0s.", "2026-01-02T03:10:05Z"),
        ("Please try again in 500ms", "2026-01-02T03:04:06Z"), ("Your quota will reset after 3h20m5s.", "2026-01-02T06:24:10Z"),
        ("retry after 30 seconds", "2026-01-02T03:04:35Z"), ("try again at 3:28 PM.", "2026-01-02T15:28:00Z"),
        ("try again at 3:28\u{202F}AM", "2026-01-02T03:28:00Z"), ("try again at 2:00 AM", "2026-01-03T02:00:00Z"),
        ("You've hit your limit · resets 1pm (Europe/Lisbon)", "2026-01-02T13:00:00Z"),
        ("hit your session limit · resets 4:50am (Europe/Rome)", "2026-01-02T03:50:00Z"),
        ("resets Jan 6, 1pm (America/New_York)", "2026-01-06T18:00:00Z"),
        ("try again at Jan 4th, 2026 3:28 PM.", "2026-01-04T15:28:00Z"),
        ("resets at 15:30 UTC", "2026-01-02T15:30:00Z"), ("resets tomorrow at 09:00", "2026-01-03T09:00:00Z"),
        ("usage limit; resets 12am", "2026-01-03T00:00:00Z"),
    ])
    func resetTime_inEveryWrittenForm(_ text: String, _ expected: String) throws {
        #expect(try reset(text) == expected)
    }

    @Test func timeOfDay_withoutZone_isLocal() throws {
        #expect(try reset("try again at 3:28 PM", zone: "Asia/Tokyo") == "2026-01-02T06:28:00Z")
    }

    @Test(arguments: [
        "", "usage limit reached", "try again later", "resets soon", "try again at noonish", "resets_at: 5", "resets in 90 days",
    ])
    func resetTime_whereNoneIsGiven_isNil(_ text: String) throws { #expect(try reset(text) == nil) }

    @Test func timeThatHasJustPassed_isNow() throws { #expect(try reset("resets 3:04am") == "2026-01-02T03:04:06Z") }

    @Test(arguments: [
        "You've hit your usage limit.", "Error code: 429 - {}", "429 Too Many Requests", "rate_limit_error", "RESOURCE_EXHAUSTED",
        "You exceeded your current quota. Please retry in 34.2s.", "overloaded_error",
        "litellm.RateLimitError: AnthropicException", "API Error: Request rejected (429)", "529 overloaded", "Opus limit reached",
        "error: rate_limit_exceeded", "{\"code\":\"usage_limit_reached\"}",
    ])
    func limits_areRecognised(_ text: String) { #expect(LimitText.isLimit(text)) }

    @Test(arguments: [
        "", "exit 1", "line 429 of the file", "insufficient_quota: You exceeded your current quota", "context limit", "port 4290",
        "FAILED tests/test_rate_limit.py::test_window - AssertionError", "src/rate_limit/mod.rs: no such file",
        "test_rate_limit failed",
        "cp: error writing 'big.o': Disk quota exceeded", "AssertionError: expected the rate limit to be 3",
        "I have documented the rate limit of the API", "const rate_limit = 5",
    ])
    func otherTrouble_isNoLimit(_ text: String) { #expect(!LimitText.isLimit(text)) }

    @Test func headers_sayWhen() {
        func at(_ headers: [(name: String, value: String)]) -> String? {
            RetryHeaders.retryAt(headers, now: Self.now).map(Stamp.utc)
        }
        #expect(at([("Retry-After", "5")]) == "2026-01-02T03:04:10Z")
        #expect(at([("retry-after", "Fri, 02 Jan 2026 05:00:00 GMT")]) == "2026-01-02T05:00:00Z")
        #expect(at([("retry-after-ms", "1500")]) == "2026-01-02T03:04:06Z")
        #expect(
            at([
                ("x-ratelimit-reset-requests", "6m0s"), ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-tokens", "1h"),
                ("x-ratelimit-remaining-tokens", "900"),
            ]) == "2026-01-02T03:10:05Z")
        #expect(at([("anthropic-ratelimit-tokens-reset", "2026-01-02T05:00:00Z")]) == "2026-01-02T05:00:00Z")
        #expect(at([("Retry-After", "99999999999")]) == nil)
        for time in ["9999999999999999:00:00", "24:00:00", "05:60:00", "05:00:61", "-1:00:00", "05:00"] {
            #expect(at([("Retry-After", "Fri, 02 Jan 2026 \(time) GMT")]) == nil, "\(time)")
        }
        #expect(at([]) == nil)
    }
}
