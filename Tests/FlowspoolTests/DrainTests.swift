import Foundation
import Testing

/// `watch --drain`, as a person or a script judges it by its exit status.
@Suite struct DrainTests {
    private func spool(_ folder: TemporaryFolder) async throws {
        #expect(try await Binary.run(["init"], cwd: folder.url).status == 0)
    }

    @Test(arguments: [SIGTERM, SIGINT]) func drainThatIsStopped_exits75(_ signal: Int32) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await spool(folder)
        let begun = try Pipe(folder.url.path + "/begun")
        try folder.write("```bash\necho x > '\(begun.path)'\nsleep 0.1\n```\n", to: "spool/a.md")
        try folder.write("```bash\ntrue\n```\n", to: "spool/b.md")
        let drain = try RunningBinary(["watch", "--drain", "--profile", "poc"], cwd: folder.url)
        // Its block has begun.
        #expect(await begun.read() == "x\n")
        drain.signal(signal)
        #expect(try await drain.ending().status == 75)
        let rest = try await Binary.run(["watch", "--drain", "--profile", "poc"], cwd: folder.url)
        #expect(rest.status == 0)
        let done = try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: "spool/done").path)
        #expect(done.filter { !$0.hasPrefix(".") }.sorted() == ["a.md", "b.md"])
    }

    /// A file that is no prompt by its name failed as well; trying it again could only refuse it again, as another job.
    @Test func fileThatIsNoPrompt_isAFailure_andIsNotTriedAgain() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await spool(folder)
        try folder.write("echo hi\n", to: "spool/foo.sh")
        let drain = try await Binary.run(["watch", "--drain", "--profile", "poc"], cwd: folder.url)
        #expect(drain.status == 1 && drain.stdout.contains("REFUSED 1  foo.sh"))
        let retry = try await Binary.run(["retry", "1"], cwd: folder.url)
        #expect(retry.status == 2 && retry.stderr.contains("foo.sh") && retry.stderr.contains(".md"), "\(retry.stderr)")
        #expect(FileManager.default.fileExists(atPath: folder.url.appending(path: "spool/failed/foo.sh").path))
    }
}
