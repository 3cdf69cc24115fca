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

    /// A block may do anything to its own file. What is too large for a prompt is filed as it is.
    @Test func promptThatMakesItselfEnormous_isFiledUnstamped_andTheOthersRun() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await spool(folder)
        try folder.write("```bash\ntruncate -s 1T \"$FLOWSPOOL_PROMPT\"\n```\n", to: "spool/a.md")
        try folder.write("```bash\ntrue\n```\n", to: "spool/b.md")
        let drain = try await Binary.run(["watch", "--drain", "--profile", "poc"], cwd: folder.url)
        #expect(drain.status == 0, "\(drain)")
        let done = folder.url.appending(path: "spool/done")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: done.path).filter { !$0.hasPrefix(".") }.sorted() == [
                "a.md", "b.md",
            ])
        let size = try FileManager.default.attributesOfItem(atPath: done.appending(path: "a.md").path)[.size] as? Int
        #expect(size == 1 << 40)
    }

    /// Where the folder is polled no event tells of the request.
    @Test(arguments: [[], ["--poll"]]) func cancelOfARunningJob_isHonoured(_ flags: [String]) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await spool(folder)
        let begun = try Pipe(folder.url.path + "/begun")
        try folder.write("```bash\necho x > '\(begun.path)'\nsleep 50\n```\n", to: "spool/a.md")
        let watch = try RunningBinary(["watch", "--profile", "poc"] + flags, cwd: folder.url)
        #expect(await begun.read() == "x\n")
        let cancel = try await Binary.run(["cancel", "a.md"], cwd: folder.url)
        #expect(cancel.status == 0, "\(cancel.stderr)")
        watch.signal(SIGTERM)
        #expect(try await watch.ending().status == 0)
        #expect(try await Binary.run(["list"], cwd: folder.url).stdout.contains("cancelled"))
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
