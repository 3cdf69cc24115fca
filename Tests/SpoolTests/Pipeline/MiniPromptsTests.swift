import Foundation
import Testing

@testable import Spool

/// The prompts that this repository brings along for `flowspool mini`.
@Suite struct MiniPromptsTests {
    private func prompts(_ folder: String) throws -> [PromptFile] {
        let path = repositoryFile("\(MiniRecord.folderName)/\(folder)")
        return try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { name in
            PromptFile.read(name: name, bytes: try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
        }
    }

    @Test func prompts_areCleanAndGated() throws {
        let all = try prompts("prompts") + prompts("canary")
        #expect(
            all.map(\.name) == ["prompt-01-mini.md", "prompt-02-mini.md", "canary-01-fails.md", "canary-02-never-starts.md"])
        for prompt in all {
            #expect(prompt.findings == [] && prompt.canCarryStamp && !prompt.blocks.isEmpty)
            #expect(prompt.settings.gate.filesExist.allSatisfy { $0.hasPrefix("deployment_pipeline/artifacts/") })
            #expect(prompt.settings.gate.filesExist.count == 1)
        }
    }

    /// What their blocks do is judged where the shell rules are tested.
    @Test func prompts_underProduction_areReadyWithoutWarnings() async throws {
        let resolver = try PolicyResolver(configuration: .builtin, profileFlag: "production", environment: [:])
        let folder = try ContractFolder()
        let context = PreflightContext(repoRoot: folder.path, searchPath: "/usr/bin:/bin")
        for prompt in try prompts("prompts") + prompts("canary") {
            let report = await Preflight(context: context, resolver: resolver, shell: nil).check(prompt)
            #expect(report.findings.filter { $0.severity != .info } == [])
            #expect(report.verdict(isApproved: false).status == .ready)
        }
    }

    /// Runs every block in a folder that stands for a repo root, as script execution does.
    private func run(_ prompt: PromptFile, in root: String, environment file: String) throws -> Int32 {
        for block in prompt.blocks {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            let handedOn = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            process.arguments = ["-c", "set -euo pipefail\n" + block.text]
            process.environment = ["PATH": "/usr/bin:/bin", "FLOWSPOOL_ENV": file]
            for line in handedOn.split(separator: "\n") {
                let parts = line.split(separator: "=", maxSplits: 1)
                process.environment?[String(parts[0])] = String(parts[1])
            }
            process.currentDirectoryURL = URL(fileURLWithPath: root)
            process.standardOutput = FileHandle.nullDevice
            process.standardInput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            if process.terminationStatus != 0 { return process.terminationStatus }
        }
        return 0
    }

    @Test func prompts_runInAnyRepoRoot_leaveWhatTheirGatesAskFor() throws {
        let folder = try ContractFolder()
        let root = folder.path + "/any repo"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        for prompt in try prompts("prompts") {
            #expect(try run(prompt, in: root, environment: folder.path + "/env") == 0)
            for path in prompt.settings.gate.filesExist {
                #expect(FileManager.default.contents(atPath: root + "/" + path)?.isEmpty == false)
            }
        }
        #expect(
            try String(contentsOfFile: root + "/deployment_pipeline/artifacts/phase2.txt", encoding: .utf8)
                == "phase1_ok phase2_ok\n")
    }

    @Test func canary_failsEachTime() throws {
        let folder = try ContractFolder()
        let canaries = try prompts("canary")
        #expect(try canaries.map { try run($0, in: folder.path, environment: folder.path + "/env") } == [3, 4])
    }

    @Test func prompt_asFound_hasArtefactsOfItsGateAndItsStamp() throws {
        let path = repositoryFile("deployment_pipeline/prompts/prompt-01-mini.md")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let seen = MiniExperiment.prompt(name: "p.md", bytes: bytes, state: .done, gate: .pass) { $0.hasSuffix("phase1.txt") }
        #expect(seen.artefacts == ["deployment_pipeline/artifacts/phase1.txt": true])
        #expect(seen.preflightStatus == nil && seen.gate == "pass")
        let gone = MiniExperiment.prompt(name: "p.md", bytes: nil, state: nil, gate: nil) { _ in true }
        #expect(gone.artefacts.isEmpty)
    }
}
