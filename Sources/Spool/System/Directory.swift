// A folder held open by descriptor. Everything below it is reached with the *at() calls and without following links, so that
// nobody who can write elsewhere can move the ground under an operation. Names are single path components.

import CSystemCalls
import Foundation

/// An open folder. The number of its descriptor never changes, and the kernel serialises what happens through it.
public final class Directory: Sendable {
    let descriptor: Int32
    /// As it was opened; for messages and for children, never for further opens.
    public let path: String
    public let calls: SystemCalls

    /// Opens an existing folder, following links in `path` (the user named it).
    ///
    /// - Throws: `SystemCallError`: `ENOENT` where nothing is there, `ENOTDIR` where something else is.
    public init(path: String, calls: SystemCalls = .live) throws(SystemCallError) {
        self.path = path
        self.calls = calls
        self.descriptor = try calls.run(.open, path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    }

    init(descriptor: Int32, path: String, calls: SystemCalls) {
        self.descriptor = descriptor
        self.path = path
        self.calls = calls
    }

    deinit { Glibc.close(descriptor) }

    /// Is `other` from now on, for all who hold it (dup3(2): calls see the one or the other, whole).
    func become(_ other: Directory) throws(SystemCallError) {
        try calls.run(.dup3, path) { flowspool_replace_descriptor(other.descriptor, descriptor) }
    }

    public func pathOf(_ name: String) -> String { path == "/" ? "/" + name : path + "/" + name }

    /// Opens the sub-folder `name`; a symbolic link there is an error.
    public func folder(_ name: String) throws(SystemCallError) -> Directory {
        let fd = try calls.run(.openat, pathOf(name)) {
            Glibc.openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        return Directory(descriptor: fd, path: pathOf(name), calls: calls)
    }

    /// Opens the sub-folder `name`, making it with `mode` (whatever the umask) where it does not exist.
    public func makeFolder(_ name: String, mode: mode_t = 0o700) throws(SystemCallError) -> Directory {
        do {
            try calls.run(.mkdirat, pathOf(name)) { mkdirat(descriptor, name, mode) }
        } catch {
            guard error.errno == EEXIST else { throw error }
            return try folder(name)
        }
        let made = try folder(name)
        try calls.run(.fchmod, made.path) { fchmod(made.descriptor, mode) }
        return made
    }

    /// What stands under `name`, links not followed; nil where nothing does.
    public func status(_ name: String) throws(SystemCallError) -> FileStatus? {
        var info = stat()
        do {
            try calls.run(.fstatat, pathOf(name)) { fstatat(descriptor, name, &info, AT_SYMLINK_NOFOLLOW) }
        } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
        return FileStatus(info)
    }

    /// As above for a name that may be no text; `name` is the raw component.
    func status(rawName name: [UInt8]) throws(SystemCallError) -> FileStatus? {
        var info = stat()
        do {
            try calls.run(.fstatat, pathOf(String(decoding: name, as: UTF8.self))) {
                (name + [0]).withUnsafeBufferPointer { buffer in
                    buffer.withMemoryRebound(to: CChar.self) {
                        $0.baseAddress.map { fstatat(descriptor, $0, &info, AT_SYMLINK_NOFOLLOW) } ?? -1
                    }
                }
            }
        } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
        return FileStatus(info)
    }

    /// The folder's own status.
    public func status() throws(SystemCallError) -> FileStatus {
        var info = stat()
        try calls.run(.fstat, path) { fstat(descriptor, &info) }
        return FileStatus(info)
    }

    /// Opens a file for reading. Never blocks (a FIFO, a device) and never follows a link (`ELOOP`).
    public func openForReading(_ name: String) throws(SystemCallError) -> OpenFile {
        let fd = try calls.run(.openat, pathOf(name)) {
            Glibc.openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        }
        return OpenFile(descriptor: fd, path: pathOf(name), calls: calls)
    }

    /// Opens a file for appending, making it with mode 0600.
    public func openForAppending(_ name: String) throws(SystemCallError) -> OpenFile {
        let fd = try calls.run(.openat, pathOf(name)) {
            Glibc.openat(descriptor, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o600)
        }
        return OpenFile(descriptor: fd, path: pathOf(name), calls: calls)
    }

    /// Opens an existing file for writing at its beginning.
    func openForWriting(_ name: String) throws(SystemCallError) -> OpenFile {
        let fd = try calls.run(.openat, pathOf(name)) {
            Glibc.openat(descriptor, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        }
        return OpenFile(descriptor: fd, path: pathOf(name), calls: calls)
    }

    /// Makes a new file (`EEXIST` where something is) for writing, with mode 0600.
    public func create(_ name: String) throws(SystemCallError) -> OpenFile {
        let fd = try calls.run(.openat, pathOf(name)) {
            Glibc.openat(descriptor, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        return OpenFile(descriptor: fd, path: pathOf(name), calls: calls)
    }

    /// renameat2(2) with `RENAME_NOREPLACE`: `EEXIST` where the new name is taken.
    public func moveWithoutReplacing(_ name: String, to target: Directory, as newName: String) throws(SystemCallError) {
        do {
            try tryToMove(name, to: target, as: newName)
        } catch {
            // The folder that may not be written is what has to be mended.
            guard error.isOfPermission, let folder = [target, self].first(where: { !$0.mayBeWritten }) else { throw error }
            throw SystemCallError(call: error.call, path: folder.path, errno: error.errno)
        }
    }

    private var mayBeWritten: Bool { faccessat(descriptor, ".", W_OK | X_OK, AT_EACCESS) == 0 }

    private func tryToMove(_ name: String, to target: Directory, as newName: String) throws(SystemCallError) {
        try calls.run(.renameat2, pathOf(name)) {
            flowspool_renameat2(descriptor, name, target.descriptor, newName, flowspool_rename_noreplace)
        }
    }

    /// As above for a name that is no text; `name` is the raw component.
    func moveWithoutReplacing(rawName name: [UInt8], to target: Directory, as newName: String) throws(SystemCallError) {
        try calls.run(.renameat2, pathOf(String(decoding: name, as: UTF8.self))) {
            (name + [0]).withUnsafeBufferPointer { buffer in
                buffer.withMemoryRebound(to: CChar.self) {
                    flowspool_renameat2(descriptor, $0.baseAddress, target.descriptor, newName, flowspool_rename_noreplace)
                }
            }
        }
    }

    /// renameat2(2) without flags: what stands under the new name is replaced.
    public func move(_ name: String, to newName: String) throws(SystemCallError) {
        try calls.run(.renameat2, pathOf(name)) { flowspool_renameat2(descriptor, name, descriptor, newName, 0) }
    }

    /// Removes a file; a name that is already gone is no error.
    public func remove(_ name: String) throws(SystemCallError) {
        do {
            try calls.run(.unlinkat, pathOf(name)) { unlinkat(descriptor, name, 0) }
        } catch {
            if error.errno != ENOENT { throw error }
        }
    }

    /// fsync(2) of the folder: on return the entries made, renamed and removed so far are on stable storage.
    public func sync() throws(SystemCallError) {
        try calls.run(.fsync, path) { fsync(descriptor) }
    }

    /// Replaces the content of `name` so that every reader, and a crash at any instant, sees the old or the new content whole:
    /// written aside, fsynced, renamed. The folder itself is fsynced only if `syncsFolder`.
    ///
    /// - Parameters:
    ///   - mode: permission bits of the new file, independent of the umask.
    ///   - owner: the new file gets this one's owner and, where that may be set, its group.
    ///   - isNew: nothing is replaced: EEXIST where something bears the name.
    public func replace(
        _ name: String, with data: Data, mode: mode_t = 0o600, owner: FileStatus? = nil, isNew: Bool = false,
        syncsFolder: Bool = true
    ) throws(SystemCallError) {
        let aside = Self.asideName(for: name)
        try remove(aside)
        do {
            let file = try create(aside)
            try file.write(data)
            if let owner { try file.setOwner(like: owner) }
            if mode != 0o600 { try file.setMode(mode) }
            try file.sync()
            if isNew { try moveWithoutReplacing(aside, to: self, as: name) } else { try move(aside, to: name) }
        } catch {
            // The first error is the one to report; a left-over aside file is removed at the next start.
            try? remove(aside)
            throw error
        }
        if syncsFolder { try sync() }
    }

    /// The hidden name under which this process writes the next content of `name`; one per name, so that nothing piles up.
    static func asideName(for name: String) -> String {
        let prefix = "\(asidePrefix)\(getpid())-"
        if name.utf8.count + prefix.utf8.count <= 255 { return prefix + name }
        // A name this long leaves no room for the prefix: its FNV-1a hash stands for it.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return prefix + String(hash, radix: 16)
    }

    static let asidePrefix = ".flowspool-aside-"

    /// Whether a name is one under which another process, which still lives, may be writing at this moment.
    static func isAsideInUse(_ name: String) -> Bool {
        guard name.hasPrefix(asidePrefix), let process = pid_t(name.dropFirst(asidePrefix.count).prefix { $0 != "-" }),
            process > 0, process != getpid()
        else { return false }
        return kill(process, 0) == 0 || errno == EPERM
    }

    /// Calls `body` for each entry but `.` and `..`, in the order of the file system.
    ///
    /// - Parameter body: gets the raw name without NUL, valid during the call only, and the entry's type where the file
    ///   system tells it (`d_type`). Returning false ends the walk.
    public func forEachEntry(_ body: (UnsafeBufferPointer<UInt8>, UInt8) throws -> Bool) throws {
        // A descriptor of its own: readdir(3) moves the file offset.
        let fd = try calls.run(.openat, path) { Glibc.openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = fdopendir(fd) else {
            let code = errno
            Glibc.close(fd)
            throw SystemCallError(call: .opendir, path: path, errno: code)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw SystemCallError(call: .readdir, path: path, errno: errno) }
                return
            }
            let type = entry.pointee.d_type
            let goesOn = try withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                try pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
                    let length = strlen(UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self))
                    if bytes[0] == UInt8(ascii: "."), length == 1 || (length == 2 && bytes[1] == UInt8(ascii: ".")) {
                        return true
                    }
                    return try body(UnsafeBufferPointer(start: bytes, count: length), type)
                }
            }
            if !goesOn { return }
        }
    }
}
