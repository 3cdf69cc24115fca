// One life of libinotifytools, from `inotifytools_initialize` to `inotifytools_cleanup`, on the thread that owns it. The
// library's state is one per process and not thread-safe; at most one session exists (InotifyEventSource sees to it).
// The library cannot forget a watch that the kernel has dropped: `inotifytools_remove_watch_by_wd` then prints to standard
// error and keeps its entry. So no single watch is ever removed; the session ends and a new one begins, and nothing drifts.

import CInotifyTools
import Glibc

/// An event, copied out of the library's static buffer.
struct InotifyEvent {
    let watch: Int32
    let mask: UInt32
    let name: [UInt8]

    func has(_ bits: Int32) -> Bool { mask & UInt32(bitPattern: bits) != 0 }
}

final class InotifySession {
    enum Reading {
        case event(InotifyEvent)
        case nothing
        case failed(errno: Int32)
    }

    private let descriptor: Int32
    private var watches: [Int32] = []
    private var hasEnded = false

    /// Starts the library and sets close-on-exec on its descriptor, which the library opens without and never shows.
    ///
    /// A child that another thread starts in the microseconds between still inherits it; `inotify_init(2)` leaves no way
    /// to close that gap.
    init() throws(WatcherError) {
        // Another inotify instance may appear in this process at the same moment; then it is unclear which is whose.
        for _ in 0..<8 {
            let before = try Self.inotifyDescriptors()
            guard inotifytools_initialize() != 0 else { throw .initializing(errno: inotifytools_error()) }
            let new = try Self.inotifyDescriptors().subtracting(before)
            for descriptor in new { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            if new.count == 1, let own = new.first {
                guard own < Int32(FD_SETSIZE) else {
                    inotifytools_cleanup()
                    throw WatcherError(
                        .descriptorTooHigh,
                        "cannot start inotify: its descriptor would be \(own), and the library takes at most 1023",
                        hint: "too many files are open in this process; poll the folder instead")
                }
                descriptor = own
                return
            }
            inotifytools_cleanup()
        }
        throw WatcherError(.system, "cannot tell the inotify descriptor in /proc/self/fd", hint: "is /proc mounted?")
    }

    /// Watches what `path` leads to now and returns the watch's number. A path is given at most once in a session.
    func watch(_ path: String, mask: Int32, naming folder: String) throws(WatcherError) -> Int32 {
        guard inotifytools_watch_file(path, mask) != 0 else { throw .addingWatch(folder, errno: inotifytools_error()) }
        let watch = inotifytools_wd_from_filename(path)
        watches.append(watch)
        return watch
    }

    /// Waits for an event for up to `timeoutSeconds` (at least 1: the library takes 0 as forever).
    func next(timeoutSeconds: Int) -> Reading {
        guard let event = inotifytools_next_event(max(timeoutSeconds, 1)) else {
            let error = inotifytools_error()
            return error == 0 || error == EINTR ? .nothing : .failed(errno: error)
        }
        // The name follows the fixed part and is padded with zero bytes up to `len` (inotify(7)).
        let bytes = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(event) + MemoryLayout<inotify_event>.size, count: Int(event.pointee.len))
        return .event(InotifyEvent(watch: event.pointee.wd, mask: event.pointee.mask, name: Array(bytes.prefix { $0 != 0 })))
    }

    /// Takes one event without waiting; whether there was one.
    func hasEvent() -> Bool { inotifytools_next_events(0, 1) != nil }

    /// Watches in the library's books.
    var watchCount: Int { Int(inotifytools_get_num_watches()) }

    /// Ends the library's life. Takes some 10 ms: the kernel waits until nobody looks at the watches any more.
    /// Nothing else may be called after it. Safe to repeat.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        // The library's read buffer survives its clean-up, and a later session would be handed what is left in it. So no
        // more events may come (the raw call: a watch that is gone already is no error here), and what is queued is read.
        for watch in watches { _ = inotify_rm_watch(descriptor, watch) }
        while hasEvent() {}
        inotifytools_cleanup()
    }

    deinit { end() }

    /// The descriptors of this process that are inotify instances.
    private static func inotifyDescriptors() throws(WatcherError) -> Set<Int32> {
        var found: Set<Int32> = []
        let names = try FolderListing("/proc/self/fd")
        while let name = names.next() {
            guard let descriptor = Int32(String(decoding: name, as: UTF8.self)) else { continue }
            var link = [CChar](repeating: 0, count: 32)
            let length = readlink("/proc/self/fd/\(descriptor)", &link, link.count)
            let target = link.prefix(max(length, 0)).map { UInt8(bitPattern: $0) }
            if target.elementsEqual("anon_inode:inotify".utf8) { found.insert(descriptor) }
        }
        return found
    }
}
