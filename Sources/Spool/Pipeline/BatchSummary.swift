// `.prompt-pipeline.summary.json`: how the last batch went, or goes. Keys may be added, never renamed; readers of the older
// shell pipeline find theirs (`thresholds.fail_fast`, `state_files.pending_preview` …). Pure: `ContractFiles` writes it.

import Foundation

/// The summary of one batch.
public struct BatchSummary: Sendable, Equatable {
    /// What a user acts on.
    public enum Status: String, Sendable, CaseIterable {
        /// The batch is at work, or was killed while it was.
        case running
        /// Every prompt that was started succeeded.
        case done
        /// It came to its end, and prompts failed, fewer than a threshold.
        case failed
        /// It halted: `reason` says why.
        case hold
        /// A signal ended it.
        case interrupted
        /// `--dry-run`.
        case planned
    }

    /// Reasons that are part of the contract; others may be free text.
    public enum Reason: String, Sendable {
        case running
        case completed = "pipeline_completed"
        case countReached = "count_reached"
        case failFast = "fail_fast"
        case totalFailures = "total_failures"
        case goMissing = "go_missing"
        case onHold = "on_hold"
        case interrupted
        case dryRun = "dry_run"
    }

    public var runID: String
    /// Milliseconds since 1970 UTC.
    public var startedMilliseconds: Int64
    /// Milliseconds since 1970 UTC; nil while the batch runs.
    public var finishedMilliseconds: Int64?
    public var status: Status
    public var reason: String
    /// Absolute.
    public var root: String
    /// Absolute.
    public var repoRoot: String
    /// The mode in which prompts run where their front matter does not say otherwise.
    public var runnerMode: ExecMode
    /// What `--exec-mode` said; nil: nothing.
    public var execModeRequested: ExecMode?
    public var profile: String?
    /// What `--count` said, 0: all.
    public var countRequested: Int
    /// Prompts that were started.
    public var ran = 0
    public var succeeded = 0
    /// Failed, blocked ones included.
    public var failedCount = 0
    public var blocked = 0
    public var held = 0
    /// Prompts that wait for a time that this batch did not wait for, such as the end of a limit.
    public var deferred = 0
    /// What agents and models used.
    public var usage = UsageSum()
    public var failStreak = 0
    public var failTotal = 0
    public var failFastThreshold: Int
    public var totalFailuresMax: Int
    /// The last prompt that finished, by file name.
    public var lastPrompt: String?
    public var exitCode: Int32?
    /// Path of `--require-go`, where it was given.
    public var goFile: String?
    /// Whether `--skip-mini` let the batch run without a current mini experiment.
    public var skippedMini = false

    public init(
        runID: String, startedMilliseconds: Int64, status: Status = .running, reason: String = Reason.running.rawValue,
        root: String,
        repoRoot: String, runnerMode: ExecMode, execModeRequested: ExecMode?, profile: String?, countRequested: Int,
        failFastThreshold: Int, totalFailuresMax: Int
    ) {
        self.runID = runID
        self.startedMilliseconds = startedMilliseconds
        self.status = status
        self.reason = reason
        self.root = root
        self.repoRoot = repoRoot
        self.runnerMode = runnerMode
        self.execModeRequested = execModeRequested
        self.profile = profile
        self.countRequested = countRequested
        self.failFastThreshold = failFastThreshold
        self.totalFailuresMax = totalFailuresMax
    }

    /// Where the pipeline itself stands: a batch that came to its end is `done` even if prompts failed.
    public var pipelineStatus: Status { status == .failed ? .done : status }

    /// `20260213T235208Z` (ISO 8601 basic), as the older pipeline wrote `run_utc` and as run ids begin.
    public static func basicText(_ milliseconds: Int64) -> String {
        String(utcText(milliseconds, fraction: false).filter { $0 != "-" && $0 != ":" })
    }

    /// The document, in the order in which it is written.
    public var json: JSON {
        var files = ContractFile.allCases.map { ($0.summaryKey, JSON.string($0.path(in: root))) }
        files.append(("go", .string(goFile ?? "")))
        return .object(
            [
                ("run_utc", .string(Self.basicText(startedMilliseconds))),
                ("status", .string(status.rawValue)),
                ("pipeline_status", .string(pipelineStatus.rawValue)),
                ("reason", .string(reason)),
                ("root", .string(root)),
                ("repo_root", .string(repoRoot)),
                ("runner_mode", .string(runnerMode.rawValue)),
                ("exec_mode_requested", JSON(execModeRequested?.rawValue)),
                ("profile", JSON(profile)),
                ("count_requested", .int(countRequested)),
                ("ran", .int(ran)),
                ("succeeded", .int(succeeded)),
                ("failed", .int(failedCount)),
                ("blocked", .int(blocked)),
                ("held", .int(held)),
                ("fail_streak", .int(failStreak)),
                ("fail_total", .int(failTotal)),
                ("thresholds", ["fail_fast": .int(failFastThreshold), "max_total_failures": .int(totalFailuresMax)]),
                ("state_files", .object(files)),
                ("run_id", .string(runID)),
                ("finished_utc", JSON(finishedMilliseconds.map { utcText($0, fraction: false) })),
                ("last_prompt", JSON(lastPrompt)),
                ("exit_code", JSON(exitCode.map(Int.init))),
                ("mini_skipped", .bool(skippedMini)),
            ] + (deferred > 0 ? [("deferred", .int(deferred))] : []) + (usage.attempts > 0 ? [("usage", usage.json)] : []))
    }
}
