// A spool on disk, held open: its folders by descriptor, and the lock that makes its holder the one runner. Making a spool is
// safe to repeat and never touches what is there.

import Foundation
import Synchronization

/// An open spool.
public final class SpoolFolder: Sendable {
    public let root: Directory
    public let active: Directory
    public let held: Directory
    public let done: Directory
    public let failed: Directory
    public let runs: Directory
    /// `.flowspool/`
    public let control: Directory
    /// Which folders the places are (`FileStatus.identity`), by name.
    private let identities = Mutex<[String: String]>([:])

    public static let controlName = ".flowspool"
    public static let placeNames = ["active", "held", "done", "failed", "runs"]

    /// The spool's absolute path.
    public var path: String { root.path }
    public var ledgerPath: String { control.pathOf(Ledger.fileName) }

    /// The name of one of `anchors` that is not what it was; nil: all are.
    func changed(since anchors: [String: String]) throws(SystemCallError) -> String? {
        let found = try self.anchors()
        return anchors.first { found[$0.key] != $0.value }?.key
    }

    /// Opens the spool at `path`, making what is missing of it.
    ///
    /// - Throws: `FlowspoolError` where `path` is not a folder, lies inside another spool's folders, is writable by others
    ///   (unless `allowsShared`), or cannot be written.
    public static func make(at path: String, allowsShared: Bool = false, calls: SystemCalls = .live) throws -> SpoolFolder {
        let absolute = absolutePath(path)
        try refuseInsideSpool(absolute)
        do {
            try makeParents(absolute)
            return try SpoolFolder(absolute, makes: true, allowsShared: allowsShared, calls: calls)
        } catch let error as SystemCallError {
            throw userError(error, spool: absolute)
        }
    }

    /// Whether a spool may be made of the folder at `path`; looks only.
    ///
    /// - Throws: what `make` would throw for its place and its mode.
    public static func check(_ path: String, allowsShared: Bool) throws {
        let absolute = absolutePath(path)
        try refuseInsideSpool(absolute)
        do {
            if !allowsShared { try refuseShared(try Directory(path: absolute).status(), path: absolute) }
        } catch let error as SystemCallError {
            throw userError(error, spool: absolute)
        }
    }

    /// Opens an existing spool and changes nothing, but that a folder of it that is gone is made anew.
    ///
    /// - Throws: `FlowspoolError.invalidInput` where `path` is no spool.
    public static func open(at path: String, calls: SystemCalls = .live) throws -> SpoolFolder {
        let absolute = absolutePath(path)
        do {
            return try SpoolFolder(absolute, makes: false, allowsShared: true, calls: calls)
        } catch let error as SystemCallError {
            if error.errno == ENOENT || error.errno == ENOTDIR {
                throw FlowspoolError(
                    .invalidInput, "\(printable(absolute)) is not a spool",
                    hint: "`flowspool init \(shellQuoted(absolute))` makes one; `--spool DIR` names another")
            }
            throw userError(error, spool: absolute)
        }
    }

    private init(_ path: String, makes: Bool, allowsShared: Bool, calls: SystemCalls) throws {
        let root = try Directory(path: path, calls: calls)
        self.root = root
        if !allowsShared { try Self.refuseShared(try root.status(), path: path) }
        control = try makes ? root.makeFolder(Self.controlName) : root.folder(Self.controlName)
        try Self.refuseForeign(try control.status(), path: root.pathOf(Self.controlName))
        func sub(_ name: String) throws -> Directory {
            // Somebody may have removed it, or moved it away; with its control folder it still is a spool.
            if !makes, let folder = try? root.folder(name) { return folder }
            return try root.makeFolder(name)
        }
        active = try sub("active")
        held = try sub("held")
        done = try sub("done")
        failed = try sub("failed")
        runs = try sub("runs")
        for (name, folder) in places {
            try Self.refuseForeign(try folder.status(), path: root.pathOf(name))
            let identity = try folder.status().identity
            identities.withLock { $0[name] = identity }
        }
    }

    /// Whether this is the name of one of the spool's own folders.
    static func isOwn(_ name: [UInt8]) -> Bool { ownNames.contains(name) }

    /// The highest number of a job that has left a folder in `runs/`; 0 without one.
    private func highestRun() throws -> Int64 {
        var highest: Int64 = 0
        for day in try days() {
            try runs.folder(day).forEachEntry { bytes, _ in
                if let number = Int64(String(decoding: bytes, as: UTF8.self)) { highest = max(highest, number) }
                return true
            }
        }
        return highest
    }

    /// Whether a job of this number has left the result of an attempt.
    private func hasResult(_ number: Int64) throws -> Bool {
        for day in try days() {
            // What cannot be opened is no folder of ours.
            guard let attempt = try? runs.folder(day).folder("\(number)").folder("attempt-1") else { continue }
            if try attempt.status(RunFolder.resultName) != nil { return true }
        }
        return false
    }

    /// The folders in `runs/`, one for each day.
    private func days() throws -> [String] {
        var days: [String] = []
        try runs.forEachEntry { bytes, _ in
            let name = String(decoding: bytes, as: UTF8.self)
            if !name.hasPrefix(".") { days.append(name) }
            return true
        }
        return try days.filter { try runs.status($0)?.kind == .folder }
    }

    /// Has the jobs of a ledger that has had none, or is an older copy of the one that was here, numbered after those that another has left
    /// traces of: no job's run folder is that
    /// of another one.
    public func numberJobs(of ledger: Ledger) throws {
        do {
            let (next, mark) = try ledger.read { (try $0.nextNumber(), try $0.fact(.begunMark)) }
            guard try next == 1 || BegunRecord.isOfAnotherLedger(runs, mark: mark) || hasResult(next) else { return }
            let highest = try highestRun()
            if highest >= next { try ledger.write { try $0.beginNumbers(after: highest) } }
        } catch let error as SystemCallError {
            throw error.forUser
        }
    }

    /// Whether flowspool makes files of this name in the control folder, for itself alone: no settings, no worktrees.
    static func isOwnControlFile(_ name: String) -> Bool {
        name == RunnerLock.fileName || name.hasPrefix(Directory.asidePrefix)
            || ["", "-wal", "-shm", "-journal"].contains { name == Ledger.fileName + $0 }
    }

    private static let ownNames = Set((placeNames + [controlName]).map { Array($0.utf8) })

    private var places: [(name: String, folder: Directory)] {
        [("active", active), ("held", held), ("done", done), ("failed", failed), ("runs", runs)]
    }

    /// Takes for the places what stands under their names now: somebody may have moved one away and made another in its stead, as for an
    /// archive of `done/`. One that is gone is made anew. One fstatat(2) each.
    ///
    /// - Returns: the names of those that are others than before.
    /// - Throws: `SystemCallError`; `FlowspoolError` where something else than a folder stands there.
    func refreshPlaces() throws -> [String] {
        var changed: [String] = []
        for (name, folder) in places {
            let now = try root.status(name)
            if let now, now.identity == identities.withLock({ $0[name] }) { continue }
            if let now, now.kind != .folder {
                throw FlowspoolError(
                    .unavailable, "\(printable(root.pathOf(name))) is no folder any more", hint: "move away what stands there")
            }
            let fresh = try now == nil ? root.makeFolder(name) : root.folder(name)
            try Self.refuseForeign(try fresh.status(), path: root.pathOf(name))
            let identity = try fresh.status().identity
            try folder.become(fresh)
            identities.withLock { $0[name] = identity }
            changed.append(name)
        }
        return changed
    }

    /// What a run relies on: that nobody else runs the spool, and that what it records is found again. By name; what is not there is not
    /// in it.
    ///
    /// - Throws: `SystemCallError`.
    func anchors() throws(SystemCallError) -> [String: String] {
        var found: [String: String] = [:]
        found[Self.controlName] = try root.status(Self.controlName)?.identity
        for name in [RunnerLock.fileName, Ledger.fileName] {
            found[Self.controlName + "/" + name] = try control.status(name)?.identity
        }
        return found
    }

    /// The folder that holds the files of this place.
    func directory(_ place: Place) -> Directory? {
        switch place {
        case .drop: root
        case .active: active
        case .held: held
        case .done: done
        case .failed: failed
        case .none: nil
        }
    }

    /// Makes sure of the place of each file: what was moved between the folders, by whomever, is so after a power loss as well.
    func syncPlaces() throws(SystemCallError) {
        for folder in [active, root, done, failed, held] { try folder.sync() }
    }

    /// Whether the path still leads to this folder, and not to one that was made anew or to nothing.
    public func isStillThere() throws -> Bool {
        guard let mine = try? root.status() else { return false }  // An unreadable folder is not there for us.
        var info = stat()
        guard stat(path, &info) == 0 else { return false }
        let now = FileStatus(info)
        return now.device == mine.device && now.inode == mine.inode
    }

    /// Whoever owns one of the spool's own folders decides what stands in it, and so what runs. `root`'s and one's own are trusted.
    private static func refuseForeign(_ status: FileStatus, path: String) throws {
        guard geteuid() != 0, status.owner != geteuid(), status.owner != 0 else { return }
        throw FlowspoolError(
            .invalidInput, "\(printable(path)) belongs to another user (uid \(status.owner)), who could change what runs from it",
            hint: "move it away and look at what is in it; flowspool makes it anew", isLasting: true)
    }

    private static func refuseShared(_ status: FileStatus, path: String) throws {
        guard status.mode & 0o022 != 0 else { return }
        throw FlowspoolError(
            .invalidInput, "\(printable(path)): others may write to this folder (mode \(String(status.mode, radix: 8)))",
            hint: "whoever can drop a prompt runs commands as you: `chmod go-w \(shellQuoted(path))`, or pass --allow-shared")
    }

    /// A spool inside a spool's own folders would have its files moved under it.
    static func refuseInsideSpool(_ path: String) throws {
        // Links resolved, as far as it exists.
        var parent = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        while parent != "/" {
            let name = (parent as NSString).lastPathComponent
            parent = (parent as NSString).deletingLastPathComponent
            if placeNames.contains(name) || name == controlName, isSpool(parent) {
                throw FlowspoolError(
                    .invalidInput, "\(printable(path)) lies inside the spool \(printable(parent))",
                    hint: "use the spool itself, or a folder outside it")
            }
        }
    }

    /// Whether `path` is a folder with a ledger's folder in it.
    public static func isSpool(_ path: String) -> Bool {
        var info = stat()
        return lstat(path + "/" + controlName, &info) == 0 && (info.st_mode & S_IFMT) == S_IFDIR
    }

    private static func makeParents(_ path: String) throws(SystemCallError) {
        var partial = ""
        for component in path.split(separator: "/") {
            partial += "/" + component
            if mkdir(partial, 0o755) != 0, errno != EEXIST {
                let code = errno
                var info = stat()
                if stat(partial, &info) == 0 { continue }
                throw SystemCallError(call: .mkdirat, path: partial, errno: code)
            }
        }
    }

    private static func userError(_ error: SystemCallError, spool: String) -> FlowspoolError {
        if error.errno == ENOTDIR || error.errno == ELOOP {
            return FlowspoolError(
                .invalidInput, "\(printable(error.path)) is not a folder", hint: "a spool needs a folder of its own there")
        }
        return error.forUser
    }
}

/// `path` made absolute against the working folder; `.` and `..` are resolved as text.
public func absolutePath(_ path: String) -> String {
    let full = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    var parts: [Substring] = []
    for part in full.split(separator: "/") {
        if part == "." { continue }
        if part == ".." {
            _ = parts.popLast()
        } else {
            parts.append(part)
        }
    }
    // Neither `joined` nor `+`: for substrings their conformances are looked up by name, for 0.3 ms of a command's start.
    var result = parts.isEmpty ? "/" : ""
    for part in parts {
        result.append("/")
        result.append(contentsOf: part)
    }
    return result
}

/// `text` as one word of a POSIX shell, for hints that a person may paste.
public func shellQuoted(_ text: String) -> String { ShellText.quote(text) }
