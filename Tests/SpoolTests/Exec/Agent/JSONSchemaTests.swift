import Testing

@testable import Spool

@Suite struct JSONSchemaTests {
    @Test func object_withEveryKeyword_isJudged() {
        let schema = JSONSchema([
            "type": "object", "required": ["name", "age"], "additionalProperties": false,
            "properties": [
                "name": ["type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[A-Z]\\w*$"],
                "age": ["type": "integer", "minimum": 0, "maximum": 150],
                "kind": ["enum": ["a", "b"]], "version": ["const": 1],
                "tags": ["type": "array", "items": ["anyOf": [["type": "string"], ["type": "null"]]], "maxItems": 2],
            ],
        ])
        #expect(schema.problem == nil)
        #expect(schema.misfits(["name": "Jo", "age": 3, "kind": "a", "version": 1.0, "tags": ["x", nil]]).isEmpty)
        #expect(schema.misfits(["name": "jo"]) == ["$ lacks age", "$.name does not match ^[A-Z]\\w*$"])
        #expect(schema.misfits(["name": "Jo", "age": 1.5, "x": 1]).count == 2)
        #expect(schema.misfits(["name": "Jo", "age": 1, "tags": [1, "a", "b"]]).count == 2)
        #expect(schema.misfits([]) == ["$ is array, not object"])
    }

    /// As people write numbers and patterns, and not as their bits are.
    @Test func numbersPatternsAndItems_areJudgedByWhatTheyMean() {
        for (step, value) in [(0.01, 19.99), (0.1, 0.3), (0.01, 1e6 + 0.07)] {
            #expect(JSONSchema(["multipleOf": .double(step)]).misfits(.double(value)).isEmpty, "\(value)")
        }
        #expect(JSONSchema(["multipleOf": 0.01]).misfits(19.995) != [] && JSONSchema(["multipleOf": 2]).misfits(3) != [])
        let long = String(repeating: "a", count: 70_000)
        #expect(JSONSchema(["pattern": "^a*$"]).misfits(.string(long + "B")) != [])
        for items: JSON in [[["a": 1, "b": 2], ["b": 2, "a": 1]], [1, 1.0]] {
            #expect(JSONSchema(["uniqueItems": true]).misfits(items) == ["$ has an item twice"])
        }
        #expect(JSONSchema(["uniqueItems": true]).misfits([1, "1", [1]]).isEmpty)
    }

    @Test func keyword_thatIsNotSupported_isAProblem() {
        #expect(JSONSchema(["$ref": "#/x"]).problem == "the keyword `$ref` is not supported")
        #expect(JSONSchema(["type": "text"]).problem != nil)
        #expect(JSONSchema(["pattern": "("]).problem != nil)
        #expect(JSONSchema(["properties": ["a": ["items": ["if": true]]]]).problem != nil)
    }

    @Test func combinations_areJudged() {
        #expect(JSONSchema(["not": ["type": "string"]]).misfits("x").count == 1)
        #expect(JSONSchema(["oneOf": [["minimum": 1], ["minimum": 2]]]).misfits(3).count == 1)
        #expect(JSONSchema(["allOf": [["minimum": 1], ["maximum": 2]]]).misfits(3).count == 1)
        #expect(JSONSchema(false).misfits(1).count == 1)
    }

    @Test(arguments: [
        ("^a+b?c{2,3}$", "aabcc", true), ("^a+b?c{2,3}$", "ac", false), ("x|yz", "ayz", true), ("[^0-9]", "12", false),
        ("^(?:ab)*$", "abab", true), ("^(ab)*$", "aba", false), ("\\d{4}-\\d\\d", "on 2026-01", true), ("^$", "", true),
        ("^.$", "é", true),
        ("^[\\w.+-]+@[\\w-]+\\.[a-z]+$", "a.b+c@d-e.org", true), ("a{3,}", "aa", false), ("a{3,}", "aaaa", true),
        ("\\.", "x", false),
    ])
    func pattern_matches(_ pattern: String, _ text: String, _ isFound: Bool) throws {
        #expect(try #require(PatternMatcher(pattern)).isFound(in: text) == isFound)
    }

    @Test func pattern_madeToExplode_isLinear() throws {
        let matcher = try #require(PatternMatcher("^(a+)+$"))
        #expect(!matcher.isFound(in: String(repeating: "a", count: 5000) + "!"))
    }
}
