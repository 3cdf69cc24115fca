import Foundation
import Testing

/// Somebody moves the spool's own folders away, or removes them, while it is watched: by the real binary and real inotify.
@Suite struct ExchangedFoldersTests {
    private struct Watched {
        let folder: TemporaryFolder
        let watch: RunningBinary

        func path(_ name: String) -> String { folder.url.appending(path: "spool/" + name).path }
        func names(_ place: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: path(place))) ?? []).filter { !$0.hasPrefix(".") }.sorted()
        }
        func drop(_ name: String, _ block: String = "true") throws {
            try folder.write("```bash\n\(block)\n```\n", to: "spool/" + name)
        }
        /// Waits until nothing is left to do; its exit status.
        func wait() async throws -> Int32 {
            try await Binary.run(["wait", "--timeout", "30s"], cwd: folder.url).status
        }
        func command(_ words: String...) async throws -> Binary.Result { try await Binary.run(words, cwd: folder.url) }
    }

    private func with(_ body: (Watched) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try await Binary.run(["init"], cwd: folder.url).status == 0)
        let watch = try RunningBinary(["watch", "--profile", "production"], cwd: folder.url)
        let watched = Watched(folder: folder, watch: watch)
        do {
            try watched.drop("first.md")
            #expect(try await watched.wait() == 0)
            try await body(watched)
        } catch {
            watch.signal(SIGKILL)
            throw error
        }
        watch.signal(SIGTERM)
        _ = try await watch.ending()
    }

    /// An archive of what is done: `mv done archive; mkdir done`.
    @Test func doneThatWasMovedAway_isNotFiledInto() async throws {
        try await with { watched in
            let archive = watched.folder.url.appending(path: "archive").path
            #expect(rename(watched.path("done"), archive) == 0)
            // It may have been made anew by now.
            mkdir(watched.path("done"), 0o700)
            try watched.drop("second.md")
            #expect(try await watched.wait() == 0)
            #expect(watched.names("done") == ["second.md"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: archive).filter { !$0.hasPrefix(".") } == ["first.md"])
        }
    }

    @Test(arguments: ["runs", "active", "done", "failed", "held"]) func folderThatIsRemoved_isMadeAnew(_ name: String)
        async throws
    {
        try await with { watched in
            // In one step: the run may make something in it at any moment.
            let removed = watched.folder.url.appending(path: "removed").path
            #expect(rename(watched.path(name), removed) == 0)
            try? FileManager.default.removeItem(atPath: removed)
            for index in 0..<6 { try watched.drop("p\(index).md", index == 3 ? "exit 1" : "true") }
            // 1 where it has seen the failure, which may be over before.
            #expect(try await [0, 1].contains(watched.wait()))
            #expect(watched.names("failed") == ["p3.md"])
            #expect(watched.names("done").filter { $0 != "first.md" } == ["p0.md", "p1.md", "p2.md", "p4.md", "p5.md"])
            #expect(try await watched.command("status").stdout.contains(" 0 active"))
            watched.watch.signal(SIGTERM)
            #expect(try await watched.watch.ending().stderr.contains("/\(name) is another folder than it was"))
        }
    }

    /// A lock that is removed keeps nobody out, and a ledger that is removed keeps nothing: the run ends and begins anew.
    @Test(arguments: ["lock", "ledger.sqlite"]) func anchorThatIsRemoved_endsTheRun(_ name: String) async throws {
        try await with { watched in
            unlink(watched.path(".flowspool/\(name)"))
            if name == "ledger.sqlite" { for end in ["-wal", "-shm"] { unlink(watched.path(".flowspool/\(name)\(end)")) } }
            let ran = try Pipe(watched.folder.url.path + "/ran")
            try watched.drop("second.md", "echo x > '\(ran.path)'")
            try #require(await watched.watch.hasSaid("/\(name) was removed or exchanged"))
            #expect(await ran.read() == "x\n")
            #expect(try await watched.wait() == 0)
            #expect(watched.names("done") == ["first.md", "second.md"])
            #expect(try await watched.command("list").stdout.contains("second.md"))
            #expect(try await watched.command("watch", "--drain").status == 14)
        }
    }
}
