// Expansion: from a word of the tree to what it may be when the command runs. Each result is a list of alternatives; each
// alternative is the list of fields that the word becomes.

extension ShellEvaluator {
    static let alternativesMax = 48

    /// A word as an argument: split, with braces and wildcards.
    func expand(_ word: ShellWord) -> [[ShellValue]] {
        guard let variants = BraceExpansion.expand(word.parts) else {
            budget.end(.values)
            return [[]]
        }
        if variants.count == 1 { return expandFields(variants[0]) }
        var result: [[ShellValue]] = [[]]
        for variant in variants { extend(&result, by: expandFields(variant)) { $0 += $1 } }
        return result
    }

    /// A word as one value: an assignment, a redirection's target, a here-document.
    func expandWhole(_ word: ShellWord) -> [ShellValue] {
        expandQuoted(word.parts, isQuoted: false)
    }

    func extend<A: ShellCosted, B: ShellCosted>(_ left: inout [A], by right: [B], _ append: (inout A, B) -> Void) {
        budget.extend(&left, by: right, countMax: Self.alternativesMax, append)
    }

    private func expandFields(_ parts: [ShellWordPart]) -> [[ShellValue]] {
        var results: [[ShellValue]] = [[]]
        for (index, part) in parts.enumerated() {
            let alternatives = expand(part, isQuoted: false, isFirst: index == 0)
            extend(&results, by: alternatives) { fields, new in
                guard index > 0, !fields.isEmpty, let first = new.first else {
                    fields += new
                    return
                }
                fields[fields.count - 1].append(first)
                fields += new.dropFirst()
            }
        }
        return results
    }

    /// Parts as one value, lists joined by spaces.
    func expandQuoted(_ parts: [ShellWordPart], isQuoted: Bool) -> [ShellValue] {
        var results = [ShellValue()]
        for (index, part) in parts.enumerated() {
            let alternatives = expand(part, isQuoted: isQuoted, isFirst: index == 0, isWhole: true)
            extend(&results, by: alternatives) { value, fields in
                for (index, field) in fields.enumerated() {
                    if index > 0 { value.append(.text(" ")) }
                    value.append(field)
                }
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
            return isQuoted || isWhole ? alternatives : alternatives.map { $0.flatMap(budget.fields) }
        case .command(let statements):
            let outputs = substitute(statements).map { $0.trimmingNewlines() }
            return isQuoted || isWhole ? outputs.map { [$0] } : outputs.map(budget.fields)
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
                if let index = holeIndices[piece] {
                    result.unicodeScalars.append(Unicode.Scalar(UInt32(0xF0000 + index)) ?? "?")
                } else if holes.count < 60_000 {
                    result.unicodeScalars.append(Unicode.Scalar(UInt32(0xF0000 + holes.count)) ?? "?")
                    holeIndices[piece] = holes.count
                    holes.append(piece)
                } else {
                    budget.end(.values)
                }
            }
        }
        return result
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
