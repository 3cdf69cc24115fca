// Runs one short-lived helper program with bounded time, memory and output. It talks through socket pairs, not pipes: they are made
// close-on-exec in one step, so no other child can inherit an end and keep it open, and a write to a child that has closed
// its input is an error (MSG_NOSIGNAL), never a signal. The child gets its own process group and an empty environment; it is
// killed at a limit and always reaped.

import CSystemCalls
import Foundation

enum ChildProgram {
    struct Output: Sendable {
        var bytes: [UInt8] = []
        var errors: [UInt8] = []
        /// Exit status, or 128 + signal.
        var status: Int32 = 0
    }

    struct Limits: Sendable {
        var seconds: Double
        var outputBytesMax: Int
        var errorBytesMax = 8 << 10
        var memoryBytesMax: Int64 = 192 << 20
    }

    /// Starts a program and gives it its input.
    ///
    /// - Parameter meanwhile: done once the child runs and has what fits of its input, before anything of it is waited for.
    static func run(
        _ path: String, _ arguments: [String], input: [UInt8], limits: Limits, meanwhile: () -> Void = {}
    ) -> Result<Output, ShellParserFailure> {
        do throws(ShellParserFailure) {
            var child = try start(path, arguments)
            return child.run(input: input, limits: limits, meanwhile: meanwhile)
        } catch {
            return .failure(error)
        }
    }

    /// A child that waits for its input. One that was given none is killed with this.
    struct Started: ~Copyable, Sendable {
        private let pid: pid_t
        /// Our ends of its three streams.
        private let sockets: [Int32]
        private var isReaped = false

        fileprivate init(pid: pid_t, sockets: [Int32]) {
            self.pid = pid
            self.sockets = sockets
        }

        /// Gives it its input, once. Its time begins now, however long ago it was started.
        mutating func run(input: [UInt8], limits: Limits, meanwhile: () -> Void) -> Result<Output, ShellParserFailure> {
            var result = Output()
            let deadline = monotonicSeconds() + limits.seconds
            var fed = 0
            // A child that has ended already needs no bound.
            _ = flowspool_limit_data(pid, limits.memoryBytesMax)
            let isFed = feed(sockets[0], input, &fed)
            meanwhile()
            if let failure = exchange(sockets, isFed ? nil : (input, fed), &result, limits, deadline) { return .failure(failure) }
            guard let ending = end(of: pid, by: deadline) else { return .failure(.timeout(seconds: limits.seconds)) }
            isReaped = true
            switch ending {
            case .exited(let code): result.status = code
            case .signalled(let number): result.status = 128 + number
            case .lost(let code): return .failure(.crashed("waitid: \(String(cString: strerror(code)))"))
            }
            return .success(result)
        }

        deinit {
            sockets.forEach { close($0) }
            guard !isReaped else { return }
            kill(-pid, SIGKILL)
            _ = OwnChildren.wait(for: pid)
        }
    }

    /// - Throws: `notStarted`.
    static func start(_ path: String, _ arguments: [String]) throws(ShellParserFailure) -> Started {
        var ours: [Int32] = []
        var theirs: [Int32] = []
        defer { theirs.forEach { close($0) } }
        do throws(ShellParserFailure) {
            for _ in 0..<3 {
                var ends: [Int32] = [-1, -1]
                let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
                guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
                    throw .notStarted(SystemCallError(call: .socket, path: path, errno: errno))
                }
                ours.append(ends[0])
                theirs.append(ends[1])
            }
            let pid = try OwnChildren.start { () throws(ShellParserFailure) in try spawn(path, arguments, theirs) }
            return Started(pid: pid, sockets: ours)
        } catch {
            ours.forEach { close($0) }
            throw error
        }
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ descriptors: [Int32]
    ) throws(ShellParserFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var pid: pid_t = 0
        var code = posix_spawn(&pid, path, &actions, &attributes, &words, &environment)
        // The program is being replaced, or a child between fork and exec still holds it open: it is free in a moment.
        for _ in 0..<400 where code == ETXTBSY {
            _ = poll(nil, 0, 5)
            code = posix_spawn(&pid, path, &actions, &attributes, &words, &environment)
        }
        guard code == 0 else { throw .notStarted(SystemCallError(call: .clone, path: path, errno: code)) }
        return pid
    }

    /// Sends what fits of the input and closes it behind the last byte; whether that is done.
    private static func feed(_ socket: Int32, _ input: [UInt8], _ sent: inout Int) -> Bool {
        let count = input[sent...].withUnsafeBytes {
            send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        if count > 0 { sent += count }
        // A child that no longer reads has made up its mind; its answer is what counts.
        let isBroken = count < 0 && errno != EINTR && errno != EAGAIN
        guard sent == input.count || isBroken else { return false }
        shutdown(socket, Int32(SHUT_WR))
        return true
    }

    /// Feeds the rest of the input and reads both outputs until they end; what is wrong, if something is.
    private static func exchange(
        _ sockets: [Int32], _ rest: (input: [UInt8], sent: Int)?, _ result: inout Output, _ limits: Limits, _ deadline: Double
    ) -> ShellParserFailure? {
        var polls = [
            pollfd(fd: rest == nil ? -1 : sockets[0], events: Int16(POLLOUT), revents: 0),
            pollfd(fd: sockets[1], events: Int16(POLLIN), revents: 0),
            pollfd(fd: sockets[2], events: Int16(POLLIN), revents: 0),
        ]
        var sent = rest?.sent ?? 0
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while polls[1].fd >= 0 || polls[2].fd >= 0 {
            let left = deadline - monotonicSeconds()
            guard left > 0 else { return .timeout(seconds: limits.seconds) }
            if poll(&polls, 3, Int32(min(left * 1000, 60_000)) + 1) < 0 {
                if errno == EINTR { continue }
                return .crashed("poll: \(errnoText())")
            }
            if let rest, polls[0].fd >= 0, polls[0].revents != 0, feed(sockets[0], rest.input, &sent) { polls[0].fd = -1 }
            for index in 1...2 where polls[index].fd >= 0 && polls[index].revents != 0 {
                let count = read(sockets[index], &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    polls[index].fd = -1
                    continue
                }
                if index == 1 {
                    guard result.bytes.count + count <= limits.outputBytesMax else { return .tooLarge }
                    result.bytes += buffer[..<count]
                } else if result.errors.count < limits.errorBytesMax {
                    result.errors += buffer[..<min(count, limits.errorBytesMax - result.errors.count)]
                }
            }
        }
        return nil
    }

    /// Waits for a child that has closed its outputs: nearly always it is just ending. Nil where it still runs at the deadline.
    private static func end(of pid: pid_t, by deadline: Double) -> OwnChildren.Ending? {
        // Readable once the child has ended; where there is none (-1), poll(2) only waits.
        let pidfd = flowspool_pidfd_open(pid)
        defer { if pidfd >= 0 { close(pidfd) } }
        while true {
            if let ending = OwnChildren.ifEnded(pid) { return ending }
            if monotonicSeconds() >= deadline { return nil }
            var end = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
            _ = poll(&end, 1, pidfd >= 0 ? 20 : 1)
        }
    }

    private static func errnoText() -> String { String(cString: strerror(errno)) }
}
