// Durations and sizes as people write them. One reader for configuration, flags and front matter, so that `15m` means the same
// everywhere. Anything with a sign, a space or an unknown unit is no quantity.

/// Reads quantities with units.
public enum Quantity {
    /// Seconds that `text` means: a number of seconds, or a number with `ms`, `s`, `m`, `h`, `d` or `w`; nil where it is neither.
    public static func seconds(_ text: String) -> Double? {
        guard let (number, unit) = split(text) else { return nil }
        let factor: Double? =
            switch unit {
            case "", "s": 1
            case "ms": 0.001
            case "m": 60
            case "h": 3600
            case "d": 86400
            case "w": 604_800
            default: nil
            }
        return factor.map { number * $0 }
    }

    /// Bytes that `text` means: a whole number, or a number with `B`, `kB`, `MB`, `GB` (powers of 1000) or `KiB`, `MiB`, `GiB`
    /// (powers of 1024); nil where it is neither.
    public static func bytes(_ text: String) -> Int? {
        guard let (number, unit) = split(text) else { return nil }
        let factor: Double? =
            switch unit {
            case "", "B": 1
            case "kB", "KB": 1e3
            case "MB": 1e6
            case "GB": 1e9
            case "KiB": 1024
            case "MiB": 1024 * 1024
            case "GiB": 1024 * 1024 * 1024
            default: nil
            }
        guard let bytes = factor.map({ number * $0 }), bytes == bytes.rounded(), bytes < 1e18 else { return nil }
        return Int(bytes)
    }

    private static func split(_ text: String) -> (number: Double, unit: Substring)? {
        let digits = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        guard digits.count <= 20, let first = digits.first, let last = digits.last, first != ".", last != ".",
            let number = Double(digits)
        else { return nil }
        return (number, text[digits.endIndex...])
    }
}
