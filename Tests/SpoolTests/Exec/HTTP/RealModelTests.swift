import Foundation
import Synchronization
import Testing

@testable import Spool

/// With a real model behind a real server: `make test-llm` sets both up and names them in the environment.
@Suite(.enabled(if: RealModel.url != nil), .serialized) struct RealModelTests {
    private let bench = AgentBench()
    private var url: String { RealModel.url ?? "" }

    private func run(
        _ yaml: String, job: Int64 = 1, body: String = "The capital of France is", base: Bool = true
    ) async throws -> AttemptResult {
        let runner = HTTPRunner(context: try bench.context(), meter: UsageMeter())
        let prompt = "---\n\(base ? "base_url: \(url)\n" : "")\(yaml)\n---\n\(body)"
        return await runner.run(bench.request(prompt, job: job, timeoutSeconds: 600), on: LocalExecutor()) { _ in }
    }

    /// A base model seldom ends by itself: it is cut off at `max_tokens`, which is a whole exchange, but no whole answer.
    private static func isAnswered(_ result: AttemptResult) -> Bool {
        result.outcome == .success || result.message.contains("(finish_reason length)")
    }

    @Test func completion_answersWithUsage() async throws {
        let result = try await run("api: completions\nmax_tokens: 16\ntemperature: 0\noutput: out.md")
        #expect(Self.isAnswered(result), "\(result.message)")
        #expect(!bench.scratch.text("runs/1/answer.md").isEmpty)
        let isPutThere = bench.scratch.text("repo/out.md") == bench.scratch.text("runs/1/answer.md")
        #expect(isPutThere == (result.outcome == .success))
        #expect((result.usage?.tokensOut ?? 0) > 0)
    }

    /// A base model answers a chat with nothing, mostly: then the exchange is whole all the same, but nothing was done.
    @Test func chat_isAWholeExchange() async throws {
        let result = try await run("max_tokens: 8")
        #expect(Self.isAnswered(result) || result.message.hasPrefix("local answered nothing"), "\(result.message)")
    }

    @Test func answer_isKeptAsItStreams() async throws {
        let sizes = Sizes(path: bench.scratch.file("runs/1/answer.md"))
        let task = Task { try await run("api: completions\nmax_tokens: 60\ntemperature: 0") }
        let watch = Task { await sizes.follow() }
        #expect(Self.isAnswered(try await task.value))
        watch.cancel()
        #expect(await watch.value.count > 3)
    }

    /// Sizes that a file had, one after the other.
    private struct Sizes {
        let path: String
        func follow() async -> Set<Int> {
            var seen = Set<Int>()
            while !Task.isCancelled {
                var info = stat()
                if stat(path, &info) == 0, info.st_size > 0 { seen.insert(Int(info.st_size)) }
                await Task.yield()
            }
            return seen
        }
    }

    /// A gate before the real server refuses once, with a time, and then lets everything through.
    @Test func limit_defers_andThenTheModelAnswers() async throws {
        let real = try #require(Endpoint(url))
        let count = Counter()
        let gate = ModelServer { request in
            if count.next() == 1 { return ModelServer.status("429 Too Many Requests", ["Retry-After: 7"], "{}") }
            return [.send(RealModel.forward(request, to: real.port))]
        }
        let yaml = "base_url: \(gate.url)\napi: completions\nmax_tokens: 8"
        let limited = try await run(yaml, base: false)
        #expect(limited.failureClass == .rateLimited)
        #expect((limited.retryAt?.timeIntervalSinceNow ?? 0) > 4)
        let answered = try await run(yaml, job: 2, base: false)
        #expect(Self.isAnswered(answered), "\(answered.message)")
        #expect(!bench.scratch.text("runs/2/answer.md").isEmpty)
    }

    @Test func timeLimit_endsALongAnswer_andKeepsWhatCame() async throws {
        let result = try await run("api: completions\nmax_tokens: 1500\nbudget: {time: 2s}")
        #expect(result.failureClass == .timeout, "\(result.message)")
        #expect(!bench.scratch.text("runs/1/answer.md").isEmpty)
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
        let results = try await withThrowingTaskGroup(of: AttemptResult.self) { group in
            for job in 1...50 { group.addTask { try await run("api: completions\nmax_tokens: 4", job: Int64(job)) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.allSatisfy(Self.isAnswered))
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
        // This server tells a streaming client no usage.
        #expect(result.usage?.model == "box")
        #expect(!bench.scratch.text("runs/1/answer.md").isEmpty)
        let unknown = try await bench.run(
            "---\nrunner: llm\nmodel: nosuch\n---\nThe capital of France is\n", yaml, job: 2, timeoutSeconds: 600)
        #expect(unknown.failureClass == .exit)
        #expect(unknown.message == "llm failed (exit 1): Error: 'Unknown model: nosuch'")
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    func next() -> Int {
        count.withLock {
            $0 += 1; return $0
        }
    }
}

enum RealModel {
    static var url: String? { ProcessInfo.processInfo.environment["FLOWSPOOL_LLM_URL"] }
    static var client: String? { ProcessInfo.processInfo.environment["FLOWSPOOL_LLM_CLIENT"] }

    /// Sends a request as it is to a port of this machine, and returns all that comes back.
    static func forward(_ request: String, to port: Int) -> String {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(connection, $0, length) == 0 }
        }
        guard isConnected else { return "" }
        let bytes = Array(request.replacingOccurrences(of: "\r\n\r\n", with: "\r\nConnection: close\r\n\r\n").utf8)
        _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(connection, &buffer, buffer.count)
            if count <= 0 { return String(decoding: answer, as: UTF8.self) }
            answer += buffer[0..<count]
        }
    }
}
