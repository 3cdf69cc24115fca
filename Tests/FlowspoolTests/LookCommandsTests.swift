import Foundation
import Spool
import Testing

/// A folder with a spool in it, run to its end with prompts.
struct SpoolSandbox {
    let folder: TemporaryFolder
    var home: [String: String] { ["XDG_STATE_HOME": folder.url.appendingPathComponent("state").path] }

    static let good = "# Good\n\n```bash\necho hello\n```\n"
    static let bad = "# Bad\n\n```bash\necho oops\nexit 3\n```\n"
    static let risky = "# Risky\n\n```bash\nrm -rf \"$HOME\"\n```\n"

    init() async throws {
        folder = try TemporaryFolder()
        let made = try await Binary.run(["init"], cwd: folder.url)
        try #require(made.status == 0, "\(made.stderr)")
    }

    func remove() { folder.remove() }

    func drop(_ text: String, _ name: String) throws { try folder.write(text, to: "spool/" + name) }

    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> Binary.Result {
        try await Binary.run(arguments, environment: home.merging(environment) { _, given in given }, cwd: folder.url)
    }

    /// Runs what waits until nothing is left.
    func drain(_ flags: String...) async throws -> Binary.Result {
        try await Binary.run(["watch", "--drain", "--profile", "poc"] + flags, environment: home, cwd: folder.url)
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: folder.url.appendingPathComponent(path).path) }

    func text(_ path: String) throws -> String {
        try String(contentsOf: folder.url.appendingPathComponent(path), encoding: .utf8)
    }
}

/// The names of the members, in order.
private func keys(_ json: JSON?) -> [String] { json?.objectValue?.map { $0.0 } ?? [] }

@Suite struct LookCommandsTests {
    private func with(_ body: (SpoolSandbox) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try await body(sandbox)
    }

    @Test func init_twice_changesNothingAndIsNoError() async throws {
        try await with { sandbox in
            try sandbox.drop("x", "a.md")
            #expect(try await sandbox.run("init").status == 0)
            #expect(sandbox.exists("spool/a.md"))
        }
    }

    @Test func look_whereNoSpoolIs_makesNoneAndExits2() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for command in [["status"], ["list"], ["show", "1"], ["logs", "1"], ["wait"], ["hold"], ["retry", "1"]] {
            let result = try await Binary.run(command, cwd: folder.url)
            #expect(result.status == 2, "\(command)")
            #expect(result.stderr.contains("flowspool init"), "\(command)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    @Test func json_hasTheKeysOfTheContract() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.good, "a.md")
            try sandbox.drop(SpoolSandbox.bad, "b\u{1B}[31m.md")
            #expect(try await sandbox.drain().status == 1)

            let list = try JSON.parse(try await sandbox.run("list", "--json").stdout)
            let job = [
                "job", "prompt_id", "name", "state", "status", "reason", "attempts", "profile", "lane", "priority", "path",
                "created_utc", "started_utc", "finished_utc", "duration_ms",
            ]
            let first = keys(list.arrayValue?.first)
            #expect(Array(first.prefix(job.count)) == job)
            #expect((list.arrayValue ?? []).map { $0["state"]?.stringValue } == ["done", "failed"])
            #expect(list.arrayValue?.last?["name"] == "b\u{1B}[31m.md")

            let show = try JSON.parse(try await sandbox.run("show", "2", "--json").stdout)
            let shown = Set(keys(show))
            #expect(shown.isSuperset(of: job + ["policy", "policy_source", "findings", "attempt_list", "transitions"]))
            let attempt = try #require(show["attempt_list"]?.arrayValue?.last)
            #expect(
                Set(keys(attempt)).isSuperset(of: [
                    "attempt", "outcome", "failure_class", "exit_code", "run_dir", "started_utc", "duration_ms", "blocks",
                ]))
            let block = try #require(attempt["blocks"]?.arrayValue?.first)
            #expect(Set(keys(block)).isSuperset(of: ["block", "exit_code", "duration_ms", "log", "mark"]))
            let log = try #require(attempt["run_dir"]?.stringValue) + "/" + #require(block["log"]?.stringValue)
            #expect(try String(contentsOfFile: log, encoding: .utf8) == "oops\n")
            #expect(keys(show["transitions"]?.arrayValue?.first) == ["at", "from", "to", "why"])

            let status = try JSON.parse(try await sandbox.run("status", "--json").stdout)
            #expect(
                Set(keys(status)).isSuperset(of: [
                    "spool", "on_hold", "hold_reason", "runner", "counts", "fail_streak", "fail_total", "overflows", "rescans",
                ]))
            #expect(status["counts"]?["failed"] == 1)
            #expect(status["runner"]?.isNull == true)
            #expect(status["fail_streak"] == 1)
        }
    }

    @Test func text_escapesWhatCouldSteerATerminal() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.good, "a\u{1B}[31m\n.md")
            _ = try await sandbox.drain()
            for command in [["list"], ["show", "1"], ["status"]] {
                let result = try await Binary.run(command, cwd: sandbox.folder.url)
                #expect(result.status == 0)
                #expect(!result.stdout.contains("\u{1B}"), "\(command)")
            }
        }
    }

    @Test func list_limitStateAndAll() async throws {
        try await with { sandbox in
            for number in 1...4 { try sandbox.drop(number == 2 ? SpoolSandbox.bad : SpoolSandbox.good, "\(number).md") }
            _ = try await sandbox.drain()
            let two = try JSON.parse(try await sandbox.run("list", "--limit", "2", "--json").stdout)
            #expect(two.arrayValue?.map { $0["job"]?.intValue } == [3, 4])
            let failed = try JSON.parse(try await sandbox.run("list", "--state", "failed", "--all", "--json").stdout)
            #expect(failed.arrayValue?.map { $0["name"]?.stringValue } == ["2.md"])
            #expect(try await sandbox.run("list", "--limit", "2").stderr.contains("the newest 2 of 4 jobs"))
            #expect(try await sandbox.run("list", "--state", "gone").status == 64)
            #expect(try await sandbox.run("list", "--json", "--state", "held").stdout == "[]\n")
        }
    }

    /// A name means the prompt that waits, and a prompt that keeps its place waits where it has changed.
    @Test(arguments: ["", "move_to_completed: no"]) func wait_meansThePromptThatWaits(_ setting: String) async throws {
        try await with { sandbox in
            func text(_ block: String) -> String { "---\n\(setting)\n---\n```bash\n\(block)\n```\n" }
            try sandbox.drop(text("true"), "w.md")
            #expect(try await sandbox.run("watch", "--drain", "--profile", "poc").status == 0)
            #expect(try await sandbox.run("wait").status == 0)
            #expect(try await sandbox.run("wait", "w.md").status == 0)
            try sandbox.drop(text("exit 3"), "w.md")
            for names in setting.isEmpty ? [[], ["w.md"]] : [[]] {
                let waiting = try RunningBinary(["wait"] + names, cwd: sandbox.folder.url)
                #expect(await waiting.hasSaid("no runner is at work"))
                waiting.signal(SIGTERM)
                _ = try await waiting.ending()
            }
            let waiting = try RunningBinary(["wait"], cwd: sandbox.folder.url)
            #expect(await waiting.hasSaid("no runner is at work"))
            #expect(try await sandbox.run("watch", "--drain", "--profile", "production").status == 1)
            #expect(try await waiting.ending().status == 1)
            if setting.isEmpty { #expect(try await sandbox.run("wait", "w.md").status == 1) }
        }
    }

    /// The log reaches its bound while somebody follows it: what is cut is said, and the end is there.
    @Test func logsFollow_ofALogThatIsCut_hasItsEnd() async throws {
        try await with { sandbox in
            try sandbox.folder.write("log_limit: 16KiB\n", to: "spool/.flowspool/spool.yaml")
            let pipes = try ["go", "done"].map { try Pipe(sandbox.folder.url.path + "/" + $0) }
            let block = [
                "echo FIRST; echo > done; read -r _ < go", "seq 1 9999; echo > done; read -r _ < go", "seq 1 9999; echo THE-END",
            ]
            try sandbox.drop("```bash\n\(block.joined(separator: "\n"))\n```\n", "a.md")
            let drain = try RunningBinary(["watch", "--drain", "--profile", "poc", "--repo-root", "."], cwd: sandbox.folder.url)
            _ = await pipes[1].read()
            let follow = try RunningBinary(["logs", "-f", "a.md"], cwd: sandbox.folder.url)
            #expect(await follow.hasSaid("==> attempt 1"))
            await pipes[0].write()
            _ = await pipes[1].read()
            await pipes[0].write()
            let result = try await follow.ending()
            #expect(try await drain.ending().status == 0)
            #expect(
                result.status == 0 && result.stdout.hasPrefix("FIRST\n") && result.stdout.hasSuffix("\n9998\n9999\nTHE-END\n"))
            // Whoever has read on in time misses nothing.
            let isWhole = result.stdout.split(separator: "\n").count == 2 + 2 * 9999
            #expect(isWhole != result.stderr.contains("block 1 has reached its bound: "), "\(result.stderr)")
        }
    }

    @Test func logs_asJSON() async throws {
        try await with { sandbox in
            try sandbox.drop("```bash\nprintf 'one\\377\\n'\n```\n\n```bash\necho two\n```\n", "a.md")
            #expect(try await sandbox.run("watch", "--drain", "--profile", "poc").status == 0)
            let all = try JSON.parse(try await sandbox.run("logs", "a.md", "--json").stdout)
            let first: JSON = ["block": 1, "file": "block-001.log", "text": "one\u{FFFD}\n"]
            let second: JSON = ["block": 2, "file": "block-002.log", "text": "two\n"]
            #expect(all == ["job": 1, "attempt": 1, "logs": .array([first, second])])
            let one = try JSON.parse(try await sandbox.run("logs", "a.md", "--json", "--block", "2").stdout)
            #expect(one["logs"] == .array([second]))
            #expect(try await sandbox.run("logs", "a.md", "--json", "-f").status == 64)
        }
    }

    @Test func logs_printsTheLastAttemptOrTheOneAskedFor() async throws {
        try await with { sandbox in
            try sandbox.drop("# T\n\n```bash\necho one\n```\n\n```bash\necho two\nexit 3\n```\n", "a.md")
            _ = try await sandbox.drain()
            // The retry resumes at the block that failed.
            #expect(try await sandbox.run("logs", "a.md").stdout == "two\n")
            #expect(try await sandbox.run("logs", "1", "--attempt", "1").stdout == "one\ntwo\n")
            #expect(try await sandbox.run("logs", "1", "--attempt", "1", "--block", "1").stdout == "one\n")
            #expect(try await sandbox.run("logs", "-f", "1").stdout == "two\n")
            #expect(try await sandbox.run("logs", "1", "--attempt", "9").status == 2)
        }
    }

    @Test func wait_tellsByItsExitStatus() async throws {
        try await with { sandbox in
            #expect(try await sandbox.run("wait").status == 0)
            try sandbox.drop(SpoolSandbox.good, "a.md")
            try sandbox.drop(SpoolSandbox.bad, "b.md")
            #expect(try await sandbox.run("wait", "--timeout", "0.1s").status == 75)
            _ = try await sandbox.drain()
            #expect(try await sandbox.run("wait", "a.md").status == 0)
            #expect(try await sandbox.run("wait", "1", "2").status == 1)
            #expect(try await sandbox.run("wait", "77").status == 2)
        }
    }
}
