// What a crashed runner left running is ended before anything else starts (DESIGN "What is guaranteed", 3). Nothing is
// assumed of how it was started: the marks are the environment, the written-down group, and descent from either. Never touched:
// this process, its ancestors (flowspool may itself run in a prompt's block), and processes of other users.

import CSystemCalls
import Foundation

extension LocalExecutor {
    public func endStrays(runsDirectory: String) async throws -> Int {
        let grace = graceSeconds
        return await onThread {
            let count = Strays(runsDirectory: runsDirectory).end(graceSeconds: grace)
            GroupRecord.clear(runsDirectory: runsDirectory)
            return count
        }
    }
}

/// The processes that an earlier runner of one spool left behind.
struct Strays: Sendable {
    private let prefixes: [String]
    private let entries: [GroupRecord.Entry]
    private let spared: Set<pid_t>

    init(runsDirectory: String) {
        var prefixes: [String] = []
        // As it is written now, and as a runner that was given another spelling would have written it.
        for path in [runsDirectory, Self.resolved(runsDirectory)].compactMap({ $0 }) {
            prefixes.append(path.hasSuffix("/") ? path : path + "/")
        }
        self.prefixes = prefixes
        entries = GroupRecord.entries(runsDirectory: runsDirectory)
        spared = ProcessTable.ownAncestors().union([getpid(), 1])
    }

    /// TERM, grace, KILL, until none is left. Returns how many groups were ended.
    func end(graceSeconds: Double) -> Int {
        var groups: Set<pid_t> = []
        var signalled: Set<ProcessFacts.Identity> = []
        var known: Set<pid_t> = []
        var signal = SIGTERM
        var until = ChildWatch.now() + ChildWatch.nanoseconds(graceSeconds)
        while true {
            let strays = find()
            if strays.isEmpty {
                // Those that fell to this process; of any other there is nothing to reap.
                known.forEach(OwnChildren.reapAdopted)
                return groups.count
            }
            groups.formUnion(strays.map(\.group))
            known.formUnion(strays.map(\.pid))
            var waited: [pollfd] = []
            for process in strays {
                let descriptor = flowspool_pidfd_open(process.pid)
                guard descriptor >= 0 else { continue }
                waited.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                // Between the listing and the opening another process may have got the number.
                guard ProcessFacts(pid: process.pid)?.identity == process.identity else { continue }
                if signalled.insert(process.identity).inserted {
                    _ = flowspool_pidfd_send_signal(descriptor, signal)
                    if signal == SIGTERM { _ = flowspool_pidfd_send_signal(descriptor, SIGCONT) }
                }
            }
            // They are not our children (or they are, adopted): a pidfd tells the end of either.
            let now = ChildWatch.now()
            let left = signal == SIGKILL ? -1 : Int32(min((until > now ? until - now : 0) / 1_000_000 + 1, 86_400_000))
            // Where there are no descriptors for any of them, they are looked at again in a moment.
            _ = poll(&waited, nfds_t(waited.count), waited.isEmpty ? 50 : left)
            for item in waited { close(item.fd) }
            if signal == SIGTERM && ChildWatch.now() >= until {
                signal = SIGKILL
                signalled = []
                until = .max
            }
        }
    }

    /// Whether `pid` is never ended, whatever its marks.
    func spares(_ pid: pid_t) -> Bool { spared.contains(pid) }

    /// The strays that are alive now.
    private func find() -> [ProcessFacts] {
        let all = ProcessTable.ownProcesses().compactMap(ProcessFacts.init(pid:)).filter {
            !$0.isEnded && !spares($0.pid)
        }
        var found: Set<pid_t> = []
        for process in all where isMarked(process.pid) || isRecorded(process) { found.insert(process.pid) }
        if found.isEmpty { return [] }
        // With those who descend from one, and with the groups that one leads.
        let childrenByParent = Dictionary(grouping: all, by: \.parent)
        let membersByGroup = Dictionary(grouping: all, by: \.group)
        var next = Array(found)
        while let pid = next.popLast() {
            for process in (childrenByParent[pid] ?? []) + (membersByGroup[pid] ?? []) where found.insert(process.pid).inserted {
                next.append(process.pid)
            }
        }
        return all.filter { found.contains($0.pid) }
    }

    private func isMarked(_ pid: pid_t) -> Bool {
        guard let value = ProcessTable.runDirectory(of: pid) else { return false }
        return prefixes.contains { value.hasPrefix($0) }
            || Self.resolved(value).map { value in prefixes.contains { value.hasPrefix($0) } } ?? false
    }

    /// In a group that was written down. While a member lives, the kernel gives the group's number to nobody else; a leader
    /// that is alive must be the one that was written down.
    private func isRecorded(_ process: ProcessFacts) -> Bool {
        entries.contains { entry in
            guard process.group == entry.leader, process.session == entry.session, process.startTicks >= entry.startTicks else {
                return false
            }
            guard let leader = ProcessFacts(pid: entry.leader) else { return true }
            return leader.startTicks == entry.startTicks
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}
