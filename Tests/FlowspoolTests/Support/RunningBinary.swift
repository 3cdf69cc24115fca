// The built binary while it runs: for signals, for a second one beside it, for what only happens in between. It is killed when
// it takes longer than its limit; a test that fails in between leaves at most that behind.

import Foundation
import Synchronization

/// A run that has begun.
final class RunningBinary: Sendable {
    let pid: Int32
    private let result: Task<Binary.Result, any Error>
    private let errors = Output()

    /// - Parameters: as of `Binary.run`.
    init(_ arguments: [String], environment: [String: String] = [:], cwd: URL, timeoutSeconds: Double = 60) throws {
        let scratch = try TemporaryFolder()
        let out = scratch.url.appending(path: "stdout")
        try Data().write(to: out)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Binary.path)
        process.arguments = arguments
        process.currentDirectoryURL = cwd
        process.environment = Binary.bareEnvironment(home: cwd).merging(environment) { _, given in given }
        process.standardInput = FileHandle.nullDevice
        let output = try FileHandle(forWritingTo: out)
        process.standardOutput = output
        let pipe = Foundation.Pipe()
        process.standardError = pipe
        // A thread, and no `readabilityHandler`: one that is taken away while its descriptor is ready has crashed libdispatch.
        Thread.detachNewThread { [errors, reading = pipe.fileHandleForReading] in
            var data: Data
            repeat {
                data = reading.availableData
                errors.take(data)
            } while !data.isEmpty
        }
        let ended = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            let isSignal = process.terminationReason == .uncaughtSignal
            ended.continuation.yield(isSignal ? 128 + process.terminationStatus : process.terminationStatus)
            ended.continuation.finish()
        }
        try process.run()
        // See `Binary.run`.
        try output.close()
        let pid = process.processIdentifier
        self.pid = pid
        result = Task { [errors] in
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
                stderr: await errors.all())
        }
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits until it has said `text` on standard error.
    ///
    /// - Returns: false where it closed that without.
    func hasSaid(_ text: String) async -> Bool { await errors.contains(text) }

    /// Waits for its end.
    func ending() async throws -> Binary.Result { try await result.value }
}

/// What a program writes, as it comes.
private final class Output: Sendable {
    private struct State {
        var bytes = Data()
        var isEnded = false
        var waiting: [(text: String?, continuation: CheckedContinuation<Void, Never>)] = []

        func has(_ text: String?) -> Bool { isEnded || text.map { bytes.range(of: Data($0.utf8)) != nil } ?? false }
    }

    private let state = Mutex(State())

    /// Nothing stands for the end.
    func take(_ data: Data) {
        let due = state.withLock { state in
            state.bytes += data
            if data.isEmpty { state.isEnded = true }
            let waiting = state.waiting
            state.waiting = waiting.filter { !state.has($0.text) }
            return waiting.filter { state.has($0.text) }
        }
        for (_, continuation) in due { continuation.resume() }
    }

    private func wait(for text: String?) async -> Data {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if !state.has(text) { state.waiting.append((text, continuation)) }
                return state.has(text)
            }
            if isThere { continuation.resume() }
        }
        return state.withLock { $0.bytes }
    }

    func contains(_ text: String) async -> Bool { await wait(for: text).range(of: Data(text.utf8)) != nil }

    func all() async -> String { String(decoding: await wait(for: nil), as: UTF8.self) }
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
