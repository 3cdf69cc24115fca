// What people and programs do to a spool's folder while it is watched: prompts that take their own file away, things that stand in the
// place of flowspool's files, a folder that cannot be read for a moment.

import Foundation
import Spool
import Testing

@Suite struct HostileFolderTests {
    private func with(_ body: (SpoolSandbox) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try await body(sandbox)
    }

    private func job(_ sandbox: SpoolSandbox, _ id: String) async throws -> JSON {
        try JSON.parse(try await sandbox.run("show", id, "--json").stdout)
    }

    /// The first job has moved its own file away; a prompt of that name is claimed and runs beside it, and is not filed in its place.
    @Test func promptOfTheNameOfAJobWithoutFile_isItsOwn() async throws {
        try await with { sandbox in
            let base = sandbox.folder.url.path
            let pipes = try ["one", "two", "go1", "go2"].map { try Pipe(base + "/" + $0) }
            try sandbox.drop(
                "# One\n\n```bash\nmv \"$FLOWSPOOL_PROMPT\" \"$REPO_ROOT/kept\"\necho > \"$REPO_ROOT/one\"\nread -r _ < \"$REPO_ROOT/go1\"\n```\n",
                "a.md")
            let watch = try RunningBinary(
                ["watch", "--profile", "poc", "--max-retries", "0", "--jobs", "2", "--repo-root", "."], cwd: sandbox.folder.url)
            _ = await pipes[0].read()
            let second = "# Two\n\n```bash\necho > \"$REPO_ROOT/two\"\nread -r _ < \"$REPO_ROOT/go2\"\nexit 7\n```\n"
            try sandbox.drop(second, "a.md")
            _ = await pipes[1].read()
            await pipes[2].write()
            #expect(try await sandbox.run("wait", "1").status == 0)
            #expect(!sandbox.exists("spool/done/a.md"))
            await pipes[3].write()
            #expect(try await sandbox.run("wait", "2").status == 1)
            watch.signal(SIGTERM)
            _ = try await watch.ending()
            #expect(try await job(sandbox, "1")["path"] == .null)
            let path = try #require(try await job(sandbox, "2")["path"]?.stringValue)
            let filed = try String(contentsOfFile: path, encoding: .utf8)
            #expect(path.contains("/failed/") && filed.contains("exit 7"))
            #expect(try await sandbox.run("fsck").status == 0)
        }
    }

    /// Whatever stands under the names that flowspool uses for a moment.
    @Test func foldersInThePlaceOfItsFiles_stopNothing() async throws {
        try await with { sandbox in
            for name in ["spool/.flowspool-aside-x/y", "spool/.flowspool-aside-1-x/y", "spool/.flowspool-wake/y"] {
                try sandbox.folder.write("", to: name)
            }
            try sandbox.drop(SpoolSandbox.good, "a.md")
            #expect(try await sandbox.drain().status == 0)
            #expect(try await sandbox.run("hold", "x").status == 0)
            #expect(try await sandbox.run("resume").status == 0)
            #expect(try await sandbox.run("fsck").status == 0)
        }
    }

    @Test func cancelOfAJobThatHasRun_saysSo() async throws {
        try await with { sandbox in
            try sandbox.folder.write("retry_delay: 1h\n", to: "spool/.flowspool/spool.yaml")
            try sandbox.drop(SpoolSandbox.bad, "a.md")
            let watch = try RunningBinary(["watch", "--profile", "poc", "--repo-root", "."], cwd: sandbox.folder.url)
            // Until it waits for its next attempt.
            while try await sandbox.run("list", "--state", "deferred", "--json").stdout.contains("a.md") == false {
                await Task.yield()
            }
            #expect(try await sandbox.run("cancel", "1").status == 0)
            watch.signal(SIGTERM)
            _ = try await watch.ending()
            #expect(try await job(sandbox, "1")["reason"]?.stringValue == "cancelled before its next attempt")
        }
    }

    /// The file that crosses a threshold is told of before the hold that it causes.
    @Test(arguments: ["pipeline", "watch"]) func refusedFile_isToldBeforeItsHold(_ command: String) async throws {
        try await BatchFolder.with([:]) { folder async throws in
            for name in ["a.md", "b.md", "c.md"] {
                try FileManager.default.createSymbolicLink(
                    atPath: folder.rootURL.appending(path: name).path, withDestinationPath: "/etc/hostname")
            }
            let arguments =
                command == "pipeline"
                ? ["pipeline", "--root", "work", "--repo-root", "."]
                : ["watch", "--drain", "--spool", "work", "--repo-root", "."]
            _ = try await Binary.run(arguments + ["--fail-fast-threshold", "3"], cwd: folder.folder.url)
            let events = try folder.events().filter { $0.hasPrefix("prompt_blocked") || $0.hasPrefix("pipeline_hold") }
            // Which of them comes first is not told.
            #expect(Set(events.dropLast()) == ["prompt_blocked a.md", "prompt_blocked b.md", "prompt_blocked c.md"], "\(events)")
            #expect(events.count == 4 && events.last?.hasPrefix("pipeline_hold ") == true, "\(events)")
        }
    }
}

/// What becomes of a watcher when its surroundings change.
@Suite struct WatcherSurroundingsTests {
    /// A terminal that closes has its watcher stop; HUP by itself only has it read its settings.
    @Test func terminalThatCloses_stopsItsWatcher() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        let program = """
            import os, pty, signal, sys
            signal.alarm(60)
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(sys.argv[1], sys.argv[1:])
            shown = b""
            while b"watching" not in shown:
                shown += os.read(terminal, 65536)
            os.kill(pid, signal.SIGHUP)
            while b"settings" not in shown and b"spool.yaml" not in shown:
                shown += os.read(terminal, 65536)
            os.close(terminal)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
            """
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", program, Binary.path, "watch", "--profile", "poc"]
        process.currentDirectoryURL = sandbox.folder.url
        process.environment = Binary.bareEnvironment(home: sandbox.folder.url)
        let ended = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in ended.continuation.finish() }
        try process.run()
        for await _ in ended.stream {}
        #expect(process.terminationStatus == 0)
    }

    @Test func folderThatIsMovedAway_isTold() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        let base = sandbox.folder.url.path
        let watch = try RunningBinary(["watch", "--profile", "poc", "--repo-root", "."], cwd: sandbox.folder.url)
        try sandbox.drop(SpoolSandbox.good, "a.md")
        #expect(try await sandbox.run("wait", "a.md").status == 0)
        try FileManager.default.moveItem(atPath: base + "/spool", toPath: base + "/other")
        #expect(await watch.hasSaid("was moved or removed while it is watched"))
        try FileManager.default.moveItem(atPath: base + "/other", toPath: base + "/spool")
        try sandbox.drop(SpoolSandbox.good, "b.md")
        #expect(try await sandbox.run("wait", "b.md").status == 0)
        watch.signal(SIGTERM)
        #expect(try await watch.ending().status == 0)
    }

    @Test func blockThatWasNotRun_hasNoLog() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.drop("# A\n\n```bash\ntrue\n```\n", "a.md")
        _ = try await sandbox.drain()
        #expect(try await sandbox.run("logs", "a.md", "--block", "1").status == 0)
        let result = try await sandbox.run("logs", "a.md", "--block", "9")
        #expect(result.status == 2 && result.stderr.contains("ran no block 9"), "\(result.stderr)")
        #expect(try await sandbox.run("logs", "a.md", "--block", "0").status == 64)
        #expect(try await sandbox.run("list", "--state", "").status == 64)
    }

    /// As some editors save it.
    @Test func settingsWithAByteOrderMark_areRead() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try sandbox.folder.write("\u{FEFF}jobs: 2\ntimeout: 5m\n", to: "spool/.flowspool/spool.yaml")
        try sandbox.drop(SpoolSandbox.good, "a.md")
        let result = try await sandbox.drain()
        #expect(result.status == 0, "\(result.stderr)")
    }

    /// More jobs than there are descriptors for are not begun, and it is said; where they may be had, they are.
    @Test func jobsThatNeedMoreFilesThanAreAllowed_areFewer() async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        for index in 0..<40 { try sandbox.drop("# \(index)\n\n```bash\ntrue\n```\n", "p\(index).md") }
        for (limit, isEnough) in [("ulimit -n 200", false), ("ulimit -S -n 200", true)] {
            let process = Process()
            process.executableURL = URL(filePath: "/bin/bash")
            process.arguments = ["-c", "\(limit); exec \"$0\" watch --drain --profile poc --jobs 200", Binary.path]
            process.currentDirectoryURL = sandbox.folder.url
            process.environment = Binary.bareEnvironment(home: sandbox.folder.url)
            let errors = Foundation.Pipe()
            process.standardError = errors
            process.standardOutput = FileHandle.nullDevice
            let ended = AsyncStream<Void>.makeStream()
            process.terminationHandler = { _ in ended.continuation.finish() }
            try process.run()
            for await _ in ended.stream {}
            try errors.fileHandleForWriting.close()
            let told = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
            #expect(process.terminationStatus == 0, "\(told)")
            #expect(told.contains("open files") == !isEnough, "\(told)")
        }
    }
}
