// *What* runs: a script's blocks now; an agent's command line or a model's endpoint beside it. A runner turns one attempt
// into commands, hands them to an executor, and says how it went. It does not know the ledger, the folders or the thresholds.

import Foundation

/// How a prompt is executed (DESIGN "Execution").
public enum ExecMode: String, Sendable, Codable, CaseIterable {
    case script, agent, http
}

/// Why an attempt failed.
public enum FailureClass: String, Sendable, Codable, CaseIterable {
    case exit, signal, timeout, gate, interrupted, blocked, runner
    case rateLimited = "rate_limited"
    case permission, idle, budget

    /// Whether the profile's retry rule applies. `blocked` never runs again by itself; `rateLimited` uses up no attempt.
    public var isRetryable: Bool {
        switch self {
        case .exit, .signal, .timeout, .gate, .interrupted, .runner, .idle: true
        case .blocked, .rateLimited, .permission, .budget: false
        }
    }
}

/// What became of the completion gate.
public enum GateResult: String, Sendable, Codable { case pass, fail, skipped }

/// One attempt, as a runner is asked to make it.
public struct AttemptRequest: Sendable {
    public var job: Int64
    /// Counted from 1.
    public var attempt: Int
    public var prompt: PromptFile
    /// Where the prompt stands while it runs; the children see it as `FLOWSPOOL_PROMPT`.
    public var promptPath: String
    /// The folder of the prompt's origin (`PROMPT_DIR`).
    public var promptDirectory: String
    /// An existing folder, mode 0700, empty at the start of the attempt.
    public var runDirectory: String
    /// Number of the block to begin with, counted from 1; above 1 only when an earlier attempt got that far.
    public var firstBlock: Int
    /// What earlier blocks wrote to `$FLOWSPOOL_ENV`.
    public var carriedEnvironment: [String: String]
    /// The environment that children inherit, before flowspool's own names are added.
    public var environment: [String: String]
    public var repoRoot: String
    /// Limit for the whole attempt, in seconds.
    public var timeoutSeconds: Double
    /// What `makeReady` has made for this attempt; nil: nothing.
    var ready: ReadyAttempt?

    public init(
        job: Int64, attempt: Int, prompt: PromptFile, promptPath: String, promptDirectory: String, runDirectory: String,
        firstBlock: Int = 1, carriedEnvironment: [String: String] = [:], environment: [String: String], repoRoot: String,
        timeoutSeconds: Double = 3600
    ) {
        self.job = job
        self.attempt = attempt
        self.prompt = prompt
        self.promptPath = promptPath
        self.promptDirectory = promptDirectory
        self.runDirectory = runDirectory
        self.firstBlock = firstBlock
        self.carriedEnvironment = carriedEnvironment
        self.environment = environment
        self.repoRoot = repoRoot
        self.timeoutSeconds = timeoutSeconds
    }
}

/// What one block did.
public struct BlockResult: Sendable, Hashable, Codable {
    /// Counted from 1.
    public var block: Int
    /// nil when the block was skipped or did not exit by itself.
    public var exitCode: Int32?
    public var durationMilliseconds: Int
    /// Log file, relative to the run folder.
    public var log: String?
    /// The mark that changed how the block was judged: `noncritical`, `expect-exit N`, `skip`.
    public var mark: String?
    public var failureClass: FailureClass?

    public init(
        block: Int, exitCode: Int32?, durationMilliseconds: Int, log: String?, mark: String? = nil,
        failureClass: FailureClass? = nil
    ) {
        self.block = block
        self.exitCode = exitCode
        self.durationMilliseconds = durationMilliseconds
        self.log = log
        self.mark = mark
        self.failureClass = failureClass
    }

    enum CodingKeys: String, CodingKey {
        case block
        case exitCode = "exit_code"
        case durationMilliseconds = "duration_ms"
        case log, mark
        case failureClass = "failure_class"
    }
}

/// How one attempt went.
public struct AttemptResult: Sendable, Hashable {
    public enum Outcome: String, Sendable, Codable { case success, failed, interrupted, cancelled }

    public var outcome: Outcome
    public var failureClass: FailureClass?
    /// Of the block that decided; nil where none exited.
    public var exitCode: Int32?
    /// The block that failed, counted from 1.
    public var failedBlock: Int?
    /// The last block that succeeded, 0 where none did.
    public var lastOKBlock: Int
    public var gate: GateResult
    public var blocks: [BlockResult]
    /// `NAME=value` pairs that the blocks handed on, for a retry that resumes.
    public var carriedEnvironment: [String: String]
    public var durationMilliseconds: Int
    /// One sentence for `reason`, naming block, exit code or gate check.
    public var message: String
    /// When a rate limit ends, where the tool said so.
    public var retryAt: Date?
    /// Of an agent or a model: who it was and what it used.
    public var usage: RunUsage?
    /// What the machine refused, where for that reason a block did not run, after those up to `lastOKBlock`: no failure of the
    /// prompt's. nil: it ran, or could not for another reason.
    public var refusal: SystemCallError?

    public init(
        outcome: Outcome, failureClass: FailureClass? = nil, exitCode: Int32? = nil, failedBlock: Int? = nil,
        lastOKBlock: Int = 0, gate: GateResult = .skipped, blocks: [BlockResult] = [],
        carriedEnvironment: [String: String] = [:], durationMilliseconds: Int = 0, message: String = "",
        retryAt: Date? = nil
    ) {
        self.outcome = outcome
        self.failureClass = failureClass
        self.exitCode = exitCode
        self.failedBlock = failedBlock
        self.lastOKBlock = lastOKBlock
        self.gate = gate
        self.blocks = blocks
        self.carriedEnvironment = carriedEnvironment
        self.durationMilliseconds = durationMilliseconds
        self.message = message
        self.retryAt = retryAt
    }
}

extension AttemptResult {
    /// An attempt that `error` kept from beginning.
    init(notBegun error: any Error, _ message: String) {
        self.init(outcome: .failed, failureClass: .runner, message: message)
        refuse(error)
        // A folder of the spool that may not be written is no fault of a prompt's, either.
        if refusal == nil, let error = error as? SystemCallError, error.isOfPermission { refusal = error }
    }

    /// What was to run next has not, because of `error`.
    mutating func refuse(_ error: (any Error)?) {
        // The run folder may have been removed meanwhile; the next attempt has one of its own.
        guard let error = error as? SystemCallError, error.isOfMachine || error.errno == ENOENT else { return }
        refusal = error
    }
}

/// What happens during an attempt, for whoever watches.
public enum AttemptEvent: Sendable, Hashable {
    case blockStarted(number: Int, of: Int)
    case blockFinished(BlockResult)
}

/// What was made in an attempt's run folder before its turn came. Only this process writes there until then.
public struct ReadyAttempt: Sendable {
    let folder: RunFolder
    /// Names of files that hold already what the attempt begins with; in a spare folder (`SpareRuns`), of those that are there, empty.
    let files: Set<String>
    /// The first child, ready to start; nil: it was not to be, or could not be.
    var first: ReadyBlock?

    /// Whether the folder is still there: somebody may have cleared the runs away while the job waited for a slot.
    var isStillThere: Bool { ((try? folder.directory.status())?.links ?? 0) > 0 }
}

/// The child of an attempt's first block, made ready.
final class ReadyBlock: Sendable {
    /// Number of the block.
    let block: Int
    let command: ReadyCommand
    /// What it was made of.
    private let request: AttemptRequest

    init(block: Int, command: ReadyCommand, request: AttemptRequest) {
        self.block = block
        self.command = command
        self.request = request
    }

    /// Whether it can be run: its script is where it belongs.
    func isReleased() -> Bool { command.shell?.release() ?? true }

    /// Ends what has begun, unless it was run.
    func giveUp() { command.shell?.giveUp() }

    /// Whether `other` would lead to the same command: the settings of the run, or the file's name, may have changed since.
    func isFor(_ other: AttemptRequest) -> Bool {
        request.job == other.job && request.attempt == other.attempt && request.prompt.sha == other.prompt.sha
            && request.promptPath == other.promptPath && request.promptDirectory == other.promptDirectory
            && request.runDirectory == other.runDirectory && request.firstBlock == other.firstBlock
            && request.carriedEnvironment == other.carriedEnvironment && request.environment == other.environment
            && request.repoRoot == other.repoRoot
    }
}

/// How much of an attempt is made before it starts.
public enum Readiness: Sendable {
    /// Files only: it may have to wait for long, and is to hold nothing open.
    case files
    /// The first child as well, because its turn has come.
    case child
    /// That child begins, as far as it does so without the prompt: all that is waited for is the disk.
    case begun
}

/// Something that can carry out a prompt.
public protocol Runner: Sendable {
    /// Does what can be done before the attempt is recorded as started: it makes files in the run folder, which exists, and
    /// runs nothing of the prompt. `run` does what is missing, so it may be left out, fail unseen, or be done for an attempt that never
    /// comes.
    ///
    /// - Returns: what it has made, for `AttemptRequest.ready`; nil where it has made nothing that helps.
    func makeReady(_ request: AttemptRequest, _ readiness: Readiness, on executor: any Executor) -> ReadyAttempt?

    /// Makes one attempt. Never throws: whatever goes wrong is an outcome with a class and a message.
    ///
    /// On return no process of the attempt is left, and `result.json` and the logs stand in the run folder. Cancelling the
    /// surrounding task ends the attempt with outcome `cancelled`.
    func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult
}

extension Runner {
    public func makeReady(_ request: AttemptRequest, _ readiness: Readiness, on executor: any Executor) -> ReadyAttempt? { nil }
}
