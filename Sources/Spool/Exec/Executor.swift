// *Where* a command runs. This machine is one executor; a cluster can be another. An executor knows nothing of prompts,
// blocks or retries: it starts one command, waits for it, and leaves nothing of it behind.

/// A command to run, complete: an executor adds nothing from its own surroundings.
public struct Command: Sendable, Hashable {
    /// A name to be looked up in `environment["PATH"]`, or an absolute path.
    public var executable: String
    public var arguments: [String]
    /// The whole environment of the child.
    public var environment: [String: String]
    public var workingDirectory: String
    /// The file that is the child's standard input; nil means `/dev/null`.
    public var inputPath: String?
    /// The file that takes standard output and standard error, in order; made with mode 0600, truncated.
    public var outputPath: String
    /// Where standard error goes instead, for runners that must tell the two apart.
    public var errorPath: String?
    /// Time after which the group is ended (`TERM`, grace, `KILL`); nil: none.
    public var timeoutSeconds: Double?
    /// Bound for each output file, in bytes: of more, the beginning and the end are kept and the cut is marked; nil: the
    /// executor's own.
    public var outputBytesMax: Int?

    public init(
        executable: String, arguments: [String], environment: [String: String], workingDirectory: String,
        inputPath: String? = nil, outputPath: String, errorPath: String? = nil, timeoutSeconds: Double? = nil,
        outputBytesMax: Int? = nil
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.inputPath = inputPath
        self.outputPath = outputPath
        self.errorPath = errorPath
        self.timeoutSeconds = timeoutSeconds
        self.outputBytesMax = outputBytesMax
    }
}

/// How a command ended.
public struct CommandResult: Sendable, Hashable {
    public enum Ending: Sendable, Hashable {
        case exited(Int32)
        case signalled(Int32)
        case timedOut
        /// The surrounding task was cancelled and the group was ended.
        case cancelled
        /// Nothing was started; the text says why.
        case notStarted(String)
    }
    public var ending: Ending
    /// From start to end on the monotonic clock, in seconds.
    public var durationSeconds: Double
    /// Why the output file is not complete (a full disk), as a sentence; nil when it is. A cut at the bound is not trouble.
    public var outputTrouble: String?
    /// Of a command that was not started: the system call that failed, where one of flowspool's own did.
    public var cause: SystemCallError?

    public init(ending: Ending, durationSeconds: Double, outputTrouble: String? = nil, cause: SystemCallError? = nil) {
        self.ending = ending
        self.durationSeconds = durationSeconds
        self.outputTrouble = outputTrouble
        self.cause = cause
    }
}

/// A place where commands run.
public protocol Executor: Sendable {
    /// Runs `command` to its end, and returns when no process of its group is left, whatever the ending.
    ///
    /// Cancelling the surrounding task ends the group the way a timeout does.
    func run(_ command: Command) async -> CommandResult

    /// Does what can be done before the command is to start: it opens files, and starts nothing.
    ///
    /// - Returns: for `run`; nil where nothing helps. Giving it up closes what it holds.
    func makeReady(_ command: Command) -> ReadyCommand?

    /// Starts a command that this executor has made ready and that does nothing before it has read `script`. To be called on a thread
    /// that does not end: with it the child would.
    ///
    /// - Returns: for `run`, once `shell` was released; nil, with nothing started, where that cannot be.
    func begin(_ ready: ReadyCommand, reading script: HeldScript) -> ReadyCommand?

    /// As `run(_:)`, for a command that this executor has made ready, once.
    func run(_ ready: ReadyCommand) async -> CommandResult

    /// Ends every process that an earlier, crashed runner of this spool left behind, and returns how many groups it ended.
    ///
    /// - Parameter runsDirectory: the spool's `runs/`; a process is the spool's when its `FLOWSPOOL_RUN_DIR` lies below it.
    func endStrays(runsDirectory: String) async throws -> Int
}

extension Executor {
    public func makeReady(_ command: Command) -> ReadyCommand? { nil }
    public func begin(_ ready: ReadyCommand, reading script: HeldScript) -> ReadyCommand? { nil }
    public func run(_ ready: ReadyCommand) async -> CommandResult {
        ready.onStart?()
        return await run(ready.command)
    }
}

/// A command whose start waits for its turn only.
public struct ReadyCommand: Sendable {
    /// Its time limit may still be set; all else stays as it was.
    public internal(set) var command: Command
    /// Called once, by the executor: when the child has been started, or is not going to be.
    var onStart: (@Sendable () -> Void)?
    let launch: Launch
    let cancel: CancelSignal
    /// Its child, where that has begun and waits for its script; with it the command can be run once that was released.
    var shell: HeldShell?
}
