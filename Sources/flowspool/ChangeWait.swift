// Waiting until something below a folder changes, for commands that follow what a runner does (`logs -f`, `wait`, `cancel`). An
// inotify instance of its own; events are only a reason to look again. What can go wrong: no instance is left (the user's limit)
// or the filesystem announces nothing: then `wait` ends by its time limit, and following is a slow poll.

import Foundation

final class ChangeWait {
    private let descriptor: Int32
    /// What the last call returned for may not be there to be seen yet: the event of a commit comes a moment before it can be read.
    private var hasJustChanged = false
    private static let momentMilliseconds: Int32 = 15

    /// Watches the folders at `paths`, not what is below them.
    init(_ paths: [String]) {
        descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        for path in paths { watch(path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// A folder that cannot be watched is not: the time limit of `wait` stands in.
    func watch(_ path: String) {
        guard descriptor >= 0 else { return }
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF)
        _ = inotify_add_watch(descriptor, path, events)
    }

    /// Returns when something has changed since the last call, a moment after that once more, or after `milliseconds`.
    func wait(milliseconds: Int32) {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // A negative descriptor is ignored by poll(2): then this is a plain pause.
        guard poll(&wait, 1, hasJustChanged ? min(milliseconds, Self.momentMilliseconds) : milliseconds) > 0 else {
            hasJustChanged = false
            return
        }
        hasJustChanged = true
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while read(descriptor, &buffer, buffer.count) > 0 {}
    }
}
