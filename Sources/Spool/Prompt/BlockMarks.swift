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

    /// Whether a here-document, a quote or a continued line may begin here, so that the lines behind it are none of their own.
    private static func mayOpenText(_ line: Substring) -> Bool {
        let bytes = Array(line.utf8)
        if bytes.last == UInt8(ascii: "\\") || line.contains("<<") { return true }
        return [UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`")].contains { quote in
            !bytes.count { $0 == quote }.isMultiple(of: 2)
        }
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
