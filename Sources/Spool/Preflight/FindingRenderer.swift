// Findings for a person: one line that names place, severity and code, the prompt's own line, and a caret under what caused
// it, as compilers do. Everything taken from the prompt goes through `printable`: a prompt is hostile input to a terminal too.

/// Writes findings as text.
public struct FindingRenderer: Sendable {
    public var usesColour: Bool
    /// Longest part of a prompt's line that is shown.
    static let excerptMax = 120

    public init(usesColour: Bool = false) {
        self.usesColour = usesColour
    }

    /// All findings of one prompt, in the order given.
    ///
    /// - Parameters:
    ///   - name: what to call the prompt: its path as the user gave it.
    ///   - text: the prompt's text, from which the lines are taken; empty: no lines are shown.
    public func render(_ findings: [Finding], name: String, text: String) -> String {
        let lines = text.isEmpty ? [] : Self.lines(of: text)
        return findings.map { render($0, name: name, lines: lines) }.joined()
    }

    private func render(_ finding: Finding, name: String, lines: [Substring]) -> String {
        var place = printable(name)
        if let line = finding.line {
            place += ":\(line)"
            if let column = finding.column { place += ":\(column)" }
        }
        let label = "\(finding.severity.rawValue)[\(finding.code.rawValue)]"
        var out = "\(bold(place)): \(colour(label, finding.severity)): \(printable(finding.message))\n"
        if let line = finding.line, line >= 1, line <= lines.count { out += excerpt(lines[line - 1], line, finding) }
        out += "    \(colour("help", nil)): \(printable(finding.advice))\n"
        if let waiver = finding.waiver { out += "    \(colour("allowed", nil)): \(printable(waiver))\n" }
        return out
    }

    /// The line, and a caret under the column; a long line is cut around it.
    private func excerpt(_ line: Substring, _ number: Int, _ finding: Finding) -> String {
        let column = max(finding.column ?? 1, 1)
        let skipped = column > Self.excerptMax - 20 ? column - 21 : 0
        // By steps, not as an array: a line may be a megabyte.
        let start = line.index(line.startIndex, offsetBy: skipped, limitedBy: line.endIndex) ?? line.endIndex
        let shown = line[start...].prefix(Self.excerptMax)
        let before = line[start...].prefix(max(column - 1 - skipped, 0))
        let gutter = String(number)
        let blank = String(repeating: " ", count: gutter.count)
        let lead = skipped > 0 ? "…" : ""
        let tail = shown.endIndex < line.endIndex ? "…" : ""
        var out = " \(gutter) | \(lead)\(Self.flat(String(shown)))\(tail)\n"
        if finding.column != nil {
            let width = Self.flat(String(before)).count + lead.count
            out += " \(blank) | \(String(repeating: " ", count: width))\(colour("^", finding.severity))\n"
        }
        return out
    }

    /// Printable, a tab as one blank, so that the caret stands where it should.
    private static func flat(_ text: String) -> String { printable(text.replacing("\t", with: " ")) }

    /// Lines without their ends; CR LF is one end.
    private static func lines(of text: String) -> [Substring] {
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
    }

    private func bold(_ text: String) -> String { usesColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    private func colour(_ text: String, _ severity: Finding.Severity?) -> String {
        guard usesColour else { return text }
        let code =
            switch severity {
            case .error: "1;31"
            case .warning: "1;33"
            case .info: "1;36"
            case nil: "1;32"
            }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}
