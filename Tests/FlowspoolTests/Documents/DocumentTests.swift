// The documents are programs: scripts/check-docs runs the commands that each one shows, against the binary under test, and
// compares what they print. docs/policy.md has a test of its own, because it needs the shipped configuration in place.

import Foundation
import Testing

@Suite struct DocumentTests {
    @Test(arguments: documents)
    func document_everyCommandItShows_doesWhatItSays(path: String) async throws {
        let result = try check([Binary.path, Self.repository.appending(path: path).path])
        #expect(result.status == 0, "\(result.output)")
    }

    /// The check itself must be able to fail.
    @Test(arguments: [
        ("```console\n$ echo a\nb\n```\n", "expected:"),
        ("```console\n$ false\n```\n", "exit status 1, expected 0"),
        ("```bash\nflowspool --no-such-flag\n```\n", "exit status 64, expected 0"),
        ("~~~bash\nexit 3\n~~~\n", "exit status None"),
        ("```bash\nfalse\ntrue\n```\n", "exit status 1, expected 0"),
        ("<!-- not run: -->\n```bash\nfalse\n```\n", "exit status 1"),
    ])
    func checkDocs_whenACommandDoesNotDoWhatIsShown_fails(document: String, message: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.url.appending(path: "document.md")
        try Data(document.utf8).write(to: file)
        let result = try check([Binary.path, file.path])
        #expect(result.status == 1)
        #expect(result.output.contains(message))
    }

    @Test(arguments: [
        "```console\n$ printf 'a 1 b\\nx\\ny\\nz\\n'\na ... b\n...\nz\n$ exit_with() { return $1; }; exit_with 4\n(exit 4)\n```\n",
        "<!-- not run: it would fail -->\n```bash\nfalse\n```\n",
        "````markdown\n```bash\nfalse\n```\n````\n",
        "<!-- run: made=yes -->\n```bash\n[ \"$made\" = yes ]\n```\n",
    ])
    func checkDocs_whenAllIsAsShown_passes(document: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.url.appending(path: "document.md")
        try Data(document.utf8).write(to: file)
        let result = try check([Binary.path, file.path])
        #expect(result.status == 0, "\(result.output)")
    }

    private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Whose commands another test runs, or (for now) that show commands which are still to come.
    private static let except = ["policy.md"]

    /// Every document of the repository's top, of docs/ and of Benchmarks/, so that a new one cannot be forgotten.
    private static let documents: [String] = ["", "docs/", "Benchmarks/"].flatMap { folder in
        // A folder that cannot be listed leaves none of its documents, and `documents_areFound` fails.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: repository.appending(path: folder).path)) ?? []
        return names.filter { $0.hasSuffix(".md") && $0 != "RESULTS.md" && !except.contains($0) }.sorted().map { folder + $0 }
    }

    @Test func documents_areFound() {
        #expect(Self.documents.contains("README.md"))
        #expect(Self.documents.contains("docs/spool.md"))
        #expect(Self.documents.contains("Benchmarks/README.md"))
    }

    /// Runs scripts/check-docs, which has a time limit of its own.
    private func check(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let output = folder.url.appending(path: "output")
        try Data().write(to: output)
        let handle = try FileHandle(forWritingTo: output)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = [Self.repository.appending(path: "scripts/check-docs").path] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: output, encoding: .utf8))
    }
}
