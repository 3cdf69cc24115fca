// How a prompt writes a span of time: `90`, `90s`, `15m`, `2h`. One reader for front matter and marks.

enum PromptDuration {
    /// Longest span that is accepted: 30 days, in seconds.
    static let secondsMax = 2_592_000.0
    static let form = "seconds, or a number with s, m or h, such as 90s, 15m or 2h, up to 30 days"

    /// The span in seconds; nil where `text` is none, is 0 or is longer than `secondsMax`. Fractions are allowed (`0.5s`).
    static func seconds(_ text: String) -> Double? {
        var number = Substring(text)
        var unit = 1.0
        switch number.last {
        case "s": number.removeLast()
        case "m":
            unit = 60
            number.removeLast()
        case "h":
            unit = 3600
            number.removeLast()
        default: break
        }
        // Double(_:) alone would also take "nan", "1e9" and "0x10".
        guard !number.isEmpty, number.utf8.count <= 12, number.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }),
            let value = Double(number)
        else { return nil }
        let seconds = value * unit
        return seconds > 0 && seconds <= secondsMax ? seconds : nil
    }
}
