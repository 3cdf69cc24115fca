// Byte columns, as parsers count, in characters, as editors do. It keeps the line that it was last asked about, since a line of a
// megabyte may hold thousands of findings.

struct CharacterColumns {
    private let text: String
    /// Where each line begins, in bytes; made when it is first needed.
    private lazy var lineStarts: [Int] = {
        var starts = [0]
        for (offset, byte) in text.utf8.enumerated() where byte == 0x0A { starts.append(offset + 1) }
        return starts
    }()
    /// Number of the line that `characterStarts` is about.
    private var line = 0
    /// Where each character of that line begins, in bytes from the line's first; nil: each is one byte.
    private var characterStarts: [Int]?

    init(_ text: String) { self.text = text }

    mutating func column(of position: ShellPosition) -> Int {
        guard lineStarts.indices.contains(position.line - 1) else { return position.column }
        if line != position.line { read(position.line) }
        guard let characterStarts else { return position.column }
        // The characters that begin before it, by halving.
        var low = 0
        var high = characterStarts.count
        while low < high {
            let middle = (low + high) / 2
            if characterStarts[middle] < position.column - 1 { low = middle + 1 } else { high = middle }
        }
        return low + 1
    }

    private mutating func read(_ line: Int) {
        self.line = line
        let bytes = text.utf8
        let start = bytes.index(bytes.startIndex, offsetBy: lineStarts[line - 1])
        let end = line < lineStarts.count ? bytes.index(bytes.startIndex, offsetBy: lineStarts[line] - 1) : bytes.endIndex
        let content = text[start..<end]
        let isPlain = content.utf8.allSatisfy { $0 < 0x80 }
        characterStarts = isPlain ? nil : content.indices.map { bytes.distance(from: start, to: $0) }
    }
}
