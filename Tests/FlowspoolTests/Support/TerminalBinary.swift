// The built binary at a terminal: python's pty module makes one, answers the first question that ends in `[y/N] `, and tells what
// the terminal showed. Standard output, standard error and standard input are all that terminal.

import Foundation

enum TerminalBinary {
    private static let program = """
        import os, pty, signal, sys
        answer, arguments = sys.argv[1], sys.argv[2:]
        signal.alarm(60)
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(arguments[0], arguments)
        shown, asked = b"", False
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if not asked and shown.endswith(b"[y/N] "):
                asked = True
                os.write(terminal, answer.encode() + b"\\n")
        status = os.waitpid(pid, 0)[1]
        sys.stdout.buffer.write(shown)
        sys.exit(os.waitstatus_to_exitcode(status) % 256)
        """

    /// - Returns: the exit status, and in `stdout` all that the terminal showed.
    static func run(
        _ arguments: [String], answer: String, environment: [String: String] = [:], cwd: URL
    ) async throws -> Binary.Result {
        let scratch = try TemporaryFolder()
        defer { scratch.remove() }
        let out = try scratch.write("", to: "shown")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", program, answer, Binary.path] + arguments
        process.currentDirectoryURL = cwd
        process.environment = Binary.bareEnvironment(home: cwd).merging(["TERM": "dumb"]) { _, given in given }
            .merging(environment) { _, given in given }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: out)
        let ended = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in ended.continuation.finish() }
        try process.run()
        for await _ in ended.stream {}
        return Binary.Result(
            status: process.terminationStatus, stdout: String(decoding: try Data(contentsOf: out), as: UTF8.self), stderr: "")
    }
}
