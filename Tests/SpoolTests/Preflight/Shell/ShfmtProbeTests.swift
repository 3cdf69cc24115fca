// The numbers in shfmt's trees, learnt beside the block itself: the tree must be the one that a full probe gives, whatever the
// block holds, and a program that is no shfmt must be found out by the first block.

import Foundation
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt)) struct ShfmtProbeTests {
    private static let path = "/usr/local/bin:/usr/bin:/bin"

    /// A program that counts its starts and then runs `body`.
    private func fake(_ folder: TestFolder, _ body: String) throws -> String {
        let program = folder.path + "/shfmt"
        try "#!/bin/bash\necho x >> '\(folder.path)/count'\n\(body)\n".write(toFile: program, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        return program
    }

    private func starts(_ folder: TestFolder) throws -> Int {
        try String(contentsOfFile: folder.path + "/count", encoding: .utf8).split(separator: "\n").count
    }

    private func real() throws -> String { try ShellParser(searchPath: Self.path).path }

    @Test(arguments: ShfmtOperator.all) func sample_isGuessedAsItself(_ kind: ShfmtOperator) {
        #expect(ShfmtProbe.operators(in: kind.sample) == [kind])
    }

    @Test func operator_thatGoesOnInTheNextLine_isGuessed() {
        #expect(ShfmtProbe.operators(in: "a &\\\n& b |\\\n| c\n") == [.and, .or])
    }

    @Test(arguments: [
        "echo a\n", "", "# only a comment\n", "a || b && c | d |& e\n", "a >b 2>&1 <c >>d <>e >|f &>g &>>h <&3\n", "a &\\\n& b\n",
        "cat <<A <<-B\n$(x || y)\nA\n\tb\n\tB\ncat <<<\"$(z >&2)\"\n", "tee >(cat) <(ls)\n", "diff <(a) <(b)\n",
        "echo ${a:-b} ${a-b} ${a:=b} ${a=b} ${a:?b} ${a?b} ${a:+b} ${a+b} ${a%b} ${a%%b} ${a#b} ${a##b} ${a^b} ${a^^b} ${a,b} ${a,,b} ${a@Q}\n",
        "echo ${!a:-b} ${#a} ${a[1]:-b} ${a[$i]%%x} ${@:-b} ${*##x} ${a:1:2} ${a/b/c} \"${1:-${2:+${3%x}}}\"\n",
        "x=`echo \\${a:-b} | c`\n", "if a; then b || c; fi > d\n", "\u{FEFF}sudo id | a\n", "a | b\r\nc && d\r\n",
        "f() { a | b; }\nwhile read x; do f && break; done < c\n", "(( a || b )); [[ a && b ]]\n",
    ])
    func tree_isThatOfAFullProbe(_ text: String) throws {
        let proven = try ShellParser(searchPath: Self.path)
        try proven.prove()
        let fresh = try ShellParser(searchPath: Self.path)
        #expect(String(describing: fresh.parse(text)) == String(describing: proven.parse(text)))
        #expect(fresh.fault == nil)
    }

    @Test func operator_thatIsNotGuessed_isAskedFor() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let fresh = try ShellParser(path: try fake(folder, "exec \(try real()) \"$@\""), searchPath: Self.path)
        // The guess takes the first bracket for the end of the index.
        let text = "echo ${a[b[0]]:-c}\n"
        #expect(ShfmtProbe.operators(in: text) == [])
        guard case .tree(let tree) = fresh.parse(text) else {
            Issue.record("no tree")
            return
        }
        #expect(String(describing: tree).contains("fallbackNull"))
        #expect(try starts(folder) == 2)
    }

    @Test func firstBlock_startsTheParserOnce() async throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let program = try fake(folder, "exec \(try real()) \"$@\"")
        let analyzer = try ShellAnalyzer(shfmtPath: program, isProvenFirst: false)
        let report = await analyzer.analyze(block("echo a | tee b >c\nx=${y:-z} && sudo id\n", firstLine: 40, indent: 3))
        #expect(report.findings.map(\.code.rawValue) == ["privilege"])
        #expect(report.findings.first?.line == 41)
        #expect(report.findings.first?.column == 17)
        #expect(try starts(folder) == 1)
        #expect(analyzer.fault == nil)
    }

    @Test func syntaxError_inTheFirstBlock_standsWhereItBreaks() async throws {
        let analyzer = try ShellAnalyzer(isProvenFirst: false)
        let report = await analyzer.analyze(block("echo a | b\necho \"b\n", firstLine: 10))
        #expect(report.findings.first?.code == .shellSyntax)
        #expect(report.findings.first?.line == 11)
    }

    /// An answer that would do for any block at all, and others that are none.
    @Test(arguments: [
        "echo '{\"Type\":\"File\"}'", "echo '{\"Type\":\"File\",\"Stmts\":[]}'", "true", "exit 3", "echo v3.4.2",
        "echo '{\"Type\":\"File\",\"Stmts\":[{\"Cmd\":{\"Type\":\"CallExpr\",\"Op\":1}}]}'",
    ])
    func programThatIsNoShfmt_isFoundOutByTheFirstBlock(_ body: String) async throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let analyzer = try ShellAnalyzer(shfmtPath: try fake(folder, body), isProvenFirst: false)
        _ = await analyzer.analyze(block("sudo rm -rf /srv | a\n"))
        #expect(analyzer.fault?.code == .unavailable)
        #expect(analyzer.fault?.message.contains(body.hasPrefix("echo v") ? "3.4.2" : "does not answer as shfmt does") == true)
    }

    @Test func twoOperatorsOfOneNumber_areNotBelieved() throws {
        var operators = ShfmtOperators()
        let tree = ShfmtNode.object([
            (key: "Cmd", value: .object([(key: "Type", value: .string("BinaryCmd")), (key: "Op", value: .number(12))]))
        ])
        try operators.learn([.pipe], from: [tree])
        #expect(throws: ShellParserFailure.nonsense("a wrong probe tree")) { try operators.learn([.and], from: [tree]) }
        #expect(throws: ShellParserFailure.unknownOperator) { _ = try operators.binary(13) }
        #expect(try operators.binary(12).isPipe)
    }
}
