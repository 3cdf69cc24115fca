import Foundation
import Spool
import Testing

@Suite struct PipelineInPlaceTests {
    private func runTwice(_ folder: BatchFolder, _ flags: String...) async throws {
        let arguments = ["pipeline", "--root", "work", "--repo-root", "."] + flags
        #expect(try await Binary.run(arguments, cwd: folder.folder.url).status == 0)
        #expect(folder.exists("a.md") && !folder.exists("done/a.md"))
        #expect(try folder.text("a.md").contains("status: success"))
        let stamped = try folder.text("a.md")
        #expect(try await Binary.run(arguments, cwd: folder.folder.url).status == 0)
        #expect(folder.ran == ["a.md"])
        #expect(try folder.text("a.md") == stamped)
        #expect(try folder.lines(.pendingPreview) == [])
        #expect(try folder.lines(.plan).count == 1)
        try FileManager.default.removeItem(at: folder.rootURL.appending(path: ContractFile.state.name))
        #expect(try await Binary.run(arguments, cwd: folder.folder.url).status == 0)
        #expect(folder.ran == ["a.md", "a.md"])
    }

    @Test func keep_theStateDecides_andDeletingItRunsAgain() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in try await runTwice(folder, "--keep") }
    }

    @Test func moveToCompletedNo_theStateDecides_andDeletingItRunsAgain() async throws {
        try await BatchFolder.with { folder async throws in
            try folder.drop("a.md", frontMatter: "move_to_completed: no")
            try await runTwice(folder)
        }
    }

    /// What somebody writes into a contract file meanwhile keeps nothing from being told.
    @Test func stateThatIsSpoiltMeanwhile_changesNoExitStatus() async throws {
        let spoil = "echo '# by an operator' >> \"$REPO_ROOT/work/.prompt-pipeline.state\""
        try await BatchFolder.with(["a.md": spoil, "b.md": "exit 3"]) { folder async throws in
            let result = try await folder.batch("--warn-gate", "no")
            #expect(result.status == 1 && result.stderr.contains("job 2 b.md: exit"), "\(result)")
            #expect(result.stderr.contains("is not a prompt id"))
            let summary = try folder.summary()
            #expect(summary["exit_code"] == 1 && summary["failed"] == 1 && summary["finished_utc"]?.stringValue != nil)
        }
    }

    /// One that a batch has counted in, and whose file was taken away, is waited for by nobody.
    @Test func promptThatWasTakenAway_isWithdrawnByTheNextBatch() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "true", "c.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--count", "1").status == 0)
            try FileManager.default.removeItem(at: folder.rootURL.appending(path: "b.md"))
            #expect(try await folder.batch().status == 0)
            #expect(try await folder.run("wait", "--timeout", "60", "--spool", "work").status == 0)
            let listed = try await folder.run("list", "--spool", "work", "--state", "cancelled")
            #expect(listed.stdout.contains("b.md"), "\(listed)")
        }
    }

    /// `.state` has its id, and a person asks for it once more.
    @Test func retriedPrompt_thatKeepsItsPlace_runsInTheNextBatch() async throws {
        try await BatchFolder.with { folder async throws in
            try folder.drop("a.md", frontMatter: "move_to_completed: no")
            #expect(try await folder.batch().status == 0)
            #expect(try await folder.run("retry", "a.md", "--spool", "work").status == 0)
            #expect(try await folder.batch().status == 0)
            #expect(folder.ran == ["a.md", "a.md"])
            #expect(try await folder.batch().status == 0)
            #expect(folder.ran == ["a.md", "a.md"])
        }
    }

    @Test func oneIDTakenOutOfTheState_runsThatPromptAgain() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--keep").status == 0)
            let kept = try folder.lines(.state).filter { !$0.hasPrefix("b.md--") }.map { $0 + "\n" }.joined()
            try folder.folder.write(kept, to: "work/" + ContractFile.state.name)
            #expect(try await folder.batch("--keep").status == 0)
            #expect(folder.ran == ["a.md", "b.md", "b.md"])
        }
    }

    @Test func changedPrompt_runsAgain_becauseItIsAnotherOne() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--keep").status == 0)
            try folder.folder.write(try folder.text("a.md") + "\nOne more sentence.\n", to: "work/a.md")
            #expect(try await folder.batch("--keep").status == 0)
            #expect(folder.ran == ["a.md", "a.md"])
        }
    }

    /// The same bytes, written or copied anew: `.state` knows their id, whatever the ledger makes of the file's times.
    @Test func sameBytesCopiedInAgain_areDoneAlready() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--keep").status == 0)
            try folder.drop("a.md", frontMatter: "")
            #expect(try await folder.batch("--keep").status == 0)
            #expect(folder.ran == ["a.md"])
        }
    }

    @Test func idsOfAnOlderPipeline_count_whereTheSpoolKnowsNothing() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "true"]) { folder async throws in
            #expect(try await folder.batch("--keep", "--to", "a.md").status == 0)
            try FileManager.default.removeItem(at: folder.rootURL.appending(path: ".flowspool"))
            #expect(try await folder.batch("--keep").status == 0)
            #expect(folder.ran == ["a.md", "b.md"])
        }
    }

    /// A prompt that is moved is a new job each time that it is dropped, whatever was done before.
    @Test func sameBytesDroppedAgain_run_whereTheyAreMoved() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            #expect(try await folder.batch().status == 0)
            try folder.drop("a.md")
            #expect(try await folder.batch().status == 0)
            #expect(folder.ran == ["a.md", "a.md"])
        }
    }

    @Test func failedInPlace_staysAndIsTriedByTheNextBatch() async throws {
        try await BatchFolder.with(["a.md": "[ -e \"$REPO_ROOT/ok\" ]"]) { folder async throws in
            #expect(try await folder.batch("--keep").status == 1)
            #expect(folder.exists("a.md") && !folder.exists("failed/a.md"))
            #expect(try folder.lines(.failed).count == 1)
            try folder.folder.write("", to: "ok")
            #expect(try await folder.batch("--keep").status == 0)
            #expect(folder.ran == ["a.md", "a.md"])
            #expect(try folder.lines(.failed) == [] && folder.lines(.state).count == 1)
        }
    }

    @Test func watcher_neverRunsAPromptBecauseOfItsOwnStamp() async throws {
        try await BatchFolder.with { folder async throws in
            try folder.drop("a.md", frontMatter: "move_to_completed: no")
            try folder.drop("b.md", "exit 1", frontMatter: "move_to_completed: no")
            let last = try Pipe(folder.folder.url.path + "/last")
            let watcher = try RunningBinary(
                ["watch", "--spool", "work", "--repo-root", ".", "--max-retries", "0"], cwd: folder.folder.url)
            // Each of these is dropped after the stamps of those before it have been seen.
            for name in ["c.md", "d.md", "e.md"] {
                try folder.drop(name, "echo > \"$REPO_ROOT/last\"")
                _ = await last.read()
            }
            watcher.signal(SIGTERM)
            #expect(try await watcher.ending().status == 0)
            #expect(folder.ran == ["a.md", "b.md", "c.md", "d.md", "e.md"])
            #expect(folder.exists("a.md") && folder.exists("b.md"))
        }
    }
}
