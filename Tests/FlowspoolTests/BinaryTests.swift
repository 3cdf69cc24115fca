import Foundation
import Testing

@Test func binary_isFoundAndRuns() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let result = try await Binary.run(["--help"], cwd: folder.url)
    #expect(result.status == 0)
    #expect(result.stdout.contains("USAGE:"))
}
