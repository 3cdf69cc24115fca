// Expansion: from a word of the tree to what it may be when the command runs. Each result is a list of alternatives; each
// alternative is the list of fields that the word becomes.

extension ShellEvaluator {
    static let alternativesMax = 48

    /// A word as an argument: split, with braces and wildcards.
    func expand(_ word: ShellWord) -> [[ShellValue]] {
        let variants = BraceExpansion.expand(word.parts)
        if variants.count == 1 { return expandFields(variants[0]) }
        var result: [[ShellValue]] = [[]]
        for variant in variants { result = Self.product(result, expandFields(variant)) { $0 + $1 } }
        return result
    }

    /// A word as one value: an assignment, a redirection's target, a here-document.
    func expandWhole(_ word: ShellWord) -> [ShellValue] {
        expandQuoted(word.parts, isQuoted: false)
    }

    static func product<A, B>(_ left: [A], _ right: [B], _ join: (A, B) -> A) -> [A] {
        var result: [A] = []
        for first in left {
            for second in right where result.count < alternativesMax { result.append(join(first, second)) }
        }
        return result
    }

    private func expandFields(_ parts: [ShellWordPart]) -> [[ShellValue]] {
        var results: [[ShellValue]] = [[]]
        for (index, part) in parts.enumerated() {
            let alternatives = expand(part, isQuoted: false, isFirst: index == 0)
            results = Self.product(results, alternatives) { fields, new in
                guard let first = new.first else { return fields }
                guard index > 0, let last = fields.last else { return fields + new }
                return fields.dropLast() + [last + first] + new.dropFirst()
            }
        }
        return results
    }

    /// Parts as one value, lists joined by spaces.
    func expandQuoted(_ parts: [ShellWordPart], isQuoted: Bool) -> [ShellValue] {
        var results = [ShellValue()]
        for (index, part) in parts.enumerated() {
            let alternatives = expand(part, isQuoted: isQuoted, isFirst: index == 0, isWhole: true)
            results = Self.product(results, alternatives) { value, fields in
                var value = value
                for (index, field) in fields.enumerated() {
                    if index > 0 { value.append(.text(" ")) }
                    value.append(field)
                }
                return value
            }
        }
        return results
    }

    /// - Parameters:
    ///   - isQuoted: inside double quotes.
    ///   - isWhole: no splitting, as in an assignment.
    private func expand(
        _ part: ShellWordPart, isQuoted: Bool, isFirst: Bool, isWhole: Bool = false
    ) -> [[ShellValue]] {
        switch part {
        case .literal(let text):
            return [[literal(text, isQuoted: isQuoted, isFirst: isFirst)]]
        case .singleQuoted(let text, let isANSI):
            return [[restored(isANSI ? EscapeSequences.ansi(text) : text)]]
        case .doubleQuoted(let parts):
            // "$@" and "${a[@]}" alone keep their fields.
            if parts.count == 1, case .parameter(let parameter) = parts[0], !isWhole, isList(parameter) {
                return expand(parameter, isQuoted: true)
            }
            return expandQuoted(parts, isQuoted: true).map { [$0] }
        case .parameter(let parameter):
            let alternatives = expand(parameter, isQuoted: isQuoted || isWhole)
            return isQuoted || isWhole ? alternatives : alternatives.map { $0.flatMap { $0.fields() } }
        case .command(let statements):
            let outputs = substitute(statements).map { $0.trimmingNewlines() }
            return isQuoted || isWhole ? outputs.map { [$0] } : outputs.map { $0.fields() }
        case .process(let statements, let isOutput):
            return [[process(statements, isOutput: isOutput)]]
        case .arithmetic(let words):
            for word in words { _ = expandWhole(word) }
            return [[.unknown("$((…))")]]
        case .extendedGlob(let pattern):
            return [[ShellValue([.glob("*(\(pattern))")])]]
        }
    }

    /// What a command substitution prints.
    func substitute(_ statements: [ShellStatement]) -> [ShellValue] {
        let outer = streams
        defer { streams = outer }
        streams.outputIsTerminal = false
        return inSubshell { run(statements) }
    }

    /// A process substitution becomes a name below /dev/fd whose content is what the process prints.
    private func process(_ statements: [ShellStatement], isOutput: Bool) -> ShellValue {
        descriptors += 1
        let path = "/dev/fd/\(1000 + descriptors)"
        if isOutput {
            let outer = streams
            streams.input = .text([.unknown("stdin", streams.input.taints)])
            _ = inSubshell { run(statements) }
            streams = outer
        } else {
            files[path] = substitute(statements)
        }
        return ShellValue(path)
    }

    // MARK: literals

    private func literal(_ text: String, isQuoted: Bool, isFirst: Bool) -> ShellValue {
        if isQuoted {
            return restored(text.contains("\\") ? EscapeSequences.doubleQuoted(text) : text)
        }
        var value = ShellValue()
        var plain = ""
        var rest = Substring(text)
        if isFirst, rest.first == "~" {
            let user = rest.dropFirst().prefix { $0 != "/" }
            if user.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }) {
                value.append(.home)
                rest = rest.dropFirst(1 + user.count)
            }
        }
        var iterator = rest.makeIterator()
        while let character = iterator.next() {
            switch character {
            case "\\": if let next = iterator.next(), next != "\n" { plain.append(next) }
            case "*", "?", "[":
                value.append(restored(plain))
                plain = ""
                value.append(.glob(String(character)))
            default: plain.append(character)
            }
        }
        value.append(restored(plain))
        return value
    }

    /// Puts the unknowns back that `coded` wrote as private-use characters.
    func restored(_ text: String) -> ShellValue {
        guard !holes.isEmpty, text.unicodeScalars.contains(where: { $0.value >= 0xF0000 }) else { return ShellValue(text) }
        var value = ShellValue()
        var plain = ""
        for scalar in text.unicodeScalars {
            let index = Int(scalar.value) - 0xF0000
            if index >= 0, index < holes.count {
                value.append(.text(plain))
                plain = ""
                value.append(holes[index])
            } else {
                plain.unicodeScalars.append(scalar)
            }
        }
        value.append(.text(plain))
        return value
    }

    /// Text of a value that is to be parsed as code: unknowns become private-use characters, which parse as letters do.
    func coded(_ value: ShellValue) -> String {
        var result = ""
        for piece in value.pieces {
            switch piece {
            case .text(let text), .glob(let text): result += text
            case .home: result += "~"
            case .unknown:
                if let index = holes.firstIndex(of: piece) {
                    result.unicodeScalars.append(Unicode.Scalar(UInt32(0xF0000 + index)) ?? "?")
                } else if holes.count < 60_000 {
                    result.unicodeScalars.append(Unicode.Scalar(UInt32(0xF0000 + holes.count)) ?? "?")
                    holes.append(piece)
                }
            }
        }
        return result
    }
}

/// Brace expansion, which comes before all others: `{a,b}`, `{1..3}`.
enum BraceExpansion {
    private enum Token {
        case character(Character)
        case escaped(Character)
        case part(ShellWordPart)
    }
    static let variantsMax = 64

    static func expand(_ parts: [ShellWordPart]) -> [[ShellWordPart]] {
        let hasBrace = parts.contains { if case .literal(let text) = $0 { text.contains("{") } else { false } }
        guard hasBrace else { return [parts] }
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
        for start in tokens.indices where character(start) == "{" {
            // `${` is no brace expansion; as an unquoted literal it can only stand here escaped.
            var level = 0
            var commas: [Int] = []
            var end: Int?
            for index in start..<tokens.count {
                switch character(index) {
                case "{"?: level += 1
                case "}"?:
                    level -= 1
                    if level == 0 { end = index }
                case ","? where level == 1: commas.append(index)
                default: break
                }
                if end != nil { break }
            }
            guard let end else { continue }
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

    private static func sequence(_ tokens: [Token]) -> [String]? {
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

/// Backslash sequences of bash's quotes and of printf.
enum EscapeSequences {
    static func doubleQuoted(_ text: String) -> String {
        var result = ""
        var iterator = text.makeIterator()
        while let character = iterator.next() {
            guard character == "\\", let next = iterator.next() else {
                result.append(character)
                continue
            }
            switch next {
            case "$", "`", "\"", "\\": result.append(next)
            case "\n": break
            default: result += "\\" + String(next)
            }
        }
        return result
    }

    /// `$'…'`, and what `printf` and `echo -e` make of their text.
    static func ansi(_ text: String) -> String {
        var bytes: [UInt8] = []
        let source = Array(text.utf8)
        var index = 0
        func digits(_ radix: Int, _ max: Int) -> Int? {
            var value = 0
            var count = 0
            while count < max, index < source.count, let digit = Character(Unicode.Scalar(source[index])).hexDigitValue,
                digit < radix
            {
                value = value * radix + digit
                index += 1
                count += 1
            }
            return count == 0 ? nil : value
        }
        while index < source.count {
            guard source[index] == UInt8(ascii: "\\"), index + 1 < source.count else {
                bytes.append(source[index])
                index += 1
                continue
            }
            let kind = source[index + 1]
            index += 2
            switch kind {
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "a"): bytes.append(0x07)
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "e"), UInt8(ascii: "E"): bytes.append(0x1B)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case UInt8(ascii: "v"): bytes.append(0x0B)
            case UInt8(ascii: "x"): bytes.append(UInt8(truncatingIfNeeded: digits(16, 2) ?? 0x78))
            case UInt8(ascii: "u"), UInt8(ascii: "U"):
                let code = digits(16, kind == UInt8(ascii: "u") ? 4 : 8) ?? 0x75
                bytes += Array(String(Character(Unicode.Scalar(UInt32(code)) ?? "?")).utf8)
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                index -= 1
                bytes.append(UInt8(truncatingIfNeeded: digits(8, source[index] == UInt8(ascii: "0") ? 4 : 3) ?? 0))
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "?"): bytes.append(kind)
            default: bytes += [UInt8(ascii: "\\"), kind]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
