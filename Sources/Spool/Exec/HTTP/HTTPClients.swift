// The process's HTTP clients, one for each connect time limit. They live as long as the process, so nothing has to be shut down
// and jobs share connections. Redirects are not followed: a redirect would carry a prompt to a host that nobody allowed.

import AsyncHTTPClient
import Foundation
import NIOCore
import Synchronization

final class HTTPClients: Sendable {
    static let shared = HTTPClients()

    private let clients = Mutex<[Int64: HTTPClient]>([:])

    func client(connectSeconds: Double) -> HTTPClient {
        let milliseconds = Int64(max(1, min(connectSeconds, 3600) * 1000))
        return clients.withLock {
            if let client = $0[milliseconds] { return client }
            var configuration = HTTPClient.Configuration(
                redirectConfiguration: .disallow, timeout: .init(connect: .milliseconds(milliseconds)), decompression: .disabled)
            configuration.httpVersion = .http1Only
            // As many as jobs may run: a waiting request would count as a silent endpoint.
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            $0[milliseconds] = client
            return client
        }
    }
}

/// The last known usage of an exchange, for when it is cut off.
final class UsageBox: Sendable {
    private let state = Mutex(RunUsage(runner: ""))
    var value: RunUsage {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// How far an exchange has come.
final class ExchangeProgress: Sendable {
    struct State: Sendable {
        var hasAnswer = false
        var last: MonotonicTime
    }
    let begin = MonotonicTime.now
    private let current: Mutex<State>

    init() { current = Mutex(State(last: .now)) }

    var state: State { current.withLock { $0 } }

    func note(hasAnswer: Bool) {
        current.withLock {
            $0.hasAnswer = hasAnswer
            $0.last = .now
        }
    }
}
