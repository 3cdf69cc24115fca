// Brace expansion, which bash does before all others: `{a,b}` and `{1..3}` make several words of one. Work and results are
// bounded: a word is as long as its author likes.

/// Brace expansion, which comes before all others: `{a,b}`, `{1..3}`.
enum BraceExpansion {
    private enum Token {
        case character(Character)
        case escaped(Character)
        case part(ShellWordPart)
    }
    static let variantsMax = 64
    /// Longer words are not expanded: each variant is a copy.
    static let bytesMax = 16 << 10

    /// - Returns: nil where the word is too long to be expanded.
    static func expand(_ parts: [ShellWordPart]) -> [[ShellWordPart]]? {
        var bytes = 0
        var hasBrace = false
        for case .literal(let text) in parts {
            bytes += text.utf8.count
            hasBrace = hasBrace || text.utf8.contains(UInt8(ascii: "{"))
        }
        guard hasBrace else { return [parts] }
        guard bytes + parts.count <= bytesMax else { return nil }
        var tokens: [Token] = []
        for part in parts {
            guard case .literal(let text) = part else {
                tokens.append(.part(part))
                continue
            }
            var iterator = text.makeIterator()
            while let character = iterator.next() {
                if character == "\\", let next = iterator.next() {
                    tokens.append(.escaped(next))
                } else {
                    tokens.append(.character(character))
                }
            }
        }
        return variants(tokens, depth: 0).map(joined)
    }

    private static func joined(_ tokens: [Token]) -> [ShellWordPart] {
        var result: [ShellWordPart] = []
        var text = ""
        for token in tokens {
            switch token {
            case .character(let character): text.append(character)
            case .escaped(let character): text += "\\" + String(character)
            case .part(let part):
                if !text.isEmpty { result.append(.literal(text)) }
                text = ""
                result.append(part)
            }
        }
        if !text.isEmpty { result.append(.literal(text)) }
        return result
    }

    private static func variants(_ tokens: [Token], depth: Int) -> [[Token]] {
        guard depth < 8 else { return [tokens] }
        func character(_ index: Int) -> Character? {
            if case .character(let character) = tokens[index] { return character }
            return nil
        }
        let pairs = pairs(tokens, character)
        for start in tokens.indices where character(start) == "{" {
            guard let (end, commas) = pairs[start] else { continue }
            let before = Array(tokens[..<start])
            let after = Array(tokens[(end + 1)...])
            var choices: [[Token]] = []
            if !commas.isEmpty {
                var from = start + 1
                for comma in commas + [end] {
                    choices += variants(Array(tokens[from..<comma]), depth: depth + 1)
                    from = comma + 1
                }
            } else if let sequence = sequence(Array(tokens[(start + 1)..<end])) {
                choices = sequence.map { $0.map { .character($0) } }
            } else {
                continue
            }
            var result: [[Token]] = []
            let tails = variants(after, depth: depth + 1)
            for choice in choices {
                for tail in tails where result.count < variantsMax { result.append(before + choice + tail) }
            }
            return result
        }
        return [tokens]
    }

    /// Where each `{` ends, and the commas that are its own. One pass: a search from each `{` would cost a square.
    private static func pairs(
        _ tokens: [Token], _ character: (Int) -> Character?
    ) -> [Int: (end: Int, commas: [Int])] {
        // `${` is no brace expansion; as an unquoted literal it can only stand here escaped.
        var open: [(start: Int, commas: [Int])] = []
        var pairs: [Int: (end: Int, commas: [Int])] = [:]
        for index in tokens.indices {
            switch character(index) {
            case "{"?: open.append((index, []))
            case "}"?: if let last = open.popLast() { pairs[last.start] = (index, last.commas) }
            case ","?: if !open.isEmpty { open[open.count - 1].commas.append(index) }
            default: break
            }
        }
        return pairs
    }

    private static func sequence(_ tokens: [Token]) -> [String]? {
        // `{-9223372036854775807..1000}` is about the longest that means anything.
        guard tokens.count <= 64 else { return nil }
        var text = ""
        for token in tokens {
            guard case .character(let character) = token else { return nil }
            text.append(character)
        }
        let ends = text.split(separator: ".", omittingEmptySubsequences: true).map(String.init)
        guard text.contains(".."), ends.count == 2 || ends.count == 3 else { return nil }
        if let first = Int(ends[0]), let last = Int(ends[1]) {
            let step = first <= last ? 1 : -1
            return stride(from: first, through: last, by: step).prefix(variantsMax).map(String.init)
        }
        guard let first = ends[0].unicodeScalars.first, let last = ends[1].unicodeScalars.first, ends[0].count == 1,
            ends[1].count == 1, first.isASCII, last.isASCII
        else { return nil }
        let range = min(first.value, last.value)...max(first.value, last.value)
        return range.compactMap { Unicode.Scalar($0).map(String.init) }
    }
}
