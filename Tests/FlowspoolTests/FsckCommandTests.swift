import Foundation
import Testing

@Suite struct FsckCommandTests {
    /// A program that knows the contract files, and not flowspool, has the spool.
    @Test func repair_whileAnotherProgramHoldsTheLock_isRefused() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try await Binary.run(["init"], cwd: folder.url).status == 0)
        let path = folder.url.appending(path: "spool/.prompt-pipeline.lock").path
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        let refused = try await Binary.run(["fsck", "--repair"], cwd: folder.url)
        #expect(refused.status == 14 && refused.stderr.contains(".prompt-pipeline.lock"), "\(refused.stderr)")
        // To look needs no lock.
        #expect(try await Binary.run(["fsck"], cwd: folder.url).status == 0)
        close(descriptor)
        #expect(try await Binary.run(["fsck", "--repair"], cwd: folder.url).status == 0)
    }

    /// With its control folder it still is a spool.
    @Test(arguments: ["runs", "active", "held", "done", "failed"])
    func spoolThatLacksAFolder_isStillASpool(_ name: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try await Binary.run(["init"], cwd: folder.url).status == 0)
        for command in ["status", "list", "fsck"] {
            try FileManager.default.removeItem(at: folder.url.appending(path: "spool/" + name))
            let result = try await Binary.run([command], cwd: folder.url)
            #expect(result.status == 0, "\(result.stderr)")
        }
    }
}
