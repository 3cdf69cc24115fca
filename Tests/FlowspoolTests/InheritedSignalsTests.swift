import Foundation
import Testing

/// What a process is handed by the one that starts it, and does not ask for.
@Suite struct InheritedSignalsTests {
    /// As some daemons and supervisors start their children: the kernel then keeps no child's exit status.
    @Test func ignoredEndOfChildren_isNotTakenOver() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try await Binary.run(["init"], cwd: folder.url).status == 0)
        let prompt = """
            ```bash
            bash -c 'exit 3' || echo "status $?"
            trap -p CHLD
            ```

            """
        try folder.write(prompt, to: "spool/a.md")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", "trap '' CHLD; exec '\(Binary.path)' watch --drain --profile poc >out 2>&1 </dev/null"]
        process.currentDirectoryURL = folder.url
        process.environment = Binary.bareEnvironment(home: folder.url)
        try process.run()
        process.waitUntilExit()
        let said = try String(contentsOf: folder.url.appendingPathComponent("out"), encoding: .utf8)
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(try await Binary.run(["logs", "1"], cwd: folder.url).stdout.contains("status 3\n"))
        #expect(try await !Binary.run(["logs", "1"], cwd: folder.url).stdout.contains("trap --"))
    }
}
