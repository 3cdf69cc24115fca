import Foundation
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt)) struct ShellAnalyzerTests {
    let analyzer: ShellAnalyzer

    init() throws { analyzer = try ShellAnalyzer() }

    private func codes(_ text: String, shell: Block.Shell = .bash) async -> [String] {
        await analyzer.analyze(block(text, shell: shell)).findings.map(\.code.rawValue)
    }

    @Test func finding_standsWhereThePromptHasIt() async throws {
        let report = await analyzer.analyze(block("set -e\necho a && sudo id\n", firstLine: 40, indent: 3))
        let finding = try #require(report.findings.first)
        #expect(finding.line == 41)
        #expect(finding.column == 14)
        #expect(finding.message.contains("sudo id"))
    }

    @Test func column_countsCharacters() async throws {
        let report = await analyzer.analyze(block("echo 'ä€𝄞'; sudo id\n"))
        #expect(report.findings.first?.column == 13)
    }

    @Test func finding_inCodeOfAString_standsInTheString() async throws {
        let report = await analyzer.analyze(block("ssh web1 <<'EOF'\nuptime\nsudo reboot\nEOF\nbash -c '\nrm -rf /srv\n'\n"))
        #expect(report.findings.map(\.line) == [3, 3, 6])
    }

    @Test func finding_inAFunction_standsInTheFunction() async throws {
        let report = await analyzer.analyze(block("f() {\n  rm -rf \"$1\"\n}\n\nf /srv\n"))
        #expect(report.findings.map(\.line) == [2])
    }

    @Test func knownBlock_startsNoParser() async throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let counter = folder.path + "/count"
        let program = folder.path + "/shfmt"
        try "#!/bin/sh\necho x >> '\(counter)'\nexec \(analyzer.shfmtPath) \"$@\"\n".write(
            toFile: program, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        let counted = try ShellAnalyzer(shfmtPath: program)
        func starts() throws -> Int { try String(contentsOfFile: counter, encoding: .utf8).split(separator: "\n").count }
        let before = try starts()
        let text = "bash -c 'sh -c \"sudo id\"'\neval 'rm -rf /srv'\nssh a 'rm -rf /srv'\n"
        let first = await counted.analyze(block(text, firstLine: 5))
        #expect(try starts() == before + 1)
        let second = await counted.analyze(block(text, firstLine: 9))
        #expect(try starts() == before + 1)
        #expect(!first.isCached && second.isCached)
        #expect(first.findings.map { ($0.line ?? 0) + 4 } == second.findings.map { $0.line ?? 0 })
    }

    @Test func digest_differsByShellAndText() {
        let one = analyzer.digest(of: block("a\n"))
        #expect(one != analyzer.digest(of: block("b\n")))
        #expect(one != analyzer.digest(of: block("a\n", shell: .sh)))
        #expect(one == analyzer.digest(of: block("a\n", firstLine: 7, indent: 2)))
        #expect(one.count == 64)
    }

    @Test func commands_areThoseThatTheBlockDoesNotDefine() async {
        let report = await analyzer.analyze(
            block("deploy() { kubectl get pods; }\ndeploy\ncd x && jq . a.json | tee b\n./run.sh\n"))
        #expect(report.commands == ["jq", "kubectl", "tee"])
        #expect(report.missingTools(path: "/nowhere") == ["jq", "kubectl", "tee"])
    }

    @Test func brokenBlock_isAnErrorWhereItBreaks() async throws {
        let report = await analyzer.analyze(block("echo a\necho \"b\n", firstLine: 10))
        let finding = try #require(report.findings.first)
        #expect(finding.code == .shellSyntax)
        #expect(finding.severity == .error)
        #expect(finding.line == 11)
    }

    @Test func transcript_isNoScript() async {
        #expect(await codes("$ ls -la\ntotal 4\n$ sudo id\n").contains("shell_syntax"))
        #expect(await codes("$ cat <<EOF\n").contains("shell_syntax"))
    }

    @Test func placeholderAtALinesEnd_isNamedBesideTheSyntaxError() async {
        #expect(await codes("kubectl logs <pod>\n") == ["placeholder_left", "shell_syntax"])
    }

    @Test func validForBashAlone_isJudged() async {
        // shfmt wants a here-document's end; bash takes the end of the text.
        #expect(await codes("sudo cat <<EOF\nhello\n") == ["privilege"])
    }

    @Test func zshSyntax_isNoError() async {
        #expect(await codes("for f (*.txt) print $f\n", shell: .zsh) == ["parser_failed"])
    }

    @Test func nulByte_isAnError() async {
        #expect(await codes("echo a\0b\n") == ["shell_syntax"])
    }

    @Test func emptyBlock_hasNoFinding() async {
        #expect(await codes("") == [])
        #expect(await codes("# only a comment\n\n") == [])
    }
}

@Suite(.enabled(if: hasShfmt)) struct HostileBlockTests {
    private func codes(_ text: String, timeoutSeconds: Double = 5) async throws -> [String] {
        try await ShellAnalyzer(timeoutSeconds: timeoutSeconds).analyze(block(text)).findings.map(\.code.rawValue)
    }

    private func codes(shfmt body: String, seconds: Double = 5) async throws -> [String] {
        try await report(shfmt: body, seconds: seconds).findings.map(\.code.rawValue)
    }

    private func report(shfmt body: String, seconds: Double = 5) async throws -> ShellReport {
        // It answers the version and the probe like the real one, then misbehaves.
        let folder = try TestFolder()
        defer { folder.remove() }
        let program = folder.path + "/shfmt"
        let real = try ShellAnalyzer().shfmtPath
        let script = """
            #!/bin/bash
            if [ "$1" = --version ]; then exec \(real) --version; fi
            input=$(cat)
            case $input in *HOSTILE*) \(body) ;; *) printf '%s\\n' "$input" | \(real) "$@" ;; esac
            """
        try script.write(toFile: program, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        let analyzer = try ShellAnalyzer(shfmtPath: program, searchPath: "/usr/bin:/bin", timeoutSeconds: seconds)
        return await analyzer.analyze(block("echo HOSTILE\n"))
    }

    @Test func tenThousandSubshells_areNotPassed() async throws {
        let text = String(repeating: "( ", count: 10_000) + "ls" + String(repeating: " )", count: 10_000) + "\n"
        #expect(try await codes(text) == ["parser_failed"])
    }

    @Test func deepNestingThatTheParserTakes_isJudged() async throws {
        let text = String(repeating: "( ", count: 60) + "sudo ls" + String(repeating: " )", count: 60) + "\n"
        #expect(try await codes(text) == ["privilege"])
    }

    @Test func deepNestingInAString_isSurvived() async throws {
        let inner = String(repeating: "( ", count: 10_000) + "ls" + String(repeating: " )", count: 10_000)
        #expect(try await codes("bash -c '\(inner)'\nsudo id\n").contains("parser_failed"))
    }

    @Test func oneMegabyteOfText_isJudged() async throws {
        let text = "cat <<'EOF'\n" + String(repeating: "0123456789 sudo\n", count: 65_000) + "EOF\nsudo id\n"
        #expect(try await codes(text) == ["privilege"])
    }

    @Test func oneMegabyteOfCommands_isNotPassed() async throws {
        let text = String(repeating: "echo a b c d\n", count: 80_000)
        #expect(try await codes(text, timeoutSeconds: 1) == ["parser_failed"])
    }

    @Test func overTheLimit_isNotPassed() async throws {
        #expect(try await codes("# " + String(repeating: "x", count: (1 << 20) + 1)) == ["parser_failed"])
    }

    @Test func doublingFunctions_endInTime() async throws {
        var text = "f0() { :; }\n"
        for index in 1...40 { text += "f\(index)() { f\(index - 1); f\(index - 1); }\n" }
        #expect(try await codes(text + "f40\n") == ["parser_failed"])
    }

    @Test func endlessRecursion_ends() async throws {
        #expect(try await codes("f() { f; sudo id; }\nf\n") == ["privilege"])
        #expect(try await codes("x='eval \"$x\"'\neval \"$x\"\n") == ["parser_failed"])
    }

    @Test func parserThatHangs_isEnded() async throws {
        #expect(try await codes(shfmt: "exec sleep 1000", seconds: 0.5) == ["parser_failed"])
    }

    @Test func parserThatClosesItsOutputAndStays_isEnded() async throws {
        #expect(try await codes(shfmt: "exec >&- 2>&-; exec sleep 1000", seconds: 0.5) == ["parser_failed"])
    }

    @Test(arguments: [
        "exit 3", "kill -SEGV $$", "echo '{'", "echo null", "echo '{\"Type\":\"File\",\"Stmts\":[{\"Cmd\":{\"Type\":\"New\"}}]}'",
        "true",
    ])
    func parserThatFails_isNotBelieved(_ body: String) async throws {
        #expect(try await codes(shfmt: body) == ["parser_failed"])
    }

    /// The user may have no more processes: the job is to wait, and no prompt is to blame.
    @Test func parserThatGetsNoThread_isTheMachinesTrouble() async throws {
        let words = "runtime: failed to create new OS thread (have 5 already; errno=11)"
        let report = try await report(shfmt: "echo '\(words)' >&2; echo 'fatal error: newosproc' >&2; exit 2")
        #expect(report.refusal?.errno == EAGAIN && report.refusal?.call == .clone)
        for body in ["echo 'panic: \(words)' >&2; exit 2", "echo '\(words)' >&2; exit 1"] {
            let report = try await self.report(shfmt: body)
            #expect(report.refusal == nil && report.findings.map(\.code) == [.parserFailed])
        }
    }

    /// A runner that was stopped for longer than the parser may take held sound prompts back.
    @Test func parserThatIsSlowOnce_isAskedAgain() async throws {
        let real = try ShellAnalyzer().shfmtPath
        let once = "if mkdir \"${0%/*}/slow\"; then exec sleep 60; fi; printf '%s\\n' \"$input\" | \(real) \"$@\""
        #expect(try await codes(shfmt: once, seconds: 2) == [])
    }

    @Test func parserThatPrintsWithoutEnd_isEnded() async throws {
        #expect(try await codes(shfmt: "exec cat /dev/zero") == ["parser_failed"])
    }

    @Test func noWordOfABlock_isRun() async throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let marker = folder.path + "/ran"
        _ = try await codes("touch \(marker)\n$(touch \(marker))\nbash -c 'touch \(marker)'\n`touch \(marker)`\n")
        #expect(!FileManager.default.fileExists(atPath: marker))
    }

    @Test func missingShfmt_isNamed() throws {
        let error = #expect(throws: FlowspoolError.self) { _ = try ShellAnalyzer(searchPath: "/nowhere") }
        #expect(error?.message == "shfmt was not found on PATH")
        #expect(error?.hint?.contains("apt install shfmt") == true)
    }

    @Test func oldShfmt_isNamed() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let program = folder.path + "/shfmt"
        try "#!/bin/sh\necho v3.4.2\n".write(toFile: program, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        let error = #expect(throws: FlowspoolError.self) { _ = try ShellAnalyzer(shfmtPath: program) }
        #expect(error?.message.contains("3.4.2") == true)
    }
}
