// A folder's path and what it leads to at this moment. Nothing is cached: a path can lead elsewhere at any time. Symbolic
// links are followed (a spool may be one); `..` is left to the kernel.

import Glibc

/// Which folder something is, whatever its name: device and inode number.
struct FolderIdentity: Equatable {
    let device: dev_t
    let inode: ino_t
}

struct FolderPath: Sendable {
    /// Absolute, without `.` components, double or trailing slashes.
    let text: String

    /// A relative path is taken from the working folder of this moment.
    init(_ given: String) throws(WatcherError) {
        guard !given.isEmpty else { throw .reaching("''", errno: ENOENT) }
        var full = given
        if !given.hasPrefix("/") {
            guard let working = getcwd(nil, 0) else { throw .system("getcwd", nil, errno: errno) }
            defer { free(working) }
            full = String(cString: working) + "/" + given
        }
        text = "/" + full.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private init(absolute: String) {
        text = absolute
    }

    /// The path one up, and the name that is left out; nil for `/`.
    var parent: (folder: FolderPath, name: [UInt8])? {
        guard text != "/", let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let above = String(text[..<slash])
        return (FolderPath(absolute: above.isEmpty ? "/" : above), Array(text.utf8[text.utf8.index(after: slash)...]))
    }

    /// The same folder by a path without symbolic links (`realpath(3)`); nil where it leads nowhere.
    var resolved: FolderPath? {
        guard let real = realpath(text, nil) else { return nil }
        defer { free(real) }
        return FolderPath(absolute: String(cString: real))
    }

    /// What the path leads to now; nil where that is not a folder.
    var identity: FolderIdentity? {
        var status = stat()
        guard stat(text, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return FolderIdentity(device: status.st_dev, inode: status.st_ino)
    }

    /// The nearest folder above that exists, and the name in it that the way to this one goes through.
    var nearestAbove: (folder: FolderPath, name: [UInt8])? {
        var step = parent
        while let here = step {
            if here.folder.identity != nil { return here }
            step = here.folder.parent
        }
        return nil
    }

    /// Opens the folder, to be closed by the caller. Needs read permission, as a watch does too.
    func open() throws(WatcherError) -> Int32 {
        let descriptor = Glibc.open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .reaching(text, errno: errno) }
        return descriptor
    }
}
