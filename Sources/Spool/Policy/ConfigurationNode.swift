// A configuration file as a tree in which every key and value knows its line, whether it was JSON or YAML. The readers of the
// two files (`PolicyConfiguration`, `SpoolConfiguration`) judge this tree; nothing here knows any key.

import Foundation
import Yams

/// A value of a configuration file and where it stands.
struct ConfigurationNode: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case null
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string(String)
        case list([ConfigurationNode])
        case map([Entry])
    }
    struct Entry: Sendable, Hashable {
        var key: String
        var keyPosition: TextPosition
        var value: ConfigurationNode
    }
    var kind: Kind
    var position: TextPosition

    /// How a message shows this value: scalars as they are written in JSON, at most 60 characters of them.
    var shown: String {
        switch kind {
        case .list: return "a list"
        case .map: return "a mapping"
        default:
            let text = json.compact
            return text.count > 60 ? text.prefix(59) + "…" : text
        }
    }

    /// The value without positions.
    var json: JSON {
        switch kind {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .double(let value): .double(value)
        case .string(let value): .string(value)
        case .list(let nodes): .array(nodes.map(\.json))
        case .map(let entries): .object(entries.map { ($0.key, $0.value.json) })
        }
    }

    /// The entries of a mapping by key; each key's first. Keys that stand twice, and a value that is no mapping, are faults.
    func entries(_ path: String, _ faults: inout ConfigurationFaults) -> [String: Entry] {
        guard case .map(let entries) = kind else {
            faults.add(path, self, allowed: "a mapping of keys to values")
            return [:]
        }
        var result: [String: Entry] = [:]
        for entry in entries {
            if let first = result[entry.key] {
                faults.add(
                    ConfigurationFaults.path(path, entry.key), at: entry.keyPosition,
                    "duplicate key: it stands on line \(first.keyPosition.line) already")
            } else {
                result[entry.key] = entry
            }
        }
        return result
    }
}

// MARK: - From JSON

extension ConfigurationNode {
    /// - Throws: `JSONSyntaxError`.
    init(json data: Data) throws(JSONSyntaxError) {
        let bytes = Array(data)
        var parser = JSONParser(bytes, bytesMax: ConfigurationFile.bytesMax, allowsDuplicateKeys: true)
        self.init(try parser.parse(), PositionTable(bytes))
    }

    private init(_ node: JSONNode, _ table: PositionTable) {
        position = table.position(of: node.offset)
        kind =
            switch node.kind {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .double(let value): .double(value)
            case .string(let value): .string(value)
            case .array(let nodes): .list(nodes.map { ConfigurationNode($0, table) })
            case .object(let members):
                .map(
                    members.map {
                        Entry(
                            key: $0.key, keyPosition: table.position(of: $0.keyOffset), value: ConfigurationNode($0.value, table))
                    })
            }
    }

    /// Line and column of each byte, found once.
    private struct PositionTable {
        private var positions: [TextPosition] = []

        init(_ bytes: [UInt8]) {
            positions.reserveCapacity(bytes.count)
            var next = TextPosition.start
            for byte in bytes {
                // A continuation byte belongs to the character before it.
                if byte & 0xC0 == 0x80, let last = positions.last { positions.append(last); continue }
                positions.append(next)
                next.column += 1
                if byte == UInt8(ascii: "\n") { next = TextPosition(line: next.line + 1, column: 1) }
            }
        }

        func position(of offset: Int) -> TextPosition { positions.indices.contains(offset) ? positions[offset] : .start }
    }
}

// MARK: - From YAML

extension ConfigurationNode {
    /// Aliases repeat what they stand for, so a small file can mean a huge tree: more values than this are refused.
    private static let nodesMax = 10_000

    /// A file without any value (empty, or only comments) is an empty mapping.
    init(yaml data: Data) throws(JSONSyntaxError) {
        // Behind a byte-order mark libyaml takes a mapping of more than one key for something else.
        let data = data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data
        guard let text = String(validating: data, as: UTF8.self) else {
            throw JSONSyntaxError(position: .start, message: "the text is not UTF-8")
        }
        do {
            guard let root = try Yams.compose(yaml: text) else {
                self.init(kind: .map([]), position: .start)
                return
            }
            var left = Self.nodesMax
            self = try Self.convert(root, &left)
            if case .null = kind { kind = .map([]) }
        } catch let error as JSONSyntaxError {
            throw error
        } catch let error as YamlError {
            throw Self.syntaxError(error, text)
        } catch {
            throw JSONSyntaxError(position: .start, message: "\(error)")
        }
    }

    private static func convert(_ node: Node, _ left: inout Int) throws -> ConfigurationNode {
        let position = node.mark.map { TextPosition(line: $0.line, column: $0.column) } ?? .start
        left -= 1
        guard left > 0 else { throw JSONSyntaxError(position: position, message: "more than \(nodesMax) values") }
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            return ConfigurationNode(kind: isPlain ? plain(scalar.string) : .string(scalar.string), position: position)
        case .sequence(let sequence):
            return ConfigurationNode(kind: .list(try sequence.map { try convert($0, &left) }), position: position)
        case .mapping(let mapping):
            let entries = try mapping.map { key, value in
                guard case .scalar(let scalar) = key else {
                    throw JSONSyntaxError(position: position, message: "a key must be plain text")
                }
                let keyPosition = key.mark.map { TextPosition(line: $0.line, column: $0.column) } ?? position
                return Entry(key: scalar.string, keyPosition: keyPosition, value: try convert(value, &left))
            }
            return ConfigurationNode(kind: .map(entries), position: position)
        case .alias:
            throw JSONSyntaxError(position: position, message: "an alias that stands for nothing")
        }
    }

    /// What an unquoted scalar means: the words and numbers that YAML 1.1 and 1.2 agree on, with yes and no.
    private static func plain(_ text: String) -> Kind {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO": return .bool(false)
        default: break
        }
        if let value = Int(text) { return .int(value) }
        let looksNumeric = text.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
        if looksNumeric, let value = Double(text), value.isFinite { return .double(value) }
        return .string(text)
    }

    private static func syntaxError(_ error: YamlError, _ text: String) -> JSONSyntaxError {
        func at(_ mark: Mark) -> TextPosition { TextPosition(line: mark.line, column: mark.column) }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            return JSONSyntaxError(position: at(mark), message: "not valid YAML: \(printable(problem))")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { printable($0) }.joined(separator: ", ")
            return JSONSyntaxError(position: at(context.mark), message: "duplicate key: \(names)")
        case .reader(let problem, let offset, _, _):
            let before = text.prefix(offset ?? 0)
            let line = before.reduce(into: 1) { line, character in if character.isNewline { line += 1 } }
            return JSONSyntaxError(
                position: TextPosition(line: line, column: 1), message: "not valid YAML: \(printable(problem))")
        default:
            return JSONSyntaxError(position: .start, message: "not valid YAML")
        }
    }
}
