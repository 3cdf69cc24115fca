import Foundation
import Testing

@testable import Spool

@Suite struct StampGeneratedTests {
    @Test(.enabled(if: Corpus.folder != nil)) func everyRealPromptFile_comesBackByteForByte() throws {
        var carried = 0
        var refused: [String] = []
        for url in Corpus.files() {
            let bytes = try Data(contentsOf: url)
            #expect(StampWriter.remove(from: bytes) == bytes, Comment(rawValue: url.lastPathComponent))
            if try checkStamping(bytes, url.lastPathComponent) { carried += 1 } else { refused.append(url.lastPathComponent) }
        }
        #expect(carried > 400)
        #expect(refused == ["examples_error-invalid-yaml.prompt"])
    }

    /// Pieces of front matter and body put together at random, half of them then damaged.
    @Test(arguments: [1, 2, 3, 4]) func generatedFiles_comeBackByteForByte(_ seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        var carried = 0
        for round in 0..<500 {
            var bytes = Array(Self.file(&random).utf8)
            if round % 2 == 1 { Self.damage(&bytes, &random) }
            let label = "seed \(seed) round \(round): \(String(decoding: bytes, as: UTF8.self).debugDescription)"
            if try checkStamping(Data(bytes), label) { carried += 1 }
        }
        #expect(carried > 150, "seed \(seed)")
    }

    private static let keys = [
        "name: x", "description: \"a: b\"", "tools: [a, b]", "tools:\n- a\n- b", "text: |\n  prompt_flow:\n    version: v1\n\n",
        "# comment",
        "  # indented comment", "", "base: &b\n  k: v\nuse: *b", "\"quoted key\": 'x'", "ü: \"é\"", "empty:", "n: ~",
        "timeout: 90s",
        "nested:\n  prompt_flow:\n    prompt_id: x", "long: >-\n  folded\n  text", "multi: \"a\n  b\"", "warn_gate: no",
        "x: {a: 1,\n  b: 2}",
    ]
    private static let flows = [
        "prompt_flow:", "prompt_flow: {}", "prompt_flow:\n  policy:\n    warn_gate: no", "prompt_flow: {policy: {warn_gate: no}}",
        "'prompt_flow':\n    stages:\n        draft: ok", "prompt_flow:\n  # c\n  stages: {draft: {a: b}}\n  # d",
        "prompt_flow:\n  version: v1\n  prompt_id: i\n  stages:\n    exec:\n      a: b\n    draft: x",
        "prompt_flow:  # written by flowspool\n  version: v1", "prompt_flow: {stages: {draft: x}, policy: {}}",
        "prompt_flow: yes",
        "prompt_flow: {  # written by flowspool\n    \"version\": \"v1\",  # written by flowspool\n    policy: {}}",
        "prompt_flow:\n  version: v1  # written by flowspool\n  stages:\n    exec:  # written by flowspool\n      a: b",
        "prompt_flow:  # written by flowspool, with this front matter\n  version: v1",
    ]
    private static let bodies = [
        "", "x", "text\n", "---\ntext\n---\n", "```bash\necho\n```\n", "```\nopen", "\n\n", "> ```sh\n> ls\n> ```\n", "é😀\n",
    ]

    private static func file(_ random: inout SeededGenerator) -> String {
        var lines: [String] = []
        for _ in 0..<Int.random(in: 0...5, using: &random) { lines.append(keys.randomElement(using: &random) ?? "") }
        if Int.random(in: 0..<2, using: &random) == 0 { lines.append(flows.randomElement(using: &random) ?? "") }
        lines.shuffle(using: &random)
        var text = ""
        switch Int.random(in: 0..<8, using: &random) {
        case 0: break
        case 1:
            text =
                "---\n{" + ["a: 1", "\"prompt_flow\": {}", "b: [x]"].shuffled(using: &random).joined(separator: ", ") + "}\n---\n"
        default: text = "---\n" + lines.map { $0 + "\n" }.joined() + "---\n"
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) { text += bodies.randomElement(using: &random) ?? "" }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: text = text.replacingOccurrences(of: "\n", with: "\r\n")
        case 1: text = "\u{FEFF}" + text
        case 2: text = text.replacingOccurrences(of: "\n", with: "\r")
        default: break
        }
        return text
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.remove(at: index)
            case 1: bytes.insert(Array("\n -:#{}[]&*|>'\"\r\t~?!%@`,x".utf8).randomElement(using: &random) ?? 32, at: index)
            case 2: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 12)], at: index)
            default: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &random))
            }
        }
    }
}
