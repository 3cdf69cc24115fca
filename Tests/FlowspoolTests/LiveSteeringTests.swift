// What people do while a runner is at work, or at a terminal: following a log, deciding, deciding twice at once.

import Foundation
import Spool
import Testing

@Suite struct LiveSteeringTests {
    private func with(_ body: (SpoolSandbox) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try await body(sandbox)
    }

    @Test(arguments: [("y", Int32(0), true), ("yes", 0, true), ("n", 2, false), ("", 2, false)])
    func warnings_atATerminal_areAskedAbout(answer: String, status: Int32, runs: Bool) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("# T\n\n```bash\necho > \"$REPO_ROOT/ran\"\nrm -rf \"$REPO_ROOT/../gone-$$\"\n```\n", to: "a.md")
        let result = try await TerminalBinary.run(
            ["exec", "a.md", "--repo-root", ".", "--warn-mode", "ask", "--warn-gate", "yes"], answer: answer,
            environment: ["XDG_STATE_HOME": folder.url.path + "/state"], cwd: folder.url)
        #expect(
            result.stdout.contains("run it all the same? [y/N]") && result.stdout.contains("destructive_fs"), "\(result.stdout)")
        #expect(result.status == status, "\(result.stdout)")
        #expect(FileManager.default.fileExists(atPath: folder.url.path + "/ran") == runs)
    }

    @Test func logsFollow_printsWhileTheJobRuns_andEndsWithIt() async throws {
        try await with { sandbox in
            let go = try Pipe(sandbox.folder.url.path + "/go")
            try sandbox.drop("# T\n\n```bash\necho first\nread -r x < \"$REPO_ROOT/go\"\necho second\n```\n", "a.md")
            async let drained = sandbox.drain()
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            // Until the job is known.
            process.arguments = [
                "-c", "until \"$0\" show a.md >/dev/null 2>&1; do :; done; exec \"$0\" logs -f a.md", Binary.path,
            ]
            process.currentDirectoryURL = sandbox.folder.url
            process.environment = Binary.bareEnvironment(home: sandbox.folder.url)
            let output = Foundation.Pipe()
            process.standardOutput = output
            process.standardInput = FileHandle.nullDevice
            try process.run()
            let first = await Task.detached { output.fileHandleForReading.availableData }.value
            #expect(String(decoding: first, as: UTF8.self).contains("first"))
            #expect(!String(decoding: first, as: UTF8.self).contains("second"))
            await go.write()
            let rest = try await Task.detached { try output.fileHandleForReading.readToEnd() ?? Data() }.value
            #expect(String(decoding: rest, as: UTF8.self).contains("second"))
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(try await drained.status == 0)
        }
    }

    /// Whoever decides first decides, the others are told so; the runner takes each job once for each yes.
    @Test func decisionsThatRace_underALivingRunner_areEachTakenOnce() async throws {
        try await with { sandbox in
            let names = ["a.md", "b.md", "c.md", "d.md"]
            for name in names {
                try sandbox.drop("# T\n\n```bash\necho \(name) >> \"$REPO_ROOT/ran\"\nrm -rf \"$REPO_ROOT/gone\"\n```\n", name)
            }
            let watch = try RunningBinary(
                ["watch", "--repo-root", ".", "--warn-mode", "ask", "--warn-gate", "yes"], cwd: sandbox.folder.url)
            // Nothing waits or runs any more: all are held.
            var status = try JSON.parse(try await sandbox.run("status", "--json").stdout)
            while status["counts"]?["held"]?.intValue != names.count {
                status = try JSON.parse(try await sandbox.run("status", "--json").stdout)
            }
            async let one = sandbox.run("approve", "--all")
            async let two = sandbox.run("approve", "a.md", "b.md")
            async let three = sandbox.run("reject", "b.md", "c.md")
            let ended = try await [one, two, three]
            #expect(ended.allSatisfy { [0, 2].contains($0.status) }, "\(ended.map(\.stderr))")
            _ = try await sandbox.run("wait", "--timeout", "30")
            let again = try await [sandbox.run("retry", "a.md"), sandbox.run("wait", "a.md", "--timeout", "30")]
            #expect(again.allSatisfy { $0.status == 0 }, "\(again.map(\.stderr))")
            watch.signal(SIGTERM)
            _ = try await watch.ending()
            #expect(try await sandbox.run("fsck").stdout.hasPrefix("clean "))
            let list = try JSON.parse(try await sandbox.run("list", "--json").stdout).arrayValue ?? []
            let done = list.filter { $0["state"]?.stringValue == "done" }.compactMap { $0["name"]?.stringValue }
            let failed = list.filter { $0["status"]?.stringValue == "rejected" }.compactMap { $0["name"]?.stringValue }
            #expect(Set(done + failed) == Set(names) && done.count + failed.count == names.count)
            let ran = try sandbox.text("ran").split(separator: "\n").map(String.init)
            #expect(ran.sorted() == (done + ["a.md"]).sorted())
        }
    }
}
