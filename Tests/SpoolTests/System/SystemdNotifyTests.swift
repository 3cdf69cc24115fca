import Foundation
import Testing

@testable import Spool

/// A datagram socket that stands for systemd.
private final class Receiver {
    let name: String
    private let descriptor: Int32

    init(abstract: Bool) throws {
        let unique = "flowspool-\(UUID().uuidString)"
        name = abstract ? "@\(unique)" : FileManager.default.temporaryDirectory.appendingPathComponent(unique).path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = [UInt8](name.utf8)
        if abstract { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count)
        let bound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(bound == 0)
    }

    deinit {
        close(descriptor)
        if !name.hasPrefix("@") { unlink(name) }
    }

    /// The next datagram; nil where none is waiting.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}

@Suite struct SystemdNotifyTests {
    @Test(arguments: [true, false]) func messages_areDatagramsOfLines(abstract: Bool) throws {
        let receiver = try Receiver(abstract: abstract)
        let notify = SystemdNotify(environment: ["NOTIFY_SOCKET": receiver.name])
        #expect(notify.isActive)
        try notify.ready(status: "watching /spool")
        #expect(receiver.next() == "READY=1\nSTATUS=watching /spool")
        try notify.status("3 queued\nREADY=0")
        #expect(receiver.next() == "STATUS=3 queued\\nREADY=0")
        try notify.reloading(monotonicMicroseconds: 7)
        #expect(receiver.next() == "RELOADING=1\nMONOTONIC_USEC=7")
        try notify.stopping()
        #expect(receiver.next() == "STOPPING=1")
    }

    @Test(arguments: [[:], ["NOTIFY_SOCKET": ""]]) func messages_withoutSystemd_goNowhere(environment: [String: String]) throws {
        let notify = SystemdNotify(
            environment: environment,
            calls: SystemCalls { call, _ in
                Issue.record("\(call) was called")
                return nil
            })
        #expect(!notify.isActive)
        try notify.ready()
    }

    @Test(arguments: ["relative", "/", "@", "/" + String(repeating: "x", count: 107), "@" + String(repeating: "x", count: 200)])
    func messages_toNoPath_areAnError(path: String) {
        #expect(throws: FlowspoolError.self) { try SystemdNotify(environment: ["NOTIFY_SOCKET": path]).ready() }
    }

    @Test func messages_whenNobodyListens_areAnErrorThatNamesTheSocket() {
        let path = "/nonexistent/\(UUID().uuidString)"
        #expect(throws: SystemCallError(call: .sendto, path: path, errno: ENOENT)) {
            try SystemdNotify(environment: ["NOTIFY_SOCKET": path]).ready()
        }
    }
}
