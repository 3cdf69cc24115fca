// The completion gate: files as they are on disk, and URLs asked of a real server by the real curl.

import Foundation
import Testing

@testable import Spool

/// A server on a free port of this machine that gives each connection the next of some answers, then ends.
private final class OneShotServer: Sendable {
    let port: UInt16
    private let listener: Descriptor
    private let served: Task<[String], Never>

    /// - Parameter answers: what each connection gets, in order; an empty one is never answered, until `stop`.
    init(_ answers: [String]) {
        let listener = Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener.value, $0, length)
                _ = getsockname(listener.value, $0, &length)
            }
        }
        listen(listener.value, 8)
        port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        served = Task {
            await onThread {
                var requests: [String] = []
                for answer in answers {
                    let connection = accept(listener.value, nil, nil)
                    if connection < 0 { break }
                    var buffer = [UInt8](repeating: 0, count: 8192)
                    let count = recv(connection, &buffer, buffer.count, 0)
                    requests.append(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self))
                    let text = answer.replacingOccurrences(of: "\u{4}", with: "")
                    _ = text.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                    // An answer without end: wait until the other side gives up.
                    if !answer.hasSuffix("\u{4}") { shutdown(connection, Int32(SHUT_WR)) }
                    while recv(connection, &buffer, buffer.count, 0) > 0 {}
                    close(connection)
                }
                return requests
            }
        }
    }

    /// The requests that came.
    var requests: [String] { get async { await served.value } }
}

@Suite struct CompletionGateTests {
    private func ask(_ specification: GateSpecification, _ bench: Bench, timeLeft: Double = 60) async -> [String] {
        await CompletionGate().ask(
            specification, repoRoot: bench.repo, folder: bench.run, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"],
            executor: LocalExecutor(), timeLeftSeconds: timeLeft
        ).problems
    }

    private static func url(_ server: OneShotServer, _ path: String = "/") -> String { "http://127.0.0.1:\(server.port)\(path)" }

    @Test func files_mustExistAndHoldSomething() async {
        let bench = Bench()
        bench.scratch.write("repo/full", "x")
        bench.scratch.write("repo/empty", "")
        mkdir(bench.repo + "/folder", 0o755)
        symlink("full", bench.repo + "/link")
        symlink("nothing", bench.repo + "/dangling")
        var gate = GateSpecification()
        gate.filesExist = ["full", "empty", "missing", "folder", "link", "dangling", "full/below", "/etc/passwd"]
        #expect(
            await ask(gate, bench) == [
                "empty is empty", "missing does not exist", "folder is an empty folder", "dangling does not exist",
                "full/below does not exist",
            ])
    }

    @Test func run_whenTheGateFails_failsWithoutAFailedBlock() async {
        let bench = Bench()
        var gate = GateSpecification()
        gate.filesExist = ["made"]
        var result = await bench.make(bench.request([bench.block(1, "true")]) { [gate] in $0.prompt.settings.gate = gate })
        #expect(result.outcome == .failed && result.failureClass == .gate && result.gate == .fail && result.failedBlock == nil)
        #expect(result.lastOKBlock == 1 && result.message == "completion gate: made does not exist")
        // A retry resumes behind the last block: only the gate is asked again.
        bench.scratch.write("repo/made", "x")
        result = await bench.make(
            bench.request([bench.block(1, "false")]) { [gate] in
                $0.prompt.settings.gate = gate
                $0.firstBlock = 2
            })
        #expect(result.outcome == .success && result.gate == .pass && result.lastOKBlock == 1)
    }

    @Test func http_mustAnswer200() async {
        let bench = Bench()
        let server = OneShotServer([
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        ])
        var gate = GateSpecification()
        gate.http200 = [Self.url(server, "/[1-3]{a,b}"), Self.url(server, "/b"), Self.url(server, "/c")]
        #expect(
            await ask(gate, bench) == [
                "\(gate.http200[1]) answered 404, expected 200", "\(gate.http200[2]) answered 302, expected 200",
            ])
        // One request each, and the brackets as they are.
        let requests = await server.requests
        #expect(
            requests.map { $0.prefix { $0 != "\r\n" } } == ["GET /[1-3]{a,b} HTTP/1.1", "GET /b HTTP/1.1", "GET /c HTTP/1.1"])
    }

    @Test func http_needsTheHeadersAndNotTheBody() async {
        let bench = Bench()
        let server = OneShotServer(["HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart\u{4}", "\u{4}"])
        var gate = GateSpecification()
        gate.http200 = [Self.url(server)]
        #expect(await ask(gate, bench) == [])
        #expect(await ask(gate, bench, timeLeft: 0.5) == ["\(gate.http200[0]): no answer within 0.5 s"])
    }

    @Test func headers_mustBeCarried() async {
        let bench = Bench()
        let answer = "HTTP/1.1 200 OK\r\nContent-Type:  text/html \r\nX-Frame-Options: DENY\r\nContent-Length: 0\r\n\r\n"
        let server = OneShotServer([answer])
        var gate = GateSpecification()
        gate.headers[Self.url(server)] = [
            "content-type: text/html", "X-Frame-Options", "X-Frame-Options: SAMEORIGIN", "X-Missing",
        ]
        #expect(
            await ask(gate, bench) == [
                "\(Self.url(server)): no header X-Frame-Options: SAMEORIGIN", "\(Self.url(server)): no header X-Missing",
            ])
    }

    @Test(arguments: ["file:///etc/passwd", "-o/tmp/x", "http:", "gopher://x/", "https:/x"])
    func http_asksNothingButHTTP(_ url: String) async {
        let bench = Bench()
        var gate = GateSpecification()
        gate.http200 = [url]
        #expect(await ask(gate, bench) == ["\(url): not asked, only http and https are"])
    }

    @Test func http_whenNobodyListens_saysSo() async {
        let bench = Bench()
        var gate = GateSpecification()
        gate.http200 = ["http://127.0.0.1:1/"]
        let problems = await ask(gate, bench)
        #expect(problems.count == 1 && problems[0].contains("Failed to connect"))
    }

    @Test func http_withoutCurl_saysWhatToInstall() async {
        let bench = Bench()
        var gate = GateSpecification()
        gate.http200 = ["http://127.0.0.1:1/"]
        let problems = await CompletionGate().ask(
            gate, repoRoot: bench.repo, folder: bench.run, environment: ["PATH": "/nowhere"], executor: LocalExecutor(),
            timeLeftSeconds: 10
        ).problems
        #expect(problems == ["http://127.0.0.1:1/: not asked: curl is not installed (`apt-get install curl`)"])
    }
}
