// Agents that share a working tree: one at a time, whatever lane their prompts name.

import Foundation
import Synchronization
import Testing

@testable import Spool

/// Works until another attempt begins beside it, or, where none may, until a while has passed.
private final class CountingAgent: Runner {
    private let state = Mutex((running: 0, most: 0))
    var most: Int { state.withLock { $0.most } }

    func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        state.withLock {
            $0.running += 1
            $0.most = max($0.most, $0.running)
        }
        for _ in 0..<20 where most < 2 { try? await Task.sleep(for: .milliseconds(5)) }
        state.withLock { $0.running -= 1 }
        return AttemptResult(outcome: .success, lastOKBlock: 1, message: "ok")
    }
}

@Suite struct AgentLanesTests {
    @Test(arguments: [
        ("shared", "lane: x", "", 1), ("shared", "lane: x", "lane: y", 1), ("shared", "", "", 1), ("scratch", "lane: x", "", 2),
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
        let folder = try SpoolFolder.make(at: spool.path)
        var settings = RunSettings(
            command: "watch", runID: "test", repoRoot: spool.folder.path, environment: ["PATH": "/usr/bin:/bin"])
        settings.drains = true
        settings.jobs = 2
        var context = PreflightContext(repoRoot: spool.folder.path, searchPath: "/usr/bin:/bin")
        let configuration = try SpoolConfiguration(
            contents: Data("runners: {mine: {command: [/bin/true]}}".utf8), path: "spool.yaml")
        context.runners = try RunnerContext(configuration, environment: [:])
        let agent = CountingAgent()
        let ending = try await Dispatcher(
            spool: folder, ledger: try Ledger(path: folder.ledgerPath), settings: settings,
            preflight: Preflight(context: context, resolver: try TestSpool.resolver(), shell: nil), runners: [.agent: agent],
            executor: LocalExecutor(graceSeconds: 0.1), observe: { _ in }
        ).run()
        #expect(ending.succeeded == 2 && agent.most == most)
    }
}
