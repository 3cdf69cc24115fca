// The built-in runners, each in its tool's documented non-interactive form (docs/runners.md has the sources). Data only.

extension RunnerPreset {
    /// All built-in runners, in the order in which they are listed.
    static let builtIn: [RunnerPreset] = {
        var presets = [codex, claude, gemini, aider, llm, opencode, local, openai]
        for index in presets.indices { presets[index].isBuiltIn = true }
        return presets
    }()

    private static func agent(_ name: String, _ command: [String], _ change: (inout RunnerPreset) -> Void) -> RunnerPreset {
        var preset = RunnerPreset(name: name, kind: .agent)
        preset.command = command
        change(&preset)
        return preset
    }

    private static var codex: RunnerPreset {
        agent("codex", ["codex", "exec", "--json", "--skip-git-repo-check"]) {
            $0.answerFlag = ["-o"]
            $0.trailing = ["-"]
            $0.reader = .codex
            $0.modelFlag = ["--model"]
            $0.modelFamilies = ["gpt", "o1", "o3", "o4", "codex"]
            $0.permissionFlags = [
                .read: ["--sandbox", "read-only"], .edit: ["--sandbox", "workspace-write"],
                .full: ["--sandbox", "danger-full-access"],
            ]
            $0.passEnvironment = ["CODEX_API_KEY", "OPENAI_API_KEY"]
        }
    }

    private static var claude: RunnerPreset {
        agent("claude", ["claude", "-p", "--output-format", "stream-json", "--verbose"]) {
            $0.reader = .claude
            $0.modelFlag = ["--model"]
            $0.modelFamilies = ["claude", "sonnet", "opus", "haiku", "fable"]
            $0.systemFlag = ["--append-system-prompt"]
            $0.turnsFlag = ["--max-turns"]
            $0.turnsMax = 100
            $0.permissionFlags = [
                .read: ["--permission-mode", "plan"], .edit: ["--permission-mode", "acceptEdits"],
                .full: ["--permission-mode", "bypassPermissions"],
            ]
            $0.optional = [.init(flag: "--permission-prompts", arguments: ["--permission-prompts", "none"])]
            $0.passEnvironment = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"]
        }
    }

    private static var gemini: RunnerPreset {
        agent("gemini", ["gemini", "--output-format", "json"]) {
            $0.reader = .gemini
            $0.modelFlag = ["--model"]
            $0.modelFamilies = ["gemini"]
            // Without a terminal, what would ask is denied: `default` reads only.
            $0.permissionFlags = [
                .read: ["--approval-mode", "default"], .edit: ["--approval-mode", "auto_edit"],
                .full: ["--approval-mode", "yolo"],
            ]
            $0.exits = [
                41: .init(failure: .runner, text: "it could not authenticate"),
                42: .init(failure: .exit, text: "it refused its input"),
                53: .init(failure: .budget, text: "its limit of turns was reached"),
            ]
            $0.passEnvironment = ["GEMINI_API_KEY", "GOOGLE_API_KEY"]
        }
    }

    private static var aider: RunnerPreset {
        agent("aider", ["aider", "--yes-always", "--no-pretty", "--no-stream", "--no-check-update", "--no-show-release-notes"]) {
            $0.promptBy = .file
            $0.promptFlag = ["--message-file"]
            $0.reader = .aider
            $0.modelFlag = ["--model"]
            $0.permissionFlags = [.read: ["--dry-run", "--no-auto-commits"]]
            $0.passEnvironment = [
                "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY",
            ]
        }
    }

    private static var llm: RunnerPreset {
        agent("llm", ["llm", "--usage"]) {
            $0.modelFlag = ["-m"]
            $0.systemFlag = ["-s"]
            $0.passEnvironment = ["OPENAI_API_KEY"]
        }
    }

    private static var opencode: RunnerPreset {
        agent("opencode", ["opencode", "run", "--format", "json"]) {
            $0.reader = .opencode
            $0.modelFlag = ["--model"]
            $0.permissionFlags = [.read: ["--agent", "plan"], .full: ["--auto"]]
            $0.passEnvironment = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"]
        }
    }

    /// llama.cpp's server and its kin at their usual port.
    private static var local: RunnerPreset {
        var preset = RunnerPreset(name: "local", kind: .http)
        preset.baseURL = "http://127.0.0.1:8080/v1"
        preset.isDefault = true
        return preset
    }

    /// Its host must be in `allow_hosts` before a key goes there.
    private static var openai: RunnerPreset {
        var preset = RunnerPreset(name: "openai", kind: .http)
        preset.baseURL = "https://api.openai.com/v1"
        preset.apiKeyEnvironment = "OPENAI_API_KEY"
        return preset
    }
}
