import Foundation
import Spool
import Testing

@Suite struct SteerCommandsTests {
    private func with(_ body: (SpoolSandbox) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try await body(sandbox)
    }

    private func state(_ sandbox: SpoolSandbox, _ job: String) async throws -> String? {
        try JSON.parse(try await sandbox.run("show", job, "--json").stdout)["state"]?.stringValue
    }

    @Test func approve_letsAHeldJobRunAndIsRemembered() async throws {
        try await with { sandbox in
            let prompt = SpoolSandbox.risky.replacingOccurrences(of: "$HOME", with: "$REPO_ROOT/gone")
            try sandbox.drop(prompt, "a.md")
            _ = try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes")
            #expect(try await state(sandbox, "a.md") == "held")
            #expect(try await sandbox.run("wait", "a.md").status == 2)
            let approved = try await sandbox.run("approve", "a.md")
            #expect(approved.status == 0)
            #expect(approved.stdout == "job 1 (a.md) approved: it waits to run\n")
            #expect(approved.stderr.contains("no runner is at work"))
            #expect(sandbox.exists("spool/a.md"))
            #expect(try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes").status == 0)
            #expect(try await state(sandbox, "1") == "done")
            // The same bytes under another name are not asked about again.
            try sandbox.drop(prompt, "b.md")
            _ = try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes")
            #expect(try await state(sandbox, "b.md") == "done")
        }
    }

    @Test func reject_filesTheJobAsRejected() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.risky, "a.md")
            _ = try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes")
            #expect(try await sandbox.run("reject", "1", "--reason", "no").status == 0)
            #expect(try await state(sandbox, "1") == "failed")
            #expect(try sandbox.text("spool/failed/a.md").contains("source: reject"))
            // Where everything that ends is told of.
            #expect(try sandbox.text("spool/.prompt-pipeline.failed").hasPrefix("a.md--"))
            let lines = try sandbox.text("spool/.prompt-pipeline.log.jsonl").split(separator: "\n")
            let last = try JSON.parse(String(try #require(lines.last)))
            #expect(last["event"]?.stringValue == "prompt_failed" && last["prompt"]?.stringValue == "a.md")
            #expect(last["detail"]?.stringValue == "job=1 attempts=0 rejected: no")
            // The next run has nothing to add.
            _ = try await sandbox.drain()
            #expect(try sandbox.text("spool/.prompt-pipeline.log.jsonl").components(separatedBy: "rejected: no").count == 2)
            #expect(try await sandbox.run("approve", "1").status == 2)
        }
    }

    @Test func retry_runsAgain_byNumberAndByClass() async throws {
        try await with { sandbox in
            try sandbox.drop("# T\n\n```bash\n[ -e \"$REPO_ROOT/go\" ]\n```\n", "a.md")
            try sandbox.drop(SpoolSandbox.bad, "b.md")
            _ = try await sandbox.drain()
            try sandbox.folder.write("", to: "go")
            #expect(try await sandbox.run("retry", "--class", "exit").status == 64)
            #expect(try await sandbox.run("retry", "--all", "--class", "timeout").stderr == "no job to do this to\n")
            #expect(try await sandbox.run("retry", "1").status == 0)
            #expect(try await sandbox.drain().status == 0)
            #expect(try await state(sandbox, "a.md") == "done")
            #expect(try await sandbox.run("retry", "--all", "--class", "exit").stdout == "job 2 (b.md) waits to run again\n")
            #expect(try await sandbox.run("cancel", "--all").stdout == "job 2 (b.md) cancelled\n")
            #expect(sandbox.exists("spool/failed/b.md"))
            let log = try sandbox.text("spool/.prompt-pipeline.log.jsonl")
            #expect(log.split(separator: "\n").last?.contains("job=2 attempts=2 cancelled before its next attempt") == true)
        }
    }

    /// Another program's piece of a line at the end of the log stays as it is, and so does what is in the list.
    @Test func reject_besideAnUnfinishedLine_beginsALineOfItsOwn() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.risky, "a.md")
            try sandbox.drop(SpoolSandbox.good, "g.md")
            _ = try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes")
            for (name, piece) in [(".prompt-pipeline.log.jsonl", "{\"ts\":"), (".prompt-pipeline.failed", "b.md--0123")] {
                let path = "spool/" + name
                try sandbox.folder.write(try sandbox.text(path) + piece, to: path)
            }
            #expect(try await sandbox.run("reject", "1").status == 0)
            let log = try sandbox.text("spool/.prompt-pipeline.log.jsonl").split(separator: "\n").suffix(2)
            #expect(log.first == "{\"ts\":" && log.last?.contains("rejected") == true)
            // In the list it would become a line that is no id, and stop the next batch.
            #expect(try sandbox.text("spool/.prompt-pipeline.failed") == "b.md--0123")
            #expect(try await sandbox.drain().status == 0)
        }
    }

    @Test func oneUnknownJob_doesNotStopTheOthers() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.bad, "a.md")
            _ = try await sandbox.drain()
            let result = try await sandbox.run("retry", "nosuch.md", "a.md")
            #expect(result.status == 2)
            #expect(result.stdout.contains("job 1 (a.md) waits to run again"))
            #expect(result.stderr.contains("there is no job “nosuch.md”"))
        }
    }

    @Test func cancel_endsARunningJob_underALivingRunner() async throws {
        try await with { sandbox in
            try sandbox.drop("# T\n\n```bash\necho > \"$REPO_ROOT/started\"\nsleep 600\n```\n", "a.md")
            let fifo = sandbox.folder.url.path + "/started"
            try #require(mkfifo(fifo, 0o600) == 0)
            async let drained = sandbox.drain("--max-retries", "0")
            // Ends when the job has opened it, written and closed it.
            _ = try FileHandle(forReadingAtPath: fifo)?.readToEnd()
            let result = try await sandbox.run("cancel", "1")
            #expect(result.status == 0, "\(result.stderr)")
            #expect(result.stdout == "job 1 (a.md) cancelled\n")
            #expect(try await drained.status == 0)
            #expect(sandbox.exists("spool/failed/a.md"))
        }
    }

    @Test func hold_stopsStartsUntilResume() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.good, "a.md")
            #expect(try await sandbox.run("hold", "new", "disk").status == 0)
            #expect(try await sandbox.run("wait").status == 12)
            #expect(try await sandbox.drain().status == 12)
            #expect(sandbox.exists("spool/a.md"))
            #expect(try await sandbox.run("resume").stdout == "the spool goes on; it was on hold: new disk\n")
            #expect(try await sandbox.drain().status == 0)
            #expect(sandbox.exists("spool/done/a.md"))
        }
    }
}
