// Who waits for which child. A process that adopts orphans (PR_SET_CHILD_SUBREAPER, prctl(2)) has children it never started, and an
// ended one stays in the process table until somebody waits for it; waiting for one that another thread started would take
// that thread's answer. Nothing that the kernel shows of a child tells the two apart, so what was started here is written down.

import CSystemCalls
import Foundation
import Synchronization

/// The children that this process started itself. Every child of this process is started between `begin` and `end`, and waited for
/// with `wait`.
enum OwnChildren {
    /// How a child ended.
    enum Ending: Sendable, Hashable {
        case exited(Int32)
        case signalled(Int32)
        /// It was no child of this process, or somebody else waited for it: the errno of waitid(2).
        case lost(Int32)
    }

    private struct State {
        /// Children that may exist and are not written down yet.
        var starts = 0
        /// Counted: a number may be given out again between the end of one child and the line that strikes it off.
        var pids: [pid_t: Int] = [:]
        /// What was to be reaped while something was being started.
        var postponed: Set<pid_t> = []
    }

    private static let state = Mutex(State())

    /// Starts a child.
    ///
    /// - Parameter start: its number, once it exists; what throws has left none.
    static func start<Failure>(_ start: () throws(Failure) -> pid_t) throws(Failure) -> pid_t {
        begin()
        do throws(Failure) {
            let pid = try start()
            end(pid)
            return pid
        } catch {
            end(nil)
            throw error
        }
    }

    /// A child is about to be started; `end` follows.
    static func begin() { state.withLock { $0.starts += 1 } }

    /// It was started, or could not be.
    static func end(_ pid: pid_t?) {
        state.withLock { state in
            state.starts -= 1
            if let pid { state.pids[pid, default: 0] += 1 }
            guard state.starts == 0, !state.postponed.isEmpty else { return }
            for pid in state.postponed where state.pids[pid] == nil { _ = reap(pid, flags: WNOHANG) }
            state.postponed = []
        }
    }

    /// Waits until a child of ours has ended and reaps it (waitid(2), WEXITED): its number may be anybody's from then on.
    static func wait(for pid: pid_t) -> Ending {
        defer { forget(pid) }
        // Without WNOHANG it returns with an answer.
        return reap(pid, flags: 0) ?? .lost(ECHILD)
    }

    /// Reaps a child of ours if it has ended; nil while it runs.
    static func ifEnded(_ pid: pid_t) -> Ending? {
        let ending = reap(pid, flags: WNOHANG)
        if ending != nil { forget(pid) }
        return ending
    }

    /// Strikes a child off that something else has waited for.
    static func forget(_ pid: pid_t) {
        state.withLock { state in
            guard let count = state.pids[pid] else { return }
            state.pids[pid] = count > 1 ? count - 1 : nil
        }
    }

    /// Reaps a child that has ended, unless it was started here; while something is being started it may have been, and it is seen to
    /// after that.
    static func reapAdopted(_ pid: pid_t) {
        // Nothing begins to start before this is over.
        state.withLock { state in
            if state.pids[pid] != nil { return }
            if state.starts == 0 { _ = reap(pid, flags: WNOHANG) } else { state.postponed.insert(pid) }
        }
    }

    private static func reap(_ pid: pid_t, flags: Int32) -> Ending? {
        var code: Int32 = 0
        var isSignalled: Int32 = 0
        return switch flowspool_reap(pid, flags, &code, &isSignalled) {
        case 0: nil
        case 1: isSignalled != 0 ? .signalled(code) : .exited(code)
        default: .lost(errno)
        }
    }
}
