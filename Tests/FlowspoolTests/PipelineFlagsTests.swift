import Foundation
import Spool
import Testing

@Suite struct PipelineFlagsTests {
    private func four(_ body: (BatchFolder) async throws -> Void) async throws {
        try await BatchFolder.with(["p-04.md": "true", "p-01.md": "true", "p-03.md": "true", "p-02.md": "true"], body)
    }

    private let names = ["p-01.md", "p-02.md", "p-03.md", "p-04.md"]

    @Test func batch_runsAllInNameOrderAndIsQuiet() async throws {
        try await four { folder async throws in
            let result = try await folder.batch()
            #expect(result.status == 0)
            #expect(result.stdout == "" && result.stderr == "")
            #expect(folder.ran == names)
            #expect(names.allSatisfy { folder.exists("done/\($0)") && !folder.exists($0) })
        }
    }

    @Test func batch_orderIsThatOfBytes() async throws {
        try await BatchFolder.with(["b.md": "true", "a.md": "true", "B.md": "true", "a10.md": "true", "a9.md": "true"]) {
            folder async throws in
            try folder.drop("é.md")
            #expect(try await folder.batch().status == 0)
            #expect(folder.ran == ["B.md", "a.md", "a10.md", "a9.md", "b.md", "é.md"])
        }
    }

    @Test func fromAndTo_areInclusive() async throws {
        try await four { folder async throws in
            #expect(try await folder.batch("--from", "p-02.md", "--to", "p-03.md").status == 0)
            #expect(folder.ran == ["p-02.md", "p-03.md"])
            #expect(folder.exists("p-01.md") && folder.exists("p-04.md"))
            #expect(try folder.lines(.plan) == folder.paths("p-02.md", "p-03.md"))
        }
    }

    @Test(arguments: [
        (["--from", "p-07.md"], "p-07.md"), (["--to", "nosuch.md"], "nosuch.md"),
        (["--from", "p-03.md", "--to", "p-02.md"], "--from p-03.md comes after --to p-02.md"), (["--count", "x"], "x"),
        (["--count=-1"], "-1"), (["--exec-mode", "telepathy"], "telepathy"), (["--prompts-file", "nosuch"], "nosuch"),
        (["--profile", "nosuch"], "nosuch"), (["--max-retries", "2"], "--max-retries"),
        (["--fail-fast-threshold", "0"], "--fail-fast-threshold"),
    ])
    func faultyArgument_runsNothing(arguments: [String], message: String) async throws {
        try await four { folder async throws in
            let result = try await Binary.run(
                ["pipeline", "--root", "work", "--repo-root", "."] + arguments, cwd: folder.folder.url)
            #expect(result.status == 2 || (result.status == 64 && arguments.first == "--count"), "\(result)")
            #expect(result.stderr.contains(message), "\(result.stderr)")
            #expect(folder.ran == [])
            #expect(names.allSatisfy { folder.exists($0) })
        }
    }

    @Test(arguments: [
        ["--timeout-sec", "0"], ["--timeout-sec", "x"], ["--jobs", "0"], ["--jobs", "257"], ["--nosuch"],
        ["--max-retries", "0", "--retry-max", "1"],
    ])
    func faultyUsage_exits64(arguments: [String]) async throws {
        try await four { folder async throws in
            let result = try await Binary.run(
                ["pipeline", "--root", "work", "--repo-root", "."] + arguments, cwd: folder.folder.url)
            #expect(result.status == 64)
            #expect(folder.ran == [])
        }
    }

    @Test func promptsFile_takesRelativeAndAbsoluteLinesAndComments() async throws {
        try await four { folder async throws in
            try folder.folder.write(
                "# the second half\n\n  p-04.md\n./p-03.md\r\n\(folder.rootURL.path)/p-02.md\n", to: "list.txt")
            #expect(try await folder.batch("--prompts-file", "list.txt").status == 0)
            #expect(folder.ran == ["p-02.md", "p-03.md", "p-04.md"])
        }
    }

    /// As `--prompts-file <(...)` gives one.
    @Test func promptsFile_mayBeAPipe() async throws {
        try await four { folder async throws in
            let path = folder.folder.url.appending(path: "list").path
            #expect(mkfifo(path, 0o600) == 0)
            // Opens as soon as the reader does.
            Thread.detachNewThread {
                let writer = open(path, O_WRONLY | O_CLOEXEC)
                _ = write(writer, "p-03.md\n", 8)
                close(writer)
            }
            let result = try await folder.batch("--prompts-file", "list")
            #expect(result.status == 0, "\(result.stderr)")
            #expect(folder.ran == ["p-03.md"])
        }
    }

    @Test func promptsFile_unknownNames_areAllNamedBeforeAnythingRuns() async throws {
        try await four { folder async throws in
            try folder.folder.write("p-01.md\nnosuch.md\n/etc/passwd\n", to: "list.txt")
            let result = try await folder.batch("--prompts-file", "list.txt")
            #expect(result.status == 2)
            #expect(result.stderr.contains("line 2: nosuch.md: no such prompt"))
            #expect(result.stderr.contains("line 3: /etc/passwd: lies outside the root"))
            #expect(folder.ran == [])
        }
    }

    @Test func count_startsThatMany_andTheNextBatchGoesOn() async throws {
        try await four { folder async throws in
            #expect(try await folder.batch("--count", "3").status == 0)
            #expect(folder.ran == ["p-01.md", "p-02.md", "p-03.md"])
            let summary = try folder.summary()
            #expect(summary["reason"]?.stringValue == "count_reached")
            #expect(summary["count_requested"]?.intValue == 3 && summary["ran"]?.intValue == 3)
            #expect(try folder.contract(.resume).contains("PROMPT_PIPELINE_NEXT_PROMPT='p-04.md'"))
            #expect(try folder.lines(.pendingPreview) == ["p-01.md", "p-02.md", "p-03.md"])
            #expect(try await folder.batch("--count", "0").status == 0)
            #expect(folder.ran == names)
        }
    }

    @Test func count_withFourJobs_startsNoMore() async throws {
        try await four { folder async throws in
            #expect(try await folder.batch("--count", "2", "--jobs", "4").status == 0)
            #expect(folder.ran.sorted() == ["p-01.md", "p-02.md"])
        }
    }

    @Test func dryRun_writesPlanAndPreviewAndRunsNothing() async throws {
        try await four { folder async throws in
            let before = try FileManager.default.contentsOfDirectory(atPath: folder.rootURL.path)
            let result = try await folder.batch("--dry-run", "--from", "p-02.md", "--count", "2")
            #expect(result.status == 0, "\(result.stderr)")
            #expect(folder.ran == [])
            #expect(try folder.lines(.plan) == folder.paths("p-02.md", "p-03.md", "p-04.md"))
            #expect(try folder.lines(.pendingPreview) == ["p-02.md", "p-03.md"])
            // Nothing else: the folder is no spool yet, and no summary says that anything was run.
            let after = try FileManager.default.contentsOfDirectory(atPath: folder.rootURL.path)
            let written = [ContractFile.pendingPreview.name, ContractFile.plan.name]
            #expect(Set(after) == Set(before + written))
            let json = try JSON.parse(try await folder.batch("--dry-run", "--json").stdout)
            #expect(json["status"]?.stringValue == "planned" && json["reason"]?.stringValue == "dry_run")
            #expect(try folder.text("p-02.md") == BatchFolder.prompt("p-02.md"))
        }
    }

    @Test func dryRun_overASpool_leavesItAsItWasAndCountsOnlyWhatWouldRun() async throws {
        try await four { folder async throws in
            #expect(try await folder.batch("--count", "1", "--keep").status == 0)
            let (ran, before) = (folder.ran, try folder.listing())
            #expect(try await folder.batch("--dry-run", "--keep").status == 0)
            #expect(try folder.lines(.pendingPreview).count == 3)
            #expect(folder.ran == ran)
            func others(_ lines: [String]) -> [String] {
                // SQLite makes its index anew whenever somebody looks; the folders' times follow.
                lines.filter { line in
                    !["plan.txt", "pending.preview.txt", "ledger.sqlite-"].contains { line.contains($0) }
                        && !line.hasPrefix("work ") && !line.hasPrefix("work/.flowspool ")
                }
            }
            #expect(others(try folder.listing()) == others(before))
        }
    }

    @Test func maxRetriesAndTimeout_areThoseOfTheFlags() async throws {
        try await BatchFolder.with(["a.md": "exit 3", "b.md": "sleep 600"]) { folder async throws in
            #expect(try await folder.batch("--max-retries", "1", "--timeout-sec", "0.5").status == 1)
            #expect(folder.ran == ["a.md", "a.md", "b.md", "b.md"])
            let list = try JSON.parse(try await folder.run("list", "--spool", "work", "--json").stdout)
            let reasons = list.arrayValue?.compactMap { $0["reason"]?.stringValue } ?? []
            #expect(reasons.count == 2 && reasons[1].hasPrefix("timeout"), "\(reasons)")
        }
    }

    @Test func json_printsTheSummaryAndNothingElse() async throws {
        try await four { folder async throws in
            let result = try await folder.batch("--json")
            #expect(result.stdout == (try folder.contract(.summary)))
        }
    }

    @Test func promptPipeline_isTheSameCommand_andHelpNamesEveryFlagAndFile() async throws {
        try await four { folder async throws in
            let result = try await Binary.run(
                ["--root", "work", "--repo-root", ".", "--to", "p-01.md"], cwd: folder.folder.url, name: "prompt-pipeline")
            #expect(result.status == 0)
            #expect(folder.ran == ["p-01.md"])
            let help = try await Binary.run(["--help"], cwd: folder.folder.url, name: "prompt-pipeline").stdout
            let flags = [
                "--root", "--count", "--from", "--to", "--prompts-file", "--max-retries", "--timeout-sec", "--exec-mode",
                "--profile", "--require-go", "--jobs", "--dry-run", "--json", "--keep", "--skip-mini",
            ]
            for word in flags + ContractFile.allCases.map(\.name) { #expect(help.contains(word), "\(word)") }
        }
    }

    @Test func summary_hasEveryFieldOfTheContract() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "exit 1"]) { folder async throws in
            #expect(try await folder.batch("--exec-mode", "script").status == 1)
            let summary = try folder.summary()
            let keys = summary.objectValue?.map { $0.0 } ?? []
            for key in [
                "run_utc", "status", "pipeline_status", "reason", "root", "repo_root", "runner_mode", "exec_mode_requested",
                "profile", "count_requested", "ran", "fail_streak", "fail_total", "thresholds", "state_files",
            ] {
                #expect(keys.contains(key), "\(key)")
            }
            #expect(summary["status"]?.stringValue == "failed" && summary["pipeline_status"]?.stringValue == "done")
            #expect(summary["root"]?.stringValue == folder.rootURL.path)
            #expect(summary["repo_root"]?.stringValue == folder.folder.url.path)
            #expect(summary["profile"]?.stringValue == "steady" && summary["exec_mode_requested"]?.stringValue == "script")
            #expect(summary["ran"]?.intValue == 2 && summary["fail_streak"]?.intValue == 1)
            #expect(summary["thresholds"]?["fail_fast"]?.intValue == 50)
            for file in ContractFile.allCases {
                #expect(summary["state_files"]?[file.summaryKey]?.stringValue == folder.rootURL.path + "/" + file.name)
            }
            let (state, failed) = (try folder.lines(.state), try folder.lines(.failed))
            #expect(state.count == 1 && state[0].hasPrefix("a.md--"))
            #expect(failed.count == 1 && failed[0].hasPrefix("b.md--"))
        }
    }

    @Test func log_tellsTheBatchInOrder() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "exit 1"]) { folder async throws in
            #expect(try await folder.batch().status == 1)
            #expect(
                try folder.events() == [
                    "startup", "prompt_start a.md", "prompt_run a.md", "prompt_success a.md", "prompt_start b.md",
                    "prompt_run b.md", "prompt_failed b.md", "pipeline_done",
                ])
            for line in try folder.lines(.log) {
                let keys = try JSON.parse(line).objectValue?.map { $0.0 }
                #expect(keys == ["ts", "event", "prompt", "detail"])
            }
        }
    }

    @Test func resumeFile_isSafeToSource_whateverTheNamesHold() async throws {
        let name = "b '$(touch pwned)`touch pwned`.md"
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("# T\n\n```bash\ntrue\n```\n", to: "work/" + name)
            #expect(try await folder.batch("--count", "1").status == 0)
            let shell = Process()
            shell.executableURL = URL(filePath: "/bin/sh")
            shell.arguments = [
                "-c",
                ". ./.prompt-pipeline.resume.env && printf '%s|%s|%s' \"$PROMPT_PIPELINE_NEXT_PROMPT\" "
                    + "\"$PROMPT_PIPELINE_ROOT\" \"$PROMPT_PIPELINE_REASON\" > ../sourced",
            ]
            shell.currentDirectoryURL = folder.rootURL
            try shell.run()
            shell.waitUntilExit()
            let sourced = try String(contentsOf: folder.folder.url.appending(path: "sourced"), encoding: .utf8)
            #expect(sourced == "\(name)|\(folder.rootURL.path)|count_reached")
            #expect(!folder.exists("pwned"))
        }
    }
}
