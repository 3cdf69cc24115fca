import Foundation
import Spool
import Testing

@Suite struct ScheduleCommandTests {
    /// Runs a command line as cron does: /bin/sh, its own bare environment, the home folder, no terminal.
    private func runAsCron(_ command: String, home: URL) throws -> (status: Int32, output: String) {
        let output = home.appending(path: "output")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = ["HOME": home.path, "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"]
        process.currentDirectoryURL = home
        process.standardInput = FileHandle.nullDevice
        let handle = try FileHandle(forWritingTo: output)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: output, encoding: .utf8))
    }

    private func command(_ folder: BatchFolder, _ flags: String...) async throws -> String {
        let result = try await Binary.run(
            ["schedule", "--spool", "work", "--repo-root", "."] + flags, cwd: folder.folder.url)
        #expect(result.status == 0, "\(result.stderr)")
        return result.stdout
    }

    @Test func crontabLine_runsABatch_quietOnSuccess_aParagraphOnFailure() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let line = try await command(folder, "--cron", "*/5 2 * * 1-5", "--profile", "steady")
            #expect(line.hasPrefix("*/5 2 * * 1-5 ") && line.split(separator: "\n").count == 1)
            let command = try #require(line.split(separator: " ", maxSplits: 5).last).trimmingCharacters(in: .newlines)
            #expect(command.contains("--root \(folder.rootURL.path)") && command.contains("--profile steady"))
            let good = try runAsCron(command, home: folder.folder.url)
            #expect(good.status == 0 && good.output == "")
            #expect(folder.ran == ["a.md"])
            try folder.drop("b.md", "exit 1")
            let bad = try runAsCron(command, home: folder.folder.url)
            #expect(bad.status == 1)
            #expect(bad.output.contains("b.md") && bad.output.split(separator: "\n").count <= 4, "\(bad.output)")
        }
    }

    @Test func crontabLine_isItselfWhateverTheFolderIsCalled() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("# T\n\n```bash\ntouch \"$REPO_ROOT/ran\"\n```\n", to: "50% 'off' $(x)/a.md")
        let made = try await Binary.run(
            ["schedule", "--spool", "50% 'off' $(x)", "--repo-root", ".", "--cron", "@daily"], cwd: folder.url)
        #expect(made.status == 0, "\(made.stderr)")
        // What cron itself does to a line: `\%` is a percent sign (crontab(5)).
        let line = made.stdout.replacingOccurrences(of: "\\%", with: "%")
        let fields = line.hasPrefix("@") ? 1 : 5
        let command = try #require(line.split(separator: " ", maxSplits: fields).last).trimmingCharacters(in: .newlines)
        let result = try runAsCron(command, home: folder.url)
        #expect(result.status == 0 && result.output == "", "\(result.output)")
        #expect(FileManager.default.fileExists(atPath: folder.url.appending(path: "ran").path))
    }

    @Test(arguments: ["", "61 * * * *", "* * * *", "@sometimes", "* * * * * root", "*/0 * * * *"])
    func faultyTime_exits2(when: String) async throws {
        try await BatchFolder.with { folder async throws in
            let result = try await Binary.run(["schedule", "--cron", when], cwd: folder.folder.url)
            #expect(result.status == 2 && result.stdout == "")
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")))
    func systemdUnits_areValid() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let text = try await command(folder, "--cron", "0 2 * * *", "--systemd")
            var units: [String: String] = [:]
            var name = ""
            for line in text.components(separatedBy: "\n") {
                if line.hasPrefix("# /etc/systemd/system/") {
                    name = String(line.dropFirst("# /etc/systemd/system/".count))
                } else {
                    units[name, default: ""] += line + "\n"
                }
            }
            #expect(units.keys.sorted() == ["flowspool-batch.service", "flowspool-batch.timer", "flowspool-watch.service"])
            #expect(units["flowspool-watch.service"]?.contains("Type=notify") == true)
            for (name, text) in units { try folder.folder.write(text, to: "units/" + name) }
            let paths = units.keys.sorted().map { folder.folder.url.path + "/units/" + $0 }
            let verified = try runAsCron(
                "systemd-analyze verify --man=no " + paths.joined(separator: " "), home: folder.folder.url)
            #expect(verified.status == 0, "\(verified.output)")
        }
    }
}
