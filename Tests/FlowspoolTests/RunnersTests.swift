import Foundation
import Spool
import Testing

/// Agents as a user meets them: programs on PATH that play what the real ones print.
@Suite struct RunnersTests {
    private func with(_ programs: [String: String], _ body: (SpoolSandbox, [String: String]) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        for (name, script) in programs {
            let text = "#!/bin/bash\n[[ $1 == --version ]] && { echo '\(name) 1.2.3'; exit; }\ncat > /dev/null\n\(script)\n"
            try sandbox.folder.write(text, to: "bin/\(name)")
            chmod(sandbox.folder.url.appendingPathComponent("bin/\(name)").path, 0o755)
        }
        let path = sandbox.folder.url.appendingPathComponent("bin").path + ":/usr/local/bin:/usr/bin:/bin"
        try await body(sandbox, ["PATH": path])
    }

    private static let codexSuccess = """
        echo '{"type":"thread.started","thread_id":"T-1"}'
        echo '{"type":"item.completed","item":{"type":"agent_message","text":"Done."}}'
        echo '{"type":"turn.completed","usage":{"input_tokens":100,"output_tokens":20}}'
        """
    private static let codexLimit = """
        echo '{"type":"turn.failed","error":{"message":"You have hit your usage limit. Try again in 2 days 1 hour."}}'
        exit 1
        """
    private static let claudeSuccess = """
        echo '{"type":"result","subtype":"success","is_error":false,"num_turns":2,"total_cost_usd":0.0123,"result":"hi",\
        "session_id":"s-1","usage":{"input_tokens":10,"output_tokens":3}}'
        """.replacingOccurrences(of: "\\\n", with: "")

    private static func prompt(_ runner: String, _ more: String = "") -> String {
        "---\nexec_mode: agent\nrunner: \(runner)\n\(more)---\n# Fix {{what}}\n\nPlease.\n"
    }

    @Test func runners_listWhatIsInstalled_andItsVersion() async throws {
        try await with(["codex": "exit 1"]) { sandbox, environment async throws in
            let listed = try await sandbox.run("runners", environment: environment)
            #expect(listed.status == 0)
            let lines = listed.stdout.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(lines.map(\.first) == ["RUNNER", "codex", "claude", "gemini", "aider", "llm", "opencode", "local", "openai"])
            #expect(lines[1].prefix(4) == ["codex", "agent", "codex", "1.2.3"])
            #expect(lines[2].prefix(3) == ["claude", "agent", "no"])
            let json = try JSON.parse(try await sandbox.run("runners", "--json", environment: environment).stdout)
            #expect(json.arrayValue?.first?["installed"]?.boolValue == true)
            #expect(json.arrayValue?.first?["version"]?.stringValue == "codex 1.2.3")
        }
    }

    @Test func explainAndShowPrompt_printWhatWouldBeSent() async throws {
        try await with(["codex": Self.codexSuccess]) { sandbox, environment async throws in
            try sandbox.drop(Self.prompt("codex", "model: GPT-5\nvars: {what: it}\npermissions: full\n"), "a.md")
            let explained = try await sandbox.run("runners", "--explain", "spool/a.md", environment: environment)
            #expect(
                explained.stdout.contains(
                    "runs         codex exec --json --skip-git-repo-check --sandbox workspace-write --model gpt-5 -o "
                        + "'$FLOWSPOOL_RUN_DIR/answer.md' -\n"))
            #expect(explained.stdout.hasSuffix("\n\n# Fix it\n\nPlease.\n"))
            let blocked = try await sandbox.run("watch", "--drain", "--profile", "production", environment: environment)
            #expect(blocked.status == 1)
            let shown = try await sandbox.run("show", "a.md", "--prompt", environment: environment)
            #expect(shown.stdout == "# Fix it\n\nPlease.\n")
            #expect(try await sandbox.run("show", "a.md").stdout.contains("warning agent_full_access"))
        }
    }

    @Test func limit_isNoFailure_andStatusSaysUntilWhen() async throws {
        try await with(["codex": Self.codexLimit, "claude": Self.claudeSuccess]) { sandbox, environment async throws in
            for name in ["a.md", "b.md"] { try sandbox.drop(Self.prompt("codex", "vars: {what: it}\n"), name) }
            try sandbox.drop(Self.prompt("claude", "vars: {what: it}\n"), "c.md")
            let batch = try await sandbox.run("pipeline", "--root", "spool", "--profile", "poc", environment: environment)
            #expect(batch.status == 0, "\(batch.stderr)")
            let status = try await sandbox.run("status")
            #expect(status.stdout.contains("limited   codex until 2"))
            let limit = try JSON.parse(try await sandbox.run("status", "--json").stdout)["limits"]?.arrayValue?.first
            #expect(limit?["runner"]?.stringValue == "codex")
            let listed = try await sandbox.run("list")
            #expect(listed.stdout.contains("claude, 13 tokens, $0.0123"))
            let jobs = try JSON.parse(try await sandbox.run("list", "--json").stdout).arrayValue ?? []
            #expect(jobs.map { $0["state"]?.stringValue } == ["deferred", "deferred", "done"])
            #expect(jobs.map { $0["runner"]?.stringValue } == ["codex", "codex", "claude"])
            #expect(jobs.last?["tokens"]?.intValue == 13)
            let summary = try JSON.parse(try sandbox.text("spool/.prompt-pipeline.summary.json"))
            #expect(summary["fail_total"]?.intValue == 0)
            #expect(summary["deferred"]?.intValue == 2)
            #expect(summary["usage"]?["tokens_out"]?.intValue == 3)
            #expect(summary["usage"]?["cost_usd"]?.compact == "0.0123")
            let shown = try await sandbox.run("show", "c.md")
            #expect(shown.stdout.contains("  session_id s-1\n") && shown.stdout.contains("  turns 2\n"))
        }
    }

    @Test func exec_stampsWhatAnAgentUsed() async throws {
        try await with(["claude": Self.claudeSuccess]) { sandbox, environment async throws in
            try sandbox.folder.write(Self.prompt("claude", "vars: {what: it}\n"), to: "a.md")
            let run = try await sandbox.run("exec", "a.md", environment: environment)
            #expect(run.status == 0, "\(run.stderr)")
            #expect(run.stdout.contains("  used: claude, 13 tokens, $0.0123\n"))
            let stamped = try sandbox.text("a.md")
            for line in ["runner: claude", "tokens_in: 10", "tokens_out: 3", "cost_usd: 0.0123", "turns: 2", "session_id: s-1"] {
                #expect(stamped.contains("      \(line)\n"), "\(line)")
            }
        }
    }

    // MARK: Logs

    private static let mine = "runners:\n  mine: {command: [mine]}\n"

    private static func mine(_ more: String = "", _ body: String = "Go.") -> String {
        "---\nexec_mode: agent\nrunner: mine\n\(more)---\n\(body)\n"
    }

    @Test func logs_ofAnAgent_areItsTranscript_itsErrors_andThoseOfTheGate() async throws {
        try await with(["mine": "printf 'said \\033]0;title\\007it\\n'; echo trouble >&2"]) { sandbox, environment async throws in
            try sandbox.folder.write(Self.mine, to: "spool/.flowspool/spool.yaml")
            try sandbox.drop(Self.mine("verify: {command: echo checked; exit 3}\n"), "a.md")
            _ = try await sandbox.run("watch", "--drain", "--profile", "poc", environment: environment)
            let logs = try await sandbox.run("logs", "a.md", "--attempt", "1")
            #expect(logs.stdout == "said \u{1B}]0;title\u{7}it\ntrouble\nchecked\n")
            let titles = logs.stderr.split(separator: "\n").filter { $0.hasPrefix("==>") }
            #expect(
                titles == [
                    "==> attempt 1, block 1, transcript.txt <==", "==> attempt 1, block 1, stderr.log <==",
                    "==> attempt 1, verify.log <==",
                ])
            let block = try await sandbox.run("logs", "1", "--attempt", "1", "--block", "1")
            #expect(block.stdout == "said \u{1B}]0;title\u{7}it\ntrouble\n")
            #expect(try await sandbox.run("logs", "1", "--block", "2").stdout.isEmpty)
            let seen = try await TerminalBinary.run(["logs", "1"], answer: "", cwd: sandbox.folder.url).stdout
            #expect(seen.contains("said 0;titleit") && !seen.contains("\u{1B}"))
        }
    }

    @Test func logs_followAnAgentWhileItRuns() async throws {
        let work = "echo first; read -r _ < \"$REPO_ROOT/go\"; echo second"
        try await with(["mine": work]) { sandbox, environment async throws in
            let pipe = try Pipe(sandbox.folder.url.appending(path: "go").path)
            try sandbox.folder.write(Self.mine, to: "spool/.flowspool/spool.yaml")
            try sandbox.drop(Self.mine(), "a.md")
            let watch = try RunningBinary(
                ["watch", "--drain", "--profile", "poc", "--repo-root", "."],
                environment: sandbox.home.merging(environment) { $1 },
                cwd: sandbox.folder.url)
            while try await sandbox.run("show", "a.md").stdout.contains("attempt 1") == false { await Task.yield() }
            let logs = try RunningBinary(["logs", "-f", "a.md"], environment: sandbox.home, cwd: sandbox.folder.url)
            #expect(await logs.hasSaid("==> attempt 1, block 1, transcript.txt <=="))
            await pipe.write()
            #expect(try await logs.ending().stdout == "first\nsecond\n")
            #expect(try await watch.ending().status == 0)
        }
    }

    @Test func logs_ofAModel_areItsAnswer() async throws {
        let server = """
            import http.server, sys
            class Answer(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    self.rfile.read(int(self.headers["Content-Length"]))
                    body = b'{"choices":[{"message":{"content":"Paris."},"finish_reason":"stop"}]}'
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
            server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
            open(sys.argv[1], "w").write(str(server.server_port))
            server.handle_request()
            """
        try await with([:]) { sandbox, environment async throws in
            let pipe = try Pipe(sandbox.folder.url.appending(path: "port").path)
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/python3")
            process.arguments = ["-c", server, pipe.path]
            try process.run()
            defer { process.terminate() }
            let port = await pipe.read()
            try sandbox.drop("---\nexec_mode: http\nbase_url: http://127.0.0.1:\(port)/v1\n---\nThe capital?\n", "a.md")
            let run = try await sandbox.run("watch", "--drain", "--profile", "poc", environment: environment)
            #expect(run.status == 0, "\(run.stderr)")
            for flags in [[], ["--block", "1"], ["-f"]] {
                let logs = try await Binary.run(["logs", "a.md"] + flags, cwd: sandbox.folder.url)
                #expect(logs.stdout == "Paris.", "\(flags)")
                #expect(logs.stderr.contains("==> attempt 1, block 1, answer.md <=="))
            }
        }
    }

    /// A prompt is shown as it is sent, but no terminal is steered by it.
    @Test func promptWithEscapeSequences_isHarmlessAtATerminal() async throws {
        try await with(["mine": "echo done"]) { sandbox, environment async throws in
            try sandbox.folder.write(Self.mine, to: "spool/.flowspool/spool.yaml")
            let body = "Say \u{1B}]0;owned\u{7}hi\u{9B}2J. “ab\u{202E}dc”"
            try sandbox.drop(Self.mine("", body), "b.md")
            let explained = try await sandbox.run("runners", "--explain", "spool/b.md", environment: environment)
            #expect(explained.stdout.hasSuffix("\n\n\(body)\n"))
            let seen = try await TerminalBinary.run(
                ["runners", "--explain", "spool/b.md"], answer: "", environment: environment, cwd: sandbox.folder.url
            ).stdout
            #expect(seen.contains("Say 0;ownedhi") && !seen.contains { "\u{1B}\u{7}\u{9B}".contains($0) })
            #expect(seen.contains("“ab\\u{202E}dc”"), "\(seen)")
            _ = try await sandbox.run("watch", "--drain", "--profile", "poc", environment: environment)
            #expect(try await sandbox.run("show", "b.md", "--prompt").stdout == body + "\n")
            let shown = try await TerminalBinary.run(["show", "b.md", "--prompt"], answer: "", cwd: sandbox.folder.url).stdout
            #expect(shown.contains("Say 0;ownedhi") && !shown.contains { "\u{1B}\u{7}\u{9B}".contains($0) })
        }
    }
}
