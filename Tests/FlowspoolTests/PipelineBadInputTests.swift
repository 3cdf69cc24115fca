import Foundation
import Spool
import Testing

/// What is refused before anything runs: the exit status, the message, and that nothing has changed.
@Suite struct PipelineBadInputTests {
    private static let id = "z.md--0123456789ab"

    /// Runs a batch that must be refused, and looks that nothing ran and nothing changed.
    private func expectRefused(_ folder: BatchFolder, _ message: String, _ flags: String...) async throws {
        let before = try folder.listing()
        let result = try await Binary.run(["pipeline", "--root", "work", "--repo-root", "."] + flags, cwd: folder.folder.url)
        #expect(result.status == 2, "\(result)")
        #expect(result.stdout == "" && result.stderr.contains(message), "\(result.stderr)")
        #expect(result.stderr.contains("hint: "), "\(result.stderr)")
        #expect(folder.ran == [])
        let after = try folder.listing()
        #expect(after == before)
    }

    @Test func unknownName_inAFolderThatIsNoSpool_makesNone() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try await expectRefused(folder, "--from nosuch.md", "--from", "nosuch.md")
            try folder.folder.write("a.md\nnosuch.md\n", to: "list")
            try await expectRefused(folder, "line 2: nosuch.md", "--prompts-file", "list")
        }
    }

    /// No plan can hold it; it is refused as `watch` refuses it, and not passed over in silence. What was chosen by name does not touch it.
    @Test func promptWithoutANameAsText_isRefused() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "true"]) { folder async throws in
            let bytes = Array((folder.rootURL.path + "/caf").utf8) + [0xE9] + Array(".md".utf8)
            let made = (bytes + [0]).withUnsafeBufferPointer { path in
                path.withMemoryRebound(to: CChar.self) { open($0.baseAddress!, O_CREAT | O_WRONLY, 0o644) }
            }
            try #require(made >= 0)
            close(made)
            #expect(try await folder.batch("--to", "a.md").status == 0)
            #expect(!folder.exists("failed/caf%E9.md"))
            let result = try await folder.batch()
            #expect(result.status == 1 && result.stderr.contains("caf%E9.md: name_not_utf8"), "\(result.stderr)")
            #expect(folder.ran == ["a.md", "b.md"])
            #expect(folder.exists("failed/caf%E9.md") && folder.exists("failed/caf%E9.md.why.txt"))
            #expect(try folder.summary()["failed"]?.intValue == 1)
            #expect(try folder.events().contains("prompt_blocked caf%E9.md"))
        }
    }

    @Test func withoutRootAndWithoutASpool_saysWhatToName() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let result = try await Binary.run([], cwd: folder.url, name: "prompt-pipeline")
        #expect(result.status == 2 && result.stderr.contains("no spool here") && result.stderr.contains("--root ."))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    // MARK: - Contract files

    @Test(arguments: ContractFile.allCases)
    func contractFile_thatIsAFolder_isRefused(file: ContractFile) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("", to: "work/\(file.name)/x")
            try await expectRefused(folder, "\(file.name) is a folder")
        }
    }

    @Test(arguments: ContractFile.allCases)
    func contractFile_thatIsALink_isRefused(file: ContractFile) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let target = try folder.folder.write("", to: "elsewhere")
            try FileManager.default.createSymbolicLink(
                atPath: folder.rootURL.appending(path: file.name).path, withDestinationPath: target.path)
            try await expectRefused(folder, "\(file.name) is a symbolic link")
        }
    }

    @Test(arguments: [ContractFile.state, .failed])
    func listWithForeignLines_isRefused(file: ContractFile) async throws {
        for text in ["\(Self.id)\nhello\n", "hello\n\(Self.id)\n", "\u{0}\u{1}\n", "a.md--0123\n", "<html>\n</html>\n"] {
            try await BatchFolder.with(["a.md": "true"]) { folder async throws in
                try folder.folder.write(text, to: "work/\(file.name)")
                try await expectRefused(folder, "\(file.name), line ")
            }
        }
    }

    @Test func listWithForeignLines_isRefusedInASpoolThatRan() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--count", "1").status == 0)
            try FileManager.default.removeItem(at: folder.folder.url.appending(path: "ran"))
            try folder.drop("b.md")
            try folder.folder.write("rubbish\n", to: "work/.prompt-pipeline.state")
            try await expectRefused(folder, "“rubbish” is not a prompt id")
        }
    }

    /// Missing, empty, cut off: each of these is what a first run, a careful user or a power loss leaves.
    @Test(arguments: ContractFile.allCases.filter { $0 != .hold }, ["", "z.md--0123456789ab", "{\"ts\":\"20"])
    func contractFile_thatIsEmptyOrCutOff_isMended(file: ContractFile, text: String) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write(text, to: "work/\(file.name)")
            #expect(try await folder.batch().status == 0)
            #expect(folder.ran == ["a.md"])
            for line in try folder.lines(.log) { _ = try JSON.parse(line) }
            #expect(try folder.lines(.state).contains { $0.hasPrefix("a.md--") })
            _ = try folder.summary()
        }
    }

    @Test func logWithForeignLines_keepsThem() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("a line of somebody else's\n", to: "work/.prompt-pipeline.log.jsonl")
            #expect(try await folder.batch().status == 0)
            let lines = try folder.lines(.log)
            #expect(lines.first == "a line of somebody else's" && lines.count == 6)
        }
    }

    @Test func emptyHoldFile_isAHold() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("", to: "work/.prompt-pipeline.HOLD")
            #expect(try await folder.batch().status == 12)
            #expect(folder.ran == [])
        }
    }

    // MARK: - Root

    @Test(arguments: [
        ("nosuch", "No such file or directory"), ("a-file", "is not a folder"), ("work/done", "lies inside the spool"),
        ("work/runs/x", "lies inside the spool"), ("work/.flowspool", "lies inside the spool"), ("shared", "others may write"),
    ])
    func root_isRefused(root: String, message: String) async throws {
        try await BatchFolder.with { folder async throws in
            #expect(try await folder.run("init", "work").status == 0)
            try folder.folder.write("", to: "a-file")
            for name in ["shared", "work/runs/x"] {
                try FileManager.default.createDirectory(
                    at: folder.folder.url.appending(path: name), withIntermediateDirectories: true)
            }
            chmod(folder.folder.url.appending(path: "shared").path, 0o777)
            let before = try folder.listing()
            let result = try await folder.run("pipeline", "--root", root, "--repo-root", ".")
            #expect(result.status == 2)
            #expect(result.stderr.contains(message), "\(result.stderr)")
            let after = try folder.listing()
            #expect(after == before)
        }
    }

    /// Root may write everywhere, so this needs a mount that is read-only, or another user.
    @Test(.enabled(if: geteuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")))
    func root_thatIsReadOnly_isRefused() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            chmod(folder.rootURL.path, 0o555)
            defer { chmod(folder.rootURL.path, 0o755) }
            guard geteuid() == 0 else { return try await expectRefused(folder, "is read-only for this user") }
            let before = try folder.listing()
            let output = folder.folder.url.deletingLastPathComponent().appending(path: "read-only-\(UUID().uuidString)")
            try Data().write(to: output)
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: output) } }
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/setpriv")
            // The same user without the capability to write where the mode says no.
            process.arguments = [
                "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", Binary.path, "pipeline", "--root",
                folder.rootURL.path, "--repo-root", folder.folder.url.path,
            ]
            process.standardError = try FileHandle(forWritingTo: output)
            try process.run()
            process.waitUntilExit()
            let message = try String(contentsOf: output, encoding: .utf8)
            #expect(process.terminationStatus == 2 && message.contains("is read-only for this user"), "\(message)")
            let after = try folder.listing()
            #expect(after == before)
        }
    }

    // MARK: - Configurations

    private static func profile(_ toggles: String) -> String {
        """
        {"version": 1, "active_profile": "p", "top5_toggles": ["warn_mode", "warn_gate", "retry_max",
         "pipeline_fail_fast_threshold", "pipeline_max_total_failures"], "profiles": {"p": {\(toggles)}}}
        """
    }

    @Test(arguments: [
        ("", "empty"), ("not JSON", "prompt_flow.config.json"), ("[]", "prompt_flow.config.json"),
        (profile(#""retry_max": 0, "retry_max": 1"#), "retry_max"), (profile(#""retry_max": 2"#), "$.profiles.p.retry_max"),
        (profile(#""warn_gate": []"#), "$.profiles.p.warn_gate"), (profile(#""warn_mode": "maybe""#), "auto-approve"),
        (profile(#""pipeline_fail_fast_threshold": 0"#), "pipeline_fail_fast_threshold"),
        (profile(#""pipeline_fail_fast_threshold": -1"#), "pipeline_fail_fast_threshold"),
        (profile(#""pipeline_max_total_failures": 1.5"#), "pipeline_max_total_failures"),
        (profile(#""pipeline_max_total_failures": "ten""#), "pipeline_max_total_failures"),
        (profile("").replacingOccurrences(of: #""active_profile": "p""#, with: #""active_profile": "q""#), "q"),
    ])
    func policyConfiguration_isRefused(text: String, message: String) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write(text, to: "scripts/codex-sprint/prompt_flow.config.json")
            try await expectRefused(folder, message)
        }
    }

    @Test func policyConfiguration_thatIsNamedAndMissing_isRefused() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try await expectRefused(folder, "nosuch.json", "--config", "nosuch.json")
        }
    }

    @Test(arguments: [
        ("PROMPT_FLOW_RETRY_MAX", "2"), ("PIPELINE_FAIL_FAST_THRESHOLD", "0"), ("PIPELINE_FAIL_FAST_THRESHOLD", "-1"),
        ("PIPELINE_MAX_TOTAL_FAILURES", "1.5"), ("PIPELINE_MAX_TOTAL_FAILURES", "ten"), ("PROMPT_FLOW_WARN_MODE", "perhaps"),
        ("PROMPT_FLOW_PROFILE", "nosuch"), ("PROMPT_FLOW_EXEC_MODE", "telepathy"),
    ])
    func environment_isRefused(name: String, value: String) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let before = try folder.listing()
            let result = try await folder.batch(environment: [name: value])
            #expect(
                result.status == 2 && result.stderr.contains(name == "PROMPT_FLOW_PROFILE" ? value : name), "\(result.stderr)")
            let after = try folder.listing()
            #expect(after == before && folder.ran == [])
        }
    }

    @Test(arguments: [
        ("jobs: many\n", "line 1"), ("jobs: 2\njobs: 3\n", "jobs"), ("\ncolour: red\n", "colour"), ("- a\n", "spool.yaml"),
        ("jobs: [\n", "spool.yaml"), ("timeout: -1\n", "$.timeout"), ("notify: {command: mail}\n", "$.notify.command"),
        ("notify: {command: [mail], events: [everything]}\n", "job_failed"),
    ])
    func spoolYAML_isRefused(text: String, message: String) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write(text, to: "work/.flowspool/spool.yaml")
            try await expectRefused(folder, message)
        }
    }

    @Test func emptySpoolYAML_isAllDefaults() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("", to: "work/.flowspool/spool.yaml")
            #expect(try await folder.batch().status == 0)
        }
    }
}
