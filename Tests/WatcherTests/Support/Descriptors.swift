// What this process, and a child of it, hold open: read from /proc, which is the kernel's own word.

import Foundation
import Glibc

/// The inotify descriptors of this process.
func inotifyDescriptors() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == "anon_inode:inotify"
    }
}

/// How many watches the kernel keeps for this process.
func kernelWatches() throws -> Int {
    try inotifyDescriptors().reduce(0) { count, descriptor in
        let info = try String(contentsOfFile: "/proc/self/fdinfo/\(descriptor)", encoding: .utf8)
        return count + info.split(separator: "\n").count { $0.hasPrefix("inotify ") }
    }
}

/// The names of this process's threads that are not on their way out.
///
/// pthread_join(3) returns when the kernel has cleared the thread's id, a moment before the thread leaves /proc (CLONE_CHILD_CLEARTID in
/// clone(2)). By then `PF_EXITING` stands among its flags (proc_pid_stat(5)).
func threadNames() throws -> [String] {
    let exiting: UInt32 = 0x4
    return try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap {
        // A thread may end between the listing and the look.
        guard let stat = try? String(contentsOfFile: "/proc/self/task/\($0)/stat", encoding: .utf8),
            let opening = stat.firstIndex(of: "("), let closing = stat.lastIndex(of: ")")
        else { return nil }
        // After the name: state, ppid, pgrp, session, tty_nr, tpgid, flags.
        let fields = stat[closing...].split(separator: " ").dropFirst()
        guard fields.count > 6, let flags = UInt32(fields[fields.startIndex + 6]), flags & exiting == 0 else { return nil }
        return String(stat[stat.index(after: opening)..<closing])
    }
}

/// What a child started by plain `posix_spawn` finds in its /proc/self/fd.
func descriptorsInChild() throws -> String {
    var ends: [Int32] = [0, 0]
    try TemporaryFolder.check("pipe2", pipe(&ends))
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    var child = pid_t()
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("ls"), strdup("-l"), strdup("/proc/self/fd"), nil]
    defer { for argument in arguments { free(argument) } }
    let status = posix_spawn(&child, "/bin/ls", &actions, nil, arguments, environ)
    close(ends[1])
    guard status == 0 else { throw TemporaryFolder.Failure(call: "posix_spawn", errno: status) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = read(ends[0], &buffer, buffer.count), count > 0 { text += buffer.prefix(count) }
    var ending: Int32 = 0
    waitpid(child, &ending, 0)
    return String(decoding: text, as: UTF8.self)
}
