// A spool that was copied while it ran, or restored in part: whatever is older or newer than the rest, nothing runs twice unasked, no job's
// logs are written over, and no other spool's job is ended.

import Foundation
import Spool
import Testing

@Suite struct RestoredSpoolTests {
    private func copy(_ sandbox: SpoolSandbox, _ from: String, _ to: String) throws {
        let base = sandbox.folder.url
        try? FileManager.default.removeItem(at: base.appendingPathComponent(to))  // None yet, mostly.
        try FileManager.default.copyItem(at: base.appendingPathComponent(from), to: base.appendingPathComponent(to))
    }

    /// The copy has the record of the group that runs, and it is not the copy's.
    @Test func copyOfASpoolAtWork_endsNothingOfIt() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        let ready = try Pipe(sandbox.folder.url.path + "/ready")
        let go = try Pipe(sandbox.folder.url.path + "/go")
        try sandbox.drop("# A\n\n```bash\necho > \"$REPO_ROOT/ready\"\nread -r _ < \"$REPO_ROOT/go\"\n```\n", "a.md")
        async let drained = sandbox.drain("--max-retries", "0")
        _ = await ready.read()
        try copy(sandbox, "spool", "copy")
        let run = try await sandbox.run("watch", "--drain", "--spool", "copy", "--profile", "production")
        #expect(run.status == 1, "\(run.stderr)")
        #expect(sandbox.exists("copy/failed/a.md"))
        await go.write()
        #expect(try await drained.status == 0)
        #expect(sandbox.exists("spool/done/a.md"))
    }

    /// Jobs of the older ledger get no number whose logs stand in `runs/`.
    @Test func olderLedger_writesOverNoLogs() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.drop("# A\n\n```bash\necho one\n```\n", "a.md")
        #expect(try await sandbox.drain().status == 0)
        try copy(sandbox, "spool/.flowspool", "kept")
        try sandbox.drop("# B\n\n```bash\necho two\n```\n", "b.md")
        #expect(try await sandbox.drain().status == 0)
        let before = try runs(sandbox)
        try copy(sandbox, "kept", "spool/.flowspool")
        try sandbox.drop("# C\n\n```bash\necho three\n```\n", "c.md")
        #expect(try await sandbox.drain().status == 0)
        let after = try runs(sandbox)
        for (path, text) in before { #expect(after[path] == text, "\(path)") }
        #expect(try JSON.parse(try await sandbox.run("show", "c.md", "--json").stdout)["job"]?.intValue == 3)
    }

    private func runs(_ sandbox: SpoolSandbox) throws -> [String: String] {
        let base = sandbox.folder.url.appendingPathComponent("spool/runs")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: base.path).filter { $0.hasSuffix(".log") }
        return try Dictionary(
            uniqueKeysWithValues: paths.map { ($0, try String(contentsOf: base.appendingPathComponent($0), encoding: .utf8)) })
    }

    /// The file that a writer left unfinished is none of the prompts, although its process seems to live.
    @Test func unfinishedFileOfAProcessThatSeemsToLive_isNoJob() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.drop(SpoolSandbox.good, "a.md")
        try sandbox.folder.write("half", to: "spool/active/.flowspool-aside-1-2")
        let result = try await sandbox.drain()
        #expect(result.status == 0, "\(result.stdout)\(result.stderr)")
        #expect(try JSON.parse(try await sandbox.run("list", "--json").stdout).arrayValue?.count == 1)
    }

    @Test func heldPromptThatTheLedgerDoesNotKnow_isTold() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.folder.write(SpoolSandbox.risky, to: "spool/held/deploy.md")
        let result = try await sandbox.drain()
        #expect(result.stderr.contains("held/ has a prompt that the ledger does not know") && result.stderr.contains("deploy.md"))
        #expect(sandbox.exists("spool/held/deploy.md"))
    }

    @Test func ledgerOfANewerVersion_isRefused() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.drop(SpoolSandbox.good, "a.md")
        #expect(try await sandbox.drain().status == 0)
        let ledger = sandbox.folder.url.path + "/spool/.flowspool/ledger.sqlite"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(\"insert into grdb_migrations values ('99 new')\"); c.commit()",
            ledger,
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        try sandbox.drop(SpoolSandbox.good, "b.md")
        let result = try await sandbox.drain()
        #expect(result.status == 2 && result.stderr.contains("newer flowspool"), "\(result.stderr)")
        #expect(sandbox.exists("spool/b.md"))
    }

    @Test func mendedFile_isNotPruned() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        for name in ["a.md", "b.md"] { try sandbox.drop(SpoolSandbox.bad, name) }
        _ = try await sandbox.drain()
        try sandbox.drop(SpoolSandbox.good, "failed/a.md")
        #expect(try await sandbox.run("prune", "--keep", "0", "--yes").status == 0)
        #expect(try sandbox.text("spool/failed/a.md") == SpoolSandbox.good)
        #expect(!sandbox.exists("spool/failed/b.md"))
    }

    /// What its note says of a prompt that was mended and moved back is not so any more.
    @Test func promptMovedBack_leavesNoNote() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.drop("---\na: [\n---\n" + SpoolSandbox.good, "a.md")
        _ = try await sandbox.drain()
        #expect(sandbox.exists("spool/failed/a.md.why.txt"))
        try FileManager.default.removeItem(at: sandbox.folder.url.appendingPathComponent("spool/failed/a.md"))
        try sandbox.drop(SpoolSandbox.good, "a.md")
        #expect(try await sandbox.drain().status == 0)
        #expect(!sandbox.exists("spool/failed/a.md.why.txt"))
    }

    /// A variable that is not set.
    @Test(arguments: [
        ["pipeline", "--root", ""], ["watch", "--drain", "--spool", ""], ["init", ""],
        ["pipeline", "--root", ".", "--require-go", ""],
        ["pipeline", "--root", ".", "--exec-mode", ""], ["exec", "a.md", "--run-dir", ""],
    ])
    func emptyValue_isRefused(_ arguments: [String]) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(SpoolSandbox.good, to: "a.md")
        let result = try await Binary.run(arguments, cwd: folder.url)
        #expect(result.status == 64 && result.stderr.contains("is empty"), "\(result.stderr)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.md"])
    }

    @Test func folderInThePlaceOfTheGoFile_isNoGo() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let result = try await folder.batch("--require-go", ".")
            #expect(result.status == 13 && result.stderr.contains("is a folder"), "\(result.stderr)")
            #expect(folder.ran == [])
        }
    }

    @Test(arguments: ["nan", "inf", "1e300", "-1", "x"]) func strangeEpoch_isNone(_ epoch: String) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            #expect(try await folder.batch(environment: ["SOURCE_DATE_EPOCH": epoch]).status == 0)
            #expect(folder.ran == ["a.md"])
        }
    }

    @Test func schedule_carriesTheConfiguration() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write(BatchFolder.configuration, to: "my.json")
            let result = try await folder.run("schedule", "--spool", "work", "--cron", "0 2 * * *", "--config", "my.json")
            #expect(result.status == 0 && result.stdout.contains("--config \(folder.folder.url.path)/my.json"), "\(result)")
            #expect(try await folder.run("schedule", "--spool", "work", "--cron", "0 2 * * *", "--config", "no.json").status == 2)
        }
    }

    /// It is nobody's failure yet, and whoever reads the mail must learn of it.
    @Test func retryThatWaitsForLater_isTold() async throws {
        try await BatchFolder.with(["a.md": "exit 3"]) { folder async throws in
            try folder.folder.write("retry_delay: 30m\n", to: "work/.flowspool/spool.yaml")
            let result = try await folder.batch("--max-retries", "1")
            #expect(result.status == 0 && result.stderr.contains("1 waiting for a time"), "\(result.stderr)")
            #expect(result.stderr.contains("job 1 a.md: waits until ") && result.stderr.contains("exit"))
        }
    }

    @Test func rootThatLeadsIntoASpool_isRefused() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try FileManager.default.createSymbolicLink(
            atPath: sandbox.folder.url.path + "/out", withDestinationPath: sandbox.folder.url.path + "/spool/done")
        let result = try await sandbox.run("pipeline", "--root", "out", "--profile", "poc")
        #expect(result.status == 2 && result.stderr.contains("inside the spool"), "\(result.stderr)")
    }

    @Test func ageWithoutAUnit_isRefused() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.folder.write("retention: {older_than: 30}\n", to: "spool/.flowspool/spool.yaml")
        let result = try await sandbox.run("prune", "--yes")
        #expect(result.status == 2 && result.stderr.contains("older_than") && result.stderr.contains("30d"), "\(result.stderr)")
    }
}
