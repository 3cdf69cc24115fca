// The comments in a block's first lines that tell flowspool how to run it (DESIGN "Execution"). A `# flowspool:` comment that is
// no mark is an error (`shell_syntax`, at its line): a misspelled `skip` must not run.

extension Block.Marks {
    /// How many lines of a block may hold marks.
    static let linesMax = 5

    /// Reads the marks of `text`, whose first line is line `firstLine` of the file.
    static func read(from text: String, firstLine: Int, findings: inout [Finding]) -> Block.Marks {
        var marks = Block.Marks()
        for (offset, line) in text.split(separator: "\n", maxSplits: linesMax, omittingEmptySubsequences: false)
            .prefix(linesMax).enumerated()
        {
            guard let (owner, words) = comment(line) else {
                // What stands behind it may be text, and no comment.
                if mayOpenText(line) { break }
                continue
            }
            if owner == "codex" {
                if words == ["noncritical"] { marks.isNoncritical = true }
            } else if !marks.apply(words) {
                findings.append(
                    Finding(
                        .shellSyntax, line: firstLine + offset,
                        message: "`\(excerpt(trimmed(line)))` is not a mark that flowspool knows",
                        advice: "Use noncritical, skip, expect-exit N (0 to 255) or timeout T (90, 90s, 15m, 2h), one per line"))
            }
        }
        return marks
    }

    /// Whether a here-document, a quote or a continued line begins here, so that the lines behind it are none of their own. A comment begins
    /// nothing, whatever stands in it; neither does `<<<`, nor a shift within `((…))`.
    private static func mayOpenText(_ line: Substring) -> Bool {
        let bytes = Array(line.utf8)
        var quote: UInt8?
        var index = 0
        var isWordStart = true
        var isArithmetic = false
        while index < bytes.count {
            let byte = bytes[index]
            defer {
                isWordStart = [0x20, 0x09, UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "(")].contains(
                    byte)
                index += 1
            }
            if let open = quote {
                if byte == open { quote = nil }
                if byte == UInt8(ascii: "\\"), open == UInt8(ascii: "\"") { index += 1 }
                continue
            }
            switch byte {
            case UInt8(ascii: "\\"):
                if index + 1 >= bytes.count { return true }
                index += 1
            case UInt8(ascii: "'"), UInt8(ascii: "\""): quote = byte
            case UInt8(ascii: "#") where isWordStart: return false
            case UInt8(ascii: "(") where bytes[index...].starts(with: "((".utf8): isArithmetic = true
            case UInt8(ascii: ")") where bytes[index...].starts(with: "))".utf8): isArithmetic = false
            case UInt8(ascii: "<") where bytes[index...].starts(with: "<<<".utf8): index += 2
            case UInt8(ascii: "<") where bytes[index...].starts(with: "<<".utf8) && !isArithmetic: return true
            default: break
            }
        }
        return quote != nil
    }

    private mutating func apply(_ words: [Substring]) -> Bool {
        switch (words.first, words.count) {
        case ("noncritical", 1): isNoncritical = true
        case ("skip", 1): isSkipped = true
        case ("expect-exit", 2):
            guard let code = Int32(words[1]), (0...255).contains(code) else { return false }
            expectedExitCode = code
        case ("timeout", 2):
            guard let seconds = PromptDuration.seconds(String(words[1])) else { return false }
            timeoutSeconds = seconds
        default: return false
        }
        return true
    }

    /// The owner and the words of `# flowspool: …` or `# codex: …`.
    private static func comment(_ line: Substring) -> (owner: String, words: [Substring])? {
        var rest = line.drop { $0 == " " || $0 == "\t" }
        guard rest.first == "#" else { return nil }
        rest = rest.dropFirst().drop { $0 == " " || $0 == "\t" }
        for owner in ["flowspool", "codex"] where rest.hasPrefix(owner + ":") {
            return (owner, rest.dropFirst(owner.count + 1).split { $0 == " " || $0 == "\t" })
        }
        return nil
    }

    private static func trimmed(_ line: Substring) -> String {
        String(line.drop { $0 == " " || $0 == "\t" })
    }
}
