// What is secret stays so: children get no secret variables, run folders are the owner's alone, and no value of the environment is written
// anywhere in a spool. All with the built binary, as an attacker who reads the disk would look.

import Foundation
import Spool
import Testing

@Suite struct SecretsTests {
    /// Text that stands in no file unless something copied it there.
    private static let canary = "c4n4ry-7f1e"

    private static let secrets = [
        "GITHUB_TOKEN", "DB_SECRET", "API_KEY", "DB_PASSWORD", "AWS_REGION", "AWS_ACCESS_KEY_ID", "CI_TOKEN",
    ]

    private func environment(plain: [String: String] = [:]) -> [String: String] {
        plain.merging(Self.secrets.map { ($0, "\(Self.canary)-\($0)") }) { $1 }
    }

    private func withFolder(_ body: (TemporaryFolder) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await body(folder)
    }

    private func prompt(_ block: String, front: String = "") -> String {
        (front.isEmpty ? "" : "---\n\(front)\n---\n") + "# P\n\n```bash\n\(block)\n```\n"
    }

    /// Every file below `root` with its mode, by path.
    private func modes(below root: URL) throws -> [String: Int] {
        var result: [String: Int] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: root.path) {
            let attributes = try FileManager.default.attributesOfItem(atPath: root.appending(path: name).path)
            result[name] = attributes[.posixPermissions] as? Int
        }
        return result
    }

    private func filesHolding(_ text: String, below root: URL) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: root.path).filter { name in
            var isFolder: ObjCBool = false
            let path = root.appending(path: name).path
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else { return false }
            return try Data(contentsOf: URL(fileURLWithPath: path)).range(of: Data(text.utf8)) != nil
        }.sorted()
    }

    private func logs(_ spool: URL) throws -> String {
        try FileManager.default.subpathsOfDirectory(atPath: spool.appending(path: "runs").path).filter { $0.hasSuffix(".log") }
            .sorted()
            .map { try String(contentsOf: spool.appending(path: "runs").appending(path: $0), encoding: .utf8) }.joined()
    }

    @Test func children_getTheEnvironmentWithoutSecrets_butWithNamesPassedOn() async throws {
        try await withFolder { folder in
            try folder.write("environment:\n  pass: [CI_TOKEN]\n", to: "spool/.flowspool/spool.yaml")
            try folder.write(prompt("env"), to: "spool/a.md")
            let given = environment(plain: ["PLAIN": "seen", "TOKENS": "seen", "MY_KEYS": "seen"])
            let run = try await Binary.run(["watch", "--drain", "--spool", "spool"], environment: given, cwd: folder.url)
            #expect(run.status == 0, "\(run.stderr)")
            let names = Set(
                try logs(folder.url.appending(path: "spool")).split(separator: "\n").compactMap { $0.split(separator: "=").first }
            )
            #expect(names.isSuperset(of: ["PLAIN", "TOKENS", "MY_KEYS", "CI_TOKEN", "PATH", "FLOWSPOOL_JOB"]))
            #expect(names.isDisjoint(with: Self.secrets.filter { $0 != "CI_TOKEN" }.map { $0[...] }), "\(names)")
        }
    }

    @Test func withhold_inSpoolYAML_isInPlaceOfTheDefault() async throws {
        try await withFolder { folder in
            try folder.write("environment:\n  withhold: [PLAIN]\n", to: "spool/.flowspool/spool.yaml")
            try folder.write(prompt("env"), to: "spool/a.md")
            let given = ["PLAIN": "hidden", "DB_PASSWORD": "passed"]
            #expect(
                try await Binary.run(["watch", "--drain", "--spool", "spool"], environment: given, cwd: folder.url).status == 0)
            let text = try logs(folder.url.appending(path: "spool"))
            #expect(text.contains("DB_PASSWORD=passed") && !text.contains("PLAIN="))
        }
    }

    /// Logs and run folders are the owner's alone, and a mask that takes the owner's own rights away makes no spool that does not work.
    @Test(arguments: ["0000", "0777", "0027"]) func runs_areTheOwnersAlone_whateverTheUmask(_ mask: String) async throws {
        try await withFolder { folder in
            try folder.write(prompt("echo out; echo err >&2; echo A=1 >> \"$FLOWSPOOL_ENV\""), to: "a.md")
            try folder.write(prompt("exit 3"), to: "b.md")
            let script = """
                umask \(mask)
                "$FLOWSPOOL" init spool && mv a.md b.md spool/ && "$FLOWSPOOL" watch --drain --spool spool --profile poc
                """
            try folder.write(script, to: "go.sh")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["go.sh"]
            process.currentDirectoryURL = folder.url
            process.environment = Binary.bareEnvironment(home: folder.url).merging(["FLOWSPOOL": Binary.path]) { $1 }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            let ended = AsyncStream<Void>.makeStream()
            process.terminationHandler = { _ in ended.continuation.finish() }
            try process.run()
            for await _ in ended.stream {}
            #expect(process.terminationStatus == 1)
            let modes = try modes(below: folder.url.appending(path: "spool"))
            let runs = modes.filter { $0.key.hasPrefix("runs/") }
            #expect(runs.count > 10)
            for (name, mode) in runs {
                #expect(mode == (mode & 0o100 != 0 ? 0o700 : 0o600), "\(name) has \(String(mode, radix: 8))")
            }
            for name in ["runs", ".flowspool", "active", "held", "done", "failed"] { #expect(modes[name] == 0o700, "\(name)") }
            for (name, mode) in modes { #expect(mode & 0o600 == 0o600, "\(name) has \(String(mode, radix: 8))") }
        }
    }

    /// Work of every kind, batch and watch, with a hook and with trouble of every sort: the values of secrets are nowhere on the disk.
    @Test func valuesOfSecrets_areNowhereInTheSpool() async throws {
        try await withFolder { folder in
            let spool = folder.url.appending(path: "work")
            try folder.write("retry_delay: 0\nnotify:\n  command: [/bin/sh, -c, 'exit 7']\n", to: "work/.flowspool/spool.yaml")
            let prompts = [
                "ok.md": prompt("echo ok; echo \"A=${GITHUB_TOKEN-}\" >> \"$FLOWSPOOL_ENV\""),
                "bad.md": prompt("set -x; env | grep TOKEN"),
                "slow.md": prompt("sleep 60", front: "timeout: 100ms"), "warned.md": prompt("rm -rf \"$HOME/nothing\""),
                "gone.md": prompt("true", front: "cwd: /nonexistent"), "yaml.md": "---\na: [\n---\n",
                "gate.md": prompt("true", front: "verify:\n  files_exist: [none]"),
                "agent.md": "---\nexec_mode: agent\n---\nHello\n",
                "http.md": "---\nexec_mode: http\nmodel: x\ntimeout: 100ms\n---\nHello\n",
            ]
            for (name, text) in prompts { try folder.write(text, to: "work/" + name) }
            let given = environment(plain: ["OPENAI_API_KEY": Self.canary])
            let limits = [
                "--warn-mode", "ask", "--warn-gate", "yes", "--pipeline-fail-fast-threshold", "99",
                "--pipeline-max-total-failures", "99",
            ]
            let batch = try await Binary.run(
                ["pipeline", "--root", "work", "--profile", "poc"] + limits, environment: given, cwd: folder.url)
            #expect([1, 2].contains(batch.status), "\(batch.status): \(batch.stderr)")
            try folder.write(prompt("exit 1"), to: "work/more.md")
            let watch = try await Binary.run(["watch", "--drain", "--spool", "work"], environment: given, cwd: folder.url)
            #expect(watch.status != 70, "\(watch.stderr)")
            _ = try await Binary.run(["exec", "work/done/ok.md"], environment: given, cwd: folder.url)
            #expect(try filesHolding(Self.canary, below: folder.url) == [])
            #expect(!(batch.stdout + batch.stderr + watch.stdout + watch.stderr).contains(Self.canary))
            // The search finds what is there.
            #expect(try filesHolding("more.md", below: spool).contains { $0.hasPrefix(".flowspool/ledger.sqlite") })
        }
    }

    /// A program tells its key in every way it has: it is in what the program printed, and in nothing that flowspool writes or says.
    @Test func keyThatAnAgentRepeats_isOnlyInItsOwnOutput() async throws {
        try await withFolder { folder in
            let program = """
                #!/bin/bash
                cat > /dev/null
                echo "{\\"type\\":\\"thread.started\\",\\"thread_id\\":\\"$OPENAI_API_KEY\\"}"
                echo "Incorrect API key provided: $OPENAI_API_KEY" >&2
                exit 1
                """
            try folder.write(program, to: "bin/codex")
            chmod(folder.url.appending(path: "bin/codex").path, 0o755)
            let hook = "cat >> told; env | grep ^FLOWSPOOL_ >> told"
            try folder.write("notify:\n  command: [/bin/sh, -c, '\(hook)']\n", to: "spool/.flowspool/spool.yaml")
            try folder.write("---\nexec_mode: agent\nrunner: codex\n---\nHello\n", to: "spool/a.md")
            let given = [
                "OPENAI_API_KEY": Self.canary, "PATH": folder.url.appending(path: "bin").path + ":/usr/local/bin:/usr/bin:/bin",
            ]
            let run = try await Binary.run(
                ["pipeline", "--root", "spool", "--profile", "poc"], environment: given, cwd: folder.url)
            #expect(run.status == 1, "\(run.stderr)")
            #expect(run.stderr.contains("Incorrect API key provided: ***"), "\(run.stderr)")
            #expect(!(run.stdout + run.stderr).contains(Self.canary))
            let holding = try filesHolding(Self.canary, below: folder.url)
            #expect(!holding.isEmpty)
            #expect(holding.allSatisfy { $0.hasSuffix("/transcript.jsonl") || $0.hasSuffix("/stderr.log") }, "\(holding)")
        }
    }
}
