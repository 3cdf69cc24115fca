// A shell that begins before its script is there: it takes longer to start than the claim takes to be on disk. Nothing of the prompt runs
// before that: the script's file holds a line that ends the shell, and a lease on it keeps the shell waiting in open(2). On release the
// block is written in that line's place, and the lease is given up.

import CSystemCalls
import Foundation
import Synchronization

/// A script's file that nobody can open until the script is in it.
public final class HeldScript: Sendable {
    /// What stands there instead. Whoever gets in too early, where a lease does not hold, ends by a signal: a block that did not run
    /// must not be taken for one that succeeded.
    static let placeholder = Data("# The block comes here when its claim is on disk.\nkill -KILL $$\n".utf8)
    /// How long a lease is relied on, in seconds; nil: not at all, because the kernel ends one too soon.
    static let secondsMax: Double? = {
        let text = try? String(contentsOfFile: "/proc/sys/fs/lease-break-time", encoding: .utf8)
        let seconds = text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? 0
        return seconds >= 30 ? 5 : nil
    }()

    private let file: OpenFile
    private let text: Data
    private let since: UInt64
    private let secondsMax: Double

    /// Holds a file of `folder` that has the placeholder in it.
    ///
    /// - Returns: nil where a lease is not to be had: a file system without them, or somebody has the file open.
    init?(_ name: String, in folder: RunFolder, text: Data, secondsMax: Double? = HeldScript.secondsMax) {
        guard let secondsMax, let file = try? folder.directory.openForWriting(name), flowspool_hold_open(file.descriptor) == 0
        else { return nil }
        self.file = file
        self.text = text
        self.secondsMax = secondsMax
        since = ChildWatch.now()
    }

    /// Lets the file be opened as it is.
    func letGo() { file.endLease() }

    /// Puts the script in its place and lets it be opened.
    ///
    /// - Returns: false where it was held for too long, or cannot be written; it is still held then.
    func release() -> Bool {
        // The kernel ends a lease so many seconds after somebody has come, and nobody came before it was taken.
        guard ChildWatch.now() - since < ChildWatch.nanoseconds(secondsMax) else { return false }
        do throws(SystemCallError) {
            try file.write(text)
            if text.count < Self.placeholder.count { try file.truncate(text.count) }
        } catch {
            return false
        }
        file.endLease()
        return true
    }
}

/// A child that was started.
struct StartedChild: Sendable {
    let pid: pid_t
    let pidfd: Int32
    /// Its place in the record of groups.
    let slot: Int?
}

/// A shell that has begun, and whose script is held. Given up, it is ended, and has run nothing.
///
/// What must hold: while it exists, nobody but its release puts a script under that name; the shell may open it at any moment.
final class HeldShell: Sendable {
    private enum State { case held, released, taken }

    let child: StartedChild
    private let script: HeldScript
    private let groups: GroupRecord?
    private let state = Mutex(State.held)

    init(_ child: StartedChild, script: HeldScript, groups: GroupRecord?) {
        self.child = child
        self.script = script
        self.groups = groups
    }

    deinit { giveUp() }

    /// Lets it read its script.
    ///
    /// - Returns: false where that cannot be; it is ended then, and the block can be started as if nothing had been tried.
    func release() -> Bool {
        let isReleased = state.withLock { state in
            guard state == .held, script.release() else { return false }
            state = .released
            return true
        }
        if !isReleased { giveUp() }
        return isReleased
    }

    /// The child, which was released, once.
    func take() throws(NotStarted) -> StartedChild {
        let isReleased = state.withLock { state in
            guard state == .released else { return false }
            state = .taken
            return true
        }
        if !isReleased { throw NotStarted(text: "its script was not released, or it was run before") }
        return child
    }

    /// Ends it, unless somebody has taken it.
    func giveUp() {
        let isOver = state.withLock { state in
            defer { state = .taken }
            return state == .taken
        }
        if isOver { return }
        _ = flowspool_pidfd_send_signal(child.pidfd, SIGKILL)
        _ = OwnChildren.wait(for: child.pid)
        child.slot.map { groups?.remove($0) }
        close(child.pidfd)
        // Only now that nobody waits there.
        script.letGo()
    }
}
