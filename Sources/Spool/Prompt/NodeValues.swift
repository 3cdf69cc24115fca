// YAML nodes as plain values: keys whatever their spelling, lists whatever their form, trees as JSON. For front matter that was
// written for other tools, where a value in a wrong form is no concern of ours and reads as nil.

import Yams

/// A mapping's values by key; kebab, camel and snake case are one spelling, and case does not count.
struct FoldedKeys {
    private var nodes: [String: (spelling: String, node: Node)] = [:]

    /// The first of keys that fold alike wins.
    init(_ mapping: Node.Mapping) {
        for (key, value) in mapping {
            guard let spelling = key.scalar?.string else { continue }
            let folded = Self.fold(spelling)
            if nodes[folded] == nil { nodes[folded] = (spelling, value) }
        }
    }

    /// The value under any of `names`, the first that says something.
    subscript(names: String...) -> Node? { entry(names)?.node }

    func entry(_ names: [String]) -> (spelling: String, node: Node)? {
        for name in names {
            if let entry = nodes[Self.fold(name)], !entry.node.isNull { return entry }
        }
        return nil
    }

    /// `maxOutputTokens`, `max-output-tokens` and `max_output_tokens` fold to `maxoutputtokens`.
    static func fold(_ name: String) -> String {
        String(decoding: name.utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }, as: UTF8.self).lowercased()
    }
}

extension Node {
    var folded: FoldedKeys? { mapping.map(FoldedKeys.init) }

    /// A list of texts, or one text cut at commas that stand outside parentheses: `Read, Bash(git add:*, git commit:*)`.
    var texts: [String] {
        if let sequence { return sequence.prefix(1000).compactMap(\.text) }
        guard let text else { return [] }
        var parts: [String] = [""]
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth = max(0, depth - 1) }
            if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
        }
        return parts.map { String($0.trimming(while: \.isWhitespace)) }.filter { !$0.isEmpty }
    }

    /// Scalars as they are written, everything else as JSON on one line: what stands for it in a text.
    var flatText: String { text ?? json()?.compact ?? "" }

    /// The tree as JSON: unquoted `null`, booleans and numbers are such, everything else is text.
    ///
    /// - Returns: nil where the tree is deeper than 64 or has more than 10 000 values.
    func json() -> JSON? {
        var left = 10_000
        return json(depth: 64, left: &left)
    }

    private func json(depth: Int, left: inout Int) -> JSON? {
        left -= 1
        guard depth > 0, left > 0 else { return nil }
        switch self {
        case .scalar(let scalar):
            return scalar.style == .plain ? Self.plain(scalar.string) : .string(scalar.string)
        case .sequence(let sequence):
            var items: [JSON] = []
            for item in sequence {
                guard let value = item.json(depth: depth - 1, left: &left) else { return nil }
                items.append(value)
            }
            return .array(items)
        case .mapping(let mapping):
            var members: [(String, JSON)] = []
            for (key, value) in mapping {
                guard let name = key.scalar?.string, let value = value.json(depth: depth - 1, left: &left) else { return nil }
                members.append((name, value))
            }
            return .object(members)
        case .alias:
            return nil
        }
    }

    private static func plain(_ text: String) -> JSON {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        if let number = Int(text) { return .int(number) }
        let isNumeric = text.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
        if isNumeric, let number = Double(text), number.isFinite { return .double(number) }
        return .string(text)
    }
}

extension StringProtocol {
    /// Without the characters at both ends for which `isCut` holds.
    func trimming(while isCut: (Character) -> Bool) -> SubSequence {
        var rest = self[...]
        while let first = rest.first, isCut(first) { rest = rest.dropFirst() }
        while let last = rest.last, isCut(last) { rest = rest.dropLast() }
        return rest
    }
}
