// The quick form of Tests/Fuzz: the inputs that the fuzzer once found, and mutations of seeds by fixed random numbers, through every reader.

import Foundation
import Testing

@testable import Spool

@Suite struct FuzzTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz")

    private static func inputs(_ kind: String, _ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let place = folder.appending(path: kind).appending(path: target.rawValue)
        guard FileManager.default.fileExists(atPath: place.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: place.path).sorted().map {
            ($0, [UInt8](try Data(contentsOf: place.appending(path: $0))))
        }
    }

    /// Each file of Tests/Fuzz/corpus broke its reader once.
    @Test(arguments: FuzzTarget.allCases) func whatOnceBroke_holds(_ target: FuzzTarget) throws {
        for (name, bytes) in try Self.inputs("corpus", target) {
            #expect(throws: Never.self, "corpus/\(target.rawValue)/\(name)") { try target.check(bytes) }
        }
    }

    @Test(arguments: FuzzTarget.allCases) func mutatedSeeds_hold(_ target: FuzzTarget) throws {
        let seeds = try Self.inputs("seeds", target).map(\.bytes)
        try #require(!seeds.isEmpty)
        for seed in seeds { try target.check(seed) }
        var random = SeededGenerator(state: 7)
        for round in 0..<300 {
            var bytes = seeds.randomElement(using: &random) ?? []
            Self.mutate(&bytes, seeds, &random)
            do {
                try target.check(bytes)
            } catch {
                Issue.record("\(target.rawValue), round \(round): \(error): \(Data(bytes).base64EncodedString())")
                return
            }
        }
    }

    /// Damage of the kinds that files meet: lost, doubled and foreign bytes, pieces of other files, a cut end.
    private static func mutate(_ bytes: inout [UInt8], _ seeds: [[UInt8]], _ random: inout SeededGenerator) {
        let pieces: [[UInt8]] =
            [
                "\n", "\r\n", "\r", "---\n", "...\n", "```bash\n", "```\n", "~~~", "> ", "- ", "\t", "  ", ": ", "#", "{", "}",
                "[", "]", "\"", "'",
                "\\", "\\u", "&a", "*a", "|", "%", "\u{FEFF}", "\u{2028}", "e\u{301}", "prompt_flow:", "  # written by flowspool",
                "0", "-1",
                "9223372036854775808", "1e999", "--0123456789ab", "kind: fail_fast",
            ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0], [0x1B], [0x7F], [0xED, 0xA0, 0x80]]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let at = Int.random(in: 0...bytes.count, using: &random)
            let end = Int.random(in: at...min(bytes.count, at + 16), using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes.removeSubrange(at..<end)
            case 1: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: at)
            case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
            case 3: bytes.replaceSubrange(at..<end, with: pieces.randomElement(using: &random) ?? [])
            case 4:
                let other = seeds.randomElement(using: &random) ?? []
                let from = Int.random(in: 0...other.count, using: &random)
                bytes.insert(contentsOf: other[from..<min(other.count, from + 40)], at: at)
            default:
                if Int.random(in: 0..<4, using: &random) == 0 { bytes.removeSubrange(at...) }
            }
        }
    }
}
