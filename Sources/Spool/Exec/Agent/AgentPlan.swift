// One prompt made ready for one runner: which, with which model and permissions, the text that is sent, the command line that is
// run. Made before anything runs, by preflight, by `flowspool runners --explain`, and by the runner itself: all see the same.

import Foundation

/// What a prompt comes to for its runner.
public struct AgentPlan: Sendable {
    public var preset: RunnerPreset
    public var model: String?
    public var permissions: SpoolConfiguration.Permissions
    /// `full` was asked for, which this spool does not allow: it is `edit` instead.
    var isFullRefused = false
    /// What is sent, exactly.
    public var text: String
    /// The text for an endpoint, divided into messages.
    var messages: [ChatRequest.Message]
    /// Placeholders without a value.
    var missing: [PromptTemplate.Missing]
    /// What another tool would have filled or carried out.
    var foreign: [PromptTemplate.Missing]
    var isTooLong: Bool
    public var budget: SpoolConfiguration.Budget
    public var system: String?

    /// - Throws: `NoRunner` where the prompt names none that exists.
    public init(_ prompt: PromptFile, mode: ExecMode, context: RunnerContext) throws(RunnerCatalog.NoRunner) {
        let settings = prompt.settings.agent
        preset = try context.catalog.choose(settings, kind: mode == .http ? .http : .agent)
        model = preset.model(for: settings)
        permissions = preset.permissions(for: settings, spool: context.permissions)
        if permissions == .full, !context.allowsFull {
            isFullRefused = true
            permissions = .edit
        }
        budget = context.budget(for: settings, preset)
        let template = PromptTemplate(settings, variables: context.variables)
        let filledSystem = settings.system.map(template.fill)
        system = filledSystem?.text ?? preset.system
        let filled = template.fill(Self.body(prompt))
        text = filled.text
        messages =
            preset.kind == .http ? ChatRequest.messages(system: nil, text: Self.body(prompt)) { template.fill($0).text } : []
        let above = prompt.bodyFirstLine - 1 + Self.blankLines(prompt.body)
        missing = filled.missing.map { .init(name: $0.name, line: $0.line + above) }
        // Of the front matter, whose lines are not told apart.
        missing += (filledSystem?.missing ?? []).map { .init(name: $0.name, line: 1) }
        foreign =
            (filledSystem?.foreign ?? []).map { .init(name: $0.name, line: 1) }
            + filled.foreign.map { .init(name: $0.name, line: $0.line + above) }
        isTooLong = filled.isTooLong
        if preset.kind == .agent, !settings.contextFiles.isEmpty {
            text += (text.hasSuffix("\n") ? "\n" : "\n\n") + "Files to read first:\n"
            text += settings.contextFiles.map { "- \($0)\n" }.joined()
        }
        // Where the runner has no flag for it, the system text stands before the prompt.
        if preset.kind == .agent, let system, preset.systemFlag.isEmpty { text = system + "\n\n" + text }
    }

    /// The body without the blank lines above it.
    private static func body(_ prompt: PromptFile) -> String {
        var rest = prompt.body[...]
        for _ in 0..<blankLines(prompt.body) { rest = rest.drop { !$0.isNewline }.dropFirst() }
        return String(rest)
    }

    private static func blankLines(_ body: String) -> Int {
        var count = 0
        for line in body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            guard line.allSatisfy(\.isWhitespace) else { return count }
            count += 1
        }
        return 0
    }

    /// Files of the run folder that the command names.
    public struct Paths: Sendable {
        public var prompt: String
        public var answer: String
        public init(prompt: String, answer: String) {
            self.prompt = prompt
            self.answer = answer
        }
    }

    /// Program and arguments.
    ///
    /// - Parameter helpText: what the installed program's `--help` prints, for flags that only some versions have.
    public func arguments(_ paths: Paths, helpText: String) -> [String] {
        var words = preset.command
        func add(_ flag: [String], _ value: String?) {
            if !flag.isEmpty, let value { words += flag + [value] }
        }
        words += preset.permissionFlags[permissions] ?? []
        for optional in preset.optional where Self.names(helpText, optional.flag) { words += optional.arguments }
        add(preset.modelFlag, model)
        add(preset.systemFlag, system)
        add(preset.turnsFlag, budget.turns.map(String.init))
        add(preset.costFlag, budget.costUSD.map { "\($0)" })
        add(preset.answerFlag, paths.answer)
        switch preset.promptBy {
        case .stdin: break
        case .file: words += preset.promptFlag + [paths.prompt]
        case .argument: words += preset.promptFlag + [text]
        }
        return words + preset.trailing
    }

    private static func names(_ help: String, _ flag: String) -> Bool {
        help.split { $0.isWhitespace || $0 == "," || $0 == "=" || $0 == "[" || $0 == "]" }.contains { $0 == flag }
    }
}

/// The text that a prompt comes to.
public enum PromptRendering {
    /// What would be sent to the runner, exactly; for `exec_mode: script` the body.
    ///
    /// - Throws: `invalidInput` naming a placeholder without a value, or a runner that does not exist.
    public static func text(for prompt: PromptFile, mode: ExecMode, context: RunnerContext) throws(FlowspoolError) -> String {
        guard mode != .script else { return prompt.body }
        let plan: AgentPlan
        do throws(RunnerCatalog.NoRunner) {
            plan = try AgentPlan(prompt, mode: mode, context: context)
        } catch {
            throw FlowspoolError(.invalidInput, "\(printable(prompt.name)): \(error.message)", hint: error.advice)
        }
        if let missing = plan.missing.first {
            throw FlowspoolError(
                .invalidInput, "\(printable(prompt.name)), line \(missing.line): {{\(missing.name)}} has no value",
                hint: "set it under vars: or as FLOWSPOOL_VAR_\(missing.name)")
        }
        return plan.text
    }
}
