// Every file-system call of the spool passes through `SystemCalls.run`, and nowhere else: it repeats a call that a signal cut
// off, turns errno into a `SystemCallError`, and is the seam through which tests make the n-th call fail.

import Foundation

/// The calls that the spool makes, by the name of their manual page.
public enum SystemCall: String, Sendable, CaseIterable {
    case open, openat, close, read, write, fstat, fstatat, fstatfs, fsync, ftruncate, renameat2, unlinkat, mkdirat, linkat
    case fchmod, fchown, flock, fcntl, opendir, readdir, statfs
    case fdatasync, faccessat, pread, pwrite, socket, sendto, clone, dup3
}

/// How system calls are made. The live value goes straight to the kernel; a test's value can fail a chosen call.
public struct SystemCalls: Sendable {
    /// Asked before each call; an errno it returns is the call's result and the kernel is not asked.
    public typealias Fault = @Sendable (SystemCall, String) -> Int32?

    private let fault: Fault?

    public init(fault: Fault? = nil) {
        self.fault = fault
    }

    /// The kernel, and nothing in between.
    public static let live = SystemCalls()

    /// Makes one call and returns its result.
    ///
    /// - Parameters:
    ///   - call: its name, for messages and for fault tests.
    ///   - path: what it is about, for messages.
    ///   - body: the call; -1 means that it failed and errno says why. Repeated on `EINTR`, except for `close`, which on
    ///     Linux has released the descriptor whatever it returns (close(2), "Dealing with error returns").
    /// - Throws: `SystemCallError`.
    @discardableResult
    public func run<R: FixedWidthInteger & SignedInteger>(
        _ call: SystemCall, _ path: @autoclosure () -> String, _ body: () -> R
    ) throws(SystemCallError) -> R {
        while true {
            if let fault, let injected = fault(call, path()) {
                if injected == EINTR && call != .close { continue }
                throw SystemCallError(call: call, path: path(), errno: injected)
            }
            let result = body()
            if result != -1 { return result }
            let code = errno
            if code == EINTR && call != .close { continue }
            throw SystemCallError(call: call, path: path(), errno: code)
        }
    }
}
