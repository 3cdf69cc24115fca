// The way from a child's standard output to its log. A pipe stands between them: with the file itself in the child's hands,
// `> /dev/stderr` or `tee /dev/stderr` would open it again and truncate what was printed before, and a flood could not be
// bounded. One pipe for output and errors keeps their order.

import CSystemCalls
import Foundation

/// The reading end of a pipe and the log that it is written to. The thread that watches the child owns it; it is made before
/// that thread starts and read after it has ended.
final class OutputPipe {
    /// The reading end, not blocking.
    private(set) var descriptor: Int32
    /// The child's end; -1 once it has been given away.
    private(set) var writeDescriptor: Int32
    private var log: OutputLog?
    /// The first trouble with the file; see `OutputLog.trouble`.
    private(set) var trouble: SystemCallError?
    private var isGrown = false
    /// Nobody holds the other end any more; polling it would answer at once, again and again.
    private(set) var isAtEnd = false

    init(path: String, bytesMax: Int) throws(SystemCallError) {
        log = try OutputLog(path: path, bytesMax: bytesMax)
        var ends: [Int32] = [-1, -1]
        let result = flowspool_output_pipe(&ends)
        if result != 0 { throw SystemCallError(call: .open, path: "pipe2", errno: errno) }
        descriptor = ends[0]
        writeDescriptor = ends[1]
    }

    deinit { finish() }

    /// Takes what is left in the pipe and closes everything. No process of the attempt is left; one that was let be may hold
    /// an end open, so this does not wait for the end of the stream.
    func finish() {
        closeWriteEnd()
        guard descriptor >= 0 else { return }
        take(isLast: true)
        close(descriptor)
        descriptor = -1
        trouble = log?.trouble
        log = nil
    }

    /// Closes this process's copy of the child's end, once the child has its own.
    func closeWriteEnd() {
        if writeDescriptor >= 0 { close(writeDescriptor) }
        writeDescriptor = -1
    }

    /// Moves what is in the pipe to the log.
    ///
    /// - Parameter isLast: take all there is, up to the size of a pipe; otherwise one buffer, so that a flood does not keep
    ///   the caller from looking at the clock.
    func take(isLast: Bool) {
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            // A pipe holds at most 1 MiB (`/proc/sys/fs/pipe-max-size`), and less by default.
            for _ in 0..<(isLast ? 32 : 1) {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    isAtEnd = isAtEnd || count == 0
                    return
                }
                log?.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
                if count == buffer.count && !isGrown {
                    isGrown = true
                    // A full pipe means much output: fewer turns with a bigger one. Refused where the user has too many.
                    _ = flowspool_set_pipe_size(descriptor, 1 << 20)
                }
            }
        }
    }
}
