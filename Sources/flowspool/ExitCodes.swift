// Where errors end: each becomes a message on standard error and one exit status (DESIGN "Commands"). Commands throw
// `FlowspoolError`; only this file knows the numbers.

import ArgumentParser
import Foundation
import Spool

extension FlowspoolError.Code {
    var exitStatus: Int32 {
        switch self {
        case .invalidInput: 2
        case .onHold: 12
        case .goMissing: 13
        case .spoolBusy: 14
        case .miniNotCurrent: 15
        case .usage: 64
        case .bug: 70
        case .unavailable: 75
        }
    }
}

/// Runs a command's body; an error is printed here and becomes the exit status.
///
/// Every command's `run()` is one call of this. `ExitCode` and the argument parser's own errors pass through.
func reportingErrors(_ body: () async throws -> Void) async throws {
    // A reader that has gone is then an error of write(2), which `StandardOutput` turns into success.
    signal(SIGPIPE, SIG_IGN)
    do {
        try await body()
    } catch let error as FlowspoolError {
        throw report(error)
    } catch let error as SystemCallError {
        throw report(error.forUser)
    }
}

/// Prints `flowspool: <message>` and, below it, the hint, to standard error; returns the exit status to throw.
func report(_ error: FlowspoolError) -> ExitCode {
    StandardError.write("\(StandardError.prefix)\(error.message)\n" + (error.hint.map { "  hint: \($0)\n" } ?? ""))
    return ExitCode(error.code.exitStatus)
}

/// Messages for a person.
enum StandardError {
    /// `flowspool: `, in bold at a terminal that wants colour (https://no-color.org).
    static var prefix: String {
        let isPlain =
            isatty(STDERR_FILENO) == 0 || !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        return isPlain ? "flowspool: " : "\u{1B}[1mflowspool:\u{1B}[0m "
    }

    static func warn(_ message: String) { write("\(prefix)warning: \(message)\n") }

    /// Best effort: there is nowhere left to say that standard error is closed.
    static func write(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }
}

/// Data for a program, or what a person asked for.
enum StandardOutput {
    /// - Throws: `ExitCode.success` where the reader has gone (`flowspool list | head`): a closed pipe is success;
    ///   `unavailable` where standard output is a file on a full disk.
    static func write(_ text: String) throws { try write(bytes: Array(text.utf8)) }

    /// As above, for bytes that may be no text.
    static func write(bytes: [UInt8]) throws {
        let code = writeAll(bytes, to: STDOUT_FILENO)
        if code == EPIPE { throw ExitCode.success }
        guard code == 0 else {
            throw FlowspoolError(.unavailable, "standard output: \(String(cString: strerror(code)))")
        }
    }

    /// One JSON document.
    static func write(_ json: JSON) throws { try write(json.pretty) }
}

/// write(2) until all is written; returns 0, or errno.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var offset = 0
    while offset < bytes.count {
        let count = bytes.withUnsafeBytes {
            Foundation.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
        }
        if count >= 0 {
            offset += count
        } else if errno == EAGAIN {
            // Somebody made the descriptor non-blocking (a shared terminal): wait until it takes more.
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&wait, 1, -1)
        } else if errno != EINTR {
            return errno
        }
    }
    return 0
}
