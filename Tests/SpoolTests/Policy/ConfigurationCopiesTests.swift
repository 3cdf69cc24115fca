import Foundation
import Testing

@testable import Spool

private let text = #"{"active_profile":"production","profiles":{"production":{},"poc":{}}}"#

@Suite struct ConfigurationCopiesTests {
    private func withRepository(_ body: (TestFolder) throws -> Void) throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        try folder.write(text, to: "scripts/codex-sprint/prompt_flow.config.json")
        try body(folder)
    }

    private func warning(_ folder: TestFolder, profile: String? = nil, config: String? = nil) throws -> String? {
        let resolver = try PolicyResolver(
            configuration: try PolicyConfiguration.load(flag: config, repoRoot: folder.path), profileFlag: profile,
            environment: [:])
        return ConfigurationCopies.runtimeCopyWarning(repoRoot: folder.path, resolver: resolver)
    }

    @Test func runtimeCopyWarning_speaksOnlyUnderProductionWithCopiesThatDiffer() throws {
        try withRepository { folder in
            #expect(try warning(folder) == nil, "no copy")
            _ = try ConfigurationCopies(repoRoot: folder.path, configFlag: nil).sync()
            #expect(try warning(folder) == nil, "same copy")
            let copy = try folder.write(text + "\n", to: "temp/codex-sprint/prompt_flow.config.json")
            let said = try #require(try warning(folder))
            #expect(said.hasPrefix("\(copy) differs from "))
            #expect(said.contains("flowspool profile sync"))
            #expect(try warning(folder, profile: "poc") == nil)
            #expect(try warning(folder, config: copy) == nil, "--config was meant")
        }
    }

    /// Whatever call fails, the old copy stands whole and nothing is left beside it.
    @Test(arguments: [SystemCall.openat, .write, .fsync, .renameat2, .mkdirat], [ENOSPC, EIO])
    func sync_whenTheDiskRefuses_leavesTheOldCopy(call: SystemCall, code: Int32) throws {
        try withRepository { folder in
            let old = try folder.write("old", to: "temp/codex-sprint/prompt_flow.config.json")
            // The source is read with open(2) and read(2), which are left alone.
            let calls = SystemCalls { made, path in made == call && !path.contains("/scripts/") ? code : nil }
            let error = #expect(throws: FlowspoolError.self) {
                try ConfigurationCopies(repoRoot: folder.path, configFlag: nil, calls: calls).sync()
            }
            #expect(error?.code == .unavailable)
            #expect(try String(contentsOfFile: old, encoding: .utf8) == "old")
        }
    }

    @Test func compare_boundsItsWorkOnFilesOfManyLines() throws {
        try withRepository { folder in
            let lines = (0..<3000).map { "\($0)\n" }.joined()
            try folder.write(lines, to: "temp/codex-sprint/prompt_flow.config.json")
            let difference = try ConfigurationCopies(repoRoot: folder.path, configFlag: nil).compare()
            #expect(!difference.isSame)
            #expect(difference.text.hasSuffix("too many lines to compare one by one\n"))
        }
    }

    @Test func compare_escapesWhatATerminalWouldObey() throws {
        try withRepository { folder in
            try folder.write("\u{1B}[2J", to: "temp/codex-sprint/prompt_flow.config.json")
            let difference = try ConfigurationCopies(repoRoot: folder.path, configFlag: nil).compare()
            #expect(difference.text.contains("+\\u{1B}[2J\n"))
        }
    }
}
