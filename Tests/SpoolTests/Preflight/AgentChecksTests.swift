import Foundation
import Testing

@testable import Spool

@Suite struct AgentChecksTests {
    private let bench = AgentBench()

    private func check(
        _ yaml: String, body: String = "Do it.", mode: ExecMode = .agent, spool: String = "", shell: (any ShellChecking)? = nil
    ) async throws -> PreflightReport {
        bench.program("codex", "true")
        var context = PreflightContext(repoRoot: bench.repo, searchPath: bench.bin + ":/usr/bin:/bin", modeOverride: mode)
        context.runners = try bench.context(spool)
        let preflight = Preflight(context: context, resolver: try TestSpool.resolver(), shell: shell)
        return await preflight.check(PromptFile.read(name: "p.md", bytes: Data("---\n\(yaml)\n---\n\n\(body)\n".utf8)))
    }

    private static let twoRunners =
        "runners: {r: {base_url: 'http://x.example/v1', api_key_env: K}, l: {base_url: 'http://l.example/v1', api_key_env: L}}"

    private func codes(_ report: PreflightReport) -> [Finding.Code] { (report.errors + report.warnings).map(\.code) }

    @Test func plainPrompt_forAnAgent_hasRunnerAndLane() async throws {
        await bench.makeRepository()
        let report = try await check("cwd: .")
        #expect(codes(report).isEmpty)
        #expect(report.runner == "codex")
        #expect(report.lane == "tree:" + (WorkingTree.realPath(bench.repo) ?? ""))
        #expect(try await check("isolation: worktree").lane == nil)
    }

    @Test func placeholderWithoutValue_isAnErrorOnItsLine() async throws {
        let report = try await check("x: 1", body: "Fix\n{{what}} now")
        #expect(report.errors.map(\.code) == [.placeholderLeft])
        #expect(report.errors.first?.line == 6)
        #expect(codes(try await check("vars: {what: it}", body: "Fix {{what}}")).isEmpty)
    }

    /// Another tool would have filled it, and it would be sent as it is.
    @Test func argumentsWithoutValue_areAWarning() async throws {
        let report = try await check("x: 1", body: "Review $ARGUMENTS")
        #expect(report.errors.isEmpty && report.warnings.map(\.code) == [.placeholderLeft])
        #expect(report.warnings.first?.message == "$ARGUMENTS has no value" && report.warnings.first?.line == 5)
        #expect(codes(try await check("vars: {arguments: src}", body: "Review $ARGUMENTS")).isEmpty)
        #expect(codes(try await check("x: 1", body: "Review `$ARGUMENTS`")).isEmpty)
        #expect(codes(try await check("x: 1", body: "{{#if a}}\nb\n{{/if}}")) == [.placeholderLeft])
    }

    /// Agents read Markdown that no shell could run.
    @Test func fenceLeftOpen_isOnlyAnInfo() async throws {
        let report = try await check("x: 1", body: "Do\n```md\nthis")
        #expect(codes(report).isEmpty)
        #expect(report.findings.contains { $0.code == .fenceUnclosed })
    }

    @Test func missingProgram_unknownRunner_andEmptyText_areErrors() async throws {
        #expect(codes(try await check("runner: claude")) == [.interpreterMissing])
        #expect(codes(try await check("runner: nobody")) == [.frontMatterInvalid])
        #expect(codes(try await check("runner: local")) == [.frontMatterInvalid])
        #expect(codes(try await check("x: 1", body: "")) == [.nothingToRun])
        #expect(codes(try await check("isolation: worktree")) == [.frontMatterInvalid])
    }

    @Test func fullPermissions_areAWarning_unlessAllowed() async throws {
        #expect(codes(try await check("permissions: full")) == [.agentFullAccess])
        #expect(codes(try await check("permissions: full", spool: "allow_full: yes")).isEmpty)
        let report = try await check("permissions: full")
        #expect(report.verdict(isApproved: true).status == (report.resolved.policy.warnMode == .halt ? .blocked : .warned))
    }

    /// Even where the warning is approved, or recorded only, an agent gets no more than `edit`.
    @Test(arguments: [("", "workspace-write"), ("allow_full: yes", "danger-full-access")])
    func fullPermissions_withoutAllowFull_passNoFlagOfTheirs(_ spool: String, _ sandbox: String) throws {
        let prompt = PromptFile.read(name: "p.md", bytes: Data("---\npermissions: full\n---\nDo it.\n".utf8))
        let plan = try AgentPlan(prompt, mode: .agent, context: try bench.context(spool))
        let words = plan.arguments(.init(prompt: "p", answer: "a"), helpText: "")
        #expect(words.contains(sandbox) && words.contains("danger-full-access") == (spool != ""))
    }

    @Test(arguments: [
        ("base_url: http://127.0.0.1:1/v1", "", true), ("base_url: http://127.0.0.1:1/v1\napi_key_env: A_API_KEY", "", false),
        ("base_url: https://evil.example/v1", "", false), ("base_url: https://evil.example/v1\napi_key_env: none", "", false),
        ("base_url: https://good.example/v1\napi_key_env: A_API_KEY", "allow_hosts: [good.example]", true),
        ("runner: openai", "", false), ("runner: openai", "allow_hosts: [api.openai.com]", true),
        ("runner: openai\nbase_url: http://127.0.0.1:1", "", true),
        ("runner: r", "runners: {r: {base_url: 'http://x.example/v1', api_key_env: K}}", true),
        // A key goes to its own runner's host, or to one that is listed, and to no other runner's.
        ("runner: openai\nbase_url: http://x.example/v1\napi_key_env: OPENAI_API_KEY", Self.twoRunners, false),
        ("base_url: http://x.example/v1\napi_key_env: OTHER_API_KEY", Self.twoRunners, false),
        ("base_url: http://x.example/v1\napi_key_env: L", Self.twoRunners, false),
        ("base_url: http://x.example/v1\napi_key_env: K", Self.twoRunners, true),
        ("base_url: https://x.example:80/v1\napi_key_env: K", Self.twoRunners, false),
        ("base_url: http://127.0.0.1:1/v1\napi_key_env: K", Self.twoRunners, false),
        ("base_url: http://x.example@evil.example/v1\napi_key_env: none", "allow_hosts: [x.example]", false),
        ("base_url: http://x.example.evil.example/v1\napi_key_env: none", "allow_hosts: [x.example]", false),
        ("runner: r\nbase_url: http://y.example/v1", "runners: {r: {base_url: 'http://x.example/v1', api_key_env: K}}", false),
    ])
    func hosts_areThoseThatSpoolYamlNames(_ yaml: String, _ spool: String, _ isAllowed: Bool) async throws {
        let report = try await check(yaml, mode: .http, spool: spool)
        // A URL that is none is no host at all.
        let expected = yaml.contains("@") ? Finding.Code.frontMatterInvalid : .hostNotAllowed
        #expect(codes(report) == (isAllowed ? [] : [expected]))
    }

    @Test func verifyCommand_isJudgedLikeABlock() async throws {
        let report = try await check("verify: {command: 'rm -rf /'}", shell: WordCheck(word: "rm -rf"))
        #expect(report.warnings.map(\.code) == [.destructiveFS])
        #expect(report.warnings.first?.line == 2)
    }

    @Test func verifyDiff_outsideOfAgents_isAnError() async throws {
        #expect(codes(try await check("verify: {diff: required}", mode: .http)) == [.frontMatterInvalid])
    }

    @Test func catalog_namesEveryFault() {
        let yaml =
            "runners:\n  a: {command: x, base_url: y}\n  b: {kind: http}\n  codex: {mode: fast}\n  c: {command: [c], prompt: shout}\n"
        #expect {
            _ = try bench.context(yaml)
        } throws: { error in
            let text = (error as? FlowspoolError)?.message ?? ""
            return ["line 2", "line 3", "line 4", "line 5"].allSatisfy(text.contains)
        }
    }

    @Test func rendering_isExactlyWhatIsSent() throws {
        let prompt = PromptFile.read(
            name: "p.md", bytes: Data("---\nvars: {a: 1}\ncontext_files: [x.py]\n---\n\nDo {{a}}.\n".utf8))
        let context = try bench.context()
        #expect(
            try PromptRendering.text(for: prompt, mode: .agent, context: context) == "Do 1.\n\nFiles to read first:\n- x.py\n")
        let missing = PromptFile.read(name: "p.md", bytes: Data("Do {{b}}.\n".utf8))
        #expect(throws: FlowspoolError.self) { try PromptRendering.text(for: missing, mode: .agent, context: context) }
    }
}
