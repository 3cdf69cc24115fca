import Testing

@testable import Spool

@Suite struct FindingOutputTests {
    private let findings = [
        Finding(.privilege, line: 2, column: 3, message: "runs as root: sudo id", advice: "do without"),
        Finding(.noGate, message: "no gate", advice: "name one"),
    ]

    @Test func text_showsTheLineWithACaret() {
        let text = FindingRenderer().render(findings, name: "a.md", text: "one\n\t sudo id\r\nthree\n")
        #expect(
            text == """
                a.md:2:3: warning[privilege]: runs as root: sudo id
                 2 |   sudo id
                   |   ^
                    help: do without
                a.md: info[no_gate]: no gate
                    help: name one

                """)
    }

    @Test func text_escapesWhatATerminalWouldObey() {
        let finding = Finding(.privilege, line: 1, column: 6, message: "x\u{1B}[2J", advice: "y")
        let text = FindingRenderer().render([finding], name: "a\u{7}.md", text: "a\u{1B}[31mb c\n")
        #expect(!text.contains("\u{1B}"))
        #expect(!text.contains("\u{7}"))
    }

    @Test func text_cutsALongLineAroundTheCaret() {
        let line = String(repeating: "x", count: 5_000) + "sudo" + String(repeating: "y", count: 5_000)
        let finding = Finding(.privilege, line: 1, column: 5_001, message: "m", advice: "a")
        let lines = FindingRenderer().render([finding], name: "a", text: line).split(separator: "\n")
        #expect(lines[1].count < 140)
        let caret = lines[2].firstIndex(of: "^").map { lines[2].distance(from: lines[2].startIndex, to: $0) }
        let word = lines[1].firstRange(of: "sudo").map { lines[1].distance(from: lines[1].startIndex, to: $0.lowerBound) }
        #expect(caret == word)
    }

    @Test func sarif_hasWhatTheSchemaAsksFor() throws {
        var waived = findings[0]
        waived.waiver = "reviewed"
        let document = SARIFReport(version: "1.0").document([.init(path: "a b/ü.md", findings: [waived, findings[1]])])
        let parsed = try JSON.parse(document.pretty)
        #expect(parsed["version"]?.stringValue == "2.1.0")
        let run = try #require(parsed["runs"]?.arrayValue?.first)
        #expect(run["tool"]?["driver"]?["name"]?.stringValue == "flowspool")
        let rules: [JSON] = try #require(run["tool"]?["driver"]?["rules"]?.arrayValue)
        let results: [JSON] = try #require(run["results"]?.arrayValue)
        #expect(results.count == 2)
        for result in results {
            let index = try #require(result["ruleIndex"]?.intValue)
            #expect(rules[index]["id"]?.stringValue == result["ruleId"]?.stringValue)
            #expect(["error", "warning", "note"].contains(result["level"]?.stringValue ?? ""))
            let place: JSON? = result["locations"]?.arrayValue?.first?["physicalLocation"]
            #expect(place?["artifactLocation"]?["uri"]?.stringValue == "a%20b/%C3%BC.md")
        }
        #expect(results[0]["suppressions"]?.arrayValue?.first?["kind"]?.stringValue == "inSource")
        #expect(results[0]["locations"]?.arrayValue?.first?["physicalLocation"]?["region"]?["startColumn"]?.intValue == 3)
        #expect(results[1]["locations"]?.arrayValue?.first?["physicalLocation"]?["region"] == nil)
    }
}
