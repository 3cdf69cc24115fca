import Foundation
import Testing

@testable import Spool

@Suite struct UTCTextTests {
    /// Foundation's own calendar says the same, from before 1970 to the year 9999.
    @Test func time_isSpelledAsRFC3339() throws {
        var moments: [Int64] = [0, -1, 999, 1000, -62_135_596_800_000 + 62_000_000_000_000, 253_402_300_799_999]
        // Days around the ends of February, of years and of centuries.
        for year in [1900, 1970, 2000, 2023, 2024, 2100, 9999] as [Int64] {
            let days = (year - 1970) * 365 + (year - 1969) / 4
            moments += (-3...3).map { ($0 + days + 59) * 86_400_000 + 45_296_007 } + (-3...3).map { ($0 + days) * 86_400_000 - 1 }
        }
        for moment in moments {
            let whole = Int64((Double(moment) / 1000).rounded(.down))
            let expected = Date(timeIntervalSince1970: Double(whole)).formatted(Date.ISO8601FormatStyle())
            #expect(utcText(moment, fraction: false) == expected)
            let milliseconds = String(moment - whole * 1000 + 1000).dropFirst()
            #expect(utcText(moment) == expected.dropLast() + "." + milliseconds + "Z")
        }
    }

    @Test func year_ofMoreThanFourDigits_isNotCut() {
        #expect(utcText(253_402_300_800_000) == "10000-01-01T00:00:00.000Z")
    }
}
