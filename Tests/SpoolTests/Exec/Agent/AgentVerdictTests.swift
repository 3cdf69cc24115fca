import Foundation
import Testing

@testable import Spool

/// What ended a run, where a program has said several things: played through the real runner.
@Suite struct AgentVerdictTests {
    private let bench = AgentBench()

    private func prompt(_ yaml: String) -> String { "---\n\(yaml)\n---\n\nFix it.\n" }

    private static let retried =
        "2026-01-02T03:04:05Z  WARN codex_core: stream error: 429 Too Many Requests; retrying 1/5 in 200ms\n"

    // MARK: Limits

    /// A limit that was sat out is not why the run failed later: the event that ends it says why.
    @Test(arguments: [
        ("codex", AgentStreams.codexFailure("The model gpt-9 does not exist"), retried, "The model gpt-9 does not exist"),
        (
            "claude", AgentStreams.claude(isError: true, result: "Prompt is too long"), "API error 429: rate limit\n",
            "Prompt is too long"
        ),
        ("opencode", AgentStreams.opencodeError, "ERROR 429 Too Many Requests\n", "no key"),
        ("gemini", AgentStreams.geminiError, "Error: status 429\n", "[API Error: Please set an Auth method]"),
    ])
    func eventThatEndsTheRun_saysWhyAlone(_ runner: String, _ out: String, _ errors: String, _ reason: String) async throws {
        bench.plays(runner, out: out, errors: errors, exit: 1)
        let result = try await bench.run(prompt("runner: \(runner)"))
        #expect(result.failureClass == .exit && result.retryAt == nil)
        #expect(result.message == "\(runner) failed (exit 1): \(reason)")
    }

    /// Where no event has a reason, the last words on standard error have.
    @Test(arguments: [
        (
            "gemini", "Attempt 1 failed with status 429. Retrying with backoff...\nError: file not found\n",
            "Error: file not found"
        ),
        ("llm", "WARNING: 429 Too Many Requests\nError: no such model\n", "Error: no such model"),
        (
            "llm",
            """
            HTTP Request: POST https://api.openai.com/v1 "HTTP/1.1 429 Too Many Requests"
            Traceback (most recent call last):
              File "/usr/bin/llm", line 8, in <module>
                sys.exit(cli())
            KeyError: 'gpt'

            """, "KeyError: 'gpt'"
        ),
        ("llm", "Error code: 429 - rate limit\n\nError: the disk is full\n", "Error: the disk is full"),
        ("llm", "429 Too Many Requests\n1\n2\n3\n4\n5\n", "5"),
        ("codex", retried + "thread 'main' panicked: no home\n", "thread 'main' panicked: no home"),
    ])
    func limitThatWasNotTheLastWord_isNone(_ runner: String, _ errors: String, _ reason: String) async throws {
        bench.plays(runner, out: "", errors: errors, exit: 1)
        let result = try await bench.run(prompt("runner: \(runner)"))
        #expect(result.failureClass == .exit)
        #expect(result.message == "\(runner) failed (exit 1): \(reason)")
    }

    @Test(arguments: [
        ("llm", "Loading…\nError: Error code: 429 - {'error': {'message': 'Rate limit reached'}}\n"),
        ("codex", retried.replacingOccurrences(of: "1/5", with: "5/5")),
        (
            "llm",
            """
            Traceback (most recent call last):
              File "/usr/bin/llm", line 8, in <module>
            openai.RateLimitError: Error code: 429 - slow down

            """
        ),
        (
            "gemini",
            """
            Attempt 1 failed with status 429. Retrying with backoff...
            {
              "session_id": "g",
              "error": {
                "type": "ApiError",
                "message": "You have exhausted your capacity on this model. Your quota will reset after 20s.",
                "code": 429
              }
            }

            """
        ),
    ])
    func limitThatIsTheLastWord_defers(_ runner: String, _ errors: String) async throws {
        bench.plays(runner, out: "", errors: errors, exit: 1)
        let result = try await bench.run(prompt("runner: \(runner)"))
        #expect(result.failureClass == .rateLimited, "\(result.message)")
    }

    /// gemini tells of its end on standard error where it gives no document: that is such an event, whatever stands above it.
    @Test func gemini_documentOnStandardError_isItsEnd() async throws {
        bench.plays(
            "gemini", out: "", errors: "quota 429 error\n{\n  \"error\": {\n    \"message\": \"bad model\"\n  }\n}\n", exit: 1)
        #expect(try await bench.run(prompt("runner: gemini")).message == "gemini failed (exit 1): bad model")
        bench.plays("gemini", out: "", errors: "Error: 429 Too Many Requests\n", exit: 42)
        #expect(try await bench.run(prompt("runner: gemini"), job: 2).failureClass == .exit)
    }

    /// A turn that failed without a reason: what was said before it counts, unless the run went on after it.
    @Test func codex_turnFailedWithoutAReason_isJudgedByItsLastError() async throws {
        let error = #"{"type":"error","message":"You've hit your usage limit. Try again in 20s."}"# + "\n"
        let failed = #"{"type":"turn.failed"}"# + "\n"
        bench.plays("codex", out: error + failed, exit: 1)
        #expect(try await bench.run(prompt("runner: codex")).failureClass == .rateLimited)
        let went = #"{"type":"item.completed","item":{"type":"agent_message","text":"going on"}}"# + "\n"
        bench.plays("codex", out: error + went + failed, exit: 1)
        let result = try await bench.run(prompt("runner: codex"), job: 2)
        #expect(result.failureClass == .exit && result.message == "codex failed (exit 1): the turn failed")
    }

    /// An endpoint that says "in a second" for ever is not asked every second; one success, and it is believed again.
    @Test func limitWithoutProgress_isWaitedForLongerEachTime() async throws {
        let meter = UsageMeter()
        var now: Int64 = 1_767_323_045_000
        func wait(_ tool: String = "codex", at now: Int64) async throws -> Double? {
            let result = try await bench.run(prompt("runner: \(tool)"), job: 1, meter: meter, now: now)
            return result.retryAt.map { ($0.timeIntervalSince1970 - Double(now) / 1000).rounded() }
        }
        bench.plays("codex", out: AgentStreams.codexFailure("Rate limit reached. Please try again in 1s."), exit: 1)
        var waits: [Double?] = []
        for _ in 0..<14 {
            waits.append(try await wait(at: now))
            now += Int64((waits.last ?? 0) ?? 0) * 1000
        }
        #expect(waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600])
        // Others beside it meet the same limit, not one more.
        bench.plays("codex", out: AgentStreams.codexFailure("Rate limit reached. Please try again in 2 hours."), exit: 1)
        #expect(try await wait(at: now) == 7200)
        #expect(try await wait(at: now + 1000) == 7200)
        bench.plays("codex", out: AgentStreams.codexSuccess)
        #expect(try await wait(at: now) == nil)
        bench.plays("codex", out: AgentStreams.codexFailure("Rate limit reached. Please try again in 1s."), exit: 1)
        #expect(try await wait(at: now) == 1)
    }

    @Test func successOfAJobThatBeganBefore_saysNothingOfALimit() {
        let limits = RepeatedLimits()
        let now = Date(timeIntervalSince1970: 1_767_323_045)
        let before = limits.strikes(of: "a")
        #expect(limits.end(now, of: "a", now: now) == now)
        limits.forget("a", since: before)
        #expect(limits.end(now, of: "a", now: now) == now.addingTimeInterval(2))
        #expect(limits.end(now, of: "b", now: now) == now)
    }

    // MARK: Answers that were cut off

    @Test(arguments: [
        ("length", "its answer was cut off at the model's limit of output tokens (reason length)"),
        ("tool-calls", "it ended before its work was done: its last step asked for tools (reason tool-calls)"),
        ("stop", ""),
    ])
    func opencode_lastStepThatIsNoEnd_fails(_ reason: String, _ why: String) async throws {
        let first = AgentStreams.opencodeSuccess.replacingOccurrences(
            of: "\"reason\":\"stop\"", with: "\"reason\":\"tool-calls\"")
        let last = AgentStreams.opencodeSuccess.replacingOccurrences(of: "\"reason\":\"stop\"", with: "\"reason\":\"\(reason)\"")
        bench.plays("opencode", out: first + last)
        let result = try await bench.run(prompt("runner: opencode"))
        #expect(result.outcome == (why.isEmpty ? .success : .failed))
        #expect(result.message == (why.isEmpty ? "opencode finished" : "opencode failed (exit 0): \(why)"))
    }

    /// As aider 0.86 prints them, and with exit status 0.
    @Test(arguments: [
        "Only 3 reflections allowed, stopping.", "Model openai/gpt-4o has hit a token limit!",
        "Empty response received from LLM. Check your provider account?",
        "Your estimated chat context of 9,999 tokens exceeds the 8,192 token limit for openai/gpt-4!",
        "Model openrouter/some-vendor/a-model-with-a-name-that-is-far-too-long-for-one-line\nhas hit a token limit!",
    ])
    func aider_thatGaveUp_fails(_ line: String) async throws {
        for (job, tokens) in [(1, ""), (2, "\nTokens: 2.1k sent, 0 received.\n")] {
            bench.plays("aider", out: "Aider v0.86.1\nI tried.\n\(line)\n\(tokens)")
            let result = try await bench.run(prompt("runner: aider"), job: Int64(job))
            #expect(result.failureClass == .exit, "\(result)")
            #expect(result.message.hasPrefix("aider failed (exit 0): " + line.split(separator: "\n")[0]))
        }
    }

    @Test func aider_thatWritesOfSuchLines_isNoFailure() async throws {
        bench.plays(
            "aider",
            out:
                "The text `Empty response received from LLM` is new.\nModels: one has hit a token limit.\nTokens: 2k sent, 9 received.\n"
        )
        #expect(try await bench.run(prompt("runner: aider")).outcome == .success)
    }

    // MARK: Words

    @Test func whatAProgramPrintedBeforeItFailed_isTheReason_whereItSaysNothingElse() async throws {
        bench.plays("claude", out: "Invalid API key · Please run /login\n", exit: 1)
        #expect(try await bench.run(prompt("runner: claude")).message == "claude exited 1: Invalid API key · Please run /login")
        bench.plays("llm", out: "rate limit is my topic\nI cannot\n\n", exit: 2)
        let text = try await bench.run(prompt("runner: llm"), job: 2)
        #expect(text.message == "llm exited 2: I cannot" && text.failureClass == .exit)
        bench.plays("gemini", out: "Please sign in\n", exit: 1)
        #expect(try await bench.run(prompt("runner: gemini"), job: 3).message == "gemini exited 1: Please sign in")
    }
}
