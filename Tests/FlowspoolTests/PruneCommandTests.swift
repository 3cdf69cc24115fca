import Foundation
import Spool
import Testing

@Suite struct PruneCommandTests {
    private func with(_ body: (SpoolSandbox) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.drop(SpoolSandbox.good, "a.md")
        try sandbox.drop(SpoolSandbox.bad, "b.md")
        try sandbox.drop("---\nmove_to_completed: no\n---\n" + SpoolSandbox.good, "keeps.md")
        try sandbox.drop(SpoolSandbox.risky, "risky.md")
        try sandbox.drop("what is this", "stray.bin")
        _ = try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes")
        try sandbox.drop(SpoolSandbox.good, "waits.md")
        try await body(sandbox)
    }

    private func runFolders(_ sandbox: SpoolSandbox) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: sandbox.folder.url.path + "/spool/runs")
            .filter { $0.contains("attempt-") && !$0.contains(".") && $0.split(separator: "/").count == 3 }
    }

    @Test func yes_removesFilesAndRunsOfFinishedJobs_andNothingElse() async throws {
        try await with { sandbox in
            #expect(try runFolders(sandbox).count == 4)
            let dry = try await sandbox.run("prune", "--keep", "0", "--dry-run")
            #expect(dry.status == 0 && dry.stdout.contains("would be pruned: 4 jobs"), "\(dry.stdout)")
            #expect(try runFolders(sandbox).count == 4 && sandbox.exists("spool/done/a.md"))
            let result = try await sandbox.run("prune", "--keep", "0", "--yes", "--json")
            #expect(result.status == 0, "\(result.stderr)")
            // a.md, b.md with two attempts, keeps.md; stray.bin has a .why.txt and never ran.
            let report = try JSON.parse(result.stdout)
            #expect(report["files"]?.intValue == 4 && report["run_folders"]?.intValue == 4)
            #expect(try runFolders(sandbox) == [])
            for gone in ["done/a.md", "failed/b.md", "failed/stray.bin"] { #expect(!sandbox.exists("spool/" + gone)) }
            for left in ["keeps.md", "held/risky.md", "waits.md"] { #expect(sandbox.exists("spool/" + left)) }
            #expect(try await sandbox.run("fsck").stdout.hasPrefix("clean "))
            #expect(try await sandbox.run("prune", "--keep", "0", "--yes").stdout == "nothing to prune\n")
        }
    }

    @Test func prunedJob_keepsItsHistory_andItsNameIsFree() async throws {
        try await with { sandbox in
            #expect(try await sandbox.run("prune", "--keep", "0", "--yes").status == 0)
            let show = try JSON.parse(try await sandbox.run("show", "a.md", "--json").stdout)
            #expect(show["state"]?.stringValue == "done" && show["path"] == .null && show["pruned_utc"] != .null)
            #expect(show["attempt_list"]?.arrayValue?.count == 1)
            let logs = try await sandbox.run("logs", "a.md")
            #expect(logs.status == 2 && logs.stderr.contains("prune"))
            #expect(try await sandbox.run("retry", "a.md").stderr.contains("drop the prompt again"))
            // The prompt that keeps its place does not run again; the new one of the old name is a job of its own.
            try sandbox.drop(SpoolSandbox.good, "a.md")
            #expect(try await sandbox.drain("--warn-mode", "ask", "--warn-gate", "yes").status == 0)
            #expect(sandbox.exists("spool/done/a.md"))
            #expect(try await sandbox.run("fsck").stdout.hasPrefix("clean "))
            let list = try JSON.parse(try await sandbox.run("list", "--json").stdout).arrayValue ?? []
            #expect(list.filter { $0["name"]?.stringValue == "a.md" }.count == 2)
            #expect(list.filter { $0["name"]?.stringValue == "keeps.md" }.count == 1)
        }
    }

    @Test func retention_protectsByAgeAndByRank() async throws {
        try await with { sandbox in
            #expect(try await sandbox.run("prune", "--older-than", "1h", "--yes").stdout == "nothing to prune\n")
            #expect(try await sandbox.run("prune", "--keep", "3", "--yes").stdout.hasPrefix("pruned 1 job: "))
            // Of spool.yaml, where no flag says it.
            #expect(try await sandbox.run("prune", "--yes").status == 64)
            try sandbox.folder.write("retention:\n  keep: 0\n", to: "spool/.flowspool/spool.yaml")
            #expect(try await sandbox.run("prune", "--yes").stdout.hasPrefix("pruned 3 jobs: "))
        }
    }

    @Test func withoutYes_asksAtATerminal_andRefusesElsewhere() async throws {
        try await with { sandbox in
            let refused = try await sandbox.run("prune", "--keep", "0")
            #expect(refused.status == 64 && refused.stderr.contains("--yes"))
            let no = try await TerminalBinary.run(["prune", "--keep", "0"], answer: "n", cwd: sandbox.folder.url)
            #expect(no.status == 1 && no.stdout.contains("[y/N]") && no.stdout.contains("nothing was removed"), "\(no.stdout)")
            #expect(sandbox.exists("spool/done/a.md"))
            let yes = try await TerminalBinary.run(["prune", "--keep", "0"], answer: "y", cwd: sandbox.folder.url)
            #expect(yes.status == 0 && !sandbox.exists("spool/done/a.md"), "\(yes.stdout)")
        }
    }

    @Test(arguments: [["--older-than", "30"], ["--older-than", "soon"], ["--keep", "-1"], []])
    func nonsense_isRefused(arguments: [String]) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        #expect(try await Binary.run(["prune", "--yes"] + arguments, cwd: sandbox.folder.url).status == 64)
    }
}
