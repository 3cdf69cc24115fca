// Shared by the tests of execution: a folder that goes away, a FIFO through which a child says that it got somewhere (so that
// no test waits for time), and commands with a real shell.

import Foundation

@testable import Spool

/// A folder of one test, removed with the value.
final class Scratch: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("exec-\(UUID().uuidString)").path
        mkdir(path, 0o700)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
    func text(_ name: String) -> String { (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? "<no \(name)>" }
    func write(_ name: String, _ text: String) {
        _ = FileManager.default.createFile(atPath: file(name), contents: Data(text.utf8))
    }

    func mode(_ name: String) -> mode_t {
        var info = stat()
        return stat(file(name), &info) == 0 ? info.st_mode & 0o7777 : 0
    }

    /// Makes a FIFO. A child that writes a line to it meets `line(from:)`.
    func fifo(_ name: String) -> String {
        mkfifo(file(name), 0o600)
        return file(name)
    }

    /// Waits for a writer and returns what it wrote until it closed the FIFO.
    func line(from fifo: String) async -> String {
        await onThread {
            let descriptor = open(fifo, O_RDONLY | O_CLOEXEC)
            defer { close(descriptor) }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count <= 0 { break }
                bytes += buffer[0..<count]
            }
            return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    func bash(_ script: String, timeoutSeconds: Double? = nil, bytesMax: Int? = nil) -> Command {
        var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "D": path]
        environment["FLOWSPOOL_RUN_DIR"] = path
        return Command(
            executable: "bash", arguments: ["-c", script], environment: environment, workingDirectory: path,
            outputPath: file("out"), timeoutSeconds: timeoutSeconds, outputBytesMax: bytesMax)
    }
}

/// Whether a process with this pid exists, as text a child printed.
func isGone(_ pid: String) -> Bool {
    guard let number = pid_t(pid.trimmingCharacters(in: .whitespacesAndNewlines)), number > 1 else { return false }
    return kill(number, 0) == -1 && errno == ESRCH
}

/// Descriptors that this process has open on pipes, eventfds and pidfds or below `path`.
func openDescriptors(below path: String) -> [String] {
    let links = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return links.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
        .filter { $0.hasPrefix(path) }
}
