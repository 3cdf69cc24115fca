// The notification protocol of systemd (sd_notify(3)) without its library: one datagram to the socket that `NOTIFY_SOCKET`
// names. Without that variable nothing happens. What can go wrong: systemd is gone or the path is nonsense; the caller is
// told and may well go on. Children must not inherit the variable: take it out of their environment.

import Foundation

/// Tells systemd about the service's state.
public struct SystemdNotify: Sendable {
    /// The variable that names the socket.
    public static let variable = "NOTIFY_SOCKET"

    private let socketPath: String?
    private let calls: SystemCalls

    /// - Parameter environment: the process's environment, read once.
    public init(environment: [String: String], calls: SystemCalls = .live) {
        socketPath = environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
        self.calls = calls
    }

    /// Whether anybody listens.
    public var isActive: Bool { socketPath != nil }

    /// The service is up: the watch stands and the first scan is done.
    public func ready(status: String = "") throws { try send(["READY=1"] + Self.status(status)) }

    /// The service drains and will end.
    public func stopping(status: String = "") throws { try send(["STOPPING=1"] + Self.status(status)) }

    /// The configuration is being read again; `ready` must follow.
    ///
    /// - Parameter monotonicMicroseconds: CLOCK_MONOTONIC now, which systemd asks for since version 253.
    public func reloading(monotonicMicroseconds: Int64) throws {
        try send(["RELOADING=1", "MONOTONIC_USEC=\(monotonicMicroseconds)"])
    }

    /// A line for `systemctl status`.
    public func status(_ text: String) throws { try send(Self.status(text)) }

    private static func status(_ text: String) -> [String] {
        text.isEmpty ? [] : ["STATUS=\(printable(text))"]
    }

    /// - Throws: `SystemCallError` of socket(2) or sendto(2); `FlowspoolError(.invalidInput)` for a path that is none.
    private func send(_ lines: [String]) throws {
        guard let socketPath, !lines.isEmpty else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = [UInt8](socketPath.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        let isAbstract = name.first == UInt8(ascii: "@")
        guard isAbstract || name.first == UInt8(ascii: "/"), name.count > 1, name.count < capacity else {
            throw FlowspoolError(
                .invalidInput, "\(Self.variable)=\(printable(socketPath)) is no socket's path",
                hint: "systemd sets this variable; unset it where flowspool was not started by systemd")
        }
        // An abstract socket's name begins with NUL and ends where the address ends, not at a NUL (unix(7)).
        if isAbstract { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let length = socklen_t(offset + name.count + (isAbstract ? 0 : 1))
        let descriptor = try calls.run(.socket, socketPath) {
            socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        }
        defer { close(descriptor) }
        let message = [UInt8](lines.joined(separator: "\n").utf8)
        try calls.run(.sendto, socketPath) {
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
                }
            }
        }
    }
}
