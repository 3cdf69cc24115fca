// One attempt of a script, block after block: what a child is given, how its end is judged, what is carried on. The value is
// made for one attempt and used once.

import Foundation

/// The state of one attempt while its blocks run.
struct ScriptAttempt {
    private let request: AttemptRequest
    private let folder: RunFolder
    private let executor: any Executor
    private let begin: MonotonicTime
    private let report: @Sendable (AttemptEvent) -> Void
    /// The environment without what blocks hand on.
    private lazy var environment = request.environment.merging(Self.names(for: request)) { _, own in own }
    /// The first child, where it is ready to start.
    private var first: ReadyBlock?
    private var handed: HandedEnvironment
    private var result: AttemptResult
    /// What is left of the attempt's bound for logs.
    private var logBytesLeft: Int
    /// Files that were made ahead and not come to yet.
    private var madeAhead: Set<String>
    /// What went wrong beside the blocks, for the message.
    private var notes: [String] = []
    /// A block that printed nothing must still be able to say why it failed, however much the ones before it printed.
    private static let logBytesLeast = 64 << 10

    init(
        request: AttemptRequest, folder: RunFolder, executor: any Executor, logBytesMax: Int, begin: MonotonicTime,
        report: @escaping @Sendable (AttemptEvent) -> Void
    ) {
        self.request = request
        self.folder = folder
        self.executor = executor
        self.begin = begin
        self.report = report
        handed = Self.handedOn(to: request)
        logBytesLeft = logBytesMax
        madeAhead = request.ready?.files ?? []
        first = request.ready?.first.flatMap { $0.isFor(request) ? $0 : nil }
        // Before another script stands under its script's name.
        if first == nil { request.ready?.first?.giveUp() }
        result = AttemptResult(outcome: .success, lastOKBlock: request.firstBlock - 1)
    }

    /// What every child sees beside its inherited environment (DESIGN "Execution").
    static func names(for request: AttemptRequest) -> [String: String] {
        [
            "FLOWSPOOL_JOB": String(request.job),
            "FLOWSPOOL_ATTEMPT": String(request.attempt),
            "FLOWSPOOL_RUN_DIR": request.runDirectory,
            "FLOWSPOOL_PROMPT": request.promptPath,
            "FLOWSPOOL_ENV": request.runDirectory + "/" + RunFolder.environmentName,
            "REPO_ROOT": request.repoRoot,
            "PROMPT_DIR": request.promptDirectory,
        ]
    }

    /// What earlier attempts hand on.
    private static func handedOn(to request: AttemptRequest) -> HandedEnvironment {
        HandedEnvironment(request.carriedEnvironment.filter { !HandedEnvironment.isReserved($0.key) })
    }

    /// Makes the files that the first block needs; `request.ready` has those that are there as `prefill` makes them. Done ahead,
    /// because making a file waits for whatever fsync is under way.
    ///
    /// - Parameter withoutScript: the placeholder stands in the script's file.
    static func makeReady(
        _ request: AttemptRequest, in folder: RunFolder, withoutScript: Bool
    ) throws(SystemCallError) -> ReadyAttempt {
        try folder.write(RunFolder.environmentName, handedOn(to: request).file)
        guard let block = firstToRun(of: request) else {
            return ReadyAttempt(folder: folder, files: [RunFolder.environmentName])
        }
        let script = RunFolder.blockName(block.number)
        let isThere = request.ready?.files.contains(script) == true
        switch (isThere, withoutScript) {
        case (true, true): break
        case (false, true): try folder.write(script, HeldScript.placeholder)
        case (true, false): try folder.fill(script, Data(block.text.utf8))
        case (false, false): try folder.write(script, Data(block.text.utf8))
        }
        try folder.write(RunFolder.logName(block.number), Data())
        return ReadyAttempt(
            folder: folder, files: withoutScript ? [RunFolder.environmentName] : [RunFolder.environmentName, script])
    }

    /// Whether the first block's shell does nothing of its own before it reads its script, so that it may begin before the script is
    /// there: bash reads the file `BASH_ENV` names, other shells that of `ENV`, and zsh several.
    static func beginsWithScript(_ request: AttemptRequest) -> Bool {
        guard let block = firstToRun(of: request), block.shell != .zsh else { return false }
        return !["BASH_ENV", "ENV"].contains { request.environment[$0] != nil || request.carriedEnvironment[$0] != nil }
    }

    private static func firstToRun(of request: AttemptRequest) -> Block? {
        request.prompt.blocks.first { $0.number >= request.firstBlock && !$0.marks.isSkipped }
    }

    /// The first child, made ready; its script may be missing.
    mutating func readyBlock() -> ReadyBlock? {
        guard let block = Self.firstToRun(of: request), let ready = executor.makeReady(command(for: block)) else { return nil }
        return ReadyBlock(block: block.number, command: ready, request: request)
    }

    /// The same, begun as far as it goes without its script; nil where that cannot be.
    func begun(_ ready: ReadyBlock) -> ReadyBlock? {
        guard let block = request.prompt.blocks.first(where: { $0.number == ready.block }),
            let script = HeldScript(RunFolder.blockName(block.number), in: folder, text: Data(block.text.utf8)),
            let command = executor.begin(ready.command, reading: script)
        else { return nil }
        return ReadyBlock(block: block.number, command: command, request: request)
    }

    /// The files that most first attempts begin with.
    static let prefilled: Set = [RunFolder.environmentName, RunFolder.blockName(1), RunFolder.logName(1)]

    /// Makes these, the script with its placeholder and the others empty, in a folder whose job is not known yet.
    static func prefill(_ folder: RunFolder) throws(SystemCallError) {
        for name in prefilled { try folder.write(name, name == RunFolder.blockName(1) ? HeldScript.placeholder : Data()) }
    }

    /// Whether an attempt begins with what `prefill` makes, and would not be left with a log that is not its own.
    static func beginsPrefilled(_ prompt: PromptFile) -> Bool { prompt.blocks.first?.marks.isSkipped == false }

    /// Makes a file of the folder, unless it was made ahead as it is to be.
    private mutating func make(_ name: String, _ bytes: Data) throws(SystemCallError) {
        if madeAhead.remove(name) == nil { try folder.write(name, bytes) }
    }

    mutating func run(gate: CompletionGate) async -> AttemptResult {
        do throws(SystemCallError) {
            try make(RunFolder.environmentName, handed.file)
            _ = handed.take(handed.file)
        } catch {
            result.refuse(error)
            return stop(.runner, block: nil, "\(error)")
        }
        let blocks = request.prompt.blocks
        for block in blocks where block.number >= request.firstBlock {
            if Task.isCancelled { return cancelled(before: block.number) }
            let goesOn = await run(block)
            if let finished = result.blocks.last { report(.blockFinished(finished)) }
            guard goesOn else { return finish() }
            result.lastOKBlock = block.number
        }
        return await ask(gate)
    }

    // MARK: One block

    /// Runs `block`, records it, and returns whether the attempt goes on.
    private mutating func run(_ block: Block) async -> Bool {
        let (number, count) = (block.number, request.prompt.blocks.count)
        let tellStart: @Sendable () -> Void = { [report] in report(.blockStarted(number: number, of: count)) }
        // Whoever is told of a start may need the processor that makes it.
        let first = first.flatMap { $0.block == number && $0.isReleased() ? $0 : nil }
        if first == nil { tellStart() }
        if block.marks.isSkipped {
            result.blocks.append(BlockResult(block: block.number, exitCode: nil, durationMilliseconds: 0, log: nil, mark: "skip"))
            return true
        }
        let timeLeft = request.timeoutSeconds - begin.seconds
        let limit = block.marks.timeoutSeconds.map { min($0, timeLeft) } ?? timeLeft
        let ran: CommandResult
        if let first {
            self.first = nil
            var ready = first.command
            ready.command.timeoutSeconds = max(0, limit)
            ready.onStart = tellStart
            ran = await executor.run(ready)
        } else {
            var command: Command
            do throws(SystemCallError) {
                try make(RunFolder.blockName(number), Data(block.text.utf8))
                command = self.command(for: block)
            } catch {
                result.refuse(error)
                record(block, exitCode: nil, seconds: 0, failure: .runner)
                _ = stop(.runner, block: block.number, "block \(block.number) could not start: \(error)")
                return false
            }
            command.timeoutSeconds = max(0, limit)
            ran = await executor.run(command)
        }
        if case .notStarted = ran.ending { result.refuse(ran.cause) }
        var verdict = judge(block, ran.ending, limit: limit, isAttemptLimit: limit == timeLeft)
        // A mark forgives what a block does, and this one has done nothing.
        if result.refusal != nil { verdict.isTolerated = false }
        record(block, exitCode: verdict.exitCode, seconds: ran.durationSeconds, failure: verdict.failure, mark: verdict.mark)
        logBytesLeft -= logSize(of: block)
        if let trouble = ran.outputTrouble {
            folder.note("the log is not complete: \(trouble)", inLogOf: block.number)
            // There may be no room for that.
            notes.append("the log of block \(block.number) is not complete: \(trouble)")
        }
        if let failure = verdict.failure, !verdict.isTolerated {
            if case .cancelled = ran.ending {
                result.outcome = .cancelled
                result.message = verdict.text
            } else {
                _ = stop(failure, block: block.number, verdict.text, exitCode: verdict.exitCode)
            }
            return false
        }
        return takeHandedOn(after: block)
    }

    /// Without its time limit.
    private mutating func command(for block: Block) -> Command {
        let flags: [String] =
            switch block.shell {
            case .bash, .zsh: ["-euo", "pipefail"]
            // `pipefail` came to POSIX in 2024; dash in Debian 12 does not know it.
            case .sh: ["-eu"]
            }
        return Command(
            executable: block.shell.rawValue, arguments: flags + [folder.path + "/" + RunFolder.blockName(block.number)],
            // What is handed on has no name that flowspool sets.
            environment: environment.merging(handed.values) { $1 },
            workingDirectory: workingDirectory, outputPath: folder.path + "/" + RunFolder.logName(block.number),
            outputBytesMax: max(logBytesLeft, Self.logBytesLeast))
    }

    private var workingDirectory: String {
        guard let cwd = request.prompt.settings.cwd, !cwd.isEmpty else { return request.repoRoot }
        return cwd.hasPrefix("/") ? cwd : request.repoRoot + "/" + cwd
    }

    // MARK: Judging

    private struct Verdict {
        var exitCode: Int32?
        /// nil: the block succeeded.
        var failure: FailureClass?
        var mark: String?
        var isTolerated = false
        var text = ""
    }

    private func judge(_ block: Block, _ ending: CommandResult.Ending, limit: Double, isAttemptLimit: Bool) -> Verdict {
        var verdict = Verdict(mark: block.marks.expectedExitCode.map { "expect-exit \($0)" })
        let name = "block \(block.number)"
        switch ending {
        case .exited(let code):
            verdict.exitCode = code
            let expected = block.marks.expectedExitCode ?? 0
            if code != expected {
                verdict.failure = .exit
                verdict.text = "\(name) exited \(code)" + (block.marks.expectedExitCode == nil ? "" : ", expected \(expected)")
            }
        case .signalled(let signal):
            verdict.failure = .signal
            verdict.text = "\(name) was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        case .timedOut:
            verdict.failure = .timeout
            verdict.text =
                isAttemptLimit
                ? "\(name) was ended: the time limit of the job (\(spelled(seconds: request.timeoutSeconds))) was reached"
                : "\(name) was ended after its time limit of \(spelled(seconds: limit))"
        case .cancelled:
            verdict.failure = .interrupted
            verdict.text = "cancelled in \(name)"
            return verdict
        case .notStarted(let why):
            verdict.failure = .runner
            verdict.text = "\(name) could not start: \(why)"
        }
        let isNoncritical = block.marks.isNoncritical && request.prompt.settings.allowsNoncritical != false
        // Out of time is out of time for the whole attempt, whatever the block is marked.
        if verdict.failure != nil && isNoncritical && !(ending == .timedOut && isAttemptLimit) {
            verdict.isTolerated = true
            verdict.mark = "noncritical"
        }
        return verdict
    }

    private mutating func record(
        _ block: Block, exitCode: Int32?, seconds: Double, failure: FailureClass?, mark: String? = nil
    ) {
        result.blocks.append(
            BlockResult(
                block: block.number, exitCode: exitCode, durationMilliseconds: Int(seconds * 1000),
                log: RunFolder.logName(block.number), mark: mark, failureClass: failure))
    }

    private func logSize(of block: Block) -> Int {
        // A log that is not there counts as empty.
        Int((try? folder.directory.status(RunFolder.logName(block.number)))?.size ?? 0)
    }

    /// Reads `$FLOWSPOOL_ENV`. What cannot be used is named in the block's log and is no failure; a file that is none is one,
    /// because the blocks after it would run without what they were promised.
    private mutating func takeHandedOn(after block: Block) -> Bool {
        do throws(SystemCallError) {
            guard let file = try folder.handedOn() else { return true }
            for problem in handed.take(file) { folder.note(problem, inLogOf: block.number) }
            return true
        } catch {
            result.blocks[result.blocks.count - 1].failureClass = .runner
            _ = stop(.runner, block: block.number, "what block \(block.number) hands on cannot be read: \(error)")
            return false
        }
    }

    // MARK: The end

    private mutating func ask(_ gate: CompletionGate) async -> AttemptResult {
        let specification = request.prompt.settings.gate
        guard !specification.isEmpty else { return finish() }
        let answer = await gate.ask(
            specification, repoRoot: request.repoRoot, folder: folder.path, environment: environment, executor: executor,
            timeLeftSeconds: max(0, request.timeoutSeconds - begin.seconds))
        if Task.isCancelled {
            result.outcome = .cancelled
            result.message = "cancelled in the completion gate"
            return finish()
        }
        result.gate = answer.problems.isEmpty ? .pass : .fail
        if !answer.problems.isEmpty {
            result.refuse(answer.refusal)
            // No block failed: a retry resumes behind the last one, which is to ask the gate again.
            return stop(.gate, block: nil, "completion gate: " + answer.problems.joined(separator: "; "))
        }
        return finish()
    }

    private mutating func stop(
        _ failure: FailureClass, block: Int?, _ message: String, exitCode: Int32? = nil
    ) -> AttemptResult {
        result.outcome = .failed
        result.failureClass = failure
        result.failedBlock = block
        result.exitCode = exitCode
        result.message = message
        return finish()
    }

    private mutating func cancelled(before block: Int) -> AttemptResult {
        result.outcome = .cancelled
        result.message = "cancelled before block \(block)"
        return finish()
    }

    private mutating func finish() -> AttemptResult {
        result.carriedEnvironment = handed.values
        if result.outcome == .success {
            result.exitCode = 0
            if result.message.isEmpty { result.message = Self.summary(result.blocks) }
        }
        result.message = ([result.message] + notes).joined(separator: "; ")
        notes.removeAll()
        return result
    }

    private static func summary(_ blocks: [BlockResult]) -> String {
        let ran = blocks.count { $0.mark != "skip" }
        let failed = blocks.count { $0.failureClass != nil }
        return "\(ran) block\(ran == 1 ? "" : "s") ran" + (failed == 0 ? "" : ", \(failed) failed and noncritical")
    }
}
