// Where the front matter of a file is: pure byte ranges, no YAML. It opens with a first line `---` (after an optional
// byte-order mark) and closes at the next line `---` or `...`, trailing blanks allowed, as in Jekyll and Pandoc. Both are
// document markers in YAML wherever they stand in column 1, so no YAML text inside can hold one by accident. Lines end in
// LF, CRLF or CR, as YAML and CommonMark say.

/// The byte ranges of a file's front matter.
struct FrontMatter: Equatable {
    /// Length of the byte-order mark: 3 or 0.
    var markLength: Int
    /// The opening line with its line end.
    var opening: Range<Int>
    /// Everything between the two delimiters.
    var yaml: Range<Int>
    /// The closing line with its line end, if it has one.
    var closing: Range<Int>
    /// The line end of the opening line.
    var lineEnd: [UInt8]

    enum Scan: Equatable {
        /// The text begins at `textStart`, after a byte-order mark.
        case absent(textStart: Int)
        /// It opens, what follows is a key, and it never closes.
        case unclosed
        case present(FrontMatter)
    }

    /// Finds the front matter of `bytes`. A `---` that opens nothing that looks like a key, or that is followed by an empty line
    /// and then no key, is a thematic break and no front matter (CommonMark 4.1, Pandoc `yaml_metadata_block`).
    static func scan(_ bytes: [UInt8]) -> Scan {
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        guard let first = TextLine(in: bytes, at: start), first.isDelimiter(in: bytes, dots: false), !first.isLast(in: bytes)
        else { return .absent(textStart: start) }

        var leadsWithKey: Bool?
        var secondIsBlank: Bool?
        var hasComment = false
        var position = first.end
        while let line = TextLine(in: bytes, at: position) {
            if line.isDelimiter(in: bytes, dots: true) {
                if secondIsBlank == true, leadsWithKey == nil, hasComment { return .absent(textStart: start) }
                return .present(
                    FrontMatter(
                        markLength: start, opening: first.start..<first.end, yaml: first.end..<line.start,
                        closing: line.start..<line.end, lineEnd: Array(bytes[first.textEnd..<first.end])))
            }
            if leadsWithKey == nil {
                let content = line.content(in: bytes)
                secondIsBlank = secondIsBlank ?? content.isEmpty
                if content.first == UInt8(ascii: "#") {
                    hasComment = true
                } else if !content.isEmpty {
                    leadsWithKey = opensMapping(content)
                    if leadsWithKey == false, secondIsBlank == true { return .absent(textStart: start) }
                }
            }
            position = line.end
        }
        return leadsWithKey == true && secondIsBlank == false ? .unclosed : .absent(textStart: start)
    }

    /// Whether a line starts like a mapping: `key:`, a quoted key, or `{`.
    private static func opensMapping(_ content: ArraySlice<UInt8>) -> Bool {
        if content.first == UInt8(ascii: "{") { return true }
        guard let colon = content.firstIndex(of: UInt8(ascii: ":")), colon > content.startIndex else { return false }
        let after = content.index(after: colon)
        guard after == content.endIndex || isBlank(content[after]) else { return false }
        return content[content.startIndex..<colon].allSatisfy { !isBlank($0) }
    }
}

/// One line of a byte array.
struct TextLine {
    var start: Int
    /// End of the text, before the line end.
    var textEnd: Int
    /// Start of the next line.
    var end: Int

    /// The line that starts at `position`; nil at the end of `bytes`.
    init?(in bytes: [UInt8], at position: Int) {
        guard position < bytes.count else { return nil }
        start = position
        var index = position
        while index < bytes.count, bytes[index] != 0x0A, bytes[index] != 0x0D { index += 1 }
        textEnd = index
        if index < bytes.count {
            index += bytes[index] == 0x0D && index + 1 < bytes.count && bytes[index + 1] == 0x0A ? 2 : 1
        }
        end = index
    }

    /// All lines that start in `range`.
    static func all(of bytes: [UInt8], in range: Range<Int>) -> [TextLine] {
        var lines: [TextLine] = []
        var position = range.lowerBound
        while position < range.upperBound, let line = TextLine(in: bytes, at: position) {
            lines.append(line)
            position = line.end
        }
        return lines
    }

    /// The text without blanks at either end.
    func content(in bytes: [UInt8]) -> ArraySlice<UInt8> {
        var slice = bytes[start..<textEnd]
        while let byte = slice.last, isBlank(byte) { slice.removeLast() }
        while let byte = slice.first, isBlank(byte) { slice.removeFirst() }
        return slice
    }

    /// Number of spaces that the line starts with.
    func indent(in bytes: [UInt8]) -> Int {
        var index = start
        while index < textEnd, bytes[index] == UInt8(ascii: " ") { index += 1 }
        return index - start
    }

    func isDelimiter(in bytes: [UInt8], dots: Bool) -> Bool {
        guard textEnd - start >= 3 else { return false }
        let byte = bytes[start]
        guard byte == UInt8(ascii: "-") || (dots && byte == UInt8(ascii: ".")) else { return false }
        return bytes[start + 1] == byte && bytes[start + 2] == byte && bytes[(start + 3)..<textEnd].allSatisfy(isBlank)
    }

    func isLast(in bytes: [UInt8]) -> Bool { end == textEnd }
}

/// Space or tab.
func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
