import Foundation
import Testing

@testable import Spool

@Suite struct PromptFileTests {
    @Test func read_ofOrdinaryPrompt_givesEverything() {
        let file = read(
            """
            ---
            name: demo
            priority: 5
            cwd: sub dir
            lane: db
            timeout: 90s
            exec_mode: script
            move_to_completed: no
            allow_noncritical: "false"
            warn_gate: no
            verify:
              files_exist: [out/a.txt, out/b.txt]
              http_200: http://localhost:1/health
              headers:
                http://localhost:1/: ["X-A: 1", X-B: 2]
            allow:
              - destructive_fs: the folder is ours
              - {code: privilege, reason: needed}
            ---
            # Title

            ```bash
            echo hi
            ```

            """, name: "demo.md")
        #expect(file.findings.isEmpty)
        #expect(file.hasFrontMatter && file.canCarryStamp)
        #expect(file.settings.priority == 5 && file.settings.cwd == "sub dir" && file.settings.lane == "db")
        #expect(file.settings.timeoutSeconds == 90 && file.settings.execMode == "script")
        #expect(file.settings.movesToCompleted == false && file.settings.allowsNoncritical == false)
        #expect(file.settings.toggles == [.warnGate: "no"])
        #expect(file.settings.gate.filesExist == ["out/a.txt", "out/b.txt"])
        #expect(file.settings.gate.http200 == ["http://localhost:1/health"])
        #expect(file.settings.gate.headers == ["http://localhost:1/": ["X-A: 1", "X-B: 2"]])
        #expect(file.settings.waivers == ["destructive_fs": "the folder is ours", "privilege": "needed"])
        #expect(file.bodyFirstLine == 20)
        #expect(file.body.hasPrefix("# Title\n"))
        #expect(file.blocks == [Block(number: 1, shell: .bash, text: "echo hi\n", firstLine: 23)])
        #expect(file.id == "demo.md--\(file.sha.prefix(12))")
    }

    @Test func sha_isThatOfTheAuthorsBytes() {
        // echo -n abc | sha256sum
        #expect(read("abc").sha == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test(arguments: [
        ("prompt_flow:\n  policy:\n    warn_mode: halt\nwarn_mode: ask\ncodex_warn_mode: x", "halt"),
        ("warn_mode: ask\ncodex_preflight_warn_mode: x", "ask"), ("codex_preflight_warn_mode: a\ncodex_warn_mode: b", "a"),
        ("codex_warn_mode: Auto_Approve", "Auto_Approve"), ("warn_mode: 'no'", "no"), ("warn_mode: 0x10", "0x10"),
        ("warn_mode:", ""),
        ("warn_mode: ~", "~"), ("d: &d {warn_mode: halt}\n<<: *d", "halt"),
        ("d: &d {warn_mode: halt}\n<<: *d\nwarn_mode: ask", "ask"),
        ("prompt_flow: {policy: {warn_mode: halt}}", "halt"),
    ])
    func toggles_areTextFromTheStrongestSpelling(_ yaml: String, _ value: String) {
        #expect(read("---\n\(yaml)\n---\n").settings.toggles == [.warnMode: value])
    }

    @Test func olderFlatKeys_areRead() {
        let settings = read(
            """
            ---
            codex_preflight_retry_max: 0
            codex_warn_gate: yes
            codex_preflight_move_to_completed: NO
            codex_preflight_allow_noncritical: 1
            working_directory: /tmp
            codex_verify_files_exist: a
            chatgpt_verify_files_exist: ignored
            chatgpt_verify_http_200: [u]
            codex_verify_headers: {u: H}
            ---
            """
        ).settings
        #expect(settings.toggles == [.retryMax: "0", .warnGate: "yes"])
        #expect(settings.movesToCompleted == false && settings.allowsNoncritical == true)
        #expect(settings.cwd == "/tmp")
        #expect(settings.gate.filesExist == ["a"] && settings.gate.http200 == ["u"] && settings.gate.headers == ["u": ["H"]])
    }

    /// As the documents spell them, and as others spell such keys.
    @Test(arguments: [
        "verify:\n  files_exist: [a]\n  http_200: [u]\n  headers: {u: H}",
        "verify.files_exist: [a]\nverify.http_200: [u]\nverify.headers: {u: H}",
        "verify:\n  filesExist: [a]\n  http-200: [u]\nverify.Headers: {u: H}",
        "base: &b {files_exist: [a]}\nverify:\n  <<: *b\n  http_200: [u]\n  headers: {u: H}",
    ])
    func gate_isReadInEachSpelling(_ yaml: String) {
        let file = read("---\n\(yaml)\n---\nx\n")
        #expect(file.findings.isEmpty)
        let gate = file.settings.gate
        #expect(gate.filesExist == ["a"] && gate.http200 == ["u"] && gate.headers == ["u": ["H"]])
    }

    @Test(arguments: [
        ("priority: high", "priority", 2), ("x: 1\npriority: [1]", "priority", 3), ("timeout: soon", "timeout", 2),
        ("timeout: 0", "timeout", 2),
        ("timeout: nan", "timeout", 2), ("move_to_completed: maybe", "move_to_completed", 2), ("warn_gate: [no]", "warn_gate", 2),
        ("prompt_flow:\n  policy: x", "prompt_flow.policy", 3), ("cwd: {a: b}", "cwd", 2), ("cwd: ~", "cwd", 2),
        ("cwd: \"a\\0b\"", "cwd", 2),
        ("lane: \"a\\nb\"", "lane", 2), ("verify: yes", "verify", 2),
        ("verify:\n  files_exist: {a: {}}", "verify.files_exist", 3),
        ("verify:\n  headers: [a]", "verify.headers", 3), ("allow: destructive_fs", "allow", 2),
        ("allow: [destructive_fs]", "allow.destructive_fs", 2),
        ("allow:\n- destructive_fs:", "allow.destructive_fs", 3), ("allow:\n- nonsense: r", "allow", 3),
        ("allow:\n- {code: privilege}", "allow.privilege", 3),
        // A check that is misspelt would not be there.
        ("verify:\n  files_exists: [a]", "verify.files_exists", 3), ("verify.files_exists: [a]", "verify.files_exists", 2),
        ("verify.files_exist: {a: {}}", "verify.files_exist", 2),
    ])
    func wrongType_isAFindingThatNamesTheKey(_ yaml: String, _ key: String, _ line: Int) {
        let file = read("---\n\(yaml)\n---\nx\n")
        #expect(file.codes == [.frontMatterInvalid])
        #expect(file.findings.first?.message.hasPrefix("`\(key)`") == true)
        #expect(file.findings.first?.line == line)
        #expect(file.canCarryStamp)
    }

    @Test(arguments: [
        ("90", 90.0), ("90s", 90), ("15m", 900), ("2h", 7200), ("0.5", 0.5), ("720h", 2_592_000), ("721h", nil), ("0", nil),
        ("-5", nil),
        ("1e3", nil), ("", nil), ("s", nil), ("5 m", nil), ("1d", 86400), ("1y", nil), ("500ms", 0.5), (".", nil),
    ])
    func duration_isReadInItsForms(_ text: String, _ seconds: Double?) {
        #expect(PromptDuration.seconds(text) == seconds)
    }

    // MARK: What is wrong with a file

    @Test func notUTF8_namesTheLineAndChangesNothing() {
        let bytes = Data("---\na: 1\n---\nx ".utf8) + [0xFF, 0xFE]
        let file = PromptFile.read(name: "a.md", bytes: bytes)
        #expect(file.codes == [.notUTF8] && file.findings.first?.line == 4)
        #expect(!file.canCarryStamp && file.body.isEmpty && file.blocks.isEmpty && file.authorBytes == bytes)
        #expect(PromptFile.read(name: "a.md", bytes: "echo".data(using: .utf16LittleEndian) ?? Data()).codes == [.notUTF8])
    }

    @Test(arguments: ["", "\n", " \r\n\t\n", "\u{FEFF}"]) func emptyFile_isAFinding(_ text: String) {
        #expect(read(text).codes == [.empty])
    }

    @Test(arguments: [
        ("---\nname: x\n", [Finding.Code.frontMatterUnclosed]), ("---\n# c\nname: x\n----\n", [.frontMatterUnclosed]),
        ("---\nHello\n", []), ("---\n\nname: x\n", []), ("---\n\nText\n\n---\nmore", []), ("---\n# Title\n", []),
        ("----\nname: x\n---\n", []),
        (" ---\nname: x\n---\n", []), ("x\n---\nname: x\n---\n", []), ("---\nText here\n---\n", [.frontMatterInvalid]),
        ("---\na: [\n---\n", [.frontMatterInvalid]), ("---\na: 1\na: 2\n---\n", [.frontMatterInvalid]),
        ("---\n- a\n---\n", [.frontMatterInvalid]),
    ])
    func delimiters_decideWhatIsFrontMatter(_ text: String, _ codes: [Finding.Code]) {
        #expect(read(text).codes == codes)
    }

    @Test func invalidYAML_pointsAtItsLine() {
        let finding = read("---\nok: 1\nbad: a: b\n---\n").findings.first
        #expect(finding?.line == 3)
        #expect(finding?.column == 7)
        #expect(finding?.message.contains("mapping values are not allowed") == true)
        #expect(read("---\na: 1\nb: 2\na: 3\n---\n").findings.first?.message == "front matter has the key `a` twice")
    }

    @Test func reading_ofStampedFile_givesTheLinesOfTheAuthorsFile() throws {
        let file = read("---\nname: x\n---\n\n```sh\nls\n```\n")
        let stamped = PromptFile.read(name: "a.md", bytes: try StampWriter.apply(Facts.stamp(for: file), to: file))
        #expect(stamped.blocks.first?.firstLine == 6)
        let onDisk = stamped.bytes.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(onDisk[6 + stamped.bodyLineShift - 1] == "ls")
    }
}
