// Takes a stamp off again, by the marks that `StampLayout` describes and without parsing YAML, so that it also works where the
// author has since broken the YAML. Only lines at the places where a stamp can be are looked at: text about stamps in a block scalar
// stays. What is taken off has no say in anything: settings and blocks are read from what is left.

struct StampRemoval {
    private let bytes: [UInt8]
    private let front: FrontMatter
    private let lines: [TextLine]
    private var cuts: [Range<Int>] = []
    private var isWhole = false

    /// Passes that nested look-alikes may need; an honest file needs one.
    static let passesMax = 16

    /// `bytes` without its stamp; nil where there is none, or where look-alikes are nested beyond reason.
    static func remove(from bytes: [UInt8]) -> [UInt8]? {
        var result = bytes
        for _ in 0..<passesMax {
            guard case .present(let front) = FrontMatter.scan(result), holdsComment(result[front.yaml]) else {
                return result.count == bytes.count ? nil : result
            }
            var removal = StampRemoval(bytes: result, front: front)
            removal.find()
            guard !removal.cuts.isEmpty else { return result.count == bytes.count ? nil : result }
            result = removal.remaining()
        }
        return nil
    }

    private init(bytes: [UInt8], front: FrontMatter) {
        self.bytes = bytes
        self.front = front
        lines = TextLine.all(of: bytes, in: front.yaml)
    }

    private func remaining() -> [UInt8] {
        if isWhole, cuts == [front.yaml] { return Array(bytes[..<front.markLength] + bytes[front.closing.upperBound...]) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        for cut in cuts {
            result += bytes[position..<cut.lowerBound]
            position = cut.upperBound
        }
        return result + bytes[position...]
    }

    private mutating func find() {
        guard let first = lines.firstIndex(where: isContent) else { return }
        let indent = lines[first].indent(in: bytes)
        // A root in flow style has no lines of its own; its braces are all that is looked at.
        let isFlow = bytes[lines[first].start + indent] == UInt8(ascii: "{")
        var isInside = isFlow
        var levels = Levels()
        var index = first
        while index < lines.count {
            let line = lines[index]
            let content = line.content(in: bytes)
            defer { index += 1 }
            guard !content.isEmpty else { continue }
            let own = line.indent(in: bytes)
            if own == indent, !isFlow {
                levels = Levels()
                isInside = Self.keyLength(StampLayout.key, content) != nil
                let isKeyWhole = content.elementsEqual((StampLayout.key + ":" + StampLayout.commentWhole).utf8)
                if isKeyWhole || content.elementsEqual((StampLayout.key + ":" + StampLayout.comment).utf8) {
                    isWhole = isWhole || isKeyWhole
                    index = cutLines(from: index)
                    isInside = false
                } else if isInside {
                    index = cutBrace(at: index, indent: indent)
                }
            } else if isInside, own > indent || isFlow {
                if !isFlow, content.first != UInt8(ascii: "#"), levels.isOwned(content, indent: own) {
                    index = cutLines(from: index)
                } else {
                    index = cutBrace(at: index, indent: indent)
                }
            }
        }
    }

    /// Cuts line `first` and the deeper lines after it; gives back the last line that is cut.
    private mutating func cutLines(from first: Int) -> Int {
        let indent = lines[first].indent(in: bytes)
        var last = first
        while last + 1 < lines.count, isDeeper(lines[last + 1], than: indent) { last += 1 }
        cut(lines[first].start..<lines[last].end)
        return last
    }

    private func isDeeper(_ line: TextLine, than indent: Int) -> Bool {
        line.indent(in: bytes) > indent && !line.content(in: bytes).isEmpty
    }

    /// Cuts what stands after an opening brace that ends line `first`; gives back the last line that is cut whole.
    private mutating func cutBrace(at first: Int, indent: Int) -> Int {
        let comment = Array(StampLayout.comment.utf8)
        let line = lines[first]
        guard bytes[line.start..<line.textEnd].hasSuffix([UInt8(ascii: "{")] + comment) else { return first }
        var last = first
        let blanks = [UInt8](repeating: UInt8(ascii: " "), count: indent + 4)
        let opening = blanks + [UInt8(ascii: "\"")]
        let suffix = [UInt8(ascii: ",")] + comment
        while last + 1 < lines.count {
            let text = bytes[lines[last + 1].start..<lines[last + 1].textEnd]
            guard text.starts(with: opening), text.hasSuffix(suffix) else { break }
            last += 1
        }
        // What the author wrote after the brace goes on after our indent.
        guard last > first, last + 1 < lines.count, bytes[lines[last + 1].start..<lines[last + 1].textEnd].starts(with: blanks)
        else { return first }
        cut((line.textEnd - comment.count)..<(lines[last].end + blanks.count))
        return last
    }

    private mutating func cut(_ range: Range<Int>) { cuts.append(range) }

    private func isContent(_ line: TextLine) -> Bool {
        guard let byte = line.content(in: bytes).first else { return false }
        return byte != UInt8(ascii: "#")
    }

    private static func holdsComment(_ bytes: ArraySlice<UInt8>) -> Bool {
        let comment = Array(StampLayout.comment.utf8)
        var index = bytes.startIndex
        while let hash = bytes[index...].firstIndex(of: UInt8(ascii: "#")) {
            if hash - bytes.startIndex >= 2, bytes[(hash - 2)...].starts(with: comment) { return true }
            index = hash + 1
        }
        return false
    }

    /// Length of `name`, plain or in quotes, where `content` starts with it and then a colon.
    static func keyLength(_ name: String, _ content: ArraySlice<UInt8>) -> Int? {
        for spelling in [name, "\"\(name)\"", "'\(name)'"] where content.starts(with: spelling.utf8) {
            let rest = content.dropFirst(spelling.utf8.count)
            let colon = rest.drop(while: isBlank)
            if colon.first == UInt8(ascii: ":"), colon.dropFirst().first.map(isBlank) ?? true { return spelling.utf8.count }
        }
        return nil
    }
}

/// The indents of the author's `prompt_flow` mapping and of `stages` in it, as they come up.
private struct Levels {
    private var entries: Int?
    private var stages: Int?
    private var isInStages = false

    /// Whether a line with this content and indent starts something of the stamp.
    mutating func isOwned(_ content: ArraySlice<UInt8>, indent: Int) -> Bool {
        entries = entries ?? indent
        if indent == entries {
            isInStages = StampRemoval.keyLength("stages", content) != nil
            stages = nil
            return Self.isMarked(content, keys: StampLayout.ownKeys)
        }
        guard isInStages, let entries, indent > entries else { return false }
        stages = stages ?? indent
        return indent == stages && Self.isMarked(content, keys: StampLayout.ownStages)
    }

    private static func isMarked(_ content: ArraySlice<UInt8>, keys: [String]) -> Bool {
        // A brace before the comment is the author's mapping in flow style, with ours inside.
        content.hasSuffix(Array(StampLayout.comment.utf8)) && !content.hasSuffix(Array(("{" + StampLayout.comment).utf8))
            && keys.contains { StampRemoval.keyLength($0, content) != nil }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func hasSuffix(_ suffix: [UInt8]) -> Bool { count >= suffix.count && self.suffix(suffix.count) == suffix[...] }
}
