// Text for files that a shell reads. What always holds: the shell gets back exactly the bytes that were quoted, whatever they
// are; nothing in them is expanded or run. A shell string is never *run* from here, only printed for people and cron.

/// Quoting for POSIX shells.
enum ShellText {
    /// `text` as one word: bare where every character is harmless, else in single quotes (POSIX 2.2.2).
    static func quote(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy(isHarmless)
        return isPlain ? text : quoteAlways(text)
    }

    /// `text` in single quotes, always: for assignments, where a reader should see at once where the value ends.
    static func quoteAlways(_ text: String) -> String {
        var result = "'"
        for scalar in text.unicodeScalars {
            // Between single quotes every character but the quote itself stands for itself.
            if scalar == "'" { result += #"'\''"# } else { result.unicodeScalars.append(scalar) }
        }
        return result + "'"
    }

    /// A command line.
    static func join(_ words: [String]) -> String {
        words.map(quote).joined(separator: " ")
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ","),
            UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "+"):
            true
        default: false
        }
    }
}
