// A moment as a tool writes it for people: `3:28 PM`, `1pm (Europe/Lisbon)`, `Oct 6, 1pm`, `Sep 4th, 2025 3:28 PM`, `tomorrow at
// 13:00`. What is left out is the next one after now.

import Foundation

/// Reads one written moment; used once.
struct WrittenMoment {
    private let now: Date
    private var timeZone: TimeZone
    private var month: Int?
    private var day: Int?
    private var year: Int?
    private var hour: Int?
    private var minute = 0
    private var isTomorrow = false

    private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

    init(now: Date, timeZone: TimeZone) {
        self.now = now
        self.timeZone = timeZone
    }

    /// - Returns: nil where `text` does not begin with a moment.
    mutating func read(_ text: Substring) -> Date? {
        readZone(text)
        let clean = text.prefix { $0 != "(" && $0 != "\n" }
        // Blanks, commas and the narrow space that JavaScript puts before AM.
        let words = clean.split { $0.isWhitespace || $0 == "," || $0 == "\u{202F}" }.prefix(8).map { String($0).lowercased() }
        for (index, word) in words.enumerated() {
            if hour != nil, !isAfterHour(word) { break }
            guard take(word, next: index + 1 < words.count ? words[index + 1] : nil) else { break }
        }
        return date()
    }

    private mutating func readZone(_ text: Substring) {
        if let open = text.firstIndex(of: "("), let close = text[open...].firstIndex(of: ")") {
            if let zone = TimeZone(identifier: String(text[text.index(after: open)..<close])) { timeZone = zone }
        } else {
            let words = text.split { !$0.isLetter }
            if words.contains(where: { ["UTC", "GMT"].contains($0) }), let zone = TimeZone(identifier: "UTC") { timeZone = zone }
        }
    }

    private func isAfterHour(_ word: String) -> Bool {
        ["am", "pm", "a.m.", "p.m.", "am.", "pm."].contains(word) || Int(word) == nil && Self.isMonth(word)
    }

    private static func isMonth(_ word: String) -> Bool { word.count >= 3 && months.contains(String(word.prefix(3))) }

    private mutating func take(_ word: String, next: String?) -> Bool {
        if word == "at" || word == "on" || word == "of" || Self.isWeekday(word) { return true }
        if word == "tomorrow" {
            isTomorrow = true
            return true
        }
        if word == "today" { return true }
        if Self.isMonth(word) {
            month = Self.months.firstIndex(of: String(word.prefix(3))).map { $0 + 1 }
            return month != nil
        }
        if ["am", "pm", "a.m.", "p.m.", "am.", "pm."].contains(word) {
            setHalf(isAfternoon: word.hasPrefix("p"))
            return hour != nil
        }
        if takeTime(word, next: next) { return true }
        let digits = word.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits) else { return false }
        let rest = word.dropFirst(digits.count)
        if number >= 2000, number < 3000, rest.isEmpty {
            year = number
        } else if (1...31).contains(number), rest.isEmpty || ["st", "nd", "rd", "th"].contains(String(rest)) {
            day = number
        } else {
            return false
        }
        return true
    }

    /// `3:28`, `15:28`, `3:28pm`, `1pm`, and `1` before `pm`.
    private mutating func takeTime(_ word: String, next: String?) -> Bool {
        var text = word[...]
        while let last = text.last, last == "." || last == "!" || last == ";" { text = text.dropLast() }
        let half: Bool? = text.hasSuffix("pm") ? true : text.hasSuffix("am") ? false : nil
        if half != nil { text = text.dropLast(2) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count), let first = parts.first, let hour = Int(first), (0...23).contains(hour),
            first.count <= 2
        else { return false }
        let nextIsHalf = next.map { ["am", "pm", "a.m.", "p.m."].contains($0) } ?? false
        guard parts.count > 1 || half != nil || nextIsHalf else { return false }
        if parts.count > 1 {
            guard let minute = Int(parts[1]), (0...59).contains(minute) else { return false }
            self.minute = minute
        }
        self.hour = hour
        if let half { setHalf(isAfternoon: half) }
        return true
    }

    private mutating func setHalf(isAfternoon: Bool) {
        guard let hour, hour <= 12 else { return }
        self.hour = hour % 12 + (isAfternoon ? 12 : 0)
    }

    private static func isWeekday(_ word: String) -> Bool {
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(String(word.prefix(3))) && word.count >= 3
            && Int(word) == nil && !isMonth(word)
    }

    private func date() -> Date? {
        guard let hour else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let today = calendar.dateComponents([.year, .month, .day], from: now)
        var wanted = DateComponents(year: year ?? today.year, month: month ?? today.month, day: day ?? today.day)
        wanted.hour = hour
        wanted.minute = minute
        guard var date = calendar.date(from: wanted) else { return nil }
        if isTomorrow { date = calendar.date(byAdding: .day, value: 1, to: date) ?? date }
        // A time that has just passed is meant: clocks differ by a little, and tools round.
        if year == nil, date.timeIntervalSince(now) < -300 {
            date = calendar.date(byAdding: month == nil ? .day : .year, value: 1, to: date) ?? date
        }
        return date
    }
}
