// How a prompt writes a time limit: `90`, `90s`, `15m`, `2h`, and whatever else `Quantity` reads. Here are only the bounds.

enum PromptDuration {
    /// Longest limit that is accepted: 30 days, in seconds.
    static let secondsMax = 2_592_000.0
    static let form = "seconds, or a number with a unit, such as 90s, 15m or 2h, up to 30 days"

    /// The limit in seconds; nil where `text` is none, is 0 or is longer than `secondsMax`.
    static func seconds(_ text: String) -> Double? {
        guard let seconds = Quantity.seconds(text), seconds > 0, seconds <= secondsMax else { return nil }
        return seconds
    }
}

/// A span of time as users write it: `90`, `90s`, `15m`, `2h`, up to 30 days; nil where `text` is none.
public func seconds(ofDuration text: String) -> Double? { PromptDuration.seconds(text) }
