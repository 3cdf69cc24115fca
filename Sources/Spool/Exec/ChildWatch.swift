// Watches one started child to its end, on one thread: takes what it prints, ends it when its time is up or the work was
// called off, and then ends whatever it left behind. Everything is waited for by event: the child and its remains by pidfd,
// output by pipe, a cancellation by eventfd, time by the poll's own limit.
//
// How nothing escapes: this process adopts orphans (PR_SET_CHILD_SUBREAPER), so that a descendant whose parent ends becomes a
// child of ours, whatever group or session it moved to. It is the attempt's when it is in the child's group, or carries the
// attempt's `FLOWSPOOL_RUN_DIR`, or descends from such a process. A process that left the group, cleared its environment *and*
// lost its parent before anything was signalled cannot be told from others and is let be. So is one that has become another user's.

import CSystemCalls
import Foundation

/// A call-off that reaches a blocked thread. The descriptor lives as long as anybody holds this.
final class CancelSignal: Sendable {
    let descriptor: Int32

    init() throws(SystemCallError) {
        descriptor = flowspool_eventfd()
        if descriptor < 0 { throw SystemCallError(call: .open, path: "eventfd", errno: errno) }
    }

    deinit { close(descriptor) }

    /// Sets the signal for good; may be called from any thread, any number of times.
    func set() {
        var one: UInt64 = 1
        // Fails only where the counter is at its limit, which is set as well.
        _ = write(descriptor, &one, 8)
    }
}

/// The watch over one child, from its start until nothing of it is left. One thread owns it.
struct ChildWatch: ~Copyable {
    /// What ended the wait for the leader.
    enum Cause: Sendable { case ended, timedOut, cancelled }

    let leader: pid_t
    let runDirectory: String?
    let graceSeconds: Double
    private let cancel: CancelSignal
    /// Lists the children of this process.
    private let children: () -> [pid_t]
    private var streams: [OutputPipe]
    /// On the monotonic clock, in nanoseconds.
    private let deadline: UInt64?
    /// When the processes that were asked to end are ended by force; nil before anything was asked, and after the force.
    private var graceEnd: UInt64?
    private var isKilling = false
    /// Those who got the signal of the present stage.
    private var signalled: Set<ProcessFacts.Identity> = []
    /// Those who were ever signalled: they stay the attempt's, with whatever mark, when they fall to this process.
    private var known: Set<ProcessFacts.Identity> = []
    /// Those that belong to another user by now (`sudo`, a set-user-ID program) and take no signal of ours: they are let be.
    private var foreign: Set<ProcessFacts.Identity> = []
    /// Sends a signal; nil, or errno.
    private let send: (_ pidfd: Int32, _ signal: Int32) -> Int32?
    /// Children that were listed and had ended when they were looked at.
    private var endedWhenSeen: Set<pid_t> = []

    init(
        leader: pid_t, runDirectory: String?, streams: [OutputPipe], cancel: CancelSignal, deadline: UInt64?,
        graceSeconds: Double, children: @escaping () -> [pid_t] = ProcessTable.ownChildren,
        send: @escaping (_ pidfd: Int32, _ signal: Int32) -> Int32? = { flowspool_pidfd_send_signal($0, $1) == 0 ? nil : errno }
    ) {
        self.leader = leader
        self.runDirectory = runDirectory
        self.streams = streams
        self.cancel = cancel
        self.deadline = deadline
        self.graceSeconds = graceSeconds
        self.children = children
        self.send = send
    }

    // MARK: The leader

    /// Gives the child the processors for its first 2 ms, or until it ends: whoever is told of its start would take one. A job of a
    /// millisecond is told of once.
    func letBegin(pidfd: Int32) {
        var polled = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        // Cut short by a signal, the time is over.
        _ = poll(&polled, 1, 2)
    }

    /// Waits until the leader has ended, ending it when it must. It is not reaped, which keeps its pid and its group's
    /// number from being used again.
    mutating func waitForLeader(pidfd: Int32) -> Cause {
        var cause = Cause.ended
        while true {
            let waited = wait(for: [pidfd], alsoForCancel: cause == .ended, until: cause == .ended ? deadline : graceEnd)
            switch waited {
            case .ready: return cause
            case .cancelled: cause = .cancelled
            case .timeUp where cause == .ended: cause = .timedOut
            case .timeUp: break
            }
            escalate()
            signalTree()
        }
    }

    /// From nothing to TERM, from TERM to KILL. Only a process in an uninterruptible system call outlives that, and nothing
    /// else can be done about one.
    private mutating func escalate() {
        isKilling = graceEnd != nil
        graceEnd = isKilling ? nil : Self.now() + Self.nanoseconds(graceSeconds)
        signalled = []
    }

    private var signal: Int32 { isKilling ? SIGKILL : SIGTERM }

    /// To the group, and to the descendants that left it. The leader is not reaped, so its number is its own.
    private mutating func signalTree() {
        let below = ProcessTable.descendants(of: leader).compactMap(ProcessFacts.init(pid:))
        kill(-leader, signal)
        // A stopped process takes a TERM only when it goes on.
        if !isKilling { kill(-leader, SIGCONT) }
        for process in below {
            if process.group == leader {
                signalled.insert(process.identity)
                known.insert(process.identity)
            } else {
                end(process)
            }
        }
    }

    // MARK: What is left

    /// Ends what the leader left behind, and takes the last of the output. The leader has been reaped.
    ///
    /// Whoever had no TERM yet gets one, and the grace that is left of a termination under way, or a new one.
    mutating func endRemains() {
        // One system call in the usual case: no child of any kind.
        while flowspool_has_children() != 0 {
            let (remains, isWhole) = remains()
            if remains.isEmpty {
                if isWhole { break }
                continue
            }
            if graceEnd == nil && !isKilling { escalate() }
            // While a child of ours in the group is not reaped, the group's number is its own; unlike one signal after the
            // other, one to the group cannot be outrun by forking.
            if isKilling && remains.contains(where: { $0.group == leader && $0.parent == getpid() }) { kill(-leader, SIGKILL) }
            for process in remains { end(process) }
            if waitForAny(of: remains, until: graceEnd) { escalate() }
        }
        for stream in streams { stream.finish() }
    }

    /// Adopted processes of this attempt that are alive, with their descendants. Adopted ones that have ended are reaped on the way.
    ///
    /// - Returns: `isWhole`: false where a child had ended, for the first time, when it was looked at. Its own children fall to this process
    ///   when it ends, perhaps after the listing; and where it was reaped meanwhile, the listing may lack others (proc(5),
    ///   `/proc/tid/children`: reliable only while all children are stopped). Only for the first time, so that one that cannot be
    ///   reaped or read (a debugger holds it, descriptors are out) keeps nobody here.
    private mutating func remains() -> (found: [ProcessFacts], isWhole: Bool) {
        var found: [ProcessFacts] = []
        var isWhole = true
        for pid in children() {
            let facts = ProcessFacts(pid: pid)
            guard let facts, !facts.isEnded else {
                // Adopted, whosever it was, it is waited for by nobody else.
                if facts != nil { OwnChildren.reapAdopted(pid) }
                if endedWhenSeen.insert(pid).inserted { isWhole = false }
                continue
            }
            let isOurs =
                facts.group == leader || known.contains(facts.identity)
                || (runDirectory != nil && ProcessTable.runDirectory(of: pid) == runDirectory)
            guard isOurs else { continue }
            let below = ProcessTable.descendants(of: pid).compactMap(ProcessFacts.init(pid:)).filter { !$0.isEnded }
            found += ([facts] + below).filter { !foreign.contains($0.identity) }
        }
        return (found, isWhole)
    }

    /// Sends the present stage's signal, once to each process: through a pidfd, and only if the process that it opened is
    /// still the one that was meant.
    private mutating func end(_ process: ProcessFacts) {
        guard signalled.insert(process.identity).inserted else { return }
        known.insert(process.identity)
        let descriptor = flowspool_pidfd_open(process.pid)
        guard descriptor >= 0 else {
            // For want of descriptors it has not got the signal.
            if errno != ESRCH { signalled.remove(process.identity) }
            return
        }
        defer { close(descriptor) }
        guard ProcessFacts(pid: process.pid)?.identity == process.identity else { return }
        if send(descriptor, signal) == EPERM { foreign.insert(process.identity) }
        if !isKilling { _ = send(descriptor, SIGCONT) }
    }

    /// Waits until one of the processes ends or the time is up. Returns whether the time is up.
    private mutating func waitForAny(of processes: [ProcessFacts], until: UInt64?) -> Bool {
        // One event is enough, so that not every process needs a descriptor.
        var descriptors: [Int32] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        for process in processes.filter({ !foreign.contains($0.identity) }).prefix(64) {
            let descriptor = flowspool_pidfd_open(process.pid)
            if descriptor < 0 {
                // It ended since it was listed.
                if errno == ESRCH { return false }
                break
            }
            descriptors.append(descriptor)
        }
        // Without an event for any of them, they are looked at again.
        let look = descriptors.isEmpty ? Self.now() + Self.nanoseconds(0.1) : .max
        let isOver = wait(for: descriptors, alsoForCancel: false, until: min(until ?? .max, look)) == .timeUp
        return isOver && until.map { Self.now() >= $0 } ?? false
    }

    // MARK: Waiting

    private enum Waited { case ready, timeUp, cancelled }

    /// Waits until one of `descriptors` is ready, taking output meanwhile.
    private mutating func wait(for descriptors: [Int32], alsoForCancel: Bool, until: UInt64?) -> Waited {
        while true {
            var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            // poll(2) skips negative descriptors.
            polled.append(pollfd(fd: alsoForCancel ? cancel.descriptor : -1, events: Int16(POLLIN), revents: 0))
            for stream in streams {
                polled.append(pollfd(fd: stream.isAtEnd ? -1 : stream.descriptor, events: Int16(POLLIN), revents: 0))
            }
            let count = poll(&polled, nfds_t(polled.count), Self.milliseconds(until: until))
            // EINTR, or EAGAIN for want of kernel memory: look again.
            if count < 0 { continue }
            for (index, stream) in streams.enumerated() where polled[descriptors.count + 1 + index].revents != 0 {
                stream.take(isLast: false)
            }
            if polled[..<descriptors.count].contains(where: { $0.revents != 0 }) { return .ready }
            if polled[descriptors.count].revents != 0 { return .cancelled }
            // Also after output, or a child that never stops printing would never time out.
            if let until, Self.now() >= until { return .timeUp }
        }
    }

    /// The first trouble with an output file.
    var outputTrouble: SystemCallError? { streams.compactMap(\.trouble).first }

    /// CLOCK_MONOTONIC, in nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// At most 100 years, so that any number a person writes fits.
    static func nanoseconds(_ seconds: Double) -> UInt64 {
        seconds.isFinite ? UInt64(min(max(seconds, 0), 3_155_760_000) * 1e9) : 3_155_760_000 * 1_000_000_000
    }

    private static func milliseconds(until: UInt64?) -> Int32 {
        guard let until else { return -1 }
        let now = now()
        // Rounded up, so that the wait is not repeated with 0 for the last fraction.
        return until <= now ? 0 : Int32(min((until - now + 999_999) / 1_000_000, 86_400_000))
    }
}
