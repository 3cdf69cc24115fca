// What the kernel grants one user of inotify, and whether any of it is left. Looks only: the instance that it makes to find out
// is closed again at once.

import CInotifyTools
import Glibc

/// The limits of inotify(7), "/proc interfaces".
public struct InotifyLimits: Sendable, Equatable {
    /// nil where the kernel does not say (no /proc).
    public var instances: Int?
    public var watches: Int?
    public var queuedEvents: Int?
    /// errno of inotify_init1(2); 0 where one more instance can be had.
    public var instanceError: Int32

    /// Those of this machine and this user, now.
    public static func present() -> InotifyLimits {
        let descriptor = inotify_init1(Int32(IN_CLOEXEC))
        let code = descriptor < 0 ? errno : 0
        if descriptor >= 0 { close(descriptor) }
        return InotifyLimits(
            instances: number("max_user_instances"), watches: number("max_user_watches"),
            queuedEvents: number("max_queued_events"), instanceError: code)
    }

    private static func number(_ name: String) -> Int? {
        guard let file = fopen("/proc/sys/fs/inotify/\(name)", "re") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 32)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        let digits = buffer.prefix { $0 >= 48 && $0 <= 57 }.map { UInt8(bitPattern: $0) }
        return Int(String(decoding: digits, as: UTF8.self))
    }
}
