// What is answered without the argument parser must be what the parser would have made of it; and one check of one prompt
// starts the shell parser once.

import ArgumentParser
import Foundation
import Testing

@testable import flowspool

@Suite struct PlainArgumentsTests {
    @Test(arguments: [
        ["a.md"], ["--check", "a.md"], ["a.md", "--check", "b c.md"], ["--json", "--check", "a.md"], ["-v", "a.md", "--sarif"],
        ["--verbose", "x=y", "help"], ["preflight"],
    ])
    func plainArguments_areReadAsTheParserReadsThem(_ arguments: [String]) throws {
        let parsed = try #require(try Flowspool.parseAsRoot(["preflight"] + arguments) as? PreflightCommand)
        #expect(PreflightRun(plain: arguments) == parsed.work)
    }

    @Test(arguments: [
        [], ["--check"], ["--help", "a.md"], ["-h"], ["--", "-a.md"], ["--check", "--check", "a.md"], ["-"],
        ["--profile", "poc", "a.md"],
        ["--chec", "a.md"], ["", "a.md"], ["-vv", "a.md"], ["a.md", "--check=yes"], ["--spool", "s", "a.md"],
    ])
    func otherArguments_areLeftToTheParser(_ arguments: [String]) {
        #expect(PreflightRun(plain: arguments) == nil)
    }

    @Test func version_isThatOfTheParser() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let plain = try await Binary.run(["--version"], cwd: folder.url)
        let parsed = try await Binary.run(["preflight", "--version"], cwd: folder.url)
        #expect(plain.status == 0 && plain.stdout == "\(FlowspoolVersion.text)\n" && plain.stderr.isEmpty)
        #expect(parsed.stdout == plain.stdout)
    }

    /// A folder with a shfmt that counts its starts.
    private func fakeShfmt(_ folder: TemporaryFolder, _ body: String) throws -> String {
        let program = folder.url.appendingPathComponent("bin/shfmt")
        try FileManager.default.createDirectory(at: program.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("#!/bin/bash\necho x >> '\(folder.url.path)/starts'\n\(body)\n".utf8).write(to: program)
        chmod(program.path, 0o755)
        return "\(folder.url.path)/bin:/usr/local/bin:/usr/bin:/bin"
    }

    @Test func check_startsTheShellParserOnce() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = try fakeShfmt(folder, "PATH=${PATH#*:}; exec shfmt \"$@\"")
        // Two blocks that are the same, and leave nothing behind, are one to parse.
        let block = "```bash\necho a | cat && rm -rf \"${c:-/}\"\n```\n"
        try folder.write(block + "\n" + block, to: "a.md")
        let result = try await Binary.run(
            ["--check", "a.md"], environment: ["PATH": path], cwd: folder.url, name: "prompt-preflight")
        #expect(result.status == 2)
        #expect(result.stdout.contains("destructive_fs"))
        #expect(try String(contentsOfFile: folder.url.path + "/starts", encoding: .utf8) == "x\n")
    }

    @Test(arguments: ["--check", "--json"]) func programThatIsNoShfmt_isAnErrorAndStampsNothing(_ flag: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = try fakeShfmt(folder, "echo '{\"Type\":\"File\"}'")
        let text = "```bash\nrm -rf /srv\n```\n"
        try folder.write(text, to: "a.md")
        for profile in [[], ["--profile", "poc"]] {
            let result = try await Binary.run(
                ["preflight", flag, "a.md"] + profile, environment: ["PATH": path], cwd: folder.url)
            #expect(result.status == 75)
            #expect(result.stderr.contains("does not answer as shfmt does"))
            #expect(try String(contentsOfFile: folder.url.path + "/a.md", encoding: .utf8) == text)
        }
        let exec = try await Binary.run(
            ["exec", "--profile", "poc", "--run-dir", "logs", "a.md"], environment: ["PATH": path], cwd: folder.url)
        #expect(exec.status == 75)
        #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/logs"))
    }
}
