import Foundation
import Spool
import Testing

/// `watch` as a service: what it says to systemd, and what HUP does.
@Suite struct WatchServiceTests {
    private func watching(
        _ settings: String = "", _ body: (BatchFolder, RunningBinary, NotifySocket) async throws -> Void
    ) async throws {
        try await BatchFolder.with { folder async throws in
            try folder.folder.write(settings, to: "work/.flowspool/spool.yaml")
            let socket = try NotifySocket(in: folder.folder.url)
            let watcher = try RunningBinary(
                ["watch", "--spool", "work", "--repo-root", "."], environment: ["NOTIFY_SOCKET": socket.path],
                cwd: folder.folder.url)
            #expect(await socket.next() == "READY=1")
            try await body(folder, watcher, socket)
        }
    }

    private func hangUp(_ watcher: RunningBinary, _ socket: NotifySocket) async {
        watcher.signal(SIGHUP)
        #expect(await socket.next() == "RELOADING=1")
        #expect(await socket.next() == "READY=1")
    }

    /// Waits until nothing is left, by the command made for it.
    private func settle(_ folder: BatchFolder) async throws -> Int32 {
        try await folder.run("wait", "--spool", "work").status
    }

    @Test func systemd_isToldOfReadyAndStopping() async throws {
        try await watching { folder, watcher, socket async throws in
            watcher.signal(SIGTERM)
            #expect(await socket.next() == "STOPPING=1")
            #expect(try await watcher.ending().status == 0)
        }
    }

    @Test func sizeLimitThatWasRaised_holdsForTheNextPrompt() async throws {
        try await watching("size_limit: 1000\n") { folder, watcher, socket async throws in
            try folder.folder.write("size_limit: 100KiB\n", to: "work/.flowspool/spool.yaml")
            await hangUp(watcher, socket)
            try folder.drop("a.md", "true # \(String(repeating: "x", count: 5000))")
            #expect(try await settle(folder) == 0)
            watcher.signal(SIGTERM)
            _ = try await watcher.ending()
            #expect(folder.exists("done/a.md"))
        }
    }

    @Test func prompts_doNotSeeTheSocket() async throws {
        try await watching { folder, watcher, socket async throws in
            try folder.drop("a.md", "[ -z \"${NOTIFY_SOCKET-}\" ]")
            #expect(try await settle(folder) == 0)
            watcher.signal(SIGTERM)
            _ = try await watcher.ending()
            #expect(folder.exists("done/a.md"))
        }
    }

    @Test func hangup_newLimitsHoldForTheNextJobs() async throws {
        try await watching("timeout: 1h\n") { folder, watcher, socket async throws in
            try folder.folder.write("timeout: 300ms\njobs: 2\nlog_limit: 1MiB\n", to: "work/.flowspool/spool.yaml")
            await hangUp(watcher, socket)
            // Two that need one another: they only end if both run.
            for (mine, other) in [("1", "2"), ("2", "1")] {
                try folder.drop(
                    "p\(mine).md", "touch \"$REPO_ROOT/\(mine)\"; until [ -e \"$REPO_ROOT/\(other)\" ]; do :; done",
                    frontMatter: "timeout: 30s")
            }
            try folder.drop("slow.md", "sleep 600")
            #expect(try await settle(folder) == 1)
            watcher.signal(SIGTERM)
            let result = try await watcher.ending()
            #expect(folder.exists("done/p1.md") && folder.exists("done/p2.md"))
            #expect(try folder.text("failed/slow.md").contains("failure_class: timeout"))
            #expect(result.stderr.contains("spool.yaml was read again; the change of log_limit takes effect at the next start"))
        }
    }

    @Test func hangup_faultyFile_leavesTheSettings() async throws {
        try await watching("timeout: 300ms\n") { folder, watcher, socket async throws in
            try folder.folder.write("timeout: soon\n", to: "work/.flowspool/spool.yaml")
            await hangUp(watcher, socket)
            try folder.drop("slow.md", "sleep 600")
            #expect(try await settle(folder) == 1)
            watcher.signal(SIGTERM)
            let result = try await watcher.ending()
            #expect(result.status == 0)
            #expect(try folder.text("failed/slow.md").contains("failure_class: timeout"))
            #expect(result.stderr.contains("$.timeout") && result.stderr.contains("the settings stay as they were"))
        }
    }

    @Test func hangup_newCommandsAreTold() async throws {
        try await watching { folder, watcher, socket async throws in
            let heard = try Pipe(folder.folder.url.path + "/heard")
            try folder.folder.write(
                "notify: {command: [cp, /dev/stdin, \(heard.path)], events: [job_failed]}\n", to: "work/.flowspool/spool.yaml")
            await hangUp(watcher, socket)
            try folder.drop("a.md", "exit 1")
            #expect(try JSON.parse(await heard.read())["event"]?.stringValue == "job_failed")
            watcher.signal(SIGTERM)
            _ = try await watcher.ending()
        }
    }

    @Test func hangup_stopsABatch_asTermDoes() async throws {
        try await BatchFolder.with(["a.md": "echo > \"$REPO_ROOT/started\"; read -r _ < \"$REPO_ROOT/go\"", "b.md": "true"]) {
            folder async throws in
            let started = try Pipe(folder.folder.url.path + "/started")
            let go = try Pipe(folder.folder.url.path + "/go")
            let batch = try folder.startBatch()
            _ = await started.read()
            batch.signal(SIGHUP)
            // A signal takes a moment; a job that ended before it was heard would be followed by the next.
            #expect(await batch.hasSaid("stopping: waits for 1 job that runs"))
            await go.write()
            #expect(try await batch.ending().status == 75)
            #expect(folder.ran == ["a.md"])
        }
    }
}
