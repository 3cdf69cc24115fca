import Spool
import Testing

@Suite struct JSONTests {
    @Test func pretty_keepsKeyOrderAndIndents() {
        let value: JSON = ["z": 1, "a": [true, nil, 1.5], "empty": [:], "none": [], "text": "x"]
        #expect(
            value.pretty == """
                {
                  "z": 1,
                  "a": [
                    true,
                    null,
                    1.5
                  ],
                  "empty": {},
                  "none": [],
                  "text": "x"
                }

                """)
        #expect(value.compact == #"{"z":1,"a":[true,null,1.5],"empty":{},"none":[],"text":"x"}"#)
    }

    @Test func strings_escapeControlsAndWhatATerminalObeys() throws {
        let text = "q\" b\\ n\n t\t nul\0 esc\u{1B}[31m bidi\u{202E} é 😀 \u{E0001}"
        let written = JSON.string(text).compact
        #expect(written == #""q\" b\\ n\n t\t nul\u0000 esc\u001b[31m bidi\u202e é 😀 \udb40\udc01""#)
        #expect(try JSON.parse(written) == .string(text))
    }

    @Test func doubles_thatJSONCannotSay_areNull() {
        #expect(JSON.array([.double(.nan), .double(.infinity), .double(1e16)]).compact == "[null,null,1e+16]")
    }

    @Test func parse_readsEveryKind() throws {
        let text =
            "\u{FEFF} {\"a\" : [ 1 , -0, 1.5e2, 12345678901234567890 ], \"b\":{\"c\":null},\n\"u\":\"\\u00e9\\ud83d\\ude00\\/\"}\r\n"
        #expect(
            try JSON.parse(text)
                == ["a": [1, 0, 150.0, 12345678901234567890.0], "b": ["c": nil], "u": "é😀/"])
    }

    @Test(arguments: [
        ("", "line 1, column 1: the text is empty"),
        ("  \n ", "line 2, column 2: the text is empty"),
        ("{", "line 1, column 2: expected a key in double quotes, found the end of the text"),
        ("{\n  \"a\": 1,\n}", "line 3, column 1: expected a key in double quotes, found '}'"),
        ("{\"a\" 1}", "line 1, column 6: expected ':' after the key, found '1'"),
        ("{\"a\": 1 \"b\": 2}", "line 1, column 9: expected ',' or '}', found '\"'"),
        ("[1, 2", "line 1, column 6: expected ',' or ']', found the end of the text"),
        ("[1,]", "line 1, column 4: expected a value, found ']'"),
        ("{\"é\": 1, \"é\": 2}", "line 1, column 10: the key \"é\" stands here a second time"),
        ("01", "line 1, column 2: text after the end of the value"),
        ("-", "line 1, column 2: expected a digit, found the end of the text"),
        ("1.", "line 1, column 3: expected a digit after the point, found the end of the text"),
        ("1e", "line 1, column 3: expected a digit in the exponent, found the end of the text"),
        ("1e999", "line 1, column 1: the number is out of range"),
        ("tru", "line 1, column 1: expected a value, found 't'"),
        ("NaN", "line 1, column 1: expected a value, found 'N'"),
        ("'a'", "line 1, column 1: expected a value, found '''"),
        ("\"a", "line 1, column 1: the string is not closed"),
        ("\"a\nb\"", "line 1, column 3: a control character in a string must be escaped"),
        ("\"\\x\"", "line 1, column 2: an unknown escape in a string"),
        ("\"\\", "line 1, column 2: an unknown escape in a string"),
        ("\"\\u12\"", "line 1, column 2: expected four hexadecimal digits after \\u"),
        ("\"\\u+123\"", "line 1, column 2: expected four hexadecimal digits after \\u"),
        ("\"\\ud800\"", "line 1, column 2: half a surrogate pair"),
        ("\"\\ud800\\u0041\"", "line 1, column 2: half a surrogate pair"),
        ("\"\\udc00\"", "line 1, column 2: half a surrogate pair"),
        ("{} {}", "line 1, column 4: text after the end of the value"),
    ])
    func parse_ofWhatIsNoJSON_saysWhere(text: String, message: String) {
        #expect(throws: JSONSyntaxError.self) { try JSON.parse(text) }
        do { _ = try JSON.parse(text) } catch { #expect(error.description == message) }
    }

    @Test func parse_isBoundedInDepthSizeAndEncoding() {
        let deep = String(repeating: "[", count: 100_000)
        do { _ = try JSON.parse(deep) } catch { #expect(error.description == "line 1, column 65: more than 64 levels deep") }
        #expect(throws: Never.self) { try JSON.parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) }
        #expect(throws: JSONSyntaxError.self) { try JSON.parse("[1,2]".utf8, bytesMax: 4) }
        #expect(throws: JSONSyntaxError.self) { try JSON.parse([0x22, 0xFF, 0x22]) }
    }
}
