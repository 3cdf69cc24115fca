// The one error of this module. Every way in which watching can fail has a code, a message that names the folder or the
// limit, and a hint that names the next step. It is the command line that turns it into an exit status.

import Glibc

/// Why a folder cannot be watched.
public struct WatcherError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The folder does not exist.
        case folderMissing
        /// The path leads to something that is not a folder.
        case notAFolder
        /// The folder may not be read, or a folder above it not be searched.
        case notPermitted
        /// libinotifytools is already in use: its state is one per process.
        case alreadyRunning
        /// `fs.inotify.max_user_watches` is used up.
        case watchLimit
        /// `fs.inotify.max_user_instances`, or the limit of open files, is used up.
        case instanceLimit
        /// The inotify descriptor is 1024 or higher, where `select` (which the library uses) would write past its set.
        case descriptorTooHigh
        /// Any other refusal of the system.
        case system
    }

    public let code: Code
    public let message: String
    public let hint: String?
    /// The `errno` behind it; 0 where no system call failed.
    public let errno: Int32

    public init(_ code: Code, _ message: String, hint: String? = nil, errno: Int32 = 0) {
        self.code = code
        self.message = message
        self.hint = hint
        self.errno = errno
    }

    public var description: String { hint.map { "\(message)\n  hint: \($0)" } ?? message }
}

extension WatcherError {
    /// Reaching the folder failed: `open(2)`, `fstat(2)`, `statfs(2)`, `opendir(3)`.
    static func reaching(_ folder: String, errno: Int32) -> WatcherError {
        switch errno {
        case ENOENT:
            return WatcherError(
                .folderMissing, "cannot watch \(folder): no such folder", hint: "make it, or name another one", errno: errno)
        case ENOTDIR:
            return WatcherError(
                .notAFolder, "cannot watch \(folder): not a folder", hint: "name the folder, not a file in it", errno: errno)
        case EACCES, EPERM:
            return WatcherError(
                .notPermitted, "cannot watch \(folder): permission denied",
                hint: "watching needs read permission on it and search permission on every folder above it", errno: errno)
        default:
            return system("open", folder, errno: errno)
        }
    }

    /// `inotify_add_watch(2)` failed.
    static func addingWatch(_ folder: String, errno: Int32) -> WatcherError {
        guard errno == ENOSPC else { return reaching(folder, errno: errno) }
        return WatcherError(
            .watchLimit, "cannot watch \(folder): this user has no inotify watches left",
            hint: "raise the limit: sysctl fs.inotify.max_user_watches, or poll the folder instead", errno: errno)
    }

    /// `inotify_init(2)` failed.
    static func initializing(errno: Int32) -> WatcherError {
        guard errno == EMFILE || errno == ENFILE else { return system("inotify_init", nil, errno: errno) }
        return WatcherError(
            .instanceLimit, "cannot start inotify: this user has no inotify instances or this process no file descriptors left",
            hint: "raise the limit (sysctl fs.inotify.max_user_instances, or ulimit -n), or poll the folder instead", errno: errno
        )
    }

    static func system(_ call: String, _ path: String?, errno: Int32) -> WatcherError {
        let text = String(cString: strerror(errno))
        return WatcherError(.system, "\(call)\(path.map { " " + $0 } ?? ""): \(text)", errno: errno)
    }

    static let alreadyRunning = WatcherError(
        .alreadyRunning, "a folder is already watched with inotify in this process: libinotifytools has one state per process",
        hint: "stop the other source first, or poll this folder")
}
