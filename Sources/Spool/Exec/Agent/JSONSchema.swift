// Whether a JSON value fits a schema: the part of JSON Schema (draft 2020-12) that answers of models are described with. A
// keyword that is not understood and that could refuse a value is a problem of the schema, never silently ignored.

/// A schema and its judgement.
struct JSONSchema: Sendable {
    private let schema: JSON
    /// Deepest nesting that is looked at; more is a misfit.
    private static let depthMax = 64
    /// Misfits that are told.
    private static let misfitsMax = 5

    init(_ schema: JSON) { self.schema = schema }

    /// Why this is no schema that can be judged by; nil when it is one.
    var problem: String? { Self.problem(schema, depth: Self.depthMax) }

    /// What in `value` does not fit, a sentence each, at most five; empty: it fits.
    func misfits(_ value: JSON) -> [String] {
        var found: [String] = []
        Self.check(value, schema, at: "$", depth: Self.depthMax, &found)
        return Array(found.prefix(Self.misfitsMax))
    }

    // MARK: The schema itself

    private static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "$anchor", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly", "format", "contentEncoding", "contentMediaType", "strict", "name",
    ]
    private static let types = ["null", "boolean", "integer", "number", "string", "array", "object"]

    private static func problem(_ schema: JSON, depth: Int) -> String? {
        if case .bool = schema { return nil }
        guard case .object(let members) = schema else { return "a schema is a mapping or true or false" }
        guard depth > 0 else { return "it is nested too deep" }
        for (key, value) in members {
            if let problem = problem(key, value, depth: depth) { return problem }
        }
        return nil
    }

    private static func problem(_ key: String, _ value: JSON, depth: Int) -> String? {
        switch key {
        case "type":
            let names = value.stringValue.map { [$0] } ?? value.arrayValue?.compactMap(\.stringValue) ?? []
            return names.isEmpty || !names.allSatisfy(types.contains) ? "`type` is one of \(types.joined(separator: ", "))" : nil
        case "properties":
            guard let members = value.objectValue else { return "`properties` is a mapping" }
            return members.lazy.compactMap { problem($0.1, depth: depth - 1) }.first
        case "items", "additionalProperties", "not": return problem(value, depth: depth - 1)
        case "anyOf", "allOf", "oneOf":
            guard let schemas = value.arrayValue, !schemas.isEmpty else { return "`\(key)` is a list of schemas" }
            return schemas.lazy.compactMap { problem($0, depth: depth - 1) }.first
        case "required":
            return value.arrayValue?.allSatisfy { $0.stringValue != nil } == true ? nil : "`required` is a list of names"
        case "enum": return value.arrayValue == nil ? "`enum` is a list" : nil
        case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
            return number(value) == nil ? "`\(key)` is a number" : nil
        case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
            return (value.intValue ?? -1) < 0 ? "`\(key)` is a whole number from 0" : nil
        case "pattern":
            guard let text = value.stringValue, PatternMatcher(text) != nil else { return "`pattern` is not understood" }
            return nil
        case "uniqueItems": return value.boolValue == nil ? "`uniqueItems` is true or false" : nil
        case "const": return nil
        default: return annotations.contains(key) ? nil : "the keyword `\(printable(key))` is not supported"
        }
    }

    // MARK: A value

    /// Equal for equal values, however they are written: keys in order, numbers as numbers.
    private static func canonical(_ value: JSON) -> String {
        switch value {
        case .array(let items): "[" + items.map(canonical).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.sorted { $0.0 < $1.0 }.map { JSON.string($0.0).compact + ":" + canonical($0.1) }.joined(separator: ",")
                + "}"
        default: number(value).map { "\($0)" } ?? value.compact
        }
    }

    private static func check(_ value: JSON, _ schema: JSON, at path: String, depth: Int, _ found: inout [String]) {
        guard found.count < misfitsMax else { return }
        if case .bool(let allows) = schema {
            if !allows { found.append("\(path) is not allowed") }
            return
        }
        guard depth > 0 else { return found.append("\(path) is nested too deep") }
        for (key, rule) in schema.objectValue ?? [] {
            switch key {
            case "type":
                let names = rule.stringValue.map { [$0] } ?? rule.arrayValue?.compactMap(\.stringValue) ?? []
                if !names.contains(where: { isOf($0, value) }) {
                    found.append("\(path) is \(typeName(value)), not \(names.joined(separator: " or "))")
                }
            case "enum":
                if !(rule.arrayValue ?? []).contains(where: { isSame($0, value) }) {
                    found.append("\(path) is none of \(excerpt(rule.compact))")
                }
            case "const": if !isSame(rule, value) { found.append("\(path) is not \(excerpt(rule.compact))") }
            case "anyOf", "oneOf", "allOf", "not": combine(key, value, rule, schema, at: path, depth: depth, &found)
            default: checkKind(key, rule, value, schema, at: path, depth: depth, &found)
            }
        }
    }

    private static func combine(
        _ key: String, _ value: JSON, _ rule: JSON, _ schema: JSON, at path: String, depth: Int, _ found: inout [String]
    ) {
        func fits(_ schema: JSON) -> Bool {
            var misfits: [String] = []
            check(value, schema, at: path, depth: depth - 1, &misfits)
            return misfits.isEmpty
        }
        let schemas = rule.arrayValue ?? []
        switch key {
        case "anyOf":
            if !schemas.contains(where: fits) { found.append("\(path) fits none of the \(schemas.count) forms of `anyOf`") }
        case "oneOf": if schemas.count(where: fits) != 1 { found.append("\(path) does not fit exactly one form of `oneOf`") }
        case "not": if fits(rule) { found.append("\(path) fits what `not` excludes") }
        default: for schema in schemas { check(value, schema, at: path, depth: depth - 1, &found) }
        }
    }

    /// Keywords that say something of one type of value only.
    private static func checkKind(
        _ key: String, _ rule: JSON, _ value: JSON, _ schema: JSON, at path: String, depth: Int, _ found: inout [String]
    ) {
        switch value {
        case .int, .double:
            guard let actual = number(value), let limit = number(rule) else { return }
            switch key {
            case "minimum": if actual < limit { found.append("\(path) is below \(rule.compact)") }
            case "maximum": if actual > limit { found.append("\(path) is above \(rule.compact)") }
            case "exclusiveMinimum": if actual <= limit { found.append("\(path) is not above \(rule.compact)") }
            case "exclusiveMaximum": if actual >= limit { found.append("\(path) is not below \(rule.compact)") }
            case "multipleOf":
                // Of decimal fractions neither is what was written: 19.99 is a multiple of 0.01.
                let ratio = limit == 0 ? 0 : actual / limit
                if limit != 0, abs(ratio - ratio.rounded()) > 1e-9 * max(1, abs(ratio)) {
                    found.append("\(path) is no multiple of \(rule.compact)")
                }
            default: return
            }
        case .string(let text):
            switch key {
            case "minLength": bound(text.unicodeScalars.count, rule, isLeast: true, "characters", at: path, &found)
            case "maxLength": bound(text.unicodeScalars.count, rule, isLeast: false, "characters", at: path, &found)
            case "pattern":
                if let pattern = rule.stringValue, PatternMatcher(pattern)?.isFound(in: text) != true {
                    found.append("\(path) does not match \(excerpt(pattern))")
                }
            default: return
            }
        case .array(let items):
            switch key {
            case "items":
                for (index, item) in items.enumerated() { check(item, rule, at: "\(path)[\(index)]", depth: depth - 1, &found) }
            case "minItems": bound(items.count, rule, isLeast: true, "items", at: path, &found)
            case "maxItems": bound(items.count, rule, isLeast: false, "items", at: path, &found)
            case "uniqueItems":
                let isUnique = Set(items.map(Self.canonical)).count == items.count
                if rule.boolValue == true, !isUnique { found.append("\(path) has an item twice") }
            default: return
            }
        case .object(let members): checkObject(key, rule, members, schema, at: path, depth: depth, &found)
        case .null, .bool: return
        }
    }

    private static func checkObject(
        _ key: String, _ rule: JSON, _ members: [(String, JSON)], _ schema: JSON, at path: String, depth: Int,
        _ found: inout [String]
    ) {
        switch key {
        case "required":
            for name in rule.arrayValue?.compactMap(\.stringValue) ?? [] where !members.contains(where: { $0.0 == name }) {
                found.append("\(path) lacks \(excerpt(name))")
            }
        case "properties":
            for (name, value) in members {
                if let schema = rule[name] { check(value, schema, at: "\(path).\(excerpt(name))", depth: depth - 1, &found) }
            }
        case "additionalProperties":
            for (name, value) in members where schema["properties"]?[name] == nil {
                check(value, rule, at: "\(path).\(excerpt(name))", depth: depth - 1, &found)
            }
        case "minProperties": bound(members.count, rule, isLeast: true, "members", at: path, &found)
        case "maxProperties": bound(members.count, rule, isLeast: false, "members", at: path, &found)
        default: return
        }
    }

    private static func bound(
        _ count: Int, _ rule: JSON, isLeast: Bool, _ what: String, at path: String, _ found: inout [String]
    ) {
        guard let limit = rule.intValue, isLeast ? count < limit : count > limit else { return }
        found.append("\(path) has \(count) \(what), \(isLeast ? "fewer" : "more") than \(limit)")
    }

    private static func number(_ value: JSON) -> Double? {
        switch value {
        case .int(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    private static func isOf(_ type: String, _ value: JSON) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("integer", .int), ("number", .int), ("number", .double), ("string", .string),
            ("array", .array), ("object", .object):
            true
        case ("integer", .double(let number)): number == number.rounded()
        default: false
        }
    }

    private static func typeName(_ value: JSON) -> String { types.first { isOf($0, value) } ?? "nothing" }

    /// Equal as JSON Schema means it: 1 is 1.0, and the order of keys does not count.
    private static func isSame(_ left: JSON, _ right: JSON) -> Bool {
        switch (left, right) {
        case (.int, .double), (.double, .int), (.int, .int), (.double, .double): number(left) == number(right)
        case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(isSame)
        case (.object(let a), .object(let b)):
            a.count == b.count && a.allSatisfy { key, value in right[key].map { isSame(value, $0) } ?? false }
        default: left == right
        }
    }
}
