// One prompt, run where it stands: the attempts that its policy allows, each in a run folder of its own, and the stamp's exec
// stage. No spool, no ledger; what must survive is in the stamp and in the run folders. Cancelling the surrounding task ends
// the attempt at work.

import Foundation

/// Runs a prompt in place.
public struct ExecInPlace: Sendable {
    let runner: any Runner
    let executor: any Executor
    let settings: RunSettings
    let clock: any SpoolClock

    public init(runner: any Runner, executor: any Executor, settings: RunSettings, clock: any SpoolClock = SystemClock()) {
        self.runner = runner
        self.executor = executor
        self.settings = settings
        self.clock = clock
    }

    /// How it went.
    public struct Outcome: Sendable {
        public var result: AttemptResult
        public var attempts: Int
        /// Absolute path of the last attempt's folder.
        public var runDirectory: String

        public var status: Stamp.Exec.Status {
            switch result.outcome {
            case .success: .success
            case .failed: .failed
            case .interrupted, .cancelled: .interrupted
            }
        }
    }

    /// Makes attempts until one succeeds or none is left.
    ///
    /// - Parameters:
    ///   - base: folder in which run folders are made, `<base>/<yyyy-mm-dd>/<name>-<hhmmss>-<process>/attempt-<n>`.
    ///   - retryMax: failed attempts that are tried again; each goes on at the block that failed.
    /// - Throws: where a run folder cannot be made.
    public func run(
        _ prompt: PromptFile, at place: PromptInPlace, base: String, retryMax: Int,
        report: @escaping @Sendable (Int, AttemptEvent) -> Void
    ) async throws -> Outcome {
        let time = utcText(clock.wallMilliseconds(), fraction: false)
        let id = "\(prompt.name.prefix(100))-\(time.dropFirst(11).filter { $0.isNumber })-\(getpid())"
        do {
            let day = try Directory.make(path: base).makeFolder(String(time.prefix(10)))
            let folder = try day.makeFolder(id)
            var attempt = 1
            var nextBlock = 1
            var carried: [String: String] = [:]
            while true {
                let run = try folder.makeFolder("attempt-\(attempt)")
                let request = AttemptRequest(
                    job: 0, attempt: attempt, prompt: prompt, promptPath: place.path, promptDirectory: place.folder.path,
                    runDirectory: run.path, firstBlock: nextBlock, carriedEnvironment: carried, environment: settings.environment,
                    repoRoot: settings.repoRoot,
                    timeoutSeconds: settings.timeoutOverrideSeconds ?? prompt.settings.timeoutSeconds
                        ?? settings.timeoutDefaultSeconds)
                let number = attempt
                var result = await runner.run(request, on: executor) { report(number, $0) }
                if result.outcome == .cancelled {
                    result.outcome = .interrupted
                    result.failureClass = .interrupted
                    result.message = "interrupted by a signal"
                }
                let mayRetry = result.outcome == .failed && result.failureClass?.isRetryable == true && attempt <= retryMax
                guard mayRetry, !Task.isCancelled else {
                    return Outcome(result: result, attempts: attempt, runDirectory: run.path)
                }
                nextBlock = result.failedBlock ?? result.lastOKBlock + 1
                carried = result.carriedEnvironment
                attempt += 1
            }
        } catch {
            throw error.forUser
        }
    }

    /// The exec stage for `outcome`; for a prompt that was not run, `outcome` is nil.
    public func stage(_ prompt: PromptFile, _ outcome: Outcome?, warnings: Int) -> Stamp.Exec {
        let result = outcome?.result
        var stage = Stamp.Exec(
            source: settings.command, status: outcome?.status ?? .blocked, runRef: outcome?.runDirectory ?? "",
            promptSHA: prompt.sha, gate: result?.gate ?? .skipped, failedBlock: result?.failedBlock,
            failureClass: result == nil ? .blocked : result?.failureClass, lastOKBlock: result?.lastOKBlock ?? 0,
            warningCount: warnings, attempts: outcome?.attempts ?? 0, exitCode: result?.exitCode,
            durationMilliseconds: result?.durationMilliseconds ?? 0, updated: settings.stampTime(clock))
        stage.extra = result?.usage?.facts ?? []
        return stage
    }
}

extension RunSettings {
    /// The time that a stamp says: `SOURCE_DATE_EPOCH` where it is set, else now.
    public func stampTime(_ clock: any SpoolClock = SystemClock()) -> Date {
        sourceDateEpoch ?? Date(timeIntervalSince1970: Double(clock.wallMilliseconds()) / 1000)
    }
}

extension Stamp.Preflight {
    /// What a check says, as a stage.
    public init(_ report: PreflightReport, _ verdict: PreflightReport.Verdict, source: String, revision: Int, updated: Date) {
        self.init(
            source: source, status: verdict.status, isReady: verdict.isReady, reason: verdict.reason, revision: revision,
            resolved: report.resolved,
            findings: report.findings.map { Mark(code: $0.code.rawValue, line: $0.line, waiver: $0.waiver) }, updated: updated)
    }
}

extension ResolvedPolicy {
    /// The five values and their layers, as every JSON document shows them.
    public var documents: (policy: JSON, sources: JSON) { (policyJSON, sourcesJSON) }
}

extension Directory {
    /// Opens the folder at `path`, making it and what is above it, mode 0700, where it is missing.
    static func make(path: String) throws(SystemCallError) -> Directory {
        var partial = ""
        for component in path.split(separator: "/") {
            partial += "/" + component
            if mkdir(partial, 0o700) != 0, errno != EEXIST { throw SystemCallError(call: .mkdirat, path: partial, errno: errno) }
        }
        return try Directory(path: path)
    }
}
