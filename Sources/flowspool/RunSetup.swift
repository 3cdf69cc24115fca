// Joins the parts of a run: spool, ledger, policy, preflight, runners, executor, contract files. `watch`, `pipeline` and `mini`
// differ in what they pass here and in what they do with the events.

import Foundation
import Spool

/// Everything that is known before a spool is opened: flags, environment, configuration.
struct RunFacts: Sendable {
    var command: String
    var spoolPath: String
    var repoRoot: String
    var resolver: PolicyResolver
    var allowsShared = false
    var jobs: Int?
    var execMode: ExecMode?
    var timeoutSeconds: Double?
    var environment: [String: String]
    var adjust: @Sendable (inout RunSettings) -> Void = { _ in }
}

/// An opened spool, ready to run.
struct RunSession {
    let spool: SpoolFolder
    let ledger: Ledger
    let lock: RunnerLock
    let configuration: SpoolConfiguration
    let contract: ContractFiles
    let journal: ContractJournal
    let dispatcher: Dispatcher
    let settings: RunSettings

    /// Opens the spool and takes its lock.
    ///
    /// - Parameter observe: told of every event, besides the contract files.
    static func open(_ facts: RunFacts, observe: @escaping @Sendable (RunEvent) -> Void) async throws -> RunSession {
        let spool = try SpoolFolder.make(at: facts.spoolPath, allowsShared: facts.allowsShared)
        let configuration = try SpoolConfiguration.load(spool: spool.path)
        let clock = SystemClock()
        let now = clock.wallMilliseconds()
        let lock = try RunnerLock(spool, command: facts.command, now: now)
        let ledger = try Ledger(path: spool.ledgerPath)
        let contract = try ContractFiles(root: spool.root)
        let journal = ContractJournal(files: contract) { _ = report($0) }
        let settings = makeSettings(facts, configuration, now: now)
        let runners = makeRunners(configuration)
        let preflight = try PreflightSetup.make(
            facts, configuration, searchPath: settings.environment["PATH"] ?? "/usr/bin:/bin", ledger: ledger,
            modes: Set(runners.keys))
        let isBatch = settings.isBatch
        let dispatcher = Dispatcher(
            spool: spool, ledger: ledger, settings: settings, preflight: preflight, runners: runners,
            executor: LocalExecutor(outputBytesMax: configuration.logLimitBytes, runsDirectory: spool.runs.path), clock: clock,
            isDone: { job in isSettled(job, contract: contract, isBatch: isBatch) },
            recordKept: { job in if let id = job.promptID { try contract.state.add(id) } },
            observe: { event in
                journal.take(event)
                observe(event)
            })
        return RunSession(
            spool: spool, ledger: ledger, lock: lock, configuration: configuration, contract: contract, journal: journal,
            dispatcher: dispatcher, settings: settings)
    }

    /// Runs to the end, with the contract files written beside.
    func run(hints: AsyncStream<SpoolHint>) async throws -> RunEnding {
        async let written: Void = journal.run()
        let result: Result<RunEnding, any Error>
        do {
            result = .success(try await dispatcher.run(hints: hints))
        } catch {
            result = .failure(error)
        }
        journal.finish()
        await written
        return try result.get()
    }

    /// Whether a prompt that was put back in its place is to be left alone. A success counts while `.prompt-pipeline.state`
    /// names it. A failure is tried again by the next batch, but never by a watcher, which would run it for ever.
    private static func isSettled(_ job: Job, contract: ContractFiles, isBatch: Bool) -> Bool {
        guard job.status == .success, let id = job.promptID else { return !isBatch }
        // A state file that cannot be read now counts as it was last read.
        _ = try? contract.state.refresh()
        return contract.state.contains(id)
    }

    private static func makeSettings(_ facts: RunFacts, _ configuration: SpoolConfiguration, now: Int64) -> RunSettings {
        var settings = RunSettings(
            command: facts.command, runID: runID(now), repoRoot: facts.repoRoot,
            environment: configuration.environment(facts.environment))
        settings.jobs = facts.jobs ?? configuration.jobs
        settings.timeoutOverrideSeconds = facts.timeoutSeconds
        settings.timeoutDefaultSeconds = configuration.timeoutSeconds
        settings.sizeMax = configuration.sizeLimitBytes
        settings.retryDelayMilliseconds = Int64(configuration.retryDelaySeconds * 1000)
        settings.sourceDateEpoch = facts.environment["SOURCE_DATE_EPOCH"].flatMap(Double.init).map(
            Date.init(timeIntervalSince1970:))
        facts.adjust(&settings)
        return settings
    }

    /// `20260102T030405Z-<process>`: sorts by time, and two runs of one second differ.
    private static func runID(_ now: Int64) -> String {
        let text = utcText(now, fraction: false).filter { $0 != "-" && $0 != ":" }
        return "\(text)-\(getpid())"
    }

    private static func makeRunners(_ configuration: SpoolConfiguration) -> [ExecMode: any Runner] {
        [.script: ScriptRunner(logBytesMax: configuration.logLimitBytes)]
    }
}
