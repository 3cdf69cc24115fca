import Foundation
import Testing

@testable import Spool

@Suite struct PromptNameTests {
    @Test(arguments: [
        ("a.md", PromptName.Kind.prompt), ("a.MARKDOWN", .prompt), ("a.prompt", .prompt), ("a.prompty", .prompt),
        ("a.txt", .prompt),
        ("a.prompt.md", .prompt), ("a b\n.md", .prompt), ("-rf.md", .prompt), ("readme.txt", .prompt), ("a.sh", .notAPrompt),
        ("md", .notAPrompt),
        ("a.md.gz", .notAPrompt), (".hidden.md", .ignored), (".md", .ignored), ("a.md~", .ignored), ("a.md.tmp", .ignored),
        ("a.part", .ignored),
        (".a.md.swp", .ignored), ("x.SWP", .ignored), ("README.md", .ignored), ("ReadMe.MD", .ignored),
    ])
    func name_decidesWhatAFileIs(_ name: String, _ kind: PromptName.Kind) {
        #expect(PromptName(name)?.kind == kind)
    }

    @Test(arguments: ["", ".", "..", "a/b", "a\u{0}"]) func whatIsNoName_isRefused(_ name: String) {
        #expect(PromptName(name) == nil)
    }

    @Test func numbered_andWhy_fitInNameMax() {
        #expect(PromptName("a.prompt.md")?.numbered(12) == "a.prompt.12.md")
        #expect(PromptName("Makefile")?.numbered(3) == "Makefile.3")
        #expect(PromptName("a.md")?.why == "a.md.why.txt")
        let long = PromptName(String(repeating: "é", count: 126) + ".md")
        #expect(long?.bytes.count == 255)
        #expect(long?.numbered(1_234_567) == String(repeating: "é", count: 122) + ".1234567.md")
        #expect(long?.why == String(repeating: "é", count: 123) + ".why.txt")
        #expect((long?.why.utf8.count ?? 999) <= 255)
    }

    @Test func nameThatIsNoUTF8_isKeptAsEscapes() {
        let name = PromptName(bytes: [0x61, 0xFF, 0x25, 0xC3, 0xA9, 0x0A, 0xE2, 0x82] + Array(".md".utf8))
        #expect(name?.isText == false)
        #expect(name?.text == "a%FF%25é\n%E2%82.md")
        #expect(name?.kind == .prompt)
        #expect(PromptName("100%.md")?.text == "100%.md")
        let long = PromptName(bytes: [UInt8](repeating: 0xFF, count: 252) + Array(".md".utf8))
        #expect((long?.text.utf8.count ?? 999) <= 255)
        #expect(long?.text.hasSuffix(".md") == true)
    }
}
