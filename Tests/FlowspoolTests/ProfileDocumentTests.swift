import Foundation
import Testing

@Suite struct ProfileDocumentTests {
    /// Every `bash` block of docs/policy.md is run, in order, in a folder that has the shipped configuration.
    @Test func policyDocument_commandsAllWork() async throws {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let document = try String(contentsOf: repository.appendingPathComponent("docs/policy.md"), encoding: .utf8)
        let blocks = document.components(separatedBy: "```bash\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(blocks.count >= 2)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let name = "scripts/codex-sprint/prompt_flow.config.json"
        try folder.write(try String(contentsOf: repository.appendingPathComponent(name), encoding: .utf8), to: name)

        let script = "set -euo pipefail\n" + blocks.joined(separator: "\n") + "\n[ \"$PROMPT_FLOW_WARN_MODE\" = auto-approve ]\n"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script]
        process.currentDirectoryURL = folder.url
        let binaries = URL(fileURLWithPath: Binary.path).deletingLastPathComponent().path
        process.environment = ["PATH": "\(binaries):/usr/bin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        let errors = try folder.write("", to: "stderr")
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        let said = try String(contentsOf: errors, encoding: .utf8)
        #expect(process.terminationStatus == 0, "\(said)")
    }
}
