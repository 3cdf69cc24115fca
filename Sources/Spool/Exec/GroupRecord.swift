// The process groups that run now, written down beside the runs, so that a group can be found after the runner was killed even
// if its processes cleared their environment. One small file of fixed slots; a slot is written when a group starts and
// emptied when it is gone. No fsync: the page cache outlives the runner, and a power loss takes the groups as well.

import Foundation
import Synchronization

/// The file `runs/.groups`.
final class GroupRecord: Sendable {
    static let name = ".groups"
    /// Bytes of a slot: pid, start ticks, session, boot id (36) and the file's own number as text, filled up with blanks.
    static let slotBytes = 128
    /// More groups at one time than any `--jobs`; what is beyond is not written down.
    static let slotsMax = 1024

    private let file: Descriptor
    private let taken = Mutex<Set<Int>>([])
    private let boot = ProcessTable.bootIdentifier()
    /// Of this very file: in a copy of the spool, or one that was restored, its entries are another spool's.
    private let own: String

    /// Opens the record, or makes it. What an earlier runner wrote stays until `clear`.
    init?(runsDirectory: String) {
        let path = runsDirectory + "/" + Self.name
        let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        // Without a record, strays are still found by their environment.
        guard descriptor >= 0 else { return nil }
        file = Descriptor(descriptor)
        own = Self.number(of: descriptor)
        fchmod(descriptor, 0o600)
    }

    /// Writes down the group that `leader` leads. Returns the slot, to be emptied with `remove`.
    ///
    /// - Parameter before: the tick before it was started. Where the present tick is the same, so is that of its start, and /proc
    ///   need not be asked, which waits for the execve(2) that is under way.
    func add(_ leader: pid_t, startedAfter before: UInt64? = nil) -> Int? {
        let slot = taken.withLock { taken -> Int? in
            guard let free = (0..<Self.slotsMax).first(where: { !taken.contains($0) }) else { return nil }
            taken.insert(free)
            return free
        }
        guard let slot else { return nil }
        let isSameTick = before != nil && before == ProcessTable.ticksSinceBoot()
        let start = (isSameTick ? before : ProcessFacts(pid: leader)?.startTicks) ?? 0
        write("\(leader) \(start) \(getsid(0)) \(boot) \(own)", slot)
        return slot
    }

    /// Tells a file from every other one, and from its copies.
    static func number(of descriptor: Int32) -> String {
        var info = stat()
        return fstat(descriptor, &info) == 0 ? "\(info.st_dev):\(info.st_ino)" : "-"
    }

    func remove(_ slot: Int) {
        write("", slot)
        taken.withLock { _ = $0.remove(slot) }
    }

    private func write(_ text: String, _ slot: Int) {
        var bytes = Array(text.utf8.prefix(Self.slotBytes - 1))
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: Self.slotBytes - 1 - bytes.count) + [UInt8(ascii: "\n")]
        // A slot that could not be written is a group found by its environment only.
        _ = pwrite(file.value, bytes, bytes.count, off_t(slot * Self.slotBytes))
    }

    /// Empties the record, once what it names is gone and before anything else starts.
    static func clear(runsDirectory: String) {
        let descriptor = open(runsDirectory + "/" + name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        // Entries that stay are checked against boot, session and start time anyway.
        ftruncate(descriptor, 0)
        close(descriptor)
    }

    /// A group as an earlier runner of this boot wrote it down.
    struct Entry: Sendable, Hashable {
        var leader: pid_t
        var startTicks: UInt64
        var session: pid_t
    }

    static func entries(runsDirectory: String) -> [Entry] {
        let descriptor = open(runsDirectory + "/" + name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: slotBytes * slotsMax)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return [] }
        let boot = Array(ProcessTable.bootIdentifier().utf8)
        let own = Array(number(of: descriptor).utf8)
        return bytes[0..<count].split(separator: UInt8(ascii: "\n")).compactMap { line in
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count == 5, words[3].elementsEqual(boot), words[4].elementsEqual(own),
                let leader = ProcessTable.number(words[0]), leader > 1,
                let start = ProcessTable.number(words[1]), let session = ProcessTable.number(words[2])
            else { return nil }
            return Entry(
                leader: pid_t(truncatingIfNeeded: leader), startTicks: start, session: pid_t(truncatingIfNeeded: session))
        }
    }
}
