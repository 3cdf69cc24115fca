// The built binary while it runs: for signals, for a second one beside it, for what only happens in between. It is killed when
// it takes longer than its limit; a test that fails in between leaves at most that behind.

import Foundation

/// A run that has begun.
final class RunningBinary: Sendable {
    let pid: Int32
    private let result: Task<Binary.Result, any Error>

    /// - Parameters: as of `Binary.run`.
    init(_ arguments: [String], environment: [String: String] = [:], cwd: URL, timeoutSeconds: Double = 60) throws {
        let scratch = try TemporaryFolder()
        let out = scratch.url.appending(path: "stdout")
        let err = scratch.url.appending(path: "stderr")
        for url in [out, err] { try Data().write(to: url) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Binary.path)
        process.arguments = arguments
        process.currentDirectoryURL = cwd
        process.environment = Binary.bareEnvironment(home: cwd).merging(environment) { _, given in given }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: out)
        process.standardError = try FileHandle(forWritingTo: err)
        let ended = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            let isSignal = process.terminationReason == .uncaughtSignal
            ended.continuation.yield(isSignal ? 128 + process.terminationStatus : process.terminationStatus)
            ended.continuation.finish()
        }
        try process.run()
        let pid = process.processIdentifier
        self.pid = pid
        result = Task {
            defer { scratch.remove() }
            let watchdog = Task {
                try await Task.sleep(for: .seconds(timeoutSeconds))
                kill(pid, SIGKILL)
            }
            var status: Int32 = -1
            for await code in ended.stream { status = code }
            watchdog.cancel()
            return Binary.Result(
                status: status, stdout: String(decoding: try Data(contentsOf: out), as: UTF8.self),
                stderr: String(decoding: try Data(contentsOf: err), as: UTF8.self))
        }
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for its end.
    func ending() async throws -> Binary.Result { try await result.value }
}

/// A named pipe: what is written on one side is the event that the other side waits for.
struct Pipe {
    let path: String

    init(_ path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// Waits until somebody has opened it, written and closed it.
    func read() async -> String {
        await Task.detached { [path] in
            // A pipe that is gone says nothing.
            guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.readToEnd() else { return "" }
            return String(decoding: data, as: UTF8.self)
        }.value
    }

    /// Waits until somebody reads it, and writes a line.
    func write() async {
        await Task.detached { [path] in
            FileHandle(forWritingAtPath: path)?.write(Data("go\n".utf8))
        }.value
    }
}
