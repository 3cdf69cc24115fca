// The built `flowspool`, run as a user runs it: its own process, a bare environment, no terminal. What is sure: standard
// input is empty, output goes through files (nothing can block on a full pipe), and a run that hangs is killed.

import Foundation

/// The built binary, next to the test bundle.
enum Binary {
    struct Result: Sendable {
        /// Exit status; for a run that a signal ended, 128 + signal.
        var status: Int32
        var stdout: String
        var stderr: String
    }

    /// The test executable (or, where a helper loads it, the package's build folder) tells where the products are.
    static let path: String = {
        let besideTests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("flowspool").path
        if FileManager.default.isExecutableFile(atPath: besideTests) { return besideTests }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return package.appendingPathComponent(".build/debug/flowspool").path
    }()

    static func bareEnvironment(home: URL) -> [String: String] {
        ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home.path, "LC_ALL": "C.UTF-8"]
    }

    /// Runs the binary to its end.
    ///
    /// - Parameters:
    ///   - environment: added to `PATH`, `HOME` (the working folder) and `LC_ALL=C.UTF-8`, which are all that it gets.
    ///   - name: the name that it is called by (a symbolic link in a folder of its own), nil: `flowspool`.
    ///   - timeoutSeconds: then it is killed, and the status is 137.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], cwd: URL, name: String? = nil,
        timeoutSeconds: Double = 60
    ) async throws -> Result {
        let scratch = try TemporaryFolder()
        defer { scratch.remove() }
        var executable = URL(fileURLWithPath: path)
        if let name {
            executable = scratch.url.appendingPathComponent(name)
            try FileManager.default.createSymbolicLink(atPath: executable.path, withDestinationPath: path)
        }
        let out = scratch.url.appendingPathComponent("stdout")
        let err = scratch.url.appendingPathComponent("stderr")
        for url in [out, err] { try Data().write(to: url) }
        let outputs = try [out, err].map { try FileHandle(forWritingTo: $0) }

        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = cwd
        process.environment = bareEnvironment(home: cwd).merging(environment) { _, given in given }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = outputs[0]
        process.standardError = outputs[1]
        let ended = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in ended.continuation.finish() }
        try process.run()
        // The child has its own. Foundation keeps what a process was given, and some tests can bear only so many descriptors.
        for output in outputs { try output.close() }
        let pid = process.processIdentifier
        let watchdog = Task {
            try await Task.sleep(for: .seconds(timeoutSeconds))
            kill(pid, SIGKILL)
        }
        for await _ in ended.stream {}
        watchdog.cancel()
        let signalled = process.terminationReason == .uncaughtSignal
        return Result(
            status: signalled ? 128 + process.terminationStatus : process.terminationStatus,
            stdout: String(decoding: try Data(contentsOf: out), as: UTF8.self),
            stderr: String(decoding: try Data(contentsOf: err), as: UTF8.self))
    }
}

/// A folder of one test's own, under the system's temporary folder.
struct TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        // The resolved path: what the binary prints is resolved too.
        url = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appendingPathComponent("flowspool-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    /// Writes a file, making its folders; returns where it stands.
    @discardableResult
    func write(_ text: String, to path: String) throws -> URL {
        let file = url.appendingPathComponent(path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file
    }

    /// Best effort: a folder left behind in /tmp fails no test.
    func remove() { try? FileManager.default.removeItem(at: url) }
}
