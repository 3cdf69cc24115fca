import Foundation
import Testing

@testable import Spool

/// With a real model behind a real server: `make test-llm` sets both up and names them in the environment.
@Suite(.enabled(if: RealModel.url != nil)) struct RealModelTests {
    private let bench = AgentBench()
    private var url: String { RealModel.url ?? "" }

    private func run(_ yaml: String, job: Int64 = 1, body: String = "The capital of France is") async throws -> AttemptResult {
        let runner = HTTPRunner(context: try bench.context(), meter: UsageMeter())
        let prompt = "---\nbase_url: \(url)\n\(yaml)\n---\n\(body)"
        return await runner.run(bench.request(prompt, job: job, timeoutSeconds: 600), on: LocalExecutor()) { _ in }
    }

    @Test func completion_answersWithUsage() async throws {
        let result = try await run("api: completions\nmax_tokens: 16\ntemperature: 0\noutput: out.md")
        #expect(result.outcome == .success, "\(result.message)")
        #expect(!bench.scratch.text("runs/1/answer.md").isEmpty)
        #expect(bench.scratch.text("repo/out.md") == bench.scratch.text("runs/1/answer.md"))
        #expect((result.usage?.tokensOut ?? 0) > 0)
    }

    /// A base model may answer a chat with nothing; the exchange is whole all the same.
    @Test func chat_isAWholeExchange() async throws {
        #expect(try await run("max_tokens: 8").outcome == .success)
    }

    @Test func cancelling_endsTheExchange() async throws {
        let task = Task { try await run("api: completions\nmax_tokens: 2000") }
        while (try? FileManager.default.attributesOfItem(atPath: bench.scratch.file("runs/1/answer.md"))[.size] as? Int) ?? 0 == 0
        {
            await Task.yield()
        }
        task.cancel()
        #expect(try await task.value.outcome == .cancelled)
    }

    @Test func tokenBudget_stopsALongAnswer() async throws {
        let result = try await run("api: completions\nmax_tokens: 1000\nbudget: {tokens: 20}")
        #expect(result.failureClass == .budget)
    }

    @Test func fiftyJobs_areAnswered() async throws {
        let outcomes = try await withThrowingTaskGroup(of: AttemptResult.Outcome.self) { group in
            for job in 1...50 { group.addTask { try await run("api: completions\nmax_tokens: 4", job: Int64(job)).outcome } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0 == .success })
    }

    @Test func llmClient_isAnAgent() async throws {
        let client = try #require(RealModel.client)
        // llm reads models of its own from this file.
        try FileManager.default.createDirectory(atPath: bench.scratch.file("llm"), withIntermediateDirectories: true)
        bench.scratch.write(
            "llm/extra-openai-models.yaml",
            "- model_id: box\n  model_name: box\n  api_base: \(url)\n  completion: true\n")
        let yaml =
            "runners: {llm: {command: [\(client), --usage], env: {LLM_USER_PATH: \(bench.scratch.file("llm")), OPENAI_API_KEY: none}}}"
        let result = try await bench.run(
            "---\nrunner: llm\nmodel: box\n---\nThe capital of France is\n", yaml, timeoutSeconds: 600)
        #expect(result.outcome == .success, "\(result.message)")
        #expect((result.usage?.tokens ?? 0) > 0)
    }
}

enum RealModel {
    static var url: String? { ProcessInfo.processInfo.environment["FLOWSPOOL_LLM_URL"] }
    static var client: String? { ProcessInfo.processInfo.environment["FLOWSPOOL_LLM_CLIENT"] }
}
