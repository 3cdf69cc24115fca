// One factory turns an errno into code, message and hint, so that no caller formats one. What is sure: the call's name, the
// path it was given and errno as the kernel set it.

import Foundation

/// A system call that failed.
public struct SystemCallError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The call, as its manual page is named (`renameat2`, `fsync`).
    public let call: SystemCall
    /// The path that the call was about, as a person would write it; escaped when printed.
    public let path: String
    /// errno after the call, `errno(3)`.
    public let errno: Int32

    public init(call: SystemCall, path: String, errno: Int32) {
        self.call = call
        self.path = path
        self.errno = errno
    }

    public var description: String {
        "\(printable(path)): \(call.rawValue): \(String(cString: strerror(errno)))"
    }

    /// The same trouble as a person needs it: with the next step.
    public var forUser: FlowspoolError {
        FlowspoolError(.unavailable, description, hint: hint, isLasting: isOfPermission || errno == EXDEV)
    }

    /// Whether the machine had no room, descriptors, processes or memory left, or its disk fails: the same call may succeed later, and any
    /// other job would have met the same.
    var isOfMachine: Bool {
        [ENOSPC, EDQUOT, EROFS, EIO, EMFILE, ENFILE, ENOMEM, EAGAIN, ENOBUFS].contains(errno)
    }

    /// Whether the owner or the mode of a file or folder forbids it.
    var isOfPermission: Bool { errno == EACCES || errno == EPERM }

    /// Whether the disk cannot give back what it was given, perhaps of this file only: a bad sector, a wrong checksum, a damaged inode.
    var isOfMedium: Bool { [EIO, ENODATA, EBADMSG, EUCLEAN].contains(errno) }

    /// Whether it may be about this one file, and others can be read and moved: it is mounted there by itself, may not be changed, or the
    /// disk has lost it.
    var isOfOneFile: Bool { isOfPermission || isOfMedium || errno == EBUSY || errno == EXDEV }

    private var hint: String? {
        switch errno {
        case ENOSPC, EDQUOT: "free space on that file system; nothing was lost, and work goes on when there is room"
        case EACCES, EPERM: "check the owner and the mode of that path (`ls -ld`): it must be yours, and writable"
        case EXDEV:
            "a spool's folders (active, held, done, failed) must be on one file system: move the whole spool there (`findmnt -T`)"
        case EBUSY: "is something mounted there? (`findmnt`)"
        case EROFS: "the file system is mounted read-only: remount it read-write"
        case EMFILE, ENFILE: "too many open files: raise `ulimit -n`"
        case EAGAIN where call == .clone: "no process may be started: see `ulimit -u` and the machine's `pids` limits"
        case EIO: "the disk reports an error: see `dmesg`"
        case ENOENT: "there is nothing of that name (any more): check the path, or whether it was removed while flowspool ran"
        default: nil
        }
    }
}
