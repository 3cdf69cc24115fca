// The two forms of a moment that machines write to one another: RFC 3339 and the date of HTTP (RFC 9110, 5.6.7).

import Foundation

enum HTTPDate {
    /// `2026-01-02T03:04:05.678+01:00` at the start of `text`; without an offset it is UTC.
    static func iso(_ text: String) -> Date? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 19, bytes[4] == 45, bytes[7] == 45, bytes[13] == 58, bytes[16] == 58,
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var seconds = Double(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
        var rest = bytes[19...]
        if rest.first == 46 {
            rest = rest.dropFirst().drop { (48...57).contains($0) }
        }
        if let sign = rest.first, sign == 43 || sign == 45, rest.count >= 6, rest[rest.startIndex + 3] == 58,
            let hours = number(rest[rest.startIndex + 1..<rest.startIndex + 3]),
            let minutes = number(rest[rest.startIndex + 4..<rest.startIndex + 6])
        {
            seconds -= Double((hours * 60 + minutes) * 60) * (sign == 43 ? 1 : -1)
        }
        return Date(timeIntervalSince1970: seconds)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func http(_ text: String) -> Date? {
        let words = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard words.count == 6, words[5] == "GMT", let day = Int(words[1]), let month = months.firstIndex(of: String(words[2])),
            let year = Int(words[3])
        else { return nil }
        let parts = words[4].split(separator: ":").compactMap { Int($0) }
        guard parts.count == 3, (1970...9999).contains(year), (1...31).contains(day), (0..<24).contains(parts[0]),
            (0..<60).contains(parts[1]), (0..<61).contains(parts[2])
        else { return nil }
        return Date(
            timeIntervalSince1970: Double(days(year, month + 1, day) * 86_400 + parts[0] * 3600 + parts[1] * 60 + parts[2]))
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        digits.allSatisfy { (48...57).contains($0) } ? digits.reduce(0) { $0 * 10 + Int($1) - 48 } : nil
    }

    /// Days from 1970-01-01 (H. Hinnant, “chrono-compatible low-level date algorithms”).
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
