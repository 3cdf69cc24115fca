import Foundation
import Spool
import Testing

@Suite struct PipelineRunnersTests {
    /// A batch whose first prompt tells that it has started, and then waits.
    private func whileRunning(
        _ body: (BatchFolder, RunningBinary, _ go: Pipe) async throws -> Void
    ) async throws {
        try await BatchFolder.with([
            "a.md": "echo > \"$REPO_ROOT/started\"\nread -r _ < \"$REPO_ROOT/go\"", "b.md": "true",
        ]) { folder async throws in
            let started = try Pipe(folder.folder.url.path + "/started")
            let go = try Pipe(folder.folder.url.path + "/go")
            let batch = try folder.startBatch()
            _ = await started.read()
            try await body(folder, batch, go)
        }
    }

    @Test func secondBatch_exits14QuietlyAndChangesNothing() async throws {
        try await whileRunning { folder, batch, go async throws in
            let summary = try folder.contract(.summary)
            let second = try await folder.batch()
            #expect(second.status == 14)
            #expect(second.stdout == "" && second.stderr == "")
            #expect(try folder.contract(.summary) == summary)
            await go.write()
            #expect(try await batch.ending().status == 0)
            #expect(folder.ran == ["a.md", "b.md"])
        }
    }

    @Test func lockFile_isLockedWhileABatchRuns_andStaysUnlocked() async throws {
        try await whileRunning { folder, batch, go async throws in
            let path = folder.rootURL.appending(path: ContractFile.lock.name).path
            let descriptor = open(path, O_RDWR | O_CLOEXEC)
            try #require(descriptor >= 0)
            defer { close(descriptor) }
            #expect(flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            await go.write()
            #expect(try await batch.ending().status == 0)
            #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        }
    }

    @Test func lockFileLockedByAnotherProgram_exits14() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let path = folder.rootURL.appending(path: ContractFile.lock.name).path
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            try #require(descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            let refused = try await folder.batch()
            #expect(refused.status == 14)
            #expect(folder.ran == [])
            close(descriptor)
            #expect(try await folder.batch().status == 0)
        }
    }

    @Test func summary_saysRunning_whileABatchRuns() async throws {
        try await whileRunning { folder, batch, go async throws in
            #expect(try folder.summary()["status"]?.stringValue == "running")
            #expect(try folder.summary()["finished_utc"] == .null)
            await go.write()
            _ = try await batch.ending()
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func firstSignal_letsTheRunningJobFinish_andKeepsTheFiles(signal: Int32) async throws {
        try await whileRunning { folder, batch, go async throws in
            batch.signal(signal)
            // The go is read only after the signal is in: a job that were ended would never read it.
            #expect(await batch.hasSaid("flowspool: stopping: waits for 1 job that runs; a second signal ends it at once\n"))
            await go.write()
            let result = try await batch.ending()
            #expect(result.status == 75)
            #expect(result.stderr.contains("It was stopped"))
            #expect(folder.ran == ["a.md"])
            #expect(folder.exists("done/a.md") && folder.exists("b.md"))
            try interruptedFilesStand(folder, next: "b.md")
            #expect(try await folder.batch().status == 0)
            #expect(folder.ran == ["a.md", "b.md"])
        }
    }

    @Test func secondSignal_endsTheRunningJob_andKeepsTheFiles() async throws {
        try await whileRunning { folder, batch, _ async throws in
            batch.signal(SIGTERM)
            batch.signal(SIGINT)
            let result = try await batch.ending()
            #expect(result.status == 75, "\(result.stderr)")
            #expect(folder.ran == ["a.md"])
            // With retry_max 0 an attempt that was cut off is a failure.
            #expect(folder.exists("failed/a.md") && folder.exists("b.md"))
            try interruptedFilesStand(folder, next: "b.md")
        }
    }

    private func interruptedFilesStand(_ folder: BatchFolder, next: String) throws {
        let summary = try folder.summary()
        #expect(summary["status"]?.stringValue == "interrupted" && summary["reason"]?.stringValue == "interrupted")
        #expect(summary["exit_code"]?.intValue == 75)
        #expect(try folder.lines(.plan).count == 2)
        #expect(try folder.contract(.resume).contains("PROMPT_PIPELINE_NEXT_PROMPT='\(next)'"))
        for file in ContractFile.allCases where file != .hold { #expect(folder.exists(file.name), "\(file.name)") }
    }

    @Test func killedBatch_leavesValidFiles_andTheNextBatchGoesOn() async throws {
        try await whileRunning { folder, batch, _ async throws in
            batch.signal(SIGKILL)
            #expect(try await batch.ending().status == 137)
            #expect(try folder.summary()["status"]?.stringValue == "running")
            for line in try folder.lines(.log) { _ = try JSON.parse(line) }
            // What the killed batch left behind failed, and the next one is the first that can tell.
            let result = try await folder.batch()
            #expect(result.status == 1, "\(result.stderr)")
            #expect(folder.ran == ["a.md", "b.md"])
            #expect(folder.exists("failed/a.md") && folder.exists("done/b.md"))
            #expect(try folder.lines(.failed).map { $0.hasPrefix("a.md--") } == [true])
        }
    }
}
