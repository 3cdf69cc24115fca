// Streams as servers send them: damaged, over several lines, without an end of the connection, with thoughts before the answer.

import Foundation
import Testing

@testable import Spool

@Suite struct HTTPStreamsTests {
    private let bench = AgentBench()

    private func run(
        _ server: ModelServer, _ yaml: String? = nil, spool: String = "", timeoutSeconds: Double = 60
    ) async throws -> AttemptResult {
        let runner = HTTPRunner(
            context: try bench.context(spool), meter: UsageMeter(), clock: FixedWall(wall: 1_767_323_045_000))
        let prompt = "---\n\(yaml ?? "x: 1")\n\(spool.isEmpty ? "base_url: \(server.url)" : "y: 1")\n---\nSay it.\n"
        return await runner.run(bench.request(prompt, timeoutSeconds: timeoutSeconds), on: LocalExecutor()) { _ in }
    }

    private static let done = "data: [DONE]\n\n"

    /// An event that cannot be read has lost a part of the answer, whatever comes behind it.
    @Test func eventThatCannotBeRead_isNoWholeAnswer() async throws {
        let server = ModelServer { _ in
            [.send(ModelServer.streamHead), .send(ModelServer.piece("rm ")), .send("data: {\"choices\":[{\"delta\"\n\n")]
                + [.send(ModelServer.piece(" all", finish: "stop")), .send(Self.done)]
        }
        let result = try await run(server, "output: a.md")
        #expect(result.failureClass == .exit && result.message.contains("damaged"), "\(result.message)")
        #expect(!FileManager.default.fileExists(atPath: bench.repo + "/a.md"))
    }

    @Test func halfACharacter_andAnEventInTwoLines_areRead() async throws {
        let server = ModelServer { _ in
            [.send(ModelServer.streamHead + "\u{FEFF}data: {\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"}}]}\n\n")]
                + [
                    .send("data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n"),
                    .send(Self.done),
                ]
        }
        #expect(try await run(server).outcome == .success)
        #expect(bench.scratch.text("runs/1/answer.md") == "a\u{FFFD}b")
    }

    /// Some servers keep the connection open behind the end.
    @Test(.timeLimit(.minutes(1))) func answerThatHasEnded_isNotWaitedFor() async throws {
        let server = ModelServer { _ in
            [.send(ModelServer.streamHead), .send(ModelServer.piece("whole", finish: "stop")), .send(Self.done), .stall]
        }
        let result = try await run(server, timeoutSeconds: 600)
        #expect(result.outcome == .success, "\(result.message)")
    }

    @Test func documentOverSeveralLines_isRead() async throws {
        let server = ModelServer { _ in
            ModelServer.status(
                "200 OK", [],
                "{\n  \"choices\": [\n    {\n      \"message\": {\"content\": \"whole\"},\n      \"finish_reason\": \"stop\"\n    }\n  ]\n}\n"
            )
        }
        let result = try await run(server)
        #expect(result.outcome == .success, "\(result.message)")
        #expect(bench.scratch.text("runs/1/answer.md") == "whole")
    }

    /// A limit is one although its text never comes.
    @Test(.timeLimit(.minutes(1))) func limitWhoseTextStalls_isALimit() async throws {
        let server = ModelServer { _ in
            [.send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 100\r\n\r\n{\"error\":"), .stall]
        }
        let result = try await run(server, timeoutSeconds: 600)
        #expect(result.failureClass == .rateLimited, "\(result.message)")
    }

    @Test(.timeLimit(.minutes(1))) func modelThatThinks_hasBegun() async throws {
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
        let server = ModelServer { _ in [.send(ModelServer.streamHead), .send(thought), .stall] }
        let result = try await run(
            server, "runner: box\nbudget: {idle: 1s}",
            spool: "runners: {box: {base_url: '\(server.url)', first_token_timeout: 30}}")
        #expect(result.failureClass == .idle, "\(result.message)")
    }

    /// What stands in a fence or a list is the text itself.
    @Test func rolesInCode_divideNothing() {
        let text = "- x\n\n  ```yaml\n  user:\n  ```\n\n~~~yaml\nsystem:\nuser:\n~~~\n  user:\n"
        #expect(ChatRequest.messages(system: nil, text: text) == [.init(role: "user", content: text)])
        #expect(ChatRequest.messages(system: nil, text: "system:\nbe\nuser:\nhi\n").map(\.role) == ["system", "user"])
    }
}
