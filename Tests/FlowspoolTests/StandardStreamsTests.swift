import Foundation
import Testing

@Suite struct StandardStreamsTests {
    /// The exit status of `flowspool profile show` with standard output as the shell line `setUp` leaves descriptor 3.
    private func status(_ setUp: String, in folder: TemporaryFolder) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", "\(setUp)\n'\(Binary.path)' profile show >&3 2>stderr\necho $? >status"]
        process.currentDirectoryURL = folder.url
        process.environment = ["PATH": "/usr/bin:/bin"]
        try process.run()
        process.waitUntilExit()
        return try String(contentsOf: folder.url.appendingPathComponent("status"), encoding: .utf8)
    }

    @Test func closedPipe_isSuccess() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        // A pipe that never gets a reader again: opened for both, then for writing, then the first is closed.
        #expect(try await status("mkfifo pipe; exec 4<>pipe; exec 3>pipe; exec 4<&-", in: folder) == "0\n")
        #expect(try Data(contentsOf: folder.url.appendingPathComponent("stderr")).isEmpty)
    }

    @Test func fullDisk_isAnErrorThatSaysTryAgain() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try await status("exec 3>/dev/full", in: folder) == "75\n")
        let said = try String(contentsOf: folder.url.appendingPathComponent("stderr"), encoding: .utf8)
        #expect(said == "flowspool: standard output: No space left on device\n")
    }
}
