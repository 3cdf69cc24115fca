// A cron schedule as crontab(5) defines it, and the same times in systemd's words (systemd.time(7), "Calendar Events"). Pure.
// What can go wrong: an expression that cron would not take, or one that systemd has no words for; both are errors that say
// which field.

/// The five time fields of a crontab line, or one of cron's `@` words.
public struct CronExpression: Sendable, Hashable {
    /// As it stands in a crontab: fields separated by single spaces.
    public let text: String
    /// The same times for `OnCalendar=`; several lines mean "or".
    public let onCalendar: [String]

    /// - Throws: `FlowspoolError(.invalidInput)`.
    public init(_ source: String) throws(FlowspoolError) {
        let fields = source.unicodeScalars.split { $0 == " " || $0 == "\t" }.map(String.init)
        text = fields.joined(separator: " ")
        if fields.count == 1, let calendar = Self.words[fields[0]] {
            onCalendar = [calendar]
            return
        }
        guard fields.count == 5 else {
            throw FlowspoolError(
                .invalidInput, "“\(printable(source))” is not a cron schedule: \(fields.count) fields instead of 5",
                hint: "minute hour day-of-month month day-of-week, such as '0 2 * * *' for each night at 2:00")
        }
        let minute = try Self.translate(fields[0], .minute)
        let hour = try Self.translate(fields[1], .hour)
        let day = try Self.translate(fields[2], .dayOfMonth)
        let month = try Self.translate(fields[3], .month)
        let weekdays = try Self.weekdays(fields[4])
        let time = "\(hour):\(minute):00"
        let everyDay = fields[4].hasPrefix("*")
        if !everyDay, !fields[2].hasPrefix("*") {
            // Cron runs when either matches, if neither begins with a star; systemd when both do: hence two lines.
            onCalendar = ["*-\(month)-\(day) \(time)", "\(weekdays) *-\(month)-* \(time)"]
        } else {
            onCalendar = [(weekdays.isEmpty ? "" : weekdays + " ") + "*-\(month)-\(day) \(time)"]
        }
    }

    /// What `@daily` and the others mean. `@reboot` is no calendar time and not among them.
    private static let words = [
        "@hourly": "*-*-* *:00:00", "@daily": "*-*-* 00:00:00", "@midnight": "*-*-* 00:00:00",
        "@weekly": "Sun *-*-* 00:00:00", "@monthly": "*-*-01 00:00:00", "@yearly": "*-01-01 00:00:00",
        "@annually": "*-01-01 00:00:00",
    ]

    // MARK: - Fields

    private enum Field: String {
        case minute, hour
        case dayOfMonth = "day-of-month"
        case month
        case dayOfWeek = "day-of-week"

        var range: ClosedRange<Int> {
            switch self {
            case .minute: 0...59
            case .hour: 0...23
            case .dayOfMonth: 1...31
            case .month: 1...12
            case .dayOfWeek: 0...7
            }
        }

        var names: [String] {
            switch self {
            case .month: ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            case .dayOfWeek: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
            default: []
            }
        }
    }

    /// One element of a field's list: `*`, `5`, `1-5`, each with an optional step.
    private struct Item {
        var first: Int
        var last: Int
        var step: Int
        var isStar: Bool
    }

    private static func items(_ text: String, _ field: Field) throws(FlowspoolError) -> [Item] {
        var result: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let ends = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            var item: Item
            if halves[0] == "*" {
                item = Item(first: field.range.lowerBound, last: field.range.upperBound, step: 1, isStar: true)
                // Sunday is both 0 and 7.
                if field == .dayOfWeek { item.last = 6 }
            } else {
                let first = try number(ends[0], field, text)
                let last = ends.count == 2 ? try number(ends[1], field, text) : first
                guard first <= last else { throw fault(field, text, "\(first) comes after \(last)") }
                item = Item(first: first, last: last, step: 1, isStar: false)
            }
            if halves.count == 2 {
                guard halves[0] == "*" || ends.count == 2 else { throw fault(field, text, "a step needs * or a range before it") }
                guard let step = decimal(halves[1]), step >= 1 else { throw fault(field, text, "the step is no number above 0") }
                item.step = step
            }
            result.append(item)
        }
        return result
    }

    private static func number(_ text: Substring, _ field: Field, _ whole: String) throws(FlowspoolError) -> Int {
        if let index = field.names.firstIndex(of: text.lowercased()), !text.isEmpty { return index }
        guard let value = decimal(text), field.range.contains(value) else {
            throw fault(field, whole, "not \(field.range.lowerBound) to \(field.range.upperBound)")
        }
        return value
    }

    /// ASCII digits only: `Int` would take a sign.
    private static func decimal(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    private static func fault(_ field: Field, _ text: String, _ what: String) -> FlowspoolError {
        FlowspoolError(
            .invalidInput, "cron field \(field.rawValue) “\(printable(text))”: \(what)",
            hint: "see crontab(5); '0 2 * * *' is each night at 2:00")
    }

    // MARK: - systemd

    private static func translate(_ text: String, _ field: Field) throws(FlowspoolError) -> String {
        try items(text, field).map { item in
            if item.isStar { return item.step == 1 ? "*" : "\(two(item.first))/\(item.step)" }
            if item.first == item.last { return two(item.first) }
            return "\(two(item.first))..\(two(item.last))" + (item.step == 1 ? "" : "/\(item.step)")
        }.joined(separator: ",")
    }

    /// Days of the week as a list, since systemd's week begins on Monday and its ranges cannot cross Sunday; empty for all.
    private static func weekdays(_ text: String) throws(FlowspoolError) -> String {
        var days: Set<Int> = []
        for item in try items(text, .dayOfWeek) {
            for day in stride(from: item.first, through: item.last, by: item.step) { days.insert(day % 7) }
        }
        if days.count == 7 { return "" }
        let words = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        return (1...7).filter { days.contains($0 % 7) }.map { words[$0 % 7] }.joined(separator: ",")
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
