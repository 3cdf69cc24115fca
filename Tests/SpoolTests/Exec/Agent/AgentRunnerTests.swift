import Foundation
import Testing

@testable import Spool

@Suite struct AgentRunnerTests {
    private let bench = AgentBench()

    private func prompt(_ yaml: String, _ body: String = "Fix it.") -> String { "---\n\(yaml)\n---\n\n\(body)\n" }

    // MARK: codex

    @Test func codex_success_tellsAnswerAndUsage() async throws {
        bench.plays("codex", out: AgentStreams.codexSuccess)
        let result = try await bench.run(
            prompt("runner: codex\nmodel: gpt-5\npermissions: read\nvars: {what: that}", "Fix {{what}}."))
        #expect(result.outcome == .success)
        #expect(result.usage?.tokensIn == 24763)
        #expect(result.usage?.tokensOut == 122)
        #expect(result.usage?.session == "0199a213-81c0-7800-8aa1-bbab2a035a53")
        #expect(result.usage?.turns == 2)
        #expect(bench.scratch.text("codex.in") == "Fix that.\n")
        #expect(bench.scratch.text("runs/1/answer.md") == "Done: rate limit reached is only a title.")
        let arguments = bench.scratch.text("codex.args").split(separator: "\n").map(String.init)
        #expect(
            arguments == [
                "exec", "--json", "--skip-git-repo-check", "--sandbox", "read-only", "--model", "gpt-5", "-o",
                bench.scratch.file("runs/1/answer.md"), "-",
            ])
        #expect(bench.scratch.text("runs/1/result.json").contains(#""tokens_in": 24763"#))
    }

    @Test func codex_exit0WithoutItsFinalEvent_fails() async throws {
        bench.plays("codex", out: AgentStreams.codexCutOff)
        let result = try await bench.run(prompt("runner: codex"))
        #expect(result.failureClass == .exit)
        #expect(result.message == "codex exited 0 without the event that ends a run")
    }

    @Test func codex_turnFailedWithExit0_fails() async throws {
        bench.plays("codex", out: AgentStreams.codexFailure("stream disconnected"))
        let result = try await bench.run(prompt("runner: codex"))
        #expect(result.failureClass == .exit)
        #expect(result.message == "codex failed (exit 0): stream disconnected")
    }

    @Test func codex_usageLimit_defersToTheTimeItGave() async throws {
        bench.plays(
            "codex",
            out: AgentStreams.codexFailure(
                "You've hit your usage limit. Upgrade to Pro or try again in 2 days 1 hour 14 minutes."),
            exit: 1)
        let result = try await bench.run(prompt("runner: codex"))
        #expect(result.failureClass == .rateLimited)
        #expect(result.retryAt == Date(timeIntervalSince1970: 1_767_323_045 + 49 * 3600 + 14 * 60))
    }

    @Test func limitThatTheAgentMerelyPrinted_isNoLimit() async throws {
        bench.plays("codex", out: AgentStreams.codexSuccess, exit: 3)
        let result = try await bench.run(prompt("runner: codex"))
        #expect(result.failureClass == .exit)
        #expect(result.exitCode == 3)
    }

    // MARK: claude

    @Test func claude_success_isAsked_withoutPermissionQuestions() async throws {
        bench.plays("claude", out: AgentStreams.claude())
        let result = try await bench.run(prompt("runner: claude\nmodel: GPT-5 (copilot)\nmax_turns: 7"))
        #expect(result.outcome == .success)
        #expect(result.usage?.costUSD == 0.0123)
        #expect(result.usage?.tokensIn == 30)
        #expect(result.usage?.turns == 2)
        #expect(result.usage?.model == "claude-sonnet-4-5")
        let arguments = bench.scratch.text("claude.args").split(separator: "\n").joined(separator: " ")
        #expect(
            arguments
                == "-p --output-format stream-json --verbose --permission-mode acceptEdits --permission-prompts none --max-turns 7"
        )
    }

    @Test func claude_subtypeSuccessWithError_isAFailure() async throws {
        bench.plays("claude", out: AgentStreams.claude(isError: true, result: "API Error: 500"))
        let result = try await bench.run(prompt("runner: claude"))
        #expect(result.failureClass == .exit)
        #expect(result.message.contains("API Error: 500"))
    }

    @Test func claude_limitInItsResult_defers() async throws {
        bench.plays(
            "claude",
            out: AgentStreams.claude(isError: true, result: "You've hit your session limit · resets 1pm (Europe/Lisbon)"), exit: 1
        )
        let result = try await bench.run(prompt("runner: claude"))
        #expect(result.failureClass == .rateLimited)
        // 2026-01-02 13:00 in Lisbon, which is UTC in winter.
        #expect(result.retryAt == Date(timeIntervalSince1970: 1_767_358_800))
    }

    @Test func claude_rateLimitEvent_givesTheTime() async throws {
        let event = #"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1767330000}}"#
        bench.plays("claude", out: AgentStreams.claude(isError: true, result: "usage limit reached", more: event), exit: 1)
        let result = try await bench.run(prompt("runner: claude"))
        #expect(result.retryAt == Date(timeIntervalSince1970: 1_767_330_000))
    }

    @Test func claude_ownTurnLimit_isABudget() async throws {
        bench.plays("claude", out: AgentStreams.claude(subtype: "error_max_turns"), exit: 1)
        #expect(try await bench.run(prompt("runner: claude")).failureClass == .budget)
    }

    @Test func claude_question_endsTheAttempt() async throws {
        bench.program(
            "claude",
            #"""
            [[ "$1" == --help ]] && exit 0
            echo '{"type":"control_request","request":{"subtype":"can_use_tool","tool_name":"Bash"}}'
            exec sleep 600
            """#)
        let result = try await bench.run(prompt("runner: claude"))
        #expect(result.failureClass == .permission)
        #expect(result.message == "claude was ended: it asks to use Bash, and nobody is there to answer")
    }

    // MARK: others

    @Test func gemini_documentAndExitStatus_areRead() async throws {
        bench.plays("gemini", out: AgentStreams.geminiSuccess)
        let result = try await bench.run(prompt("runner: gemini"))
        #expect(result.outcome == .success)
        #expect(result.usage?.tokensOut == 25)
        #expect(bench.scratch.text("runs/1/answer.md") == "Paris.")
        bench.plays("gemini", out: AgentStreams.geminiError, exit: 41)
        #expect(try await bench.run(prompt("runner: gemini"), job: 2).failureClass == .runner)
        bench.plays("gemini", out: "", errors: "turns", exit: 53)
        #expect(try await bench.run(prompt("runner: gemini"), job: 3).failureClass == .budget)
        bench.plays("gemini", out: "not json at all")
        #expect(try await bench.run(prompt("runner: gemini"), job: 4).failureClass == .exit)
    }

    @Test func opencode_steps_areAdded() async throws {
        bench.plays("opencode", out: AgentStreams.opencodeSuccess)
        let result = try await bench.run(prompt("runner: opencode"))
        #expect(result.outcome == .success)
        #expect(result.usage?.tokens == 11097 + 150)
        #expect(result.usage?.costUSD == 0.007)
        bench.plays("opencode", out: AgentStreams.opencodeError)
        #expect(try await bench.run(prompt("runner: opencode"), job: 2).message == "opencode failed (exit 0): no key")
    }

    /// As aider 0.86.2 printed it, wrapped where a terminal would end.
    @Test func aider_limitWrappedOverLines_isALimitWithItsTime() async throws {
        bench.plays(
            "aider",
            out: """
                litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for
                gpt-4o on requests per min (RPM): Limit 3, Used 3. Please try again in
                20s.
                The API provider has rate limited you. Try again later or check your quotas.

                Retrying in 0.2 seconds...

                """)
        let result = try await bench.run(prompt("runner: aider"))
        #expect(result.failureClass == .rateLimited)
        #expect(result.retryAt == Date(timeIntervalSince1970: 1_767_323_065))
        // It sits the limit out, for longer than it has.
        bench.program("aider", "cat $D/aider.out; exec sleep 100")
        let waiting = try await bench.run(prompt("runner: aider\nbudget: {time: 0.3s}"), job: 2)
        #expect(waiting.failureClass == .rateLimited)
        bench.program("aider", "cat $D/aider.out; echo 'Tokens: 2k sent, 12 received.'; exec sleep 100")
        #expect(try await bench.run(prompt("runner: aider\nbudget: {time: 0.3s}"), job: 3).failureClass == .timeout)
    }

    @Test(arguments: [
        ("codex", "GPT-5 (copilot)", "gpt-5"), ("gemini", "googleai/gemini-2.5-flash", "gemini-2.5-flash"),
        ("claude", "claude-sonnet-4-0", "claude-sonnet-4-0"), ("claude", "GPT-4.1", nil), ("codex", "Claude Sonnet 4.5", nil),
        ("llm", "Org/Model", "Org/Model"),
    ])
    func model_isTheOneThatTheRunnerKnows(_ runner: String, _ written: String, _ expected: String?) throws {
        var settings = AgentSettings()
        settings.model = written
        #expect(try bench.context().catalog[runner]?.model(for: settings) == expected)
    }

    /// What a tool prints may be anything, the model's own text as well.
    @Test(arguments: [
        ("aider", "Tokens: inf sent, nan received. Cost: $inf message, $nan session."),
        ("aider", "Tokens: 999999999999999999999M sent, -5 received."),
        ("aider", String(repeating: "Tokens: 999999M sent, 999999M received.\n", count: 50)),
        ("llm", "Token usage: 9223372036854775807 input, 9223372036854775807 output"),
        ("llm", String(repeating: "Token usage: 9000000000000000000 input\n", count: 3)),
    ])
    func counts_thatNoToolCanMean_areNotBelieved(_ runner: String, _ text: String) async throws {
        bench.plays(runner, out: runner == "aider" ? "Done.\n\(text)\n" : "Done.", errors: runner == "aider" ? "" : text + "\n")
        let result = try await bench.run(prompt("runner: \(runner)"))
        #expect(result.outcome == .success, "\(result)")
        #expect(result.usage?.tokens ?? 0 <= 2_000_000_000_000)
        #expect(result.usage?.costUSD ?? 0 == 0)
    }

    @Test(arguments: ["1e40", "-1e40", "99999999999999", "1e12"])
    func claude_limitWithAnEndThatNobodyCanMean_isNotBelieved(_ time: String) async throws {
        let event = #"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":TIME}}"#
            .replacingOccurrences(of: "TIME", with: time)
        bench.plays(
            "claude", out: AgentStreams.claude(isError: true, result: "You have hit your limit", more: event), exit: 1)
        let result = try await bench.run(prompt("runner: claude"))
        #expect(result.failureClass == .rateLimited, "\(result)")
        let wait = (result.retryAt?.timeIntervalSince1970 ?? 0) - 1_767_323_045
        #expect(wait <= LimitText.waitMax)
    }

    @Test func aider_refusedKeyWithExit0_fails() async throws {
        bench.plays("aider", out: AgentStreams.aiderSuccess)
        let result = try await bench.run(prompt("runner: aider"))
        #expect(result.outcome == .success)
        #expect(result.usage?.tokensIn == 2100)
        #expect(result.usage?.costUSD == 0.02)
        #expect(bench.scratch.text("aider.args").contains("--message-file\n\(bench.scratch.file("runs/1/prompt.md"))\n"))
        bench.plays("aider", out: AgentStreams.aiderRefused)
        #expect(try await bench.run(prompt("runner: aider"), job: 2).failureClass == .exit)
    }

    @Test func ownCommand_getsWhatSpoolYamlSays() async throws {
        bench.plays("mine", out: "hello", errors: "Token usage: 1,200 input, 34 output\n")
        let yaml = "runners: {mine: {command: [mine, --go], model_flag: -m, price: {input: 1000000, output: 1}}}"
        let result = try await bench.run(prompt("model: any-thing"), yaml)
        #expect(result.outcome == .success)
        #expect(result.usage?.runner == "mine")
        #expect(result.usage?.tokensIn == 1200)
        #expect(result.usage?.costUSD == 1200.000034)
        #expect(bench.scratch.text("mine.args") == "--go\n-m\nany-thing\n")
    }

    @Test func limitOnStandardError_defers_withoutTimeWhereNoneIsGiven() async throws {
        bench.plays("llm", out: "", errors: "Error: Error code: 429 - rate limit\n", exit: 1)
        let result = try await bench.run(prompt("runner: llm"))
        #expect(result.failureClass == .rateLimited)
        #expect(result.retryAt == nil)
    }

    @Test func programThatIsMissing_couldNotStart() async throws {
        let result = try await bench.run(prompt(""), "runners: {x: {command: [no-such-agent]}}")
        #expect(result.failureClass == .runner)
    }

    // MARK: Limits

    @Test func idleAgent_isEnded_andWhatItDidIsKept() async throws {
        bench.program("mine", "echo begun; exec sleep 600")
        let result = try await bench.run(prompt("budget: {idle: 0.3}"), "runners: {mine: {command: [mine]}}")
        #expect(result.failureClass == .idle)
        #expect(result.message == "mine was ended: no output and no processor time for 0.3 s")
        #expect(bench.scratch.text("runs/1/answer.md") == "begun\n")
    }

    @Test func tokenBudget_endsTheAgentWhileItRuns() async throws {
        bench.program(
            "claude",
            #"""
            [[ "$1" == --help ]] && exit 0
            echo '{"type":"assistant","message":{"id":"a","content":[],"usage":{"input_tokens":900,"output_tokens":200}}}'
            exec sleep 600
            """#)
        let result = try await bench.run(prompt("runner: claude\nbudget: {tokens: 1000}"))
        #expect(result.failureClass == .budget)
        #expect(result.message == "claude was ended: the token budget of the job is used up (1100 of 1000)")
        #expect(result.usage?.tokens == 1100)
    }

    @Test func budgetOfTheDay_stopsTheNextJob() async throws {
        bench.plays("claude", out: AgentStreams.claude())
        var budgets = SpoolConfiguration.Budgets()
        budgets.day.costUSD = 0.01
        let meter = UsageMeter(budgets: budgets, clock: FixedWall(wall: 1_767_323_045_000))
        _ = try await bench.run(prompt("runner: claude"), meter: meter)
        let second = try await bench.run(prompt("runner: claude"), job: 2, meter: meter)
        #expect(second.failureClass == .budget)
        #expect(second.message == "the cost budget of the day is used up ($0.0123 of $0.0100); nothing was started")
        let next = UsageMeter(budgets: budgets, today: .init(), clock: FixedWall(wall: 1_767_323_045_000 + 86_400_000))
        #expect(next.usedUp() == nil)
    }

    @Test func timeLimit_endsTheAgent() async throws {
        bench.program("mine", "exec sleep 600")
        let result = try await bench.run(prompt("timeout: 1"), "runners: {mine: {command: [mine]}}", timeoutSeconds: 0.3)
        #expect(result.failureClass == .timeout)
    }

    @Test func keys_reachOnlyTheRunnerThatNeedsThem() async throws {
        bench.program("mine", "cat >/dev/null; echo \"a=$ANTHROPIC_API_KEY o=$OTHER_SECRET\"")
        let context = try bench.context(
            "runners: {mine: {command: [mine], pass_env: [ANTHROPIC_API_KEY]}}",
            environment: ["ANTHROPIC_API_KEY": "k1", "OTHER_SECRET": "k2"])
        let runner = AgentRunner(context: context, meter: UsageMeter())
        let result = await runner.run(bench.request(prompt("x: 1")), on: LocalExecutor()) { _ in }
        #expect(result.outcome == .success)
        #expect(bench.scratch.text("runs/1/answer.md") == "a=k1 o=\n")
    }

    // MARK: Verified success

    @Test func verify_commandDiffAndSchema_areAsked() async throws {
        await bench.makeRepository()
        let yaml = "runners: {mine: {command: [mine]}}"
        bench.program("mine", "cat >/dev/null; echo '{\"n\": 1}'")
        let gates =
            "verify: {diff: required, command: 'test -e b.txt', schema: {type: object, required: [n]}}\noutput: out/answer.json"
        let unchanged = try await bench.run(prompt(gates), yaml)
        #expect(unchanged.failureClass == .gate)
        #expect(unchanged.message.contains("verify.command exited 1"))
        // The answer was put into the tree, but the agent changed nothing.
        #expect(unchanged.message.contains("the working tree has not changed"))
        #expect(bench.scratch.text("repo/out/answer.json") == "{\"n\": 1}\n")
        let noDiff = try await bench.run(prompt("verify: {diff: required}"), yaml, job: 2)
        #expect(noDiff.message == "completion gate: the working tree has not changed")
        bench.program("mine", "cat >/dev/null; touch b.txt; echo '{\"m\": 1}'")
        let misfit = try await bench.run(prompt(gates), yaml, job: 3)
        #expect(misfit.message == "completion gate: the answer does not fit verify.schema: $ lacks n")
        bench.program("mine", "cat >/dev/null; date +%N > b.txt; printf '```json\\n{\"n\": 2}\\n```\\n'")
        let good = try await bench.run(prompt(gates), yaml, job: 4)
        #expect(good.outcome == .success)
        #expect(good.gate == .pass)
    }

    /// What an answer could not be put into is known before the agent is paid for.
    @Test(arguments: ["shared", "worktree"]) func outputThatIsAFolder_isRefusedBeforeTheRun(_ isolation: String) async throws {
        await bench.makeRepository()
        mkdir(bench.repo + "/docs", 0o755)
        try Data("b\n".utf8).write(to: URL(filePath: bench.repo + "/docs/b.txt"))
        await bench.git("add", ".")
        await bench.git("commit", "-qm", "docs")
        bench.plays("codex", out: AgentStreams.codexSuccess)
        let yaml = "runner: codex\noutput: docs" + (isolation == "worktree" ? "\nisolation: worktree" : "")
        let result = try await bench.run(prompt(yaml))
        #expect(result.failureClass == .gate)
        #expect(result.message == "output: docs is a folder; name a file; nothing was started")
        #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("codex.in")))
        #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("runs/1/job-1-1")))
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.repo).sorted() == [".git", "a.txt", "docs"])
    }

    // MARK: Isolation

    @Test func worktree_withChanges_isKeptAndSaidWhere() async throws {
        await bench.makeRepository()
        bench.program("mine", "cat >/dev/null; echo changed > a.txt; pwd")
        let yaml = "runners: {mine: {command: [mine]}}"
        async let one = bench.run(prompt("isolation: worktree"), yaml, job: 1)
        async let two = bench.run(prompt("isolation: worktree"), yaml, job: 2)
        let results = try await [one, two]
        #expect(results.map(\.outcome) == [.success, .success], "\(results.map(\.message))")
        let trees = results.compactMap { $0.usage?.worktree }
        #expect(Set(trees).count == 2)
        #expect(results[0].usage?.branch == "flowspool/job-1-1")
        #expect(try String(contentsOfFile: trees[0] + "/a.txt", encoding: .utf8) == "changed\n")
        #expect(bench.scratch.text("repo/a.txt") == "a\n")
    }

    @Test func worktree_isNotedBeforeTheAgentBegins() async throws {
        await bench.makeRepository()
        bench.program("mine", "cat >/dev/null; cp \"$FLOWSPOOL_RUN_DIR/worktree.json\" a.txt")
        let result = try await bench.run(prompt("isolation: worktree"), "runners: {mine: {command: [mine]}}", job: 7)
        let tree = try #require(result.usage?.worktree)
        let note = try JSON.parse(try String(contentsOfFile: tree + "/a.txt", encoding: .utf8))
        #expect(note == ["runner": "mine", "name": "job-7-1", "branch": "flowspool/job-7-1"])
    }

    /// git fails where two of its commands meet at the list of worktrees.
    @Test func worktreesOfARepository_areMadeAndRemovedOneAtATime() async throws {
        await bench.makeRepository()
        bench.program("mine", "cat >/dev/null; pwd")
        bench.program(
            "git",
            #"""
            if [[ $1 == worktree || $1 == branch ]]; then
                mkdir $D/inside || touch $D/met
                for _ in {1..15}; do [[ -e $D/met ]] && break; read -rt 0.01 <> <(:) || true; done
                /usr/bin/git "$@"
                status=$?
                rmdir $D/inside
                exit $status
            fi
            exec /usr/bin/git "$@"
            """#)
        let yaml = "runners: {mine: {command: [mine]}}"
        async let one = bench.run(prompt("isolation: worktree"), yaml, job: 1)
        async let two = bench.run(prompt("isolation: worktree"), yaml, job: 2)
        let results = try await [one, two]
        #expect(results.map(\.outcome) == [.success, .success], "\(results.map(\.message))")
        #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("met")))
    }

    /// The machine would not start git: nothing of the agent has run, and the job can begin later.
    @Test(arguments: ["isolation: worktree", "verify: {diff: required}"])
    func gitThatCannotStart_isARefusal(_ yaml: String) async throws {
        await bench.makeRepository()
        bench.plays("codex", out: AgentStreams.codexSuccess)
        let yaml = "runner: codex\n" + yaml
        let refused = try await bench.run(prompt(yaml), executor: Refusing(["git", "flock"], EAGAIN))
        #expect(refused.refusal?.errno == EAGAIN && refused.failureClass == .runner && refused.blocks.isEmpty)
        let missing = try await bench.run(prompt(yaml), job: 2, executor: Refusing(["git", "flock"], nil))
        #expect(missing.refusal == nil && missing.failureClass == .runner)
    }

    /// Nor is a worktree left behind, where its first state could not be taken down.
    @Test func worktreeWhoseStateCannotBeTaken_isRemoved() async throws {
        await bench.makeRepository()
        bench.plays("codex", out: AgentStreams.codexSuccess)
        bench.program("git", "[[ $1 == add ]] && exit 3; exec /usr/bin/git \"$@\"")
        let result = try await bench.run(prompt("runner: codex\nisolation: worktree\nverify: {diff: required}"))
        #expect(result.failureClass == .runner && result.message.hasPrefix("git add:"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.repo + "/.git").contains("worktrees") == false)
    }

    @Test func worktree_withoutChanges_isRemovedWithItsBranch() async throws {
        await bench.makeRepository()
        bench.program("mine", "cat >/dev/null; pwd")
        let result = try await bench.run(prompt("isolation: worktree"), "runners: {mine: {command: [mine]}}")
        #expect(result.outcome == .success)
        #expect(result.usage?.worktree == nil)
        #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("runs/1/job-1-1")))
        await bench.git("branch", "--list", "flowspool/*")
        #expect(bench.scratch.text("git").isEmpty)
    }

    @Test func scratchFolder_isEmptyAndItsOwn() async throws {
        bench.program("mine", "cat >/dev/null; pwd; ls -A")
        _ = try await bench.run(prompt("isolation: scratch"), "runners: {mine: {command: [mine]}}")
        #expect(bench.scratch.text("runs/1/answer.md").hasSuffix("/runs/1/scratch\n"))
    }
}
