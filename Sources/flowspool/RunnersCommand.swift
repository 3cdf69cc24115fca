// `flowspool runners`: which agents and endpoints this spool knows, which are installed, and what would be run for a prompt. It
// starts each program with its version flag and nothing else; no prompt is sent.

import ArgumentParser
import Foundation
import Spool

struct RunnersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runners",
        abstract: "List the runners for agents and models, and what they would run.",
        discussion: """
            Runners are built in, changed and added to by `runners:` in spool.yaml (docs/runners.md).

            EXAMPLE
              flowspool runners
              flowspool runners --explain fix-the-tests.md
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Option(help: ArgumentHelp("Show what this prompt would run and send.", valueName: "prompt"))
    var explain: String?

    @Flag(help: "Print one JSON document.")
    var json = false

    func run() async throws {
        try await reportingErrors {
            let configuration = try SpoolConfiguration.load(spool: spoolOptions.path)
            let context = try RunnerContext(configuration, environment: environment)
            if let explain {
                try await self.explain(absolutePath(explain), configuration, context)
            } else {
                try await list(context)
            }
        }
    }

    // MARK: The list

    private func list(_ context: RunnerContext) async throws {
        let scratch = try Self.scratchFolder()
        defer { try? FileManager.default.removeItem(atPath: scratch) }  // In the temporary folder; nothing depends on it.
        var lines: [JSON] = []
        var table = TextTable()
        table.rows.append(["RUNNER", "KIND", "INSTALLED", "RUNS"])
        for preset in context.catalog.presets {
            let probe = RunnerProbe(preset: preset, environment: environment, scratch: scratch)
            let state = await probe.look()
            let runs = preset.kind == .agent ? preset.command.map(shellQuoted).joined(separator: " ") : preset.baseURL ?? ""
            table.rows.append([preset.name, preset.kind.rawValue, printable(state.text(preset.kind)), printable(runs)])
            lines.append([
                "runner": .string(preset.name), "kind": .string(preset.kind.rawValue), "built_in": .bool(preset.isBuiltIn),
                "installed": preset.kind == .agent ? .bool(state.path != nil) : .null, "path": JSON(state.path),
                "version": JSON(state.version), "command": .array(preset.command.map { .string($0) }),
                "base_url": JSON(preset.baseURL),
                "model": JSON(preset.model),
            ])
        }
        if json {
            try StandardOutput.write(.array(lines))
        } else {
            try StandardOutput.write(table.lines(width: nil).map { $0 + "\n" }.joined())
        }
    }

    static func scratchFolder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("flowspool-runners-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return folder.path
    }

    // MARK: One prompt

    private func explain(_ path: String, _ configuration: SpoolConfiguration, _ context: RunnerContext) async throws {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw FlowspoolError(.invalidInput, "\(printable(path)) cannot be read", hint: "name a prompt file")
        }
        let prompt = PromptFile.read(name: (path as NSString).lastPathComponent, bytes: bytes)
        let asked = prompt.settings.execMode.flatMap(ExecMode.init(rawValue:)) ?? configuration.execMode ?? .script
        // A prompt that does not say how it is run is explained for the runner that it names, else for an agent.
        let named = prompt.settings.agent.runner.flatMap { context.catalog[$0] }?.kind
        let mode: ExecMode = asked != .script ? asked : named == .http ? .http : .agent
        let plan: AgentPlan
        do throws(RunnerCatalog.NoRunner) {
            plan = try AgentPlan(prompt, mode: mode, context: context)
        } catch {
            throw FlowspoolError(.invalidInput, "\(printable(path)): \(error.message)", hint: error.advice)
        }
        let text = try PromptRendering.text(for: prompt, mode: mode, context: context)
        let scratch = try Self.scratchFolder()
        defer { try? FileManager.default.removeItem(atPath: scratch) }  // As above.
        let help = await RunnerProbe(preset: plan.preset, environment: environment, scratch: scratch).help()
        let words = plan.arguments(
            .init(prompt: "$FLOWSPOOL_RUN_DIR/prompt.md", answer: "$FLOWSPOOL_RUN_DIR/answer.md"), helpText: help)
        if json {
            let document: JSON = [
                "runner": .string(plan.preset.name), "exec_mode": .string(mode.rawValue), "model": JSON(plan.model),
                "permissions": .string(plan.permissions.rawValue), "command": .array(words.map { .string($0) }),
                "base_url": JSON(prompt.settings.agent.baseURL ?? plan.preset.baseURL), "prompt": .string(text),
            ]
            return try StandardOutput.write(document)
        }
        var lines = ["runner       \(plan.preset.name)"]
        if let model = plan.model { lines.append("model        \(printable(model))") }
        if mode == .agent {
            lines.append("permissions  \(plan.permissions.rawValue)")
            lines.append("runs         \(printable(words.map(shellQuoted).joined(separator: " ")))")
        } else {
            lines.append("sends to     \(printable(prompt.settings.agent.baseURL ?? plan.preset.baseURL ?? ""))")
        }
        lines.append("prompt       \(text.utf8.count) bytes, as below")
        let document = lines.map { $0 + "\n" }.joined() + "\n" + text + (text.hasSuffix("\n") ? "" : "\n")
        try StandardOutput.write(bytes: TerminalFilter.output(document))
    }
}

/// Looks for one runner's program.
private struct RunnerProbe {
    let preset: RunnerPreset
    let environment: [String: String]
    let scratch: String

    /// Programs that are known to tell their version, and to do nothing else then.
    private static let tools: Set<String> = ["codex", "claude", "gemini", "aider", "llm", "opencode"]

    struct State {
        var path: String?
        var version: String?

        func text(_ kind: RunnerPreset.Kind) -> String {
            kind == .http ? "-" : path == nil ? "no" : version ?? "yes"
        }
    }

    func look() async -> State {
        guard preset.kind == .agent, let program = preset.command.first, let path = find(program) else { return State() }
        // Whatever else it is, it may do its work when it is started.
        guard Self.tools.contains((program as NSString).lastPathComponent) else { return State(path: path) }
        let output = await run(path, ["--version"])
        let line = output.split(whereSeparator: \.isNewline).first { $0.contains { $0.isNumber } }
        return State(path: path, version: line.map { String($0.prefix(60)) })
    }

    func help() async -> String {
        guard !preset.optional.isEmpty, let program = preset.command.first, let path = find(program),
            Self.tools.contains((program as NSString).lastPathComponent)
        else { return "" }
        return await run(path, ["--help"])
    }

    private func find(_ program: String) -> String? {
        ProgramFinder.search(program, in: environment["PATH"] ?? "/usr/bin:/bin")
    }

    private func run(_ path: String, _ arguments: [String]) async -> String {
        let output = scratch + "/out"
        _ = await LocalExecutor(graceSeconds: 0.5).run(
            Command(
                executable: path, arguments: arguments, environment: EnvironmentFilter()(environment), workingDirectory: scratch,
                outputPath: output, timeoutSeconds: 20, outputBytesMax: 1 << 20))
        return String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
    }
}
