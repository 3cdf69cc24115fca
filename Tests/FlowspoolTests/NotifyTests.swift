import Foundation
import Spool
import Testing

@Suite struct NotifyTests {
    /// A hook that writes what it hears on a line of `heard`.
    private func install(_ folder: BatchFolder, _ script: String = "cat >> \"$1\"", timeout: String = "10s") throws {
        try folder.folder.write("#!/bin/sh\n\(script)\n", to: "hook")
        chmod(folder.folder.url.appending(path: "hook").path, 0o700)
        try folder.folder.write(
            """
            notify:
              command: ["\(folder.folder.url.path)/hook", "\(folder.folder.url.path)/heard"]
              timeout: \(timeout)
            """, to: "work/.flowspool/spool.yaml")
    }

    private func heard(_ folder: BatchFolder) throws -> [JSON] {
        try String(contentsOf: folder.folder.url.appending(path: "heard"), encoding: .utf8).split(separator: "\n").map {
            try JSON.parse(String($0))
        }
    }

    private func words(_ messages: [JSON], _ key: String) -> [String?] { messages.map { $0[key]?.stringValue } }

    @Test func batch_tellsFailuresHoldAndEnd_beforeItExits() async throws {
        try await BatchFolder.with(["a.md": "true", "b.md": "exit 3", "c.md": "true"]) { folder async throws in
            try install(folder)
            #expect(try await folder.batch("--profile", "brittle").status == 10)
            let messages = try heard(folder)
            #expect(words(messages, "event") == ["job_failed", "spool_hold", "batch_done"])
            #expect(words(messages, "prompt") == ["b.md", "b.md", nil])
            #expect(words(messages, "status") == ["failed", "fail_fast", "fail_fast"])
            #expect(words(messages, "spool") == Array(repeating: folder.rootURL.path, count: 3))
            #expect(messages[0]["job"]?.intValue == 2)
            let runs = messages[0]["run_dir"]?.stringValue ?? ""
            #expect(FileManager.default.fileExists(atPath: runs + "/result.json"))
            #expect(messages[1]["fail_streak"]?.intValue == 1)
        }
    }

    @Test func heldJob_isTold() async throws {
        try await BatchFolder.with { folder async throws in
            try folder.folder.write("# A\n\n```bash\nrm -rf \"$HOME\"\n```\n", to: "work/a.md")
            try install(folder)
            #expect(try await folder.batch("--warn-mode", "ask").status == 0)
            #expect(words(try heard(folder), "event") == ["job_held", "batch_done"])
        }
    }

    @Test func failingHook_isSaidAndChangesNothing() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try install(folder, "echo no mail today\nexit 7")
            let result = try await folder.batch()
            #expect(result.status == 0)
            #expect(result.stderr.contains("notify batch_done: \(folder.folder.url.path)/hook exited 7: no mail today"))
        }
    }

    @Test func hangingHook_isEndedAtItsLimit() async throws {
        try await BatchFolder.with(["a.md": "exit 1", "b.md": "exit 1", "c.md": "exit 1"]) { folder async throws in
            try install(folder, "echo \"$FLOWSPOOL_EVENT\" >> \"$1\"\nexec sleep 600", timeout: "200ms")
            let result = try await folder.batch()
            #expect(result.status == 1)
            #expect(result.stderr.contains("took longer than 0.2 s"), "\(result.stderr)")
            let text = try String(contentsOf: folder.folder.url.appending(path: "heard"), encoding: .utf8)
            #expect(text.hasSuffix("batch_done\n"))
        }
    }

    @Test func hookThatIsNotThere_isSaid() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            try folder.folder.write("notify:\n  command: [/nonexistent/hook]\n", to: "work/.flowspool/spool.yaml")
            let result = try await folder.batch()
            #expect(result.status == 0 && result.stderr.contains("could not be started"), "\(result.stderr)")
        }
    }
}
