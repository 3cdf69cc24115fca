// The cases of the rule table: Tests/ShellCases/*.txt, each a line `=== CODES | why` and a block. Adding a rule is adding a row to
// `RuleTable` and its two cases here, one that it catches and one that only looks like it.

import Foundation

@testable import Spool

struct RuleCase: Sendable {
    var name: String
    var codes: Set<String>
    var block: String

    static let files = ["executed", "files", "machine", "tools", "people", "mixed", "reviewed"]

    static func read(_ file: String) throws -> [RuleCase] {
        let path = repositoryFile("Tests/ShellCases/\(file).txt")
        var cases: [RuleCase] = []
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("=== ") {
                let parts = line.dropFirst(4).split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
                let codes = parts[0].split(separator: " ").map(String.init)
                cases.append(
                    RuleCase(name: "\(file) \(cases.count + 1):\(parts.count > 1 ? parts[1] : "")", codes: Set(codes), block: ""))
            } else if !cases.isEmpty {
                cases[cases.count - 1].block += line + "\n"
            }
        }
        return cases
    }
}

/// Whether shfmt is here; scripts/setup installs it.
let hasShfmt = (try? ShellAnalyzer()) != nil

/// Where the labelled blocks and the real prompts are; not part of the repository.
let sharedFolder: String = {
    let named = ProcessInfo.processInfo.environment["FLOWSPOOL_SHARED"]
    return named ?? URL(fileURLWithPath: repositoryFile("..")).standardizedFileURL.appendingPathComponent("shared").path
}()

func block(_ text: String, firstLine: Int = 1, indent: Int = 0, shell: Block.Shell = .bash) -> Block {
    Block(number: 1, shell: shell, text: text, firstLine: firstLine, indent: indent)
}
