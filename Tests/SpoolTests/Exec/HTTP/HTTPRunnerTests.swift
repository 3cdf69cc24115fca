import Foundation
import NIOCore
import Testing

@testable import Spool

@Suite struct HTTPRunnerTests {
    private let bench = AgentBench()

    private func run(
        _ server: ModelServer, _ yaml: String = "", spool: String = "", job: Int64 = 1, body: String = "Say {{what}}.\n",
        timeoutSeconds: Double = 60, environment: [String: String] = [:], meter: UsageMeter = UsageMeter()
    ) async throws -> AttemptResult {
        let context = try bench.context(spool, environment: ["FLOWSPOOL_VAR_WHAT": "hello"].merging(environment) { $1 })
        let runner = HTTPRunner(context: context, meter: meter, clock: FixedWall(wall: 1_767_323_045_000))
        let prompt = "---\nbase_url: \(server.url)\n\(yaml)\n---\n\(body)"
        return await runner.run(bench.request(prompt, job: job, timeoutSeconds: timeoutSeconds), on: LocalExecutor()) { _ in }
    }

    @Test func answer_streamsToAnswerFileAndOutput_withUsage() async throws {
        let server = ModelServer { _ in ModelServer.answer(["Hel", "lo ", "wörld"]) }
        let result = try await run(
            server, "model: small\nsystem: Be brief.\ntemperature: 0.5\nmax_tokens: 9\noutput: out/a.md")
        #expect(result.outcome == .success, "\(result.message)")
        #expect(bench.scratch.text("runs/1/answer.md") == "Hello wörld")
        #expect(bench.scratch.text("repo/out/a.md") == "Hello wörld")
        #expect(result.usage?.tokensIn == 12)
        #expect(result.usage?.tokensOut == 3)
        #expect(result.usage?.model == "small")
        let sent = try #require(server.received.first)
        #expect(sent.hasPrefix("POST /v1/chat/completions HTTP/1.1\r\n"))
        #expect(
            sent.hasSuffix(
                #"{"model":"small","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Say hello.\n"}],"#
                    + #""temperature":0.5,"max_tokens":9,"stream":true,"stream_options":{"include_usage":true}}"#))
        #expect(!sent.lowercased().contains("authorization"))
    }

    @Test func completions_sendOneText() async throws {
        let server = ModelServer { _ in
            [.send(ModelServer.streamHead), .send("data: {\"choices\":[{\"text\":\"abc\",\"finish_reason\":\"stop\"}]}\n\n")]
        }
        let result = try await run(server, "api: completions")
        #expect(result.outcome == .success)
        #expect(bench.scratch.text("runs/1/answer.md") == "abc")
        #expect(server.received.first?.hasPrefix("POST /v1/completions ") == true)
        #expect(server.received.first?.contains(#""prompt":"Say hello.\n""#) == true)
    }

    @Test func serverWithoutStreaming_isReadToo() async throws {
        let server = ModelServer { _ in
            ModelServer.status(
                "200 OK", [],
                #"{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#
            )
        }
        #expect(try await run(server).outcome == .success)
        #expect(bench.scratch.text("runs/1/answer.md") == "whole")
    }

    @Test func emptyAnswer_isNoSuccess() async throws {
        let server = ModelServer { _ in ModelServer.answer([]) }
        let result = try await run(server, "output: a.md")
        #expect(result.failureClass == .exit)
        #expect(result.message == "local answered nothing; for a base model set api: completions")
        #expect(!FileManager.default.fileExists(atPath: bench.repo + "/a.md"))
    }

    @Test(arguments: [
        (
            "length",
            "local's answer was cut off: the limit of tokens was reached; set max_tokens higher, or the server's own limit"
        ),
        ("content_filter", "local's answer was cut off: the server's filter of contents stopped it"),
        ("error", "local's answer was cut off: the server ended it with an error"),
    ])
    func answerThatIsNoWholeOne_fails(_ reason: String, _ message: String) async throws {
        let server = ModelServer { _ in
            [.send(ModelServer.streamHead), .send(ModelServer.piece("half")), .send(ModelServer.piece("", finish: reason))]
                + [.send("data: [DONE]\n\n")]
        }
        let result = try await run(server, "output: a.md")
        #expect(result.failureClass == .exit)
        #expect(result.message == message + " (finish_reason \(reason))")
        #expect(bench.scratch.text("runs/1/answer.md") == "half")
        #expect(!FileManager.default.fileExists(atPath: bench.repo + "/a.md"))
    }

    @Test func keyThatTheServerRepeats_isMasked() async throws {
        let key = "sk-proj-4Zx9Q2vLk7Tn"
        let spool: (ModelServer) -> String = { "allow_hosts: [\"127.0.0.1:\($0.port)\"]" }
        let yaml = "api_key_env: MY_API_KEY"
        for (job, body) in [
            #"{"error":{"message":"Incorrect API key provided: KEY."}}"#, "Authorization: Bearer KEY", "xxxxxxxxxxx",
        ]
        .enumerated() {
            let text = String(repeating: "x", count: job == 2 ? 65 : 0) + body.replacingOccurrences(of: "KEY", with: key)
            let server = ModelServer { _ in ModelServer.status("401 Unauthorized", [], job == 2 ? text + key : text) }
            let result = try await run(server, yaml, spool: spool(server), job: Int64(job), environment: ["MY_API_KEY": key])
            #expect(result.message.contains(" answered 401: ") && result.message.contains("***"), "\(result.message)")
            #expect(!(bench.scratch.text("runs/\(job)/result.json") + result.message).contains("sk-proj"))
        }
        let stream = ModelServer { _ in
            [.send(ModelServer.streamHead), .send("data: {\"error\":{\"message\":\"bad key \(key)\"}}\n\n")]
        }
        let result = try await run(stream, yaml, spool: spool(stream), job: 9, environment: ["MY_API_KEY": key])
        #expect(result.message == "the server reports: bad key ***")
        let garbage = ModelServer { _ in [.send(ModelServer.streamHead), .send("<html>\(key)</html>\n")] }
        let odd = try await run(garbage, yaml, spool: spool(garbage), job: 10, environment: ["MY_API_KEY": key])
        #expect(odd.message == "the answer was cut off: it sent “<html>***</html>”")
    }

    @Test func outputThatIsAFolder_isRefusedBeforeTheRequest() async throws {
        mkdir(bench.repo + "/docs", 0o755)
        let server = ModelServer { _ in ModelServer.answer(["x"]) }
        let result = try await run(server, "output: docs")
        #expect(result.message == "output: docs is a folder; name a file; nothing was started")
        #expect(result.failureClass == .gate && server.received.isEmpty)
    }

    @Test func limit_defersToTheTimeOfItsHeader() async throws {
        let server = ModelServer { _ in
            ModelServer.status("429 Too Many Requests", ["Retry-After: 90"], #"{"error":{"message":"slow down"}}"#)
        }
        let result = try await run(server)
        #expect(result.failureClass == .rateLimited)
        #expect(result.retryAt == Date(timeIntervalSince1970: 1_767_323_135))
        #expect(result.message.hasSuffix("answered 429: slow down"))
    }

    @Test func errors_areFailures_andSaySo() async throws {
        let paid = ModelServer { _ in
            ModelServer.status("429 Too Many Requests", [], #"{"error":{"message":"no money","code":"insufficient_quota"}}"#)
        }
        #expect(try await run(paid).failureClass == .exit)
        let broken = ModelServer { _ in ModelServer.status("500 Oops", [], "boom") }
        #expect(try await run(broken, job: 2).message.hasSuffix("answered 500: boom"))
        let inStream = ModelServer { _ in
            [.send(ModelServer.streamHead), .send("data: {\"error\":{\"message\":\"out of memory\"}}\n\n")]
        }
        #expect(try await run(inStream, job: 3).message == "the server reports: out of memory")
    }

    @Test func answerThatIsCutOff_fails_andWhatCameIsKept() async throws {
        let output = "output: a.md"
        let ended = ModelServer { _ in [.send(ModelServer.streamHead), .send(ModelServer.piece("half"))] }
        let first = try await run(ended, output)
        #expect(first.failureClass == .exit)
        #expect(bench.scratch.text("runs/1/answer.md") == "half")
        #expect(!FileManager.default.fileExists(atPath: bench.repo + "/a.md"))
        let reset = ModelServer { _ in [.send(ModelServer.streamHead), .send(ModelServer.piece("half")), .reset] }
        let broken = try await run(reset, output, job: 2)
        #expect(broken.outcome == .failed && broken.refusal == nil)
        #expect(broken.message == "the answer was cut off: Connection reset by peer")
        let garbage = ModelServer { _ in [.send(ModelServer.streamHead), .send("<html>\u{1}nope</html>\n")] }
        #expect(try await run(garbage, output, job: 3).message.hasPrefix("the answer was cut off: it sent “<html>"))
    }

    /// A machine that has no descriptor for the connection fails no job; a server that is not there does.
    @Test func connectionThatFails_isARefusal_whereTheMachineIsWhy() throws {
        for (code, isRefused) in [(EMFILE, true), (ENOBUFS, true), (ECONNREFUSED, false), (ECONNRESET, false)] {
            var result = AttemptResult(outcome: .failed)
            result.refuse(HTTPAttempt.connectionError(IOError(errnoCode: code, reason: "socket"), to: "localhost:80"))
            #expect((result.refusal != nil) == isRefused)
        }
    }

    @Test func serverThatStalls_isLeft_atEachTimeLimit() async throws {
        let silent = ModelServer { _ in [.stall] }
        let total = try await run(silent, timeoutSeconds: 0.3)
        #expect(total.failureClass == .timeout)
        let spool = "runners: {r: {base_url: \"\(silent.url)\", first_token_timeout: 0.2}}"
        let first = try await run(silent, spool: spool, job: 2)
        #expect(first.message == "r was ended: no answer began within 0.2 s")
        let stuck = ModelServer { _ in [.send(ModelServer.streamHead), .send(ModelServer.piece("a")), .stall] }
        #expect(try await run(stuck, "budget: {idle: 0.2}", job: 3).failureClass == .idle)
    }

    @Test func redirect_isNotFollowed() async throws {
        let other = ModelServer { _ in ModelServer.answer(["stolen"]) }
        let server = ModelServer { _ in
            ModelServer.status("307 Temporary Redirect", ["Location: \(other.url)/chat/completions"], "")
        }
        #expect(try await run(server).failureClass == .exit)
        #expect(other.received.isEmpty)
    }

    @Test func key_goesOnlyToHostsThatSpoolYamlNames() async throws {
        let server = ModelServer { _ in ModelServer.answer(["x"]) }
        let key = ["MY_API_KEY": "sk-1"]
        let refused = try await run(server, "api_key_env: MY_API_KEY", environment: key)
        #expect(refused.failureClass == .runner)
        #expect(server.received.isEmpty)
        let spool = "allow_hosts: [\"127.0.0.1:\(server.port)\"]"
        let sent = try await run(server, "api_key_env: MY_API_KEY", spool: spool, job: 2, environment: key)
        #expect(sent.outcome == .success)
        #expect(server.received.first?.contains("Authorization: Bearer sk-1\r\n") == true)
        let unset = try await run(server, "api_key_env: NO_API_KEY", spool: spool, job: 3)
        #expect(unset.message == "the variable NO_API_KEY, which should hold the key, is not set")
        let odd = try await run(server, "api_key_env: HOME", spool: spool, job: 4)
        #expect(odd.message == "HOME is not a key that a prompt may name")
    }

    @Test func cancelling_endsTheExchange() async throws {
        let (started, begin) = AsyncStream.makeStream(of: Void.self)
        let server = ModelServer { _ in
            begin.finish()
            return [.send(ModelServer.streamHead), .send(ModelServer.piece("a")), .stall]
        }
        let task = Task { try await run(server) }
        for await _ in started {}
        task.cancel()
        #expect(try await task.value.outcome == .cancelled)
    }

    @Test func fiftyJobsSideBySide_areAnswered() async throws {
        let server = ModelServer { _ in ModelServer.answer(["ok"]) }
        let outcomes = try await withThrowingTaskGroup(of: AttemptResult.Outcome.self) { group in
            for job in 1...50 { group.addTask { try await run(server, job: Int64(job)).outcome } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 50 && outcomes.allSatisfy { $0 == .success })
    }

    @Test func roles_divideAText() {
        let messages = ChatRequest.messages(system: nil, text: "system:\nBe kind.\n\nuser:\nHi {x}\n")
        #expect(messages == [.init(role: "system", content: "Be kind."), .init(role: "user", content: "Hi {x}")])
        #expect(
            ChatRequest.messages(system: nil, text: "{{role \"system\"}}A\n{{role \"user\"}}\nB\n").map(\.role) == [
                "system", "user",
            ])
        #expect(ChatRequest.messages(system: nil, text: "plain\n") == [.init(role: "user", content: "plain\n")])
    }
}

@Suite struct EndpointTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080/v1/", "127.0.0.1:8080", true), ("https://API.example.org/v1", "api.example.org:443", false),
        ("http://[::1]:1", "[::1]:1", true), ("http://localhost", "localhost:80", true),
        ("http://127.0.0.1.evil.org/", "127.0.0.1.evil.org:80", false),
    ])
    func address_isTakenApart(_ text: String, _ hostAndPort: String, _ isLoopback: Bool) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.hostAndPort == hostAndPort)
        #expect(endpoint.isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", "127.0.0.1", "ftp://a/", "http://", "http://a@b/", "http://a:99999/", "http://a/?q=1", "http://a/#f", "http://a b/",
        "file:///etc",
        "http://[::1", "http://a\\@b/", "http:///x", "http://a:+80/", "http://127.0.0.1\t.evil/",
    ])
    func trickyAddress_isRefused(_ text: String) { #expect(Endpoint(text) == nil) }
}
