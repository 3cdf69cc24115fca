import Foundation
import Spool
import Testing

@Suite struct PipelineHaltTests {
    private static let failing: KeyValuePairs = [
        "p-01.md": "exit 1", "p-02.md": "exit 1", "p-03.md": "true", "p-04.md": "exit 1",
    ]

    @Test(arguments: [
        // Two in a row; three in all.
        (["--fail-fast-threshold", "2"], [:], Int32(10), 2), (["--max-total-failures", "3"], [:], 11, 4),
        ([], ["PROMPT_FLOW_PIPELINE_FAIL_FAST_THRESHOLD": "2"], 10, 2), ([], ["PIPELINE_MAX_TOTAL_FAILURES": "3"], 11, 4),
        ([], ["PIPELINE_FAIL_FAST_THRESHOLD": "1", "PIPELINE_MAX_TOTAL_FAILURES": "1"], 10, 1),
        (["--profile", "brittle"], [:], 10, 1), (["--profile", "brittle", "--fail-fast-threshold", "2"], [:], 10, 2),
        ([], ["PROMPT_FLOW_PROFILE": "brittle"], 10, 1),
    ])
    func threshold_halts(arguments: [String], environment: [String: String], status: Int32, ran: Int) async throws {
        try await BatchFolder.with(Self.failing) { folder async throws in
            let result = try await Binary.run(
                ["pipeline", "--root", "work", "--repo-root", "."] + arguments, environment: environment, cwd: folder.folder.url)
            #expect(result.status == status)
            #expect(folder.ran.count == ran)
            #expect(result.stdout == "")
            #expect(result.stderr.contains("on hold") && result.stderr.contains("flowspool resume"), "\(result.stderr)")
            #expect(result.stderr.split(separator: "\n").count <= 12)
            let summary = try folder.summary()
            #expect(summary["status"]?.stringValue == "hold" && summary["pipeline_status"]?.stringValue == "hold")
            #expect(summary["reason"]?.stringValue == (status == 10 ? "fail_fast" : "total_failures"))
            #expect(try folder.events().last == "pipeline_hold p-0\(ran).md")
            let hold = try folder.contract(.hold)
            #expect(hold.contains("last_prompt: p-0\(ran).md") && hold.contains("run: "))
            #expect(hold.contains("fail_streak: ") && hold.contains("fail_total: ") && hold.contains("threshold: "))
            #expect(
                try folder.contract(.resume).contains("PROMPT_PIPELINE_REASON='\(status == 10 ? "fail_fast" : "total_failures")'")
            )
        }
    }

    @Test func goodPromptAfterTheThreshold_doesNotStart_andResumeGoesOn() async throws {
        try await BatchFolder.with(["a.md": "exit 1", "b.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--profile", "brittle").status == 10)
            #expect(folder.ran == ["a.md"])
            #expect(try folder.contract(.resume).contains("PROMPT_PIPELINE_NEXT_PROMPT='b.md'"))
            #expect(try await folder.run("resume", "--spool", "work").status == 0)
            #expect(!folder.exists(ContractFile.hold.name))
            #expect(try await folder.batch("--profile", "brittle").status == 0)
            #expect(folder.ran == ["a.md", "b.md"])
            #expect(try folder.summary()["fail_total"]?.intValue == 0)
        }
    }

    @Test func batchOnAHeldSpool_exits12AndChangesNothing() async throws {
        try await BatchFolder.with(["a.md": "exit 1", "b.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--profile", "brittle").status == 10)
            let before = try folder.listing()
            for arguments in [[], ["--json"], ["--require-go", "nosuch"], ["--dry-run"]] {
                let result = try await Binary.run(
                    ["pipeline", "--root", "work", "--repo-root", "."] + arguments, cwd: folder.folder.url)
                #expect(result.status == 12)
                #expect(result.stdout == "" && result.stderr.contains("1 failed in a row"), "\(result.stderr)")
                #expect(try folder.listing() == before)
            }
        }
    }

    /// The batch before was killed while its first prompt ran.
    @Test(arguments: [("steady", Int32(1), ["a.md", "b.md"]), ("brittle", 10, ["a.md"])])
    func jobThatAKilledBatchLeft_countsInTheNextOne(profile: String, status: Int32, ran: [String]) async throws {
        try await BatchFolder.with(["a.md": "echo > \"$REPO_ROOT/started\"; sleep 600", "b.md": "true"]) { folder async throws in
            let started = try Pipe(folder.folder.url.path + "/started")
            let killed = try folder.startBatch("--profile", profile)
            _ = await started.read()
            killed.signal(SIGKILL)
            #expect(try await killed.ending().status == 128 + SIGKILL)
            let result = try await folder.batch("--profile", profile)
            #expect(result.status == status, "\(result.stderr)")
            #expect(result.stderr.contains("job 1 a.md: interrupted"))
            #expect(folder.ran == ran)
            #expect(try folder.lines(.failed).map { String($0.prefix(6)) } == ["a.md--"])
            #expect(try folder.events().filter { $0 == "prompt_failed a.md" }.count == 1)
            let summary = try folder.summary()
            #expect(summary["fail_total"]?.intValue == 1 && summary["failed"]?.intValue == 1)
            #expect(folder.exists(ContractFile.hold.name) == (status == 10))
            #expect(summary["status"]?.stringValue == (status == 10 ? "hold" : "failed"))
            #expect(try await folder.run("fsck", "--spool", "work").status == 0)
        }
    }

    /// A prompt that keeps its place stands there after it has failed like that; the same batch does not run it again.
    @Test func keptJobThatAKilledBatchLeft_isNotRunByTheNextOne() async throws {
        let block = "echo > \"$REPO_ROOT/started\"; test -e \"$REPO_ROOT/again\" || sleep 600"
        try await BatchFolder.with(["a.md": block, "b.md": "true"]) { folder async throws in
            let started = try Pipe(folder.folder.url.path + "/started")
            let killed = try folder.startBatch("--keep", "--max-retries", "0")
            _ = await started.read()
            killed.signal(SIGKILL)
            _ = try await killed.ending()
            let result = try await folder.batch("--keep", "--max-retries", "0")
            #expect(result.status == 1 && result.stderr.contains("job 1 a.md: interrupted"), "\(result.stderr)")
            #expect(folder.ran == ["a.md", "b.md"])
            // Whoever begins another batch asks for those that failed.
            try folder.folder.write("", to: "again")
            async let read = started.read()
            let next = try await folder.batch("--keep", "--max-retries", "0")
            _ = await read
            #expect(next.status == 0)
            #expect(folder.ran == ["a.md", "b.md", "a.md"])
        }
    }

    @Test func holdByHandOnAFolderThatIsNoSpoolYet_exits12AndMakesNone() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("new disk comes\n", to: "work/.prompt-pipeline.HOLD")
            let before = try folder.listing()
            let result = try await folder.batch()
            #expect(result.status == 12 && result.stderr.contains("new disk comes"))
            #expect(try folder.listing() == before)
            try FileManager.default.removeItem(at: folder.rootURL.appending(path: ".prompt-pipeline.HOLD"))
            #expect(try await folder.batch().status == 0)
        }
    }

    @Test func requireGo_missing_exits13AndSaysSoInTheSummary() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let result = try await folder.batch("--require-go", "GO.token")
            #expect(result.status == 13)
            #expect(result.stderr.contains("GO.token does not exist"))
            let summary = try folder.summary()
            #expect(summary["status"]?.stringValue == "hold" && summary["reason"]?.stringValue == "go_missing")
            #expect(summary["exit_code"]?.intValue == 13)
            #expect(summary["state_files"]?["go"]?.stringValue == folder.folder.url.path + "/GO.token")
            #expect(folder.ran == [] && !folder.exists(ContractFile.hold.name))
            try folder.folder.write("", to: "GO.token")
            #expect(try await folder.batch("--require-go", "GO.token").status == 0)
            #expect(folder.ran == ["a.md"])
        }
    }

    @Test func blockedPrompt_countsAsAFailure() async throws {
        try await BatchFolder.with(["b.md": "true"]) { folder async throws in
            try folder.folder.write("# A\n\n```bash\nif\n```\n", to: "work/a.md")
            #expect(try await folder.batch("--profile", "brittle").status == 10)
            #expect(folder.ran == [])
            #expect(try folder.events().contains("prompt_blocked a.md"))
            #expect(try folder.summary()["blocked"]?.intValue == 1)
            #expect(folder.exists("failed/a.md") && folder.exists("b.md"))
        }
    }

    @Test func refusedFile_countsAsAFailure() async throws {
        try await BatchFolder.with(["b.md": "true"]) { folder async throws in
            try FileManager.default.createSymbolicLink(
                atPath: folder.rootURL.appending(path: "a.md").path, withDestinationPath: "b.md")
            #expect(try await folder.batch("--profile", "brittle").status == 10)
            #expect(folder.ran == [])
            #expect(try folder.summary()["fail_total"]?.intValue == 1)
        }
    }

    @Test func heldAndNoncritical_countAsNone() async throws {
        try await BatchFolder.with(["b.md": "true"]) { folder async throws in
            try folder.folder.write("# A\n\n```bash\nrm -rf \"$HOME\"\n```\n", to: "work/a.md")
            try folder.folder.write(
                "# C\n\n```bash\n# flowspool: noncritical\nexit 1\n```\n\n```bash\necho c.md >> \"$REPO_ROOT/ran\"\n```\n",
                to: "work/c.md")
            let result = try await folder.batch("--profile", "brittle", "--warn-mode", "ask")
            #expect(result.status == 0, "\(result.stderr)")
            #expect(folder.ran == ["b.md", "c.md"])
            let summary = try folder.summary()
            #expect(summary["fail_total"]?.intValue == 0 && summary["held"]?.intValue == 1)
            #expect(folder.exists("held/a.md") && folder.exists("done/c.md"))
            #expect(try folder.events().contains("prompt_held a.md"))
        }
    }

    /// The first fails when three others run; these wait until the hold stands, so a slot is free for each that must not start.
    @Test func crossingWithFourJobs_startsNothingMore() async throws {
        let wait = "until [ -e \"$PROMPT_DIR/.prompt-pipeline.HOLD\" ]; do sleep 0.02; done"
        let started = "until [ \"$(wc -l < \"$REPO_ROOT/ran\")\" -ge 4 ]; do sleep 0.02; done; exit 1"
        try await BatchFolder.with([
            "p-01.md": started, "p-02.md": wait, "p-03.md": wait, "p-04.md": wait, "p-05.md": "true", "p-06.md": "true",
            "p-07.md": "true", "p-08.md": "true",
        ]) { folder async throws in
            let result = try await folder.batch("--profile", "brittle", "--jobs", "4", "--timeout-sec", "20")
            #expect(result.status == 10, "\(result.stderr)")
            #expect(folder.ran.sorted() == ["p-01.md", "p-02.md", "p-03.md", "p-04.md"])
            #expect((5...8).allSatisfy { folder.exists("p-0\($0).md") })
            #expect((2...4).allSatisfy { folder.exists("done/p-0\($0).md") })
            let starts = try folder.events().filter { $0.hasPrefix("prompt_start") }
            #expect(starts.count == 4)
            // Untouched: what was ready went back as it was dropped.
            #expect(try folder.summary()["ran"]?.intValue == 4)
        }
    }

    @Test func holdFileMadeWhileABatchRuns_startsNothingMore() async throws {
        try await BatchFolder.with([
            "a.md": "echo 'by a person' > \"$PROMPT_DIR/.prompt-pipeline.HOLD\"", "b.md": "true",
        ]) { folder async throws in
            let result = try await folder.batch()
            #expect(result.status == 12)
            #expect(folder.ran == ["a.md"])
            #expect(try folder.summary()["reason"]?.stringValue == "on_hold")
            #expect(try folder.contract(.hold) == "by a person\n")
        }
    }
}
