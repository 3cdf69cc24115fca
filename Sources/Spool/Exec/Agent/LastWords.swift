// What a program says last on standard error: of what it prints there on its way, little says why it ended. A limit that it met, sat
// out and told of is over by the time that something else ends it.

enum LastWords {
    /// Lines that are looked at.
    private static let linesMax = 5

    /// The end of the last paragraph, without what stands there of other tries; of a Python program or one of Node, its
    /// exception without the frames.
    static func of(_ text: String) -> String {
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { $0.trimmingEnd() }
        var last = lines[...]
        while last.last?.isEmpty == true { last.removeLast() }
        // Node's version stands in a paragraph of its own.
        if last.last?.hasPrefix("Node.js v") == true {
            last.removeLast()
            while last.last?.isEmpty == true { last.removeLast() }
        }
        if let blank = last.lastIndex(where: \.isEmpty) { last = last[(blank + 1)...] }
        if let header = last.lastIndex(where: { $0.hasPrefix("Traceback (most recent call last)") }) {
            last = last[(header + 1)...].filter { !$0.hasPrefix(" ") }[...]
        }
        last = last.filter { !isFrame($0) }[...]
        last = last.suffix(linesMax)
        guard let end = last.last else { return "" }
        return (last.dropLast().filter { !isInterim($0) } + [end]).joined(separator: "\n")
    }

    /// Whether a line is a frame of a program of Node: `    at name (file:line:column)`.
    private static func isFrame(_ line: Substring) -> Bool {
        line.hasPrefix(" ") && line.drop { $0 == " " }.hasPrefix("at ")
    }

    /// Whether a line is about something that the program went on after.
    private static func isInterim(_ line: some StringProtocol) -> Bool {
        let folded = line.lowercased()
        if ["retrying", "reconnecting", "will retry", "backoff", "backing off"].contains(where: folded.contains) { return true }
        return line.split { !$0.isLetter }.contains { ["TRACE", "DEBUG", "INFO", "WARN", "WARNING"].contains($0) }
    }
}

extension Substring {
    fileprivate func trimmingEnd() -> Substring {
        var text = self
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
