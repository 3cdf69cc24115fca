// What an agent answers and where it goes, and what it is given: nothing is put in a file's place that is no whole answer, and nothing
// of the runner's surroundings leads an agent into another repository.

import Foundation
import Testing

@testable import Spool

@Suite struct AgentAnswersTests {
    private let bench = AgentBench()

    private func prompt(_ yaml: String, _ body: String = "Fix it.") -> String { "---\n\(yaml)\n---\n\n\(body)\n" }

    @Test func runWithoutAnAnswer_putsNothingInTheFilesPlace() async throws {
        bench.scratch.write("repo/out.txt", "precious")
        bench.plays("codex", out: "{\"type\":\"thread.started\"}\n{\"type\":\"turn.started\"}\n{\"type\":\"turn.completed\"}\n")
        let result = try await bench.run(prompt("runner: codex\noutput: out.txt"))
        #expect(result.failureClass == .gate && result.message.contains("there is no answer"), "\(result.message)")
        #expect(bench.scratch.text("repo/out.txt") == "precious")
    }

    /// The run folder is the agent's as well: what it has printed still is its answer.
    @Test func answerFileThatCannotBeWritten_losesNoAnswer() async throws {
        bench.program("mine", "cat > /dev/null; mkdir \"$FLOWSPOOL_RUN_DIR/answer.md\"; echo hello")
        let result = try await bench.run(prompt("runner: mine\noutput: out.txt"), "runners: {mine: {command: [mine]}}")
        #expect(result.outcome == .success, "\(result.message)")
        #expect(bench.scratch.text("repo/out.txt") == "hello\n")
    }

    @Test func answerThatIsTooLong_isNone() async throws {
        bench.scratch.write("repo/out.txt", "precious")
        bench.program("mine", "cat > /dev/null; head -c 17825800 /dev/zero | tr '\\0' x")
        let result = try await bench.run(prompt("runner: mine\noutput: out.txt"), "runners: {mine: {command: [mine]}}")
        #expect(result.failureClass == .runner && result.message.contains("longer than 16 MiB"), "\(result.message)")
        #expect(bench.scratch.text("repo/out.txt") == "precious")
    }

    @Test func outputOfAScratchAgent_isBelowTheRepoRoot() async throws {
        bench.program("mine", "cat > /dev/null; echo hello; pwd > $D/where")
        let yaml = "runners: {mine: {command: [mine]}}"
        #expect(try await bench.run(prompt("runner: mine\nisolation: scratch\noutput: res/out.txt"), yaml).outcome == .success)
        #expect(bench.scratch.text("repo/res/out.txt") == "hello\n")
        #expect(bench.scratch.text("where").contains("/scratch"))
    }

    /// JavaScript writes half a character where it has cut a text within one.
    @Test func eventWithHalfACharacter_isAnEvent() async throws {
        bench.plays(
            "claude",
            out: #"{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"cut \ud83d","session_id":"s"}"#
                + "\n")
        let result = try await bench.run(prompt("runner: claude"))
        #expect(result.outcome == .success, "\(result.message)")
        #expect(bench.scratch.text("runs/1/answer.md") == "cut \u{FFFD}")
    }

    @Test func noticeWithABracket_isNoDocument() async throws {
        bench.plays(
            "gemini", out: "[dotenv] use { path: \"/x/.env\" }\n{\"session_id\":\"s\",\"response\":\"all done\",\"stats\":{}}\n")
        let result = try await bench.run(prompt("runner: gemini"))
        #expect(result.outcome == .success, "\(result.message)")
        #expect(bench.scratch.text("runs/1/answer.md") == "all done")
    }

    @Test func worktree_isTheRepoRootOfItsAgent_whateverGitSaysOfAnotherOne() async throws {
        await bench.makeRepository()
        bench.program(
            "mine", "cat > /dev/null; echo work > made.txt; git add .; git commit -qm agent; echo $REPO_ROOT > $D/root; echo ok")
        let result = try await bench.run(
            prompt("runner: mine\nisolation: worktree\nverify: {command: 'test -s \"$REPO_ROOT/made.txt\"'}"),
            "runners: {mine: {command: [mine]}}")
        #expect(result.outcome == .success, "\(result.message)")
        let tree = try #require(result.usage?.worktree)
        #expect(bench.scratch.text("root") == tree + "\n")
        #expect(!FileManager.default.fileExists(atPath: bench.repo + "/made.txt"))
        // What a hook of git's hands on is not handed on.
        let filtered = EnvironmentFilter()(["GIT_DIR": "/x/.git", "GIT_INDEX_FILE": "i", "GIT_AUTHOR_NAME": "a", "PATH": "/bin"])
        #expect(filtered == ["PATH": "/bin"])
        #expect(EnvironmentFilter()(["GIT_AUTHOR_NAME": "a", "PATH": "/bin"]) == ["GIT_AUTHOR_NAME": "a", "PATH": "/bin"])
        #expect(EnvironmentFilter(pass: ["GIT_DIR"])(["GIT_DIR": "/x/.git", "GIT_PREFIX": "p"]) == ["GIT_DIR": "/x/.git"])
    }

    @Test func fileThatGitWasToldToTakeForUnchanged_keepsItsWorktree() async throws {
        await bench.makeRepository()
        bench.program("mine", "cat > /dev/null; git update-index --assume-unchanged a.txt; echo work >> a.txt; echo ok")
        let result = try await bench.run(prompt("runner: mine\nisolation: worktree"), "runners: {mine: {command: [mine]}}")
        let tree = try #require(result.usage?.worktree, "\(result.message)")
        #expect(try String(contentsOfFile: tree + "/a.txt", encoding: .utf8) == "a\nwork\n")
    }

    @Test func workingFolderThatIsInNoCommit_isSaid() async throws {
        await bench.makeRepository()
        mkdir(bench.repo + "/build", 0o700)
        bench.program("mine", "cat > /dev/null; echo ok")
        let result = try await bench.run(
            prompt("runner: mine\nisolation: worktree\ncwd: build"), "runners: {mine: {command: [mine]}}")
        #expect(result.failureClass == .runner && result.message.contains("in no commit"), "\(result.message)")
    }

    /// An address that `spool.yaml` does not give is not made its own by another setting.
    @Test func builtInEndpointThatIsOnlyMentioned_getsNoKey() async throws {
        let context = try bench.context("runners: {openai: {model: gpt-x}}", environment: ["OPENAI_API_KEY": "k"])
        let file = PromptFile.read(name: "p.md", bytes: Data(prompt("exec_mode: http\nrunner: openai").utf8))
        let preset = try context.catalog.choose(file.settings.agent, kind: .http)
        #expect(throws: HTTPTarget.Refused.self) { try HTTPTarget(file.settings.agent, preset, context) }
        let listed = try bench.context(
            "{allow_hosts: [api.openai.com], runners: {openai: {model: gpt-x}}}", environment: ["OPENAI_API_KEY": "k"])
        #expect(try HTTPTarget(file.settings.agent, preset, listed).keyName == "OPENAI_API_KEY")
    }

    @Test(arguments: [
        ("allowed-tools: Read(src/**), Grep", true), ("allowed-tools: [\"WebFetch(domain:x)\"]", true), ("tools: []", true),
        ("allowed-tools: Read, Bash(git log:*)", false), ("tools: [edit]", false),
    ])
    func toolsThatOnlyRead_narrow(_ yaml: String, _ isReading: Bool) {
        let file = PromptFile.read(name: "p.md", bytes: Data(prompt(yaml).utf8))
        #expect((file.settings.agent.permissionsImplied == .read) == isReading)
    }

    @Test(arguments: [
        "permissions: [read]", "temperature: hot", "temperature: 3", "max_tokens: 0", "api: completion-api", "system: [a, b]",
        "output: [a.txt]",
    ])
    func wrongValue_isAnError(_ yaml: String) {
        let file = PromptFile.read(name: "p.md", bytes: Data(prompt(yaml).utf8))
        #expect(file.settings.agent.faults.map(\.code) == [.frontMatterInvalid], "\(file.findings)")
        // In a runbook of scripts such a key is its author's own.
        #expect(file.findings.isEmpty)
    }

    /// Of two spellings of one name the later wins, in each process.
    @Test func laterSpelling_wins() throws {
        let yaml = "inputs: [{name: userName, default: from-inputs}]\nvars: {user_name: from-vars}\nsystem: 'be {{user_name}}'"
        let file = PromptFile.read(name: "p.md", bytes: Data(prompt(yaml, "hello {{user_name}}").utf8))
        let plan = try AgentPlan(file, mode: .agent, context: try bench.context())
        #expect(plan.text.contains("hello from-vars") && plan.system == "be from-vars", "\(plan.text)")
    }
}
