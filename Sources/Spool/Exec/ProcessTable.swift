// What /proc says about processes: parents, groups, sessions, children, environments (proc(5)). Each answer is a snapshot that
// may be out of date when it is read; whoever acts on one does so through a pidfd and looks again afterwards.

import CSystemCalls
import Foundation

/// One process, from `/proc/<pid>/stat`.
struct ProcessFacts: Sendable, Hashable {
    var pid: pid_t
    var parent: pid_t
    var group: pid_t
    var session: pid_t
    /// Ended, and not yet waited for by its parent.
    var isEnded: Bool
    /// Start in clock ticks since boot: together with `pid` it names one process for as long as the machine runs.
    var startTicks: UInt64

    struct Identity: Sendable, Hashable {
        var pid: pid_t
        var startTicks: UInt64
    }
    var identity: Identity { Identity(pid: pid, startTicks: startTicks) }

    init?(pid: pid_t) {
        guard let text = ProcessTable.read("/proc/\(pid)/stat", bytesMax: 4096),
            // The second field is the command's name in parentheses, and may itself hold parentheses and blanks.
            let nameEnd = text.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = text[(nameEnd + 1)...].split(separator: UInt8(ascii: " "))
        // Counted from the state, which is field 3 of proc(5): parent 4, group 5, session 6, threads 20, starttime 22.
        guard fields.count > 19, let state = fields[0].first,
            let parent = ProcessTable.number(fields[1]), let group = ProcessTable.number(fields[2]),
            let session = ProcessTable.number(fields[3]), let threads = ProcessTable.number(fields[17]),
            let start = ProcessTable.number(fields[19])
        else { return nil }
        self.pid = pid
        self.parent = pid_t(truncatingIfNeeded: parent)
        self.group = pid_t(truncatingIfNeeded: group)
        self.session = pid_t(truncatingIfNeeded: session)
        // A process whose first thread ended while others go on shows as a zombie, too.
        self.isEnded = (state == UInt8(ascii: "Z") || state == UInt8(ascii: "X")) && threads <= 1
        self.startTicks = start
    }
}

/// Questions to /proc.
enum ProcessTable {
    /// The environment variable that marks every process of an attempt.
    static let mark = "FLOWSPOOL_RUN_DIR"
    /// More processes than a sweep looks at in one pass; what is beyond is met in the next.
    static let processesMax = 65_536

    /// The processes whose parent is this process, the ones that fell to it included.
    static func ownChildren() -> [pid_t] { children(of: "self") }

    static func children(of pid: pid_t) -> [pid_t] { children(of: String(pid)) }

    /// Every process below `pid`, which is not part of the answer.
    static func descendants(of pid: pid_t) -> [pid_t] {
        var found: [pid_t] = []
        var seen: Set<pid_t> = [pid]
        var next = children(of: pid)
        while let child = next.popLast(), found.count < processesMax {
            guard seen.insert(child).inserted else { continue }
            found.append(child)
            next += children(of: child)
        }
        return found
    }

    /// Parent, its parent and so on, of this process.
    static func ownAncestors() -> Set<pid_t> {
        var ancestors: Set<pid_t> = []
        var pid = getppid()
        while pid > 0, ancestors.insert(pid).inserted {
            pid = ProcessFacts(pid: pid)?.parent ?? 0
        }
        return ancestors
    }

    /// The value of `mark` in the environment that `pid` was started with; nil without one, for an ended process, and
    /// for one of another user.
    static func runDirectory(of pid: pid_t) -> String? {
        // An environment may be as large as a quarter of the stack limit: 2 MiB by default (execve(2)).
        guard let bytes = read("/proc/\(pid)/environ", bytesMax: 4 << 20), !bytes.isEmpty else { return nil }
        let wanted = Array((mark + "=").utf8)
        return bytes.withUnsafeBytes { bytes in
            // In place: nearly every process has none, and an array of the entries costs fifty times this.
            var rest = bytes[...]
            while !rest.isEmpty {
                let end = rest.firstIndex(of: 0) ?? rest.endIndex
                if rest.starts(with: wanted) { return String(decoding: rest[..<end].dropFirst(wanted.count), as: UTF8.self) }
                rest = rest[min(end + 1, rest.endIndex)...]
            }
            return nil
        }
    }

    /// All processes of this user, from the entries of /proc.
    static func ownProcesses() -> [pid_t] {
        let own = geteuid()
        return numericEntries("/proc").filter { pid in
            var info = stat()
            return stat("/proc/\(pid)", &info) == 0 && info.st_uid == own
        }
    }

    /// The present moment as the field `starttime` of proc(5) counts it: whole clock ticks since boot, suspended time included.
    static func ticksSinceBoot() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        // 100 on every Linux (sysconf(3), _SC_CLK_TCK); the kernel divides nanoseconds likewise (nsec_to_clock_t).
        let perSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        return UInt64(time.tv_sec) * perSecond + UInt64(time.tv_nsec) / (1_000_000_000 / perSecond)
    }

    /// Names the machine's uptime: a pid and a start time mean nothing after a reboot.
    static func bootIdentifier() -> String {
        let bytes = read("/proc/sys/kernel/random/boot_id", bytesMax: 64) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// `/proc/<pid>/task/<tid>/children` exists where the kernel is built with CONFIG_PROC_CHILDREN, as distributions do;
    /// elsewhere every process is asked for its parent.
    private static func children(of name: String) -> [pid_t] {
        var result: [pid_t] = []
        var isListed = false
        for thread in numericEntries("/proc/\(name)/task") {
            guard let bytes = read("/proc/\(name)/task/\(thread)/children", bytesMax: 1 << 20) else { continue }
            isListed = true
            for word in bytes.split(separator: UInt8(ascii: " ")) {
                if let pid = number(word) { result.append(pid_t(truncatingIfNeeded: pid)) }
            }
        }
        if isListed || access("/proc/self/task/\(getpid())/children", F_OK) == 0 { return result }
        let parent = name == "self" ? getpid() : pid_t(name) ?? 0
        return numericEntries("/proc").filter { ProcessFacts(pid: $0)?.parent == parent }
    }

    private static func numericEntries(_ path: String) -> [pid_t] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var result: [pid_t] = []
        while result.count < processesMax, let entry = readdir(stream) {
            // `d_name` is 256 bytes, NUL-terminated (readdir(3)).
            let pid = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { strtol($0, nil, 10) }
            }
            if pid > 0 { result.append(pid_t(truncatingIfNeeded: pid)) }
        }
        return result
    }

    /// The content of a file of /proc; nil where it cannot be read, which is usual: the process is gone.
    static func read(_ path: String, bytesMax: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while result.count < bytesMax {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            result += buffer[0..<count]
        }
        return result
    }

    static func number(_ digits: some Sequence<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        var isEmpty = true
        for digit in digits {
            // The last word of a line ends in a newline.
            if digit == UInt8(ascii: "\n") { break }
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value &* 10 &+ UInt64(digit - UInt8(ascii: "0"))
            isEmpty = false
        }
        return isEmpty ? nil : value
    }
}
