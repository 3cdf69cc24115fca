// `{{name}}` in a prompt's text: filled from values, never evaluated, never filled twice. What a value holds is text, whatever
// it looks like. `{{name}}` in code (a fence, or between backticks) that no value answers to is an example and stays; elsewhere
// it is missing. What may be meant for a tool that would have filled it (`$ARGUMENTS`, `{{#if …}}`, `{% … %}`) is told of. `${{ … }}` belongs to GitHub's workflows, and names with a dot, a slash or a blank to other languages: they stay.

/// Fills placeholders.
struct PromptTemplate: Sendable {
    /// Longest text that filling may make, in bytes: short placeholders can stand for long values, many times.
    static let bytesMax = 8 << 20

    struct Missing: Sendable, Hashable {
        var name: String
        /// Counted from 1, from the first line of the text.
        var line: Int
    }
    struct Filled: Sendable {
        var text: String
        var missing: [Missing] = []
        /// What other tools would fill or carry out, and here stays as it is; the first of each.
        var foreign: [Missing] = []
        var isTooLong = false
    }

    private let values: [String: String]
    private let declared: Set<String>
    /// Words that template languages give a meaning of their own.
    private static let keywords: Set<String> = ["else", "end", "this", "endif", "endfor", "history"]

    /// - Parameters:
    ///   - settings: the prompt's own values.
    ///   - variables: stronger ones, such as `FLOWSPOOL_VAR_*` gives; their names fold like keys.
    init(_ settings: AgentSettings, variables: [String: String] = [:]) {
        var values: [String: String] = [:]
        for name in settings.optionalInputs { values[FoldedKeys.fold(name)] = "" }
        for (name, value) in settings.values { values[FoldedKeys.fold(name)] = value }
        // Of two spellings, always the same one.
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) { values[FoldedKeys.fold(name)] = value }
        self.values = values
        declared = Set(settings.inputs.map(FoldedKeys.fold))
    }

    /// The variables of an environment: `FLOWSPOOL_VAR_topic`, `FLOWSPOOL_VAR_TOPIC` fill `{{topic}}`.
    static func variables(_ environment: [String: String]) -> [String: String] {
        let prefix = "FLOWSPOOL_VAR_"
        var result: [String: String] = [:]
        for (name, value) in environment where name.hasPrefix(prefix) { result[String(name.dropFirst(prefix.count))] = value }
        return result
    }

    func fill(_ text: String) -> Filled {
        var result = Filled(text: "")
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        var line = 1
        var start = 0
        var fence: (mark: UInt8, count: Int)?
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
            let content = bytes[start..<end]
            let run = Self.fenceRun(content)
            let wasInside = fence != nil
            if let open = fence {
                if let run, run.mark == open.mark, run.count >= open.count, run.isBare { fence = nil }
            } else if let run {
                fence = (run.mark, run.count)
            }
            fillLine(content, isCode: wasInside || run != nil, line: line, into: &out, &result)
            guard out.count <= Self.bytesMax else {
                result.isTooLong = true
                return result
            }
            line += 1
            start = end
        }
        result.text = String(decoding: out, as: UTF8.self)
        return result
    }

    private func fillLine(
        _ bytes: ArraySlice<UInt8>, isCode: Bool, line: Int, into out: inout [UInt8], _ result: inout Filled
    ) {
        var index = bytes.startIndex
        var codeRun = 0
        while index < bytes.endIndex, out.count <= Self.bytesMax {
            let byte = bytes[index]
            if byte == UInt8(ascii: "`") {
                let count = bytes[index...].prefix { $0 == byte }.count
                if codeRun == 0 { codeRun = count } else if codeRun == count { codeRun = 0 }
                out += bytes[index..<index + count]
                index += count
                continue
            }
            if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "$"), let found = placeholder(bytes, at: index) {
                if let value = values[FoldedKeys.fold(found.name)] {
                    out += Array(value.utf8)
                    index = found.end
                    continue
                }
                let isExample = isCode || codeRun > 0
                if found.isCertain, !isExample || declared.contains(FoldedKeys.fold(found.name)), result.missing.count < 100 {
                    result.missing.append(Missing(name: found.name, line: line))
                } else if !found.isCertain, !isExample, !result.foreign.contains(where: { $0.name == found.name }),
                    result.foreign.count < 100
                {
                    result.foreign.append(Missing(name: found.name, line: line))
                }
            }
            out.append(byte)
            index += 1
        }
    }

    private struct Placeholder {
        var name: String
        var end: Int
        /// Without a value it is missing. `$ARGUMENTS` is also what shells write, and the rest is no name.
        var isCertain = true
    }

    /// `{{name}}`, VS Code's `${input:name}`, Claude's `$ARGUMENTS`, or the beginning of a template's own statement, at `index`.
    private func placeholder(_ bytes: ArraySlice<UInt8>, at index: Int) -> Placeholder? {
        let rest = bytes[index...]
        if rest.starts(with: "{%".utf8), Self.isStatement(rest.dropFirst(2)) {
            return Placeholder(name: "{% … %}", end: index + 2, isCertain: false)
        }
        if rest.starts(with: "{{#".utf8), let name = Self.name(rest.dropFirst(3)) {
            return Placeholder(name: "{{#\(String(decoding: name, as: UTF8.self)) …}}", end: name.endIndex, isCertain: false)
        }
        if rest.starts(with: "{{".utf8) {
            if index > bytes.startIndex, "${".utf8.contains(bytes[index - 1]) { return nil }
            guard let name = Self.name(rest.dropFirst(2).drop { $0 == 0x20 }) else { return nil }
            let after = bytes[name.endIndex...].drop { $0 == 0x20 }
            guard after.starts(with: "}}".utf8), !after.starts(with: "}}}".utf8) else { return nil }
            let text = String(decoding: name, as: UTF8.self)
            if Self.keywords.contains(text), values[FoldedKeys.fold(text)] == nil { return nil }
            return Placeholder(name: text, end: after.startIndex + 2)
        }
        if rest.starts(with: "${input:".utf8), let name = Self.name(rest.dropFirst(8)) {
            guard let close = bytes[name.endIndex...].prefix(500).firstIndex(of: UInt8(ascii: "}")),
                [UInt8(ascii: "}"), UInt8(ascii: ":"), UInt8(ascii: "|")].contains(bytes[name.endIndex])
            else { return nil }
            return Placeholder(name: String(decoding: name, as: UTF8.self), end: close + 1)
        }
        if rest.starts(with: "$ARGUMENTS".utf8) { return Placeholder(name: "ARGUMENTS", end: index + 10, isCertain: false) }
        return nil
    }

    /// `{% if`, `{%- for`: a date's `{%Y-%m` is none.
    private static func isStatement(_ bytes: ArraySlice<UInt8>) -> Bool {
        let inside = bytes.first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes
        let word = inside.drop { $0 == 0x20 }
        return inside.first == 0x20 && word.first.map { $0.isASCIILetterOrDigit } ?? false
    }

    /// A name at the start of `bytes`: a letter or `_`, then letters, digits, `_` and `-`.
    private static func name(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let name = bytes.prefix { $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
        guard let first = name.first, !(48...57).contains(first), first != UInt8(ascii: "-"), name.count <= 100 else {
            return nil
        }
        return name
    }

    static func fenceRun(_ line: ArraySlice<UInt8>) -> (mark: UInt8, count: Int, isBare: Bool)? {
        let content = line.drop { $0 == 0x20 || $0 == 0x09 }
        guard let mark = content.first, mark == UInt8(ascii: "`") || mark == UInt8(ascii: "~") else { return nil }
        let count = content.prefix { $0 == mark }.count
        guard count >= 3 else { return nil }
        let info = content.dropFirst(count)
        // A fence of backticks has none in its info string (CommonMark 0.31, 4.5).
        if mark == UInt8(ascii: "`"), info.contains(mark) { return nil }
        return (mark, count, info.allSatisfy { [0x20, 0x09, 0x0D, 0x0A].contains($0) })
    }
}
