// What one run of a spool is told from outside: facts, resolved before anything starts.

import Foundation

/// The settings of one run.
public struct RunSettings: Sendable {
    /// The command that runs, as stamps and logs name it: `watch`, `pipeline`, `mini`.
    public var command: String
    /// Names this run in stamps, logs and `.resume.env`.
    public var runID: String
    /// Jobs that may run at the same time, ≥ 1.
    public var jobs = 1
    /// Whether the run ends when nothing is left to do.
    public var drains = false
    /// The run is one batch: only files that wait when it begins, in name order, with failure counts of its own.
    public var isBatch = false
    /// What a recovery before this run has ended; it belongs to the run.
    public var recovered = Recovered()
    /// Names that a batch is limited to, in order; nil: everything that waits.
    public var batchNames: [String]?
    /// Prompts of a batch that have no name as text: they are refused when it begins.
    public var batchRefusals: [[UInt8]] = []
    /// Prompts that a batch starts at most; nil: no limit.
    public var startsMax: Int?
    /// Prompts go back to where they stood, as if all said `move_to_completed: no`.
    public var keepsAll = false
    /// Limit for one attempt, in seconds: from a flag, which beats the prompt's own.
    public var timeoutOverrideSeconds: Double?
    /// Limit for one attempt where neither flag nor prompt sets one, in seconds.
    public var timeoutDefaultSeconds: Double = 3600
    /// Wait before a failed attempt is tried again; 0: at once, in the same place.
    public var retryDelayMilliseconds: Int64 = 0
    /// How long a file must stand unchanged where the kernel grants no lease.
    public var quietMilliseconds: Int64 = 2000
    /// Largest prompt, in bytes.
    public var sizeMax = 1 << 20
    /// Waiting jobs in the ledger at most; more wait in the folder.
    public var windowMax = 16_384
    public var repoRoot: String
    /// What children inherit.
    public var environment: [String: String]
    /// Fixes every time in stamps (SOURCE_DATE_EPOCH, reproducible-builds.org).
    public var sourceDateEpoch: Date?
    /// How long a run that drains waits for a deferred job, in milliseconds; one that is due later is left for another run.
    public var deferredWaitMaxMilliseconds: Int64 = 600_000
    /// How long a move that a person's command has begun may take before it is finished here: the command may have died.
    var foreignMoveGraceMilliseconds: Int64 = 5000
    /// Pause after trouble with the machine (disk full, I/O error) before work is tried again.
    public var troublePauseMilliseconds: Int64 = 5000

    public init(command: String, runID: String, repoRoot: String, environment: [String: String]) {
        self.command = command
        self.runID = runID
        self.repoRoot = repoRoot
        self.environment = environment
    }
}

/// What of the settings may change while a run goes on.
public struct RunAdjustment: Sendable, Hashable {
    public var jobs: Int
    public var timeoutDefaultSeconds: Double
    public var retryDelayMilliseconds: Int64
    public var sizeMax: Int
    /// What children inherit.
    public var environment: [String: String]

    /// Those of `settings`.
    public init(_ settings: RunSettings) {
        jobs = settings.jobs
        timeoutDefaultSeconds = settings.timeoutDefaultSeconds
        retryDelayMilliseconds = settings.retryDelayMilliseconds
        sizeMax = settings.sizeMax
        environment = settings.environment
    }

    func apply(to settings: inout RunSettings) {
        settings.jobs = jobs
        settings.timeoutDefaultSeconds = timeoutDefaultSeconds
        settings.retryDelayMilliseconds = retryDelayMilliseconds
        settings.sizeMax = sizeMax
        settings.environment = environment
    }
}

/// A hint from whoever watches the drop folder.
public enum SpoolHint: Sendable, Hashable {
    /// Something of this name may have appeared or changed.
    case file([UInt8])
    /// Something of this name may have gone.
    case gone([UInt8])
    /// Look at everything.
    case everything
    /// The hints before this one were too many for the kernel's queue; look at everything.
    case overflow
    /// The spool's folder was deleted or moved; another may be in its place.
    case replaced
}

/// What happens in a run, for whoever shows, logs or forwards it. Sent after the ledger has it.
public enum RunEvent: Sendable {
    case started(profile: String, waiting: Int)
    case attemptStarted(Job, blocks: Int)
    case blockStarted(Job, number: Int, of: Int)
    case attemptFailed(Job, AttemptResult, triesAgain: Bool)
    case finished(Job, AttemptResult?)
    case held(Job, [Finding])
    case blocked(Job, [Finding])
    case refused(Job)
    case withdrawn(Job)
    /// Waits for a time: a retry with a delay, a rate limit.
    case deferred(Job)
    /// The machine would not let its attempt begin, which counts for nothing; it waits again. The trouble itself was told before.
    case notBegun(Job, SystemCallError)
    /// Nobody may start it yet, because somebody still writes it.
    case waitsForWriter(Job)
    case onHold(HoldRecord)
    case holdLifted
    /// Somebody asked it to stop, and so many jobs run that are waited for; others have ended, which could not be recorded yet.
    case stopping(running: Int, unrecorded: [Int64])
    /// The machine refused something; the run goes on when it can.
    case trouble(FlowspoolError)
    case ended(RunEnding)
}

/// How a run ended.
public struct RunEnding: Sendable, Hashable {
    public enum Why: String, Sendable {
        /// Nothing was left, or the count was reached.
        case done
        /// Somebody asked it to stop.
        case stopped
        /// It crossed a threshold.
        case failFast = "fail_fast"
        case totalFailures = "total_failures"
        /// The spool was on hold, or somebody put it there.
        case onHold = "on_hold"
        /// The folder went away; `watch` opens it anew.
        case replaced
        /// The machine refuses what only a person can mend, again and again.
        case trouble
    }
    public var why: Why
    /// Jobs started.
    public var ran = 0
    public var succeeded = 0
    public var failed = 0
    public var held = 0
    /// Jobs that wait for a time which this run did not wait for.
    public var deferred = 0
    /// Jobs whose end could not be recorded before the run was stopped.
    public var unrecorded = 0
    public var failures = FailureCounts()
    /// What agents and models used in this run.
    public var usage = UsageSum()

    public init(why: Why) { self.why = why }

    /// The exit status of a batch (DESIGN "Commands").
    public var exitCode: Int32 {
        if unrecorded > 0 { return 75 }
        return switch why {
        case .failFast: 10
        case .totalFailures: 11
        case .onHold: 12
        case .done: failed > 0 ? 1 : 0
        // It has not done what it was started for.
        case .stopped, .replaced, .trouble: 75
        }
    }
}
