import Foundation
import Testing

@testable import Spool

/// Keys that programs repeat which flowspool gave them.
@Suite struct SecretMaskTests {
    private let bench = AgentBench()

    private func prompt(_ yaml: String) -> String { "---\n\(yaml)\n---\n\nFix it.\n" }

    private static let key = "sk-proj-4Zx9Q2vLk7Tn"

    @Test func keyThatAProgramRepeats_isInNothingThatFlowspoolWrites() async throws {
        let yaml = "runners: {mine: {command: [mine], pass_env: [MY_KEY, SHORT]}}"
        let environment = ["MY_KEY": Self.key, "SHORT": "Errorx"]
        let half = Self.key.count / 2
        let wrapped = "\(Self.key.prefix(half))\n\(Self.key.dropFirst(half))"
        for (job, words) in [
            "Errorx: Incorrect API key provided: \(Self.key).", "twice \(Self.key) and \(Self.key)",
            String(repeating: "x", count: 285) + Self.key,
        ].enumerated() {
            bench.plays("mine", out: "", errors: words + "\n", exit: 1)
            let result = try await bench.run(prompt("x: 1"), yaml, job: Int64(job), environment: environment)
            let text = bench.scratch.text("runs/\(job)/result.json") + result.message
            #expect(!text.contains(Self.key.prefix(9)) && text.contains("***"), "\(result.message)")
            #expect(job > 0 || result.message.hasSuffix("Errorx: Incorrect API key provided: ***."))
            // What the program prints is its own.
            #expect(bench.scratch.text("runs/\(job)/stderr.log").contains(Self.key))
        }
        bench.plays("aider", out: "litellm.AuthenticationError: bad key\n\(wrapped)\n")
        let aider = try await bench.run(
            prompt("runner: aider"), job: 7, environment: ["OPENAI_API_KEY": Self.key, "GEMINI_API_KEY": ""])
        #expect(aider.message == "aider failed (exit 0): litellm.AuthenticationError: bad key ***")
        bench.plays("codex", out: #"{"type":"thread.started","thread_id":"\#(Self.key)"}"# + "\n", exit: 1)
        let codex = try await bench.run(prompt("runner: codex"), job: 8, environment: ["CODEX_API_KEY": Self.key])
        #expect(codex.usage?.session == "***")
    }

    @Test(arguments: [
        ("sk-12345678", "a sk-12345678 b", "a *** b"), ("sk-12345678", "sk-1234567", "sk-1234567"),
        ("sk-12345678", "at sk-12345…", "at ***…"), ("sk-12345678", "at sk-1234…", "at sk-1234…"),
        ("sk-12345678", "sk-123 \n45678!", "***!"), ("sk-1234", "sk-1234", "sk-1234"), ("", "any", "any"),
        ("aabaabaac", "aabaabaabaac", "aab***"),
    ])
    func mask(_ secret: String, _ text: String, _ masked: String) { #expect(SecretMask([secret])(text) == masked) }
}
