// One attempt by an agent, step by step: working tree, command, watch, verdict, answer, gates, tree again. Used once.

import Foundation

/// The state of one attempt.
struct AgentAttempt {
    private let runner: AgentRunner
    private let request: AttemptRequest
    private let plan: AgentPlan
    private let folder: RunFolder
    private let executor: any Executor
    private let begin: MonotonicTime
    /// The agent's, with its keys.
    private var environment: [String: String]
    /// For git and for the prompt's own checks, which get no keys.
    private var plainEnvironment: [String: String]
    /// Of the keys in `environment`.
    let secrets: SecretMask
    private var usage: RunUsage
    private var result = AttemptResult(outcome: .success)
    /// What the agent has answered.
    private var answer = ""
    private var isAnswerCut = false

    static let promptName = "prompt.md"
    static let answerName = "answer.md"
    static let errorsName = "stderr.log"

    init(
        runner: AgentRunner, request: AttemptRequest, plan: AgentPlan, folder: RunFolder, executor: any Executor,
        begin: MonotonicTime
    ) {
        self.runner = runner
        self.request = request
        self.plan = plan
        self.folder = folder
        self.executor = executor
        self.begin = begin
        usage = RunUsage(runner: plan.preset.name)
        usage.model = plan.model
        var environment = request.environment.merging(ScriptAttempt.names(for: request)) { $1 }
        environment["FLOWSPOOL_ENV"] = nil
        environment["NO_COLOR"] = "1"
        plainEnvironment = environment
        for name in plan.preset.passEnvironment where environment[name] == nil {
            environment[name] = runner.context.environment[name]
        }
        environment.merge(plan.preset.environment) { $1 }
        self.environment = environment
        secrets = SecretMask(plan.preset.passEnvironment.compactMap { environment[$0] })
    }

    mutating func run() async -> AttemptResult {
        if let text = runner.meter.usedUp() { return fail(.budget, text + "; nothing was started") }
        if let missing = plan.missing.first { return fail(.runner, "{{\(missing.name)}} has no value") }
        let git = Git(executor: executor, environment: plainEnvironment, folder: folder)
        do {
            let tree = try await makeTree(git)
            if tree.branch != nil {
                // What takes the place of the repo root.
                environment["REPO_ROOT"] = tree.root
                plainEnvironment["REPO_ROOT"] = tree.root
            }
            if let problem = outputProblem(in: tree) {
                _ = fail(.gate, problem)
                await settle(tree, git)
                git.clean()
                return result
            }
            let wantsDiff = request.prompt.settings.gate.requiresDiff
            let before: String?
            do {
                before =
                    wantsDiff ? try await WorkingTree.snapshot(of: tree.directory, excluding: runner.spoolPath, git: git) : nil
            } catch {
                // What is tried again would leave a worktree behind each time.
                await settle(tree, git)
                throw error
            }
            await runAgent(in: tree)
            if result.outcome == .success { await ask(in: tree, before: before, git: git) }
            await settle(tree, git)
        } catch let error as Git.Failed {
            _ = fail(.runner, error.description)
            if result.blocks.isEmpty { result.refuse(error.cause) }
        } catch {
            _ = fail(.runner, "\(error)")
            if result.blocks.isEmpty { result.refuse(error) }
        }
        git.clean()
        result.usage = usage
        return result
    }

    /// Why the answer could not be put where the prompt wants it, as far as that is known before anything is paid for.
    private func outputProblem(in tree: WorkingTree) -> String? {
        guard let path = request.prompt.settings.agent.output else { return nil }
        do throws(AnswerFile.Refused) {
            try AnswerFile.check(path, below: outputRoot(tree))
            if WorkingTree.realPath(outputRoot(tree) + "/" + path).map({ $0 == WorkingTree.realPath(request.promptPath) })
                ?? false
            {
                return "output: \(printable(path)) is the prompt itself; nothing was started"
            }
            return nil
        } catch {
            return error.text + "; nothing was started"
        }
    }

    /// The scratch folder goes with the run folder, and the answer is for the repository.
    private func outputRoot(_ tree: WorkingTree) -> String {
        request.prompt.settings.agent.isolation == .scratch ? request.repoRoot : tree.root
    }

    // MARK: Working tree

    private func makeTree(_ git: Git) async throws -> WorkingTree {
        let cwd = request.prompt.settings.cwd.flatMap { $0.isEmpty ? nil : $0 }
        let directory = cwd.map { $0.hasPrefix("/") ? $0 : request.repoRoot + "/" + $0 } ?? request.repoRoot
        switch request.prompt.settings.agent.isolation ?? .shared {
        case .shared: return WorkingTree(root: request.repoRoot, directory: directory)
        case .scratch:
            let scratch = try folder.directory.makeFolder("scratch")
            return WorkingTree(root: scratch.path, directory: scratch.path)
        case .worktree:
            var parent = folder.path
            if let spool = runner.spoolPath {
                parent = try Directory(path: spool).folder(".flowspool").makeFolder("worktrees").path
            }
            return try await WorkingTree.makeWorktree(
                around: directory, in: parent, job: request.job, attempt: request.attempt, git: git
            ) { [folder, usage] name, branch in
                // Without it the attempt goes on as well; only a crash would find none.
                try? WorktreeNote(runner: usage.runner, name: name, branch: branch).write(in: folder)
            }
        }
    }

    /// Says where a worktree with changes is, and removes one without.
    private mutating func settle(_ tree: WorkingTree, _ git: Git) async {
        guard tree.branch != nil else { return }
        // Not even a cancelled attempt leaves an empty worktree behind.
        let kept = await Task { [tree] in try? await tree.settle(git) }.value ?? true  // What cannot be told is kept.
        guard kept else {
            // Harmless where it stays: it names what is not there.
            try? folder.directory.remove(WorktreeNote.fileName)
            return
        }
        usage.worktree = tree.root
        usage.branch = tree.branch
        result.message += (result.message.isEmpty ? "" : "; ") + "its changes are in \(printable(tree.root))"
    }

    // MARK: The agent

    private var transcriptName: String {
        switch plan.preset.reader {
        case .codex, .claude, .opencode: "transcript.jsonl"
        case .gemini: "transcript.json"
        case .aider, .text: "transcript.txt"
        }
    }

    private mutating func runAgent(in tree: WorkingTree) async {
        let paths = AgentPlan.Paths(
            prompt: folder.path + "/" + Self.promptName, answer: folder.path + "/" + Self.answerName)
        do throws(SystemCallError) {
            try folder.write(Self.promptName, Data(plan.text.utf8))
        } catch {
            result.refuse(error)
            _ = fail(.runner, "\(error)")
            return
        }
        let words = plan.arguments(paths, helpText: await helpText(in: tree))
        let timeLeft = request.timeoutSeconds - begin.seconds
        let limit = max(0.001, min(timeLeft, plan.budget.timeSeconds ?? .infinity))
        let command = Command(
            executable: words[0], arguments: Array(words.dropFirst()), environment: environment, workingDirectory: tree.directory,
            inputPath: plan.preset.promptBy == .stdin ? paths.prompt : nil, outputPath: folder.path + "/" + transcriptName,
            errorPath: folder.path + "/" + Self.errorsName, timeoutSeconds: limit, outputBytesMax: runner.outputBytesMax)
        let watch = AgentWatch(
            preset: plan.preset, model: plan.model, budget: plan.budget, job: request.job, runDirectory: request.runDirectory,
            meter: runner.meter, clock: runner.clock, secrets: secrets)
        var outcome = await watch.run(command, on: executor)
        let errors = lastErrors(command.errorPath ?? "")
        outcome.stream.takeErrors(errors)
        usage = outcome.stream.usage(runner: plan.preset.name, model: plan.model)
        usage.price(plan.preset.price)
        runner.meter.finish(request.job, usage.total(seconds: outcome.result.durationSeconds))
        answer = keepAnswer(outcome.stream.answer)
        if outcome.stream.answer.isEmpty { outcome.stream.answer = answer }
        let verdict = AgentVerdict.judge(
            .init(
                preset: plan.preset, ending: outcome.result.ending, cause: outcome.cause, stream: outcome.stream, errors: errors,
                timeoutSeconds: limit, now: Date(timeIntervalSince1970: Double(runner.clock.wallMilliseconds()) / 1000),
                timeZone: runner.timeZone ?? .current))
        take(verdict, seconds: outcome.result.durationSeconds)
        if result.outcome == .success, let trouble = incompleteness(outcome) {
            _ = fail(.runner, "\(plan.preset.name) finished, but \(trouble)")
            result.failedBlock = 1
            result.lastOKBlock = 0
        } else if let trouble = outcome.result.outputTrouble {
            result.message += "; its transcript is not complete: \(trouble)"
        }
        if case .notStarted = outcome.result.ending { result.refuse(outcome.result.cause) }
    }

    /// Why an answer is not what the agent has printed; nil where it is.
    private func incompleteness(_ outcome: AgentWatch.Outcome) -> String? {
        if outcome.stream.isCut || isAnswerCut { return "its answer is longer than \(AgentStream.answerMax >> 20) MiB" }
        // The others say in an event that they have ended, which is read as it comes.
        guard plan.preset.reader == .text || plan.preset.reader == .aider || plan.preset.reader == .gemini else { return nil }
        if outcome.stream.isHoled { return "it printed more than can be kept, so that its answer is not whole" }
        return outcome.result.outputTrouble.map { "its output could not be kept whole: \($0)" }
    }

    /// The end of standard error. Keys go before it is cut, which could leave half of one.
    private func lastErrors(_ path: String) -> String {
        // Missing: nothing was started. The agent can write here, too, so whatever else stands there is not waited for.
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return "" }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = pread(descriptor, &bytes, bytes.count, max(0, info.st_size - off_t(bytes.count)))
        return String(secrets(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)).suffix(8192))
    }

    /// What the installed program can do; only asked where a flag depends on it.
    private func helpText(in tree: WorkingTree) async -> String {
        guard !plan.preset.optional.isEmpty, let program = plan.preset.command.first else { return "" }
        let path = folder.path + "/help.txt"
        _ = await executor.run(
            Command(
                executable: program, arguments: ["--help"], environment: environment, workingDirectory: tree.directory,
                outputPath: path,
                timeoutSeconds: 20, outputBytesMax: 1 << 20))
        let text = String(decoding: ProcessTable.read(path, bytesMax: 1 << 20) ?? [], as: UTF8.self)
        // Left behind it would only be clutter.
        try? folder.directory.remove("help.txt")
        return text
    }

    /// The program's own answer file, where it wrote one; else the answer from the stream, put there.
    private mutating func keepAnswer(_ streamed: String) -> String {
        // A missing or strange file means that there is none.
        if let file = try? folder.directory.openForReading(Self.answerName), (try? file.status())?.kind == .regular,
            let bytes = try? file.readAll(bytesMax: AgentStream.answerMax + 1), !bytes.isEmpty
        {
            isAnswerCut = bytes.count > AgentStream.answerMax
            return String(decoding: bytes, as: UTF8.self)
        }
        // The transcript has it, too.
        if !streamed.isEmpty { try? folder.write(Self.answerName, Data(streamed.utf8)) }
        return streamed
    }

    private mutating func take(_ verdict: AgentVerdict, seconds: Double) {
        result.exitCode = verdict.exitCode
        result.message = verdict.message
        result.retryAt = verdict.retryAt
        result.blocks = [
            BlockResult(
                block: 1, exitCode: verdict.exitCode, durationMilliseconds: Int(seconds * 1000), log: transcriptName,
                failureClass: verdict.failure)
        ]
        if verdict.isCancelled {
            result.outcome = .cancelled
        } else if let failure = verdict.failure {
            result.outcome = .failed
            result.failureClass = failure
            result.failedBlock = 1
        } else {
            result.lastOKBlock = 1
        }
    }

    // MARK: Gates

    private mutating func ask(in tree: WorkingTree, before: String?, git: Git) async {
        var specification = request.prompt.settings.gate
        // Of a scratch agent it is below the repo root, where the gate does not look; it has just been put there.
        if request.prompt.settings.agent.isolation == .scratch, let path = request.prompt.settings.agent.output {
            specification.filesExist.removeAll { $0 == path }
        }
        var problems: [String] = []
        // Before the answer is put into the tree, which would be a change, too.
        if let before {
            do throws(Git.Failed) {
                let after = try await WorkingTree.snapshot(of: tree.directory, excluding: runner.spoolPath, git: git)
                if after == before { problems.append("the working tree has not changed") }
            } catch {
                problems.append(error.description)
            }
        }
        if let path = request.prompt.settings.agent.output {
            guard answer.contains(where: { !$0.isWhitespace }) else {
                _ = fail(.gate, "output: there is no answer to put into \(printable(path))")
                return
            }
            do throws(AnswerFile.Refused) {
                try AnswerFile.write(answer, to: path, below: outputRoot(tree))
            } catch {
                _ = fail(.gate, error.text)
                return
            }
        }
        guard !specification.isEmpty else { return }
        problems += await runner.gate.ask(
            specification, repoRoot: tree.root, folder: folder.path, environment: plainEnvironment, executor: executor,
            timeLeftSeconds: max(0, request.timeoutSeconds - begin.seconds), workingDirectory: tree.directory
        ).problems
        if let problem = SchemaGate.problem(answer, specification, repoRoot: request.repoRoot) { problems.append(problem) }
        if Task.isCancelled {
            result.outcome = .cancelled
            result.message = "cancelled in the completion gate"
            return
        }
        result.gate = problems.isEmpty ? .pass : .fail
        if !problems.isEmpty { _ = fail(.gate, "completion gate: " + problems.joined(separator: "; ")) }
    }

    private mutating func fail(_ failure: FailureClass, _ message: String) -> AttemptResult {
        result.outcome = .failed
        result.failureClass = failure
        result.message = message
        result.usage = usage
        return result
    }
}
