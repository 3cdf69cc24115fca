import Foundation
import Testing

@testable import Spool

/// Files made to exhaust a reader. Each must come back with an answer. The limits are of this thread's processor time, generous for a
/// debug build and far below what unbounded work would take.
@Suite struct HostilePromptTests {
    private func readQuickly(_ text: String, _ label: String, seconds: Double = 5) -> PromptFile {
        let start = processorSeconds()
        let file = read(text)
        let elapsed = processorSeconds() - start
        #expect(elapsed < seconds, "\(label) took \(elapsed) s")
        return file
    }

    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test func aliasBombs_areRefusedOrShared() {
        var bomb = "a0: &a0 [x, x]\n"
        for level in 1...30 {
            bomb += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n"
        }
        #expect(readQuickly("---\n\(bomb)---\n", "bomb").codes == [.frontMatterInvalid])
        #expect(readQuickly("---\n\(bomb)? *a30\n: x\n---\n", "bomb as a key").codes == [.frontMatterInvalid])
        var small = "b0: &b0 [x, x]\n"
        for level in 1...4 { small += "b\(level): &b\(level) [*b\(level - 1), *b\(level - 1), *b\(level - 1)]\n" }
        #expect(readQuickly("---\n\(small)? *b4\n: x\n---\n", "small").codes.isEmpty)
        let long = "- x\n"
        let list =
            "l: &l\n" + String(repeating: long, count: 150) + "verify:\n  headers:\n"
            + (0..<150).map { "    u\($0): *l\n" }.joined()
        #expect(readQuickly("---\n\(list)---\n", "headers").codes == [.frontMatterInvalid])
        #expect(readQuickly("---\na: &a [*a]\n---\n", "loop").codes == [.frontMatterInvalid])
    }

    @Test func manyKeys_areBounded() {
        let keys = (0..<100_000).map { "k\($0): v\n" }.joined()
        #expect(readQuickly("---\n\(keys)---\nx\n", "100,000 keys").codes == [.frontMatterInvalid])
        let fewer = (0..<9000).map { "k\($0): v\n" }.joined()
        #expect(readQuickly("---\n\(fewer)---\nx\n", "9,000 keys").codes.isEmpty)
    }

    @Test(arguments: [
        "[", "{", "- ", "? ", "{a: ", "[{a: ", "!!x ", "- - [", "\"", "'", "|\n", "&a ", "*a ", "a: [", "%", "a:\n ",
    ]) func deepNesting_isBounded(_ unit: String) {
        for count in [999, 30_000] {
            _ = readQuickly("---\nk: " + String(repeating: unit, count: count) + "\n---\n", "\(unit) × \(count)")
            _ = readQuickly("---\n" + String(repeating: unit, count: count) + "\n---\n", "\(unit) × \(count)")
        }
    }

    @Test func deepIndentation_isBounded() {
        let yaml = (0..<480).map { String(repeating: " ", count: $0) + "k:\n" }.joined()
        _ = readQuickly("---\n\(yaml)---\n", "480 levels")
    }

    @Test(arguments: [
        "> ", "- ", "1. ", ">", "* a\n", "> a\n", "[", "![", "*a_ ", "`", "a`", "<", "[a](", "&", "\\", "```\n", "> ```\n",
        "- ```\n", "~~~\n", "```sh\nx\n",
        "[a]: b\n", "**", "_a ", "<a ", "<!--", "]", "a\u{1}",
    ])
    func muchOfOneThing_isBounded(_ unit: String) {
        let count = 300_000 / unit.utf8.count
        let file = readQuickly("```sh\nls\n```\n\n" + String(repeating: unit, count: count), unit, seconds: 20)
        #expect(file.blocks.first?.text == "ls\n" || file.codes == [.tooLarge])
    }

    @Test func nestingThatMakesTheParserSlow_isRefused() {
        let marker = String(repeating: "> ", count: 70_000)
        let strong = String(repeating: "__)", count: 70_000)
        let quotes = readQuickly("```sh\nls\n```\n" + marker + strong, "inlines below deep quotes")
        #expect(quotes.codes == [.tooLarge] && quotes.blocks.isEmpty)
        let lists = "```sh\nls\n```\n" + String(repeating: "- ", count: 5000) + String(repeating: "\n", count: 900_000)
        #expect(readQuickly(lists, "empty lines below deep lists").codes == [.tooLarge])
        let steps = (0..<70).map { String(repeating: " ", count: 200 * $0) + String(repeating: "- ", count: 100) + "\n" }.joined()
        #expect(readQuickly("```sh\n```\n" + steps + String(repeating: "\n", count: 400_000), "steps").codes == [.tooLarge])
        // A small file may nest as it likes.
        #expect(readQuickly(String(repeating: "> ", count: 300) + "```sh\n", "small").codes == [.fenceUnclosed])
    }

    @Test func brackets_doNotMakeTheParserSlow() {
        let file = readQuickly(
            String(repeating: "![[]()", count: 150_000) + "\n\n```sh\n[[ -n \"${a[0]}\" ]]\u{1}\n```\n", "![[]()", seconds: 20)
        #expect(file.blocks.first?.text == "[[ -n \"${a[0]}\" ]]\u{1}\n")
        let everyControl = String(String.UnicodeScalarView((1...31).compactMap(Unicode.Scalar.init)))
        #expect(read("[\n```\n" + everyControl).codes == [.notUTF8])
    }

    @Test func staircase_isBounded() {
        let stairs = (0..<1400).map { String(repeating: " ", count: $0) + "- a\n" }.joined()
        _ = readQuickly("```sh\nls\n```\n" + stairs, "lists")
        let quotes = (0..<900).map { String(repeating: ">", count: $0 + 1) + "a\n" }.joined()
        _ = readQuickly("```sh\nls\n```\n" + quotes, "quotes")
    }

    @Test func stampLookAlikes_areBounded() {
        let one = "---\nprompt_flow:  # written by flowspool, with this front matter\n  a: b\n---\n"
        let file = readQuickly(String(repeating: one, count: 10_000), "nested stamps")
        #expect(file.canCarryStamp == false || StampWriter.remove(from: file.authorBytes) == file.authorBytes)
        let foreign = (0..<2000).map { "p\($0):\n  prompt_id: x\n" }.joined()
        _ = readQuickly("---\nprompt_flow:\n  prompt_id: x\n\(foreign)---\n", "foreign")
    }

    @Test func randomBytes_neverStopTheReader() {
        var random = SeededGenerator(state: 42)
        let alphabet = Array("---\n\r\t :#{}[]&*|>'\"?!%@`~,.abprompt_flow\u{0}\u{FF}é".utf8)
        for round in 0..<3000 {
            var bytes = Data("---\n".utf8)
            for _ in 0..<Int.random(in: 0...120, using: &random) { bytes.append(alphabet.randomElement(using: &random) ?? 0) }
            bytes += Data("\n---\n".utf8)
            let file = PromptFile.read(name: "x.md", bytes: bytes)
            #expect(file.sha.count == 64)
            if file.canCarryStamp {
                #expect(
                    (try? StampWriter.apply(Facts.stamp(for: file), to: file)).map(StampWriter.remove) == file.authorBytes,
                    "round \(round)")
            }
        }
    }
}
