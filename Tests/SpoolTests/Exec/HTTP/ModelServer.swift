// A server on this machine that speaks as much of the OpenAI protocol as the tests need, and misbehaves when told to. One thread
// accepts, each connection has one; all end with the value.

import Foundation
import Synchronization

@testable import Spool

final class ModelServer: Sendable {
    enum Step: Sendable {
        case send(String)
        /// Waits until the client goes away.
        case stall
        /// Breaks the connection (RST), as a crashing server does.
        case reset
    }

    let port: Int
    private let listener: Int32
    private let requests: Requests

    private final class Requests: Sendable {
        let list = Mutex<[String]>([])
    }

    /// What clients have sent, heads included.
    var received: [String] { requests.list.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)/v1" }

    init(_ answer: @escaping @Sendable (String) -> [Step]) {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        port = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, length)
                _ = listen(descriptor, 128)
                _ = getsockname(descriptor, $0, &length)
            }
            return Int(UInt16(bigEndian: $0.pointee.sin_port))
        }
        let requests = Requests()
        self.requests = requests
        Thread {
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { return }
                Thread { Self.serve(connection, requests, answer) }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func serve(_ connection: Int32, _ requests: Requests, _ answer: (String) -> [Step]) {
        defer { close(connection) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(connection, &buffer, buffer.count)
            if count <= 0 { return }
            bytes += buffer[0..<count]
            let text = String(decoding: bytes, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let head = text[..<end.lowerBound].lowercased()
            let wanted = head.range(of: "content-length: ").flatMap { Int(head[$0.upperBound...].prefix { $0.isNumber }) } ?? 0
            if text[end.upperBound...].utf8.count >= wanted { break }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        requests.list.withLock { $0.append(text) }
        for step in answer(text) {
            switch step {
            case .send(let part):
                _ = Array(part.utf8).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            case .stall: while read(connection, &buffer, buffer.count) > 0 {}
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
            }
        }
    }

    static let streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    static func piece(_ text: String, finish: String? = nil) -> String {
        let event: JSON = [
            "id": "c-1", "model": "small",
            "choices": [["index": 0, "delta": ["content": .string(text)], "finish_reason": JSON(finish)]],
        ]
        return "data: \(event.compact)\n\n"
    }

    static func answer(_ pieces: [String]) -> [Step] {
        [.send(streamHead)] + pieces.map { .send(piece($0)) } + [
            .send(piece("", finish: "stop")),
            .send("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n"),
        ]
    }

    static func status(_ line: String, _ headers: [String] = [], _ body: String) -> [Step] {
        [
            .send(
                "HTTP/1.1 \(line)\r\n\(headers.map { $0 + "\r\n" }.joined())Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            )
        ]
    }
}
