// Where a stamp goes in the author's bytes: only insertions, so that taking them out again gives the author's bytes. What is inserted is
// marked by a comment at the end of its first line (`StampRemoval` goes by that), in one of these forms:
//
//   no front matter     a whole front matter of its own before the text
//   no `prompt_flow`    one key at the end of the front matter, at the indent of the others
//   `prompt_flow:` …    the author's mapping keeps its lines; ours come first in it (and first in the author's `stages:`)
//   { … } anywhere      in flow style, the same after the opening brace, one entry per line
//
// Found from the marks that Yams gives, and then tried out: a layout is only offered if the stamped text reads back right.

import Yams

enum StampLayout: Equatable {
    /// Comment that ends the first line of everything inserted.
    static let comment = "  # written by flowspool"
    /// The same where the front matter itself is ours.
    static let commentWhole = "  # written by flowspool, with this front matter"
    static let key = "prompt_flow"
    /// Keys directly under `prompt_flow` that are the stamp's.
    static let ownKeys = ["version", "prompt_id", "prompt_sha", "stages"]
    static let ownStages = ["preflight", "exec", "pipeline"]

    /// A place in a mapping.
    enum Place: Equatable {
        /// Before the line that starts at `offset`, as lines of this indent.
        case lines(offset: Int, indent: Int)
        /// After the opening brace; `offset` is the byte after it.
        case brace(offset: Int)
    }

    case newFrontMatter(offset: Int)
    case newKey(Place)
    /// `stages` is nil where the author has none; `hasVersion` where the author wrote one.
    case merge(entries: Place, stages: Place?, hasVersion: Bool)

    /// Finds the layout for a file whose front matter is `front` and reads as `root` (nil: empty).
    static func find(_ bytes: [UInt8], _ front: FrontMatter, root: Node.Mapping?, rootMark: Mark?) throws(FrontMatterProblem)
        -> StampLayout
    {
        let locator = MarkLocator(bytes, front)
        guard let root, let rootMark else { return .newKey(.lines(offset: front.yaml.upperBound, indent: 0)) }
        let entry = root.first { $0.key.text == key }
        let rootPlace = locator.place(of: root, mark: rootMark)
        guard let entry else {
            switch rootPlace {
            case .lines(_, let indent): return .newKey(.lines(offset: front.yaml.upperBound, indent: indent))
            case .brace(let offset): return .newKey(.brace(offset: offset))
            case nil: throw problem(rootMark, "the front matter is")
            }
        }
        guard let keyMark = entry.key.mark, rootPlace != nil else { throw problem(rootMark, "the front matter is") }
        if case .lines(_, let indent) = rootPlace, !locator.isKeyLine(key, line: keyMark.line, indent: indent) {
            throw problem(keyMark, "the key `prompt_flow` is")
        }
        guard let entries = locator.place(ofValue: entry.value, keyMark: keyMark) else {
            throw problem(keyMark, "`prompt_flow` is")
        }
        guard let stages = entry.value.mapping?.first(where: { $0.key.text == "stages" }) else {
            return .merge(entries: entries, stages: nil, hasVersion: hasVersion(entry.value))
        }
        guard let stagesMark = stages.key.mark, let place = locator.place(ofValue: stages.value, keyMark: stagesMark) else {
            throw problem(keyMark, "`prompt_flow.stages` is")
        }
        return .merge(entries: entries, stages: place, hasVersion: hasVersion(entry.value))
    }

    /// Whether nothing about this layout can surprise, so that it need not be tried out.
    var isPlain: Bool {
        switch self {
        case .newFrontMatter, .newKey(.lines(_, indent: 0)): true
        default: false
        }
    }

    private static func hasVersion(_ node: Node) -> Bool {
        node.mapping?.contains { $0.key.text == "version" } ?? false
    }

    private static func problem(_ mark: Mark, _ what: String) -> FrontMatterProblem {
        FrontMatterProblem(
            line: mark.line, column: mark.column, message: "\(what) written in a way that the stamp cannot be added to",
            advice: "Write `prompt_flow:` and `stages:` as plain mappings, each key on its own line")
    }
}

/// From line and column, as Yams gives them, to bytes.
struct MarkLocator {
    private let bytes: [UInt8]
    private let front: FrontMatter
    private let lines: [TextLine]

    init(_ bytes: [UInt8], _ front: FrontMatter) {
        self.bytes = bytes
        self.front = front
        lines = TextLine.all(of: bytes, in: front.yaml)
    }

    /// The byte at `mark`; nil where the mark does not fit the text (a line end that only YAML 1.1 knows).
    func offset(of mark: Mark) -> Int? {
        guard mark.line >= 1, mark.line <= lines.count else { return nil }
        let line = lines[mark.line - 1]
        var offset = line.start
        for _ in 1..<max(1, mark.column) {
            guard offset < line.textEnd else { return nil }
            offset += 1
            while offset < line.textEnd, bytes[offset] & 0xC0 == 0x80 { offset += 1 }
        }
        return offset
    }

    /// Where entries can be put into `mapping`, which Yams found at `mark`.
    func place(of mapping: Node.Mapping, mark: Mark) -> StampLayout.Place? {
        if let offset = offset(of: mark), offset < bytes.count, bytes[offset] == UInt8(ascii: "{") {
            return .brace(offset: offset + 1)
        }
        guard let first = mapping.first?.key.mark, let offset = offset(of: first) else { return nil }
        let line = lines[first.line - 1]
        guard line.indent(in: bytes) == offset - line.start else { return nil }
        return .lines(offset: line.start, indent: offset - line.start)
    }

    /// Where entries can be put under the key at `keyMark`: in its mapping, or below the line of a key that has no value.
    func place(ofValue value: Node, keyMark: Mark) -> StampLayout.Place? {
        guard let keyOffset = offset(of: keyMark) else { return nil }
        let keyLine = lines[keyMark.line - 1]
        if let mapping = value.mapping, let mark = value.mark {
            guard let offset = offset(of: mark), offset > keyOffset, let place = place(of: mapping, mark: mark) else {
                return nil
            }
            if case .lines(let start, let indent) = place {
                // The value of another key, through an alias, would lie elsewhere.
                guard start > keyLine.start, indent > keyLine.indent(in: bytes) else { return nil }
            }
            return place
        }
        guard value.text == "", value.isNull, keyLine.indent(in: bytes) == keyOffset - keyLine.start else { return nil }
        let indent = keyOffset - keyLine.start
        // Comments that belong to the key stay above what is put in: below, they would be taken for a part of it.
        var end = keyLine.end
        for line in lines.dropFirst(keyMark.line) {
            let content = line.content(in: bytes)
            guard content.isEmpty || content.first == UInt8(ascii: "#") else { break }
            if !content.isEmpty, line.indent(in: bytes) > indent { end = line.end }
        }
        return .lines(offset: end, indent: indent + 2)
    }

    /// The lines of the entry whose key `name` starts at `mark`: the key's and the deeper ones after it, blank lines between them
    /// included. A list at the indent of its key belongs to it too. nil where the key does not start its line.
    func entry(_ name: String, at mark: Mark) -> Range<Int>? {
        guard let offset = offset(of: mark) else { return nil }
        let first = lines[mark.line - 1]
        let indent = offset - first.start
        guard isKeyLine(name, line: mark.line, indent: indent) else { return nil }
        var end = first.end
        for line in lines.dropFirst(mark.line) {
            let content = line.content(in: bytes)
            if content.isEmpty { continue }
            let isItem = content.first == UInt8(ascii: "-") && content.dropFirst().first.map(isBlank) ?? true
            guard line.indent(in: bytes) > indent || (isItem && line.indent(in: bytes) == indent) else { break }
            end = line.end
        }
        return first.start..<end
    }

    /// Whether line `line` has that indent and then `name:`, plain or in quotes.
    func isKeyLine(_ name: String, line: Int, indent: Int) -> Bool {
        guard line >= 1, line <= lines.count, lines[line - 1].indent(in: bytes) == indent else { return false }
        return StampRemoval.keyLength(name, lines[line - 1].content(in: bytes)) != nil
    }
}
