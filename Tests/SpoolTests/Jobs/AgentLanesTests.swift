// Agents that share a working tree: one at a time, whatever lane their prompts name.

import Foundation
import Synchronization
import Testing

@testable import Spool

/// Counts attempts side by side. That of `a.md` lasts until it is let go.
private final class CountingAgent: Runner {
    private let state = Mutex((running: 0, most: 0))
    private let gate = AsyncStream<Void>.makeStream()
    var most: Int { state.withLock { $0.most } }

    func letGo() { gate.continuation.finish() }

    func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        state.withLock {
            $0.running += 1
            $0.most = max($0.most, $0.running)
        }
        if request.prompt.name == "a.md" { for await _ in gate.stream {} }
        state.withLock { $0.running -= 1 }
        return AttemptResult(outcome: .success, lastOKBlock: 1, message: "ok")
    }
}

@Suite struct AgentLanesTests {
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("shared", "lane: x", "", 1), ("shared", "lane: x", "lane: y", 1), ("shared", "", "", 1),
            ("scratch", "lane: x", "", 2),
            ("scratch", "lane: x", "lane: x", 1),
        ])
    func agentsInOneTree_runOneAfterTheOther(_ isolation: String, _ first: String, _ second: String, _ most: Int) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for (name, lane) in [("a.md", first), ("b.md", second)] {
            let front = ["exec_mode: agent", isolation == "shared" ? "" : "isolation: \(isolation)", lane].filter { !$0.isEmpty }
            try Data("---\n\(front.joined(separator: "\n"))\n---\n# x\nDo it.\n".utf8).write(
                to: URL(filePath: spool.path + "/" + name))
        }
        // It starts only when `b.md` has started and ended, or may not start beside `a.md`.
        try spool.drop("c.md", "true")
        let agent = CountingAgent()
        let ending = try await spool.agentDispatcher(agent, adjust: { $0.jobs = 2 }) { event in
            if case .attemptStarted(let job, _) = event, job.name == "c.md" { agent.letGo() }
        }.run()
        #expect(ending.succeeded == 3 && agent.most == most)
    }
}
