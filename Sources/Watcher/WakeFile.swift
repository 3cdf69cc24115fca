// How another thread wakes the one that sits in the library's `select`: a nameless file in memory (`memfd_create(2)`) that
// is watched by the same inotify instance. A write to it is one more event in the queue, so a wake-up cannot be lost
// between two calls (as a signal could) and nothing appears on any disk.

import CInotifyTools
import Dispatch
import Glibc
import Synchronization

final class WakeFile: Sendable {
    private let descriptor: Int32
    private let stopping = Atomic<Bool>(false)
    private let semaphore = DispatchSemaphore(value: 0)

    init() throws(WatcherError) {
        let file = flowspool_memfd_create("flowspool-wake")
        guard file >= 0 else { throw .system("memfd_create", nil, errno: errno) }
        defer { close(file) }
        // Opened a second time: Linux 6.14 and later announce nothing that is written by memfd_create's own descriptor.
        descriptor = open("/proc/self/fd/\(file)", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", "/proc/self/fd/\(file)", errno: errno) }
    }

    /// The path by which this process can watch the file (`proc_pid_fd(5)`).
    var path: String { "/proc/self/fd/\(descriptor)" }

    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Makes the thread look again: at its clock, and whether it is to stop.
    func wake() {
        touch()
        semaphore.signal()
    }

    /// Makes an event.
    func touch() {
        var byte: UInt8 = 1
        // Cannot fail for one byte at the start of a file in memory; if it did, the thread's next timeout comes anyway.
        _ = pwrite(descriptor, &byte, 1, 0)
    }

    func requestStop() {
        stopping.store(true, ordering: .releasing)
        wake()
    }

    /// Waits without the library, for when there is no inotify instance to wait in.
    func wait(seconds: Int) {
        _ = semaphore.wait(timeout: .now() + .seconds(seconds))
    }

    deinit { close(descriptor) }
}
