import Foundation
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt)) struct RiskTests {
    @Test(arguments: RuleCase.files) func cases_areJudgedAsLabelled(_ file: String) async throws {
        let analyzer = try ShellAnalyzer()
        let cases = try RuleCase.read(file)
        #expect(cases.count > 20)
        for item in cases {
            let findings = await analyzer.analyze(block(item.block)).findings
            let got = Set(findings.map(\.code.rawValue))
            #expect(got == item.codes, "\(item.name): \(findings.map(\.message))")
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: sharedFolder + "/risk/dev.jsonl")))
    func labelledFile_isJudgedWithoutAMiss() async throws {
        let contents = try #require(FileManager.default.contents(atPath: sharedFolder + "/risk/dev.jsonl"))
        let report = try await RiskReport.measure(contents, name: "dev.jsonl", with: ShellAnalyzer())
        #expect(report.misses == [])
        #expect(report.total.precision == 1)
        #expect(report.total.recall == 1)
    }

    @Test func report_countsAndNamesEachMiss() async throws {
        let rows = """
            {"id": "a", "block": "sudo ls", "expect": ["privilege"], "why": "x"}
            {"id": "b", "block": "ls", "expect": ["privilege"], "why": "y"}
            {"id": "c", "block": "sudo ls", "expect": [], "why": "z"}
            """
        let report = try await RiskReport.measure(Data(rows.utf8), name: "rows", with: ShellAnalyzer())
        #expect(report.counts["privilege"] == RiskReport.Count(right: 1, tooMuch: 1, tooLittle: 1))
        #expect(report.total.precision == 0.5)
        #expect(report.misses.map(\.id) == ["b", "c"])
        #expect(report.text.contains("b: expected [privilege], got []"))
        #expect(report.text.contains("privilege                   0.500      0.500      0.500"))
    }

    @Test func report_namesTheLineThatIsNoLabelledBlock() async throws {
        await #expect(throws: FlowspoolError.self) {
            _ = try await RiskReport.measure(Data("{}".utf8), name: "rows", with: ShellAnalyzer())
        }
    }

    /// Both parsers give the evaluator the same program: what it finds, and where, does not differ.
    @Test(arguments: RuleCase.files) func parsers_agree(_ file: String) throws {
        let parser = try ShellParser(searchPath: "/usr/bin:/usr/local/bin:/bin")
        for item in try RuleCase.read(file) {
            guard case .tree(let tree) = parser.parse(item.block) else { continue }
            let own = try NestedShellParser.parse(item.block)
            let first = ShellAnalyzer.findings(for: tree, text: item.block, .standard)
            let second = ShellAnalyzer.findings(for: own, text: item.block, .standard)
            // Columns may differ where shfmt counts from the first word and bash from the statement.
            func shape(_ findings: [CachedFinding]) -> [String] { findings.map { "\($0.line) \($0.code) \($0.message)" } }
            #expect(shape(first.0) == shape(second.0), "\(item.name)")
            #expect(first.commands == second.commands, "\(item.name)")
        }
    }

    @Test func everyRule_isCaughtByACase() async throws {
        var caught: Set<String> = []
        for file in RuleCase.files {
            for item in try RuleCase.read(file) {
                guard let statements = try? NestedShellParser.parse(item.block) else { continue }
                let evaluator = ShellEvaluator(rules: .standard)
                evaluator.evaluate(statements)
                caught.formUnion(evaluator.hits.map(\.rule))
            }
        }
        let missing = Set(RuleTable.rows.map(\.id)).subtracting(caught)
        #expect(missing.isEmpty, "rules without a case: \(missing.sorted())")
    }

    @Test func ruleNames_areUnique() {
        #expect(Set(RuleTable.rows.map(\.id)).count == RuleTable.rows.count)
    }
}
