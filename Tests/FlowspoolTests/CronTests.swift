// The real cron daemon runs a batch. Slow: cron looks at its tables once a minute. It starts a daemon of its own where none
// runs, and ends that one; root's own crontab is kept and put back.

import Foundation
import Spool
import Testing

@Suite(.serialized) struct CronTests {
    private static let cron = "/usr/sbin/cron"

    private static var canRun: Bool {
        geteuid() == 0 && FileManager.default.isExecutableFile(atPath: cron)
            && ProcessInfo.processInfo.environment["FLOWSPOOL_SKIP_SLOW"] != "1"
    }

    /// Runs `tool` to its end with `input`; returns status and output.
    private func run(_ tool: String, _ arguments: [String], in folder: URL) throws -> (status: Int32, output: String) {
        let output = folder.appending(path: "tool-output")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(filePath: tool)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: output, encoding: .utf8))
    }

    private static var isCronRunning: Bool {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []  // Unreadable: none is seen.
        return processes.contains { pid in
            Int(pid) != nil && (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) == "cron\n"
        }
    }

    /// A line that runs each minute. What it prints and how it ends goes into files; the end is the event waited for.
    private func install(_ line: String, _ folder: BatchFolder) async throws {
        let home = folder.folder.url
        // The limit is for a minute that comes when nobody waits any more.
        let mine = try folder.folder.write(
            "\(line) > \(home.path)/printed 2>&1; echo $? | timeout 10 cp /dev/stdin \(home.path)/ended\n", to: "crontab")
        #expect(try run("/usr/bin/crontab", [mine.path], in: home).status == 0)
    }

    @Test(.enabled(if: canRun), .timeLimit(.minutes(3)))
    func cronDaemon_runsTheScheduledBatch_quietly() async throws {
        try await BatchFolder.with { folder async throws in
            let home = folder.folder.url
            try folder.drop("a.md", "env > \"$REPO_ROOT/env\"\n[ ! -t 0 ]")
            let line = try await Binary.run(
                ["schedule", "--spool", "work", "--repo-root", ".", "--cron", "* * * * *", "--profile", "steady"],
                environment: ["PATH": "/usr/bin:/bin"], cwd: home
            ).stdout.trimmingCharacters(in: .newlines)
            let ended = try Pipe(home.path + "/ended")

            let saved = try run("/usr/bin/crontab", ["-l"], in: home)
            let before = try folder.folder.write(saved.output, to: "crontab-before")
            defer {
                let arguments = saved.status == 0 ? [before.path] : ["-r"]
                #expect(throws: Never.self) { try run("/usr/bin/crontab", arguments, in: home) }
            }
            try await install(line, folder)
            var daemon: Process?
            if !Self.isCronRunning {
                let process = Process()
                // From a thread of Swift's pool, which blocks every signal: a child inherits that, and cron would never end.
                process.executableURL = URL(filePath: "/usr/bin/python3")
                process.arguments = [
                    "-c",
                    "import os, signal; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execv('\(Self.cron)', ['cron', '-f'])",
                ]
                process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
                process.standardInput = FileHandle.nullDevice
                process.standardOutput = FileHandle.nullDevice
                process.standardError = FileHandle.nullDevice
                try process.run()
                daemon = process
            }
            defer {
                daemon?.terminate()
                daemon?.waitUntilExit()
            }

            // A cron that never comes must end the wait too: then this writes, and what it writes is no exit status.
            let limit = Task {
                try await Task.sleep(for: .seconds(125))
                await ended.write()
            }
            #expect(await ended.read() == "0\n")
            limit.cancel()
            #expect(try String(contentsOf: home.appending(path: "printed"), encoding: .utf8) == "")
            #expect(folder.ran == ["a.md"])
            #expect(folder.exists("done/a.md"))
            #expect(try folder.summary()["profile"]?.stringValue == "steady")
            let variables = try String(contentsOf: home.appending(path: "env"), encoding: .utf8)
            #expect(!variables.contains("\nTERM=") && variables.contains("PATH=/usr/bin:/bin"))
        }
    }
}
