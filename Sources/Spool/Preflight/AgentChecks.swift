// What is checked of a prompt for an agent or a model before anything runs: its runner, its placeholders, what it would be
// allowed to do, where it would send a key. A prompt is trusted with no more than `spool.yaml` gives it.

import Foundation

enum AgentChecks {
    struct Result {
        var findings: [Finding] = []
        var runner: String?
        var lane: String?
    }

    /// Longest prompt that fits in one argument, in bytes (MAX_ARG_STRLEN, execve(2)).
    private static let argumentMax = 131_000

    static func check(_ prompt: PromptFile, mode: ExecMode, runners: RunnerContext, context: PreflightContext) -> Result {
        var result = Result()
        let plan: AgentPlan
        do throws(RunnerCatalog.NoRunner) {
            plan = try AgentPlan(prompt, mode: mode, context: runners)
        } catch {
            result.findings.append(Finding(.frontMatterInvalid, message: error.message, advice: error.advice))
            return result
        }
        result.runner = plan.preset.name
        result.findings += prompt.settings.agent.faults
        result.findings += text(prompt, plan)
        if mode == .agent {
            result.findings += agent(prompt, plan, context)
            result.lane = lane(prompt, context)
        } else {
            result.findings += endpoint(prompt, plan, runners)
        }
        return result
    }

    private static func text(_ prompt: PromptFile, _ plan: AgentPlan) -> [Finding] {
        if plan.isTooLong {
            return [
                Finding(
                    .tooLarge, message: "with its placeholders filled the prompt has more than \(PromptTemplate.bytesMax) bytes",
                    advice: "use shorter values")
            ]
        }
        if !prompt.body.contains(where: { !$0.isWhitespace }) {
            return [
                Finding(
                    .nothingToRun, message: "the prompt has no text beside its front matter",
                    advice: "write below the front matter what is to be done")
            ]
        }
        var findings: [Finding] = []
        for missing in plan.missing {
            let name = printable(missing.name)
            var finding = Finding(
                .placeholderLeft, line: missing.line, message: "{{\(name)}} has no value",
                advice: "set it under vars: or as FLOWSPOOL_VAR_\(name); to write it as it is, put it in code")
            // In a script a guess of ours; here the text that would be sent lacks something.
            finding.severity = .error
            findings.append(finding)
        }
        for foreign in plan.foreign {
            let isArguments = foreign.name == "ARGUMENTS"
            findings.append(
                Finding(
                    .placeholderLeft, line: foreign.line,
                    message: isArguments
                        ? "$ARGUMENTS has no value"
                        : "\(printable(foreign.name)) belongs to a template language and is sent as it is",
                    advice: isArguments
                        ? "set vars: {arguments: …}; to write it as it is, put it in code"
                        : "write what is meant; to write it as it is, put it in code"))
        }
        if plan.preset.promptBy == .argument, plan.preset.promptFlag.isEmpty, plan.text.hasPrefix("-") {
            findings.append(
                Finding(
                    .frontMatterInvalid,
                    message: "the prompt begins with “-”, and \(plan.preset.name) would take it for an option",
                    advice: "begin it with a word, or set prompt: stdin or prompt_flag for this runner"))
        }
        if plan.preset.promptBy == .argument, plan.text.utf8.count > argumentMax {
            findings.append(
                Finding(
                    .tooLarge,
                    message: "the prompt has \(plan.text.utf8.count) bytes, too many for one argument of \(plan.preset.name)",
                    advice: "set prompt: stdin or prompt: file for this runner"))
        }
        return findings
    }

    private static func agent(
        _ prompt: PromptFile, _ plan: AgentPlan, _ context: PreflightContext
    ) -> [Finding] {
        var findings: [Finding] = []
        let program = plan.preset.command.first ?? ""
        // As the attempt looks for it: by the runner's own PATH, and from the agent's folder.
        let path = program.contains("/") && !program.hasPrefix("/") ? folder(prompt, context) + "/" + program : program
        if ProgramFinder.search(path, in: plan.preset.environment["PATH"] ?? context.searchPath) == nil {
            findings.append(
                Finding(
                    .interpreterMissing,
                    message: "\(printable(program)) is not on PATH, and the runner \(plan.preset.name) needs it",
                    advice: "install it, or name another runner (`flowspool runners` shows which are installed)"))
        }
        if plan.isFullRefused {
            findings.append(
                Finding(
                    .agentFullAccess,
                    message: "it asks for permissions: full, which this spool does not allow; it would get those of edit",
                    advice: "use permissions: edit, or set allow_full: yes in spool.yaml"))
        }
        if prompt.settings.agent.isolation == .worktree, WorkingTree.top(above: folder(prompt, context)) == nil {
            findings.append(
                Finding(
                    .frontMatterInvalid, message: "isolation: worktree needs a git repository, and the working folder is in none",
                    advice: "use isolation: scratch, or set cwd to a folder of a repository"))
        }
        return findings
    }

    private static func folder(_ prompt: PromptFile, _ context: PreflightContext) -> String {
        guard let cwd = prompt.settings.cwd, !cwd.isEmpty else { return context.repoRoot }
        return cwd.hasPrefix("/") ? cwd : context.repoRoot + "/" + cwd
    }

    /// One agent at a time in a working tree; those that have one of their own need no lane.
    private static func lane(_ prompt: PromptFile, _ context: PreflightContext) -> String? {
        guard (prompt.settings.agent.isolation ?? .shared) == .shared else { return nil }
        let folder = folder(prompt, context)
        return "tree:" + (WorkingTree.top(above: folder) ?? WorkingTree.realPath(folder) ?? folder)
    }

    private static func endpoint(_ prompt: PromptFile, _ plan: AgentPlan, _ runners: RunnerContext) -> [Finding] {
        do throws(HTTPTarget.Refused) {
            _ = try HTTPTarget(prompt.settings.agent, plan.preset, runners)
            return []
        } catch {
            return [Finding(error.code, message: error.message, advice: error.advice)]
        }
    }
}
