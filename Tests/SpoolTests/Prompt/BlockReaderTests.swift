import Testing

@testable import Spool

@Suite struct BlockReaderTests {
    private func texts(_ text: String) -> [String] { read(text).blocks.map(\.text) }

    @Test(arguments: [
        ("```bash\na\n```\n", ["a\n"]), ("```bash title=\"x\"\na\n```\n", ["a\n"]), ("~~~sh\na\n~~~\n", ["a\n"]),
        ("````zsh\n```\n````\n", ["```\n"]),
        ("```shell\na\n```", ["a\n"]), ("```bash\n```\n", [""]), ("```{bash}\na\n```\n", []), ("```bash{1,2}\na\n```\n", []),
        ("```Bash\na\n```\n", []),
        ("```python\na\n```\n", []), ("    ```bash\n    a\n    ```\n", []), ("```\na\n```\n", []), ("x `a` ```b``` y\n", []),
        ("```bash\r\na\r\nb\r\n```\r\n", ["a\nb\n"]), ("```bash\ra\r```\r", ["a\n"]), ("<!--\n```bash\na\n```\n-->\n", []),
        ("- x\n\n  ```bash\n  a\n    b\n  ```\n", ["a\n  b\n"]), ("> ```bash\n> a\n> ```\n", ["a\n"]),
        ("1. > ```sh\n   > a\n   > ```\n", ["a\n"]),
        ("```bash\na\n```\ntext\n```sh\nb\n```\n", ["a\n", "b\n"]), ("```ba&#115;h\na\n```\n", ["a\n"]),
        ("```bash\n\n\na\n\n```\n", ["\n\na\n\n"]),
        // No fence is one in HTML.
        ("<![CDATA[\n```bash\na\n```\n]]>\n", []), ("> <![CDATA[\n> ```bash\n> a\n> ```\n> ]]>\n", []),
        ("x <![CDATA[\n```bash\na\n```\n", ["a\n"]), ("[a]: <![CDATA[\n\n```bash\n[\n```\n", ["[\n"]),
    ])
    func blocks_areWhatCommonMarkSays(_ text: String, _ expected: [String]) {
        #expect(texts(text) == expected)
        #expect(!read(text).codes.contains(.fenceUnclosed))
    }

    @Test func position_isThatOfTheTextInTheFile() {
        let file = read("---\na: 1\n---\n\n- x\n\n  ```bash\n  one\n  ```\n\n```shell\ntwo\n```\n")
        #expect(file.blocks.map(\.firstLine) == [8, 12])
        #expect(file.blocks.map(\.indent) == [2, 0])
        #expect(file.blocks.map(\.number) == [1, 2])
        #expect(file.blocks.map(\.shell) == [.bash, .bash])
    }

    @Test(arguments: [
        ("```bash\na\n", 1), ("x\n\n~~~\na", 3), ("```bash\na\n``\n", 1), ("````sh\na\n```\n", 1), ("```sh\na\n~~~\n", 1),
        ("```sh\na\n    ```\n", 1),
        ("```sh\na\n```x\n", 1), ("> ```bash\n> a\n", 1), ("> ```bash\n> a\ntext\n", 1), ("- ```bash\n  a\ntext\n", 1),
        ("```", 1), ("```python\n", 1),
        ("```bash\na\n```\n```sh\n", 4), ("> ```sh\n> a\n\n> ```sh\n> b\n> ```\n", 1), ("```bash\na\n\n\n", 1),
        ("- ```bash\n  a\n\n\ntext\n", 1),
    ])
    func openFence_isAnErrorAtItsLine(_ text: String, _ line: Int) {
        let findings = read(text).findings.filter { $0.code == .fenceUnclosed }
        #expect(findings.map(\.line) == [line])
    }

    @Test func fenceClosedByTheNextFenceOnly_isStillOpen() {
        // The quote ends, and with it the first fence; the bare fence after it opens a second one.
        #expect(read("> ```bash\n> a\n```\nb\n```\n").findings.map(\.line) == [1])
        #expect(read("> ```bash\n> a\n```\n").findings.map(\.line) == [1, 3])
    }

    @Test(arguments: [
        "    ```\n\nfoo\n", "- x\n\n      ```\n      a\n      ```\n", "    ~~~\n    a\n", "\t```\n\tx\n", "     ```\n",
        "    ````\n    ```\n",
    ])
    func indentedCodeThatShowsAFence_isNoFence(_ text: String) {
        #expect(read(text).findings.isEmpty)
    }

    @Test func marks_areReadFromTheFirstFiveLines() {
        let marks = read(
            "```bash\n# flowspool: noncritical\n  #flowspool: expect-exit 3\n# flowspool:  timeout 30s\necho\n# flowspool: skip\n# flowspool: nonsense\n```\n"
        ).blocks.first?.marks
        #expect(
            marks?.isNoncritical == true && marks?.expectedExitCode == 3 && marks?.timeoutSeconds == 30
                && marks?.isSkipped == true)
        // What is text to the shell is no comment.
        for text in [
            "cat > x <<'E'\n# flowspool: skip\nE", "((n++)); cat <<E\n# flowspool: skip\nE", "echo 'a\n# flowspool: skip\n'",
            "echo a \\\n# flowspool: skip",
        ] {
            #expect(read("```sh\n\(text)\n```\n").blocks.map(\.marks.isSkipped) == [false], "\(text)")
        }
        // A comment begins no text, whatever stands in it.
        for text in ["# We don't want this now", "echo $((1 << 2))", "cat <<< 'x'", "echo \\'", "echo \"it's\""] {
            #expect(read("```sh\n\(text)\n# flowspool: skip\n```\n").blocks.map(\.marks.isSkipped) == [true], "\(text)")
        }
        let codex = read("```sh\n# codex: noncritical\n# codex: other\n```\n")
        #expect(codex.blocks.first?.marks.isNoncritical == true && codex.findings.isEmpty)
        #expect(read("```sh\n\n\n\n\n\n# flowspool: skip\n```\n").blocks.first?.marks.isSkipped == false)
    }

    @Test(arguments: ["skp", "expect-exit", "expect-exit 256", "expect-exit x", "timeout", "timeout soon", "skip now", ""])
    func markThatIsNone_isAnErrorAtItsLine(_ mark: String) {
        let file = read("---\na: 1\n---\n```sh\nls\n# flowspool: \(mark)\n```\n")
        #expect(file.codes == [.shellSyntax])
        #expect(file.findings.first?.line == 6)
    }
}
