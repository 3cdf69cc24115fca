import Foundation
import Spool
import Testing

@Suite struct InPlaceCommandsTests {
    private func with(_ body: (TemporaryFolder) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await body(folder)
    }

    private func run(_ folder: TemporaryFolder, _ arguments: String..., environment: [String: String] = [:]) async throws
        -> Binary.Result
    {
        try await Binary.run(arguments, environment: environment, cwd: folder.url)
    }

    private func text(_ folder: TemporaryFolder, _ name: String) throws -> String {
        try String(contentsOf: folder.url.appendingPathComponent(name), encoding: .utf8)
    }

    @Test func preflightThenUnstamp_givesBackTheBytesAndKeepsTheMode() async throws {
        try await with { folder in
            let text = "# T\r\n\r\n```bash\r\ntrue\r\n```"
            let file = try folder.write(text, to: "a.md")
            chmod(file.path, 0o640)
            #expect(try await run(folder, "preflight", "a.md").status == 0)
            #expect(try self.text(folder, "a.md").contains("status: ready"))
            #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o640)
            #expect(try await run(folder, "unstamp", "a.md").stdout == "a.md: unstamped\n")
            #expect(try Data(contentsOf: file) == Data(text.utf8))
            #expect(try await run(folder, "unstamp", "a.md").stdout == "a.md: has no stamp\n")
        }
    }

    @Test func preflight_check_changesNothing() async throws {
        try await with { folder in
            try folder.write(SpoolSandbox.good, to: "a.md")
            #expect(try await run(folder, "preflight", "--check", "a.md").status == 0)
            #expect(try text(folder, "a.md") == SpoolSandbox.good)
        }
    }

    @Test func preflight_json_hasTheKeysOfTheContract() async throws {
        try await with { folder in
            try folder.write(SpoolSandbox.risky, to: "a.md")
            let result = try await run(folder, "preflight", "--json", "--profile", "production", "a.md")
            #expect(result.status == 2)
            let element = try #require(try JSON.parse(result.stdout).arrayValue?.first)
            let keys = Set(element.objectValue?.map { $0.0 } ?? [])
            #expect(
                keys.isSuperset(of: ["path", "status", "ready", "prompt_id", "prompt_sha", "policy", "policy_source", "findings"])
            )
            #expect(element["status"] == "blocked")
            let finding = element["findings"]?.arrayValue?.first { $0["severity"] == "warning" }
            let members = finding?.objectValue?.map { $0.0 } ?? []
            #expect(members == ["code", "severity", "line", "column", "message", "advice"])
        }
    }

    @Test func preflight_ofWarningsUnderAsk_withoutTerminal_isHeld() async throws {
        try await with { folder in
            try folder.write(SpoolSandbox.risky, to: "a.md")
            let result = try await run(folder, "preflight", "--warn-mode", "ask", "--warn-gate", "yes", "a.md")
            #expect(result.status == 2)
            #expect(result.stdout.contains("\na.md: held: "))
        }
    }

    @Test func preflight_refusesWhatIsNoFile_andChecksTheOthers() async throws {
        try await with { folder in
            let good = try folder.write(SpoolSandbox.good, to: "good.md")
            try FileManager.default.createSymbolicLink(atPath: folder.url.path + "/link.md", withDestinationPath: good.path)
            mkfifo(folder.url.path + "/fifo.md", 0o600)
            let result = try await run(folder, "preflight", "link.md", "fifo.md", "gone.md", ".", "good.md")
            #expect(result.status == 2)
            #expect(result.stdout == "good.md: ready: no warnings\n")
            #expect(result.stderr.contains("symbolic links are not followed"))
            #expect(result.stderr.contains("is a fifo"))
        }
    }

    @Test func exec_runsInPlaceAndStamps() async throws {
        try await with { folder in
            try folder.write(SpoolSandbox.good, to: "a.md")
            let result = try await run(folder, "exec", "--run-dir", "logs", "--json", "a.md")
            #expect(result.status == 0)
            let document = try JSON.parse(result.stdout)
            let keys = Set(document.objectValue?.map { $0.0 } ?? [])
            #expect(
                keys.isSuperset(of: ["job", "status", "failure_class", "exit_code", "completion_gate", "attempts", "run_dir"]))
            #expect(document["job"]?.isNull == true)
            #expect(document["status"] == "success")
            let directory = try #require(document["run_dir"]?.stringValue)
            #expect(directory.hasPrefix(folder.url.path + "/logs/"))
            #expect(try String(contentsOfFile: directory + "/block-001.log", encoding: .utf8) == "hello\n")
            let stamped = try text(folder, "a.md")
            #expect(stamped.contains("source: exec"))
            #expect(stamped.contains("status: success"))
        }
    }

    @Test func exec_retriesAsThePolicySays() async throws {
        try await with { folder in
            try folder.write("# T\n\n```bash\necho run >> \"$REPO_ROOT/ran\"\nexit 3\n```\n", to: "a.md")
            let result = try await run(folder, "exec", "--run-dir", "logs", "--max-retries", "1", "a.md")
            #expect(result.status == 1)
            #expect(result.stdout.contains("2 attempts"))
            #expect(try text(folder, "ran") == "run\nrun\n")
        }
    }

    @Test func exec_ofABlockedPrompt_runsNothingAndExits2() async throws {
        try await with { folder in
            try folder.write("# T\n\n```bash\ntouch \"$REPO_ROOT/ran\"\nif\n```\n", to: "a.md")
            let result = try await run(folder, "exec", "--run-dir", "logs", "a.md")
            #expect(result.status == 2)
            #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/ran"))
            #expect(try text(folder, "a.md").contains("status: blocked"))
        }
    }

    @Test func exec_ofAPromptThatChangesItself_leavesTheChange() async throws {
        try await with { folder in
            try folder.write("# T\n\n```bash\necho changed > \"$FLOWSPOOL_PROMPT\"\n```\n", to: "a.md")
            let result = try await run(folder, "exec", "--run-dir", "logs", "a.md")
            #expect(result.status == 0)
            #expect(result.stderr.contains("not stamped"))
            #expect(try text(folder, "a.md") == "changed\n")
        }
    }

    @Test func theOldNames_areTheCommands() async throws {
        try await with { folder in
            try folder.write(SpoolSandbox.good, to: "a.md")
            let checked = try await Binary.run(["--check", "a.md"], cwd: folder.url, name: "prompt-preflight")
            #expect(checked.stdout == "a.md: ready: no warnings\n")
            let ran = try await Binary.run(["--run-dir", "logs", "a.md"], cwd: folder.url, name: "prompt-exec")
            #expect(ran.status == 0)
        }
    }
}
