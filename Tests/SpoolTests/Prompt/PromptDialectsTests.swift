import Foundation
import Testing

@testable import Spool

@Suite struct PromptDialectsTests {
    private func settings(_ yaml: String) -> PromptSettings {
        PromptFile.read(name: "p.md", bytes: Data("---\n\(yaml)\n---\nDo it.\n".utf8)).settings
    }
    private func findings(_ yaml: String) -> [Finding] {
        PromptFile.read(name: "p.md", bytes: Data("---\n\(yaml)\n---\nDo it.\n".utf8)).findings
    }

    @Test func copilot_modelAndReadingTools_narrowToRead() {
        let agent = settings(
            "mode: 'agent'\nmodel: ['GPT-5', 'Claude Sonnet 4.5']\ntools: ['codebase', 'search/fileSearch', 'read']"
        ).agent
        #expect(agent.model == "GPT-5")
        #expect(agent.tools.count == 3)
        #expect(agent.permissionsImplied == .read)
    }

    @Test func claude_allowedToolsAsText_keepsCommasInParentheses() {
        let agent = settings(
            "allowed-tools: Read, Bash(git add:*, git commit:*), Edit\nargument-hint: '[file]'\nmodel: claude-opus-4-1"
        ).agent
        #expect(agent.tools == ["Read", "Bash(git add:*, git commit:*)", "Edit"])
        #expect(agent.permissionsImplied == nil)
        #expect(agent.permissions == nil)
    }

    @Test func dotprompt_configInputAndSchema_areMapped() throws {
        let found = settings(
            """
            model: googleai/gemini-2.5-flash
            config: {temperature: 0.7, maxOutputTokens: 2048}
            input:
              schema: {topic: 'string, what about', 'style?': string, tags: 'string[]'}
              default: {topic: cats}
            output:
              format: json
              schema: {title: string, 'count?': integer, 'tags(array, all of them)': string}
            """)
        #expect(found.agent.model == "googleai/gemini-2.5-flash")
        #expect(found.agent.temperature == 0.7)
        #expect(found.agent.tokensMax == 2048)
        #expect(found.agent.inputs == ["topic", "style", "tags"])
        #expect(found.agent.optionalInputs == ["style"])
        #expect(found.agent.values == ["topic": "cats"])
        #expect(found.agent.output == nil)
        let schema = JSONSchema(try JSON.parse(try #require(found.gate.schema)))
        #expect(schema.problem == nil)
        #expect(schema.misfits(["title": "x", "tags": ["a"]]).isEmpty)
        #expect(schema.misfits(["title": 1]) == ["$.title is integer, not string", "$ lacks tags"])
    }

    @Test func prompty_modelMappingInputsAndSample_areMapped() {
        let agent = settings(
            """
            model:
              api: chat
              configuration: {type: azure_openai, azure_deployment: gpt-35, azure_endpoint: '${env:AZURE}'}
              parameters: {temperature: 0.2, max_tokens: 100}
            inputs:
              - {name: question, kind: string, default: why}
              - {name: mood, required: false}
            sample: {question: weaker, firstName: Jo}
            """
        ).agent
        #expect(agent.model == "gpt-35")
        #expect(agent.api == .chat)
        #expect(agent.baseURL == nil)
        #expect(agent.temperature == 0.2)
        #expect(agent.tokensMax == 100)
        #expect(agent.values == ["question": "why", "firstName": "Jo"])
        #expect(agent.optionalInputs == ["mood"])
    }

    @Test func claudeCodeQueue_keys_areMapped() {
        let found = settings("priority: 3\nworking_directory: /tmp\ncontext_files: [a.py, b.md]\nmax_retries: 3")
        #expect(found.agent.contextFiles == ["a.py", "b.md"])
        #expect(found.toggles[.retryMax] == "1")
        #expect(found.cwd == "/tmp")
        #expect(settings("max_retries: 0").toggles[.retryMax] == "0")
        #expect(settings("max_retries: 0\nretry_max: 1").toggles[.retryMax] == "1")
    }

    @Test func ownKeys_inAnySpelling_areRead() {
        let agent = settings(
            "runner: local\nbaseUrl: http://127.0.0.1:1/v1\napi-key-env: none\npermissions: read\nisolation: worktree\nmaxTurns: 3\n"
                + "budget: {tokens: 5, cost_usd: 0.5, idle: 2m}\noutput: out/a.md"
        ).agent
        #expect(agent.runner == "local")
        #expect(agent.baseURL == "http://127.0.0.1:1/v1")
        #expect(agent.apiKeyEnvironment == "none")
        #expect(agent.permissions == .read)
        #expect(agent.isolation == .worktree)
        #expect(agent.budget.turns == 3)
        #expect(agent.budget.tokens == 5)
        #expect(agent.budget.costUSD == 0.5)
        #expect(agent.budget.idleSeconds == 120)
        #expect(agent.output == "out/a.md")
    }

    @Test(arguments: [
        "runner: 'sh -c id'", "permissions: root", "isolation: vm", "output: ../x", "output: /etc/passwd", "budget: much",
        "budget: {cost_usd: -1}", "verify: {diff: perhaps}", "verify: {schema: {type: thing}}", "verify: {schema: {$ref: x}}",
        "verify: {command: [a]}", "api_key_env: 'A B'", "verify.diff: perhaps", "budget: {times: 5m}",
    ])
    func ownKey_withWrongValue_isAnErrorThatNamesIt(_ yaml: String) {
        #expect(findings(yaml).contains { $0.code == .frontMatterInvalid && $0.line == 2 })
    }

    @Test(arguments: [
        "permissions: {contents: read}", "output: {format: json}", "tools: {a: b}", "model: {}", "mode: [x]", "inputs: 3",
    ])
    func foreignKey_inAnotherForm_isNoFinding(_ yaml: String) {
        #expect(findings(yaml).isEmpty)
    }

    @Test(.enabled(if: Corpus.folder != nil)) func corpus_everyFile_readsWithoutFindingsOfAgentKeys() throws {
        var models = 0
        var tools = 0
        for url in Corpus.files() {
            let prompt = PromptFile.read(name: url.lastPathComponent, bytes: try Data(contentsOf: url))
            let own = ["runner", "base_url", "permissions", "output", "isolation", "budget", "verify", "max_turns"]
            #expect(
                !prompt.findings.contains { finding in own.contains { finding.message.hasPrefix("`\($0)") } },
                Comment(rawValue: url.path))
            models += prompt.settings.agent.model == nil ? 0 : 1
            tools += prompt.settings.agent.tools.isEmpty ? 0 : 1
            let filled = PromptTemplate(prompt.settings.agent).fill(prompt.body)
            #expect(!filled.isTooLong && (!filled.missing.isEmpty || !filled.text.isEmpty || prompt.body.isEmpty))
        }
        #expect(models >= 100)
        #expect(tools >= 50)
    }
}
