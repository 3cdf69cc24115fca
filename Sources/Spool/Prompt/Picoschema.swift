// Dotprompt's short form of a JSON schema (Picoschema): `name?: type, description`, `list(array): type`, `one(enum): [a, b]`,
// and the forms `type[]` and `{ … }` that are found beside it. What is not understood stands for "anything": a schema that is
// guessed must not fail an answer.

import Yams

enum Picoschema {
    /// The JSON schema that `node` means; a mapping with a JSON schema's own keywords is taken as it is. nil where it is none.
    static func convert(_ node: Node) -> JSON? {
        guard let mapping = node.mapping else { return nil }
        if isJSONSchema(mapping) {
            guard let schema = node.json(), JSONSchema(schema).problem == nil else { return nil }
            return schema
        }
        return object(mapping, depth: 16)
    }

    /// The names that an input schema declares.
    static func names(_ node: Node?) -> [(name: String, isOptional: Bool)] {
        guard let mapping = node?.mapping else { return [] }
        guard isJSONSchema(mapping) else {
            return mapping.prefix(200).compactMap { key($0.key).map { ($0.name, $0.isOptional) } }
        }
        let required = node?.keys?["required"]?.texts
        return (node?.keys?["properties"]?.mapping).map { properties in
            properties.prefix(200).compactMap { pair in
                pair.key.text.map { name in (name, required.map { !$0.contains(name) } ?? false) }
            }
        } ?? []
    }

    private static func isJSONSchema(_ mapping: Node.Mapping) -> Bool {
        mapping.contains { $0.key.text == "properties" && $0.value.mapping != nil }
            || mapping.contains { $0.key.text == "type" && ["object", "array"].contains($0.value.text ?? "") }
    }

    private static func object(_ mapping: Node.Mapping, depth: Int) -> JSON {
        guard depth > 0 else { return .bool(true) }
        var properties: [(String, JSON)] = []
        var required: [JSON] = []
        for (node, value) in mapping.prefix(200) {
            guard let key = key(node) else { continue }
            properties.append((key.name, schema(value, kind: key.kind, depth: depth)))
            if !key.isOptional { required.append(.string(key.name)) }
        }
        return .object([("type", "object"), ("properties", .object(properties)), ("required", .array(required))])
    }

    /// `name?(array, description)` taken apart.
    private static func key(_ node: Node) -> (name: String, isOptional: Bool, kind: String?)? {
        guard let text = node.text else { return nil }
        let parts = text.split(separator: "(", maxSplits: 1)
        guard var name = parts.first.map({ $0.trimming(while: \.isWhitespace) }), name != "" else { return nil }
        let isOptional = name.hasSuffix("?")
        if isOptional { name = name.dropLast() }
        let kind = parts.count > 1 ? parts[1].prefix { $0 != "," && $0 != ")" } : nil
        return (String(name), isOptional, kind.map { String($0.trimming(while: \.isWhitespace)) })
    }

    private static func schema(_ node: Node, kind: String?, depth: Int) -> JSON {
        switch kind {
        case "array": return .object([("type", "array"), ("items", schema(node, kind: nil, depth: depth - 1))])
        case "enum":
            guard let values = node.sequence, !values.isEmpty else { return .bool(true) }
            return .object([("enum", .array(values.compactMap { $0.json() }))])
        default: break
        }
        if let mapping = node.mapping { return object(mapping, depth: depth - 1) }
        guard let text = node.text else { return .bool(true) }
        return scalar(String(text.prefix { $0 != "," }.trimming(while: \.isWhitespace)))
    }

    private static func scalar(_ type: String) -> JSON {
        if type.hasSuffix("[]") { return .object([("type", "array"), ("items", scalar(String(type.dropLast(2))))]) }
        return ["string", "number", "integer", "boolean", "null"].contains(type)
            ? .object([("type", .string(type))]) : .bool(true)
    }
}
