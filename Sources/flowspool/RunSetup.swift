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
}

/// A spool that this process has the right to run, before anything of it runs.
struct OpenedSpool: Sendable {
    let facts: RunFacts
    let spool: SpoolFolder
    let lock: RunnerLock
    let contractLock: ContractLock
    let ledger: Ledger
    let configuration: SpoolConfiguration
    let contract: ContractFiles
    /// What the flags and spool.yaml say; the command may adjust it before the session begins.
    let settings: RunSettings

    /// Opens the spool, making what is missing of it, and takes its lock.
    init(_ facts: RunFacts) throws {
        self.facts = facts
        try Self.check(facts)
        spool = try SpoolFolder.make(at: facts.spoolPath, allowsShared: facts.allowsShared)
        configuration = try SpoolConfiguration.load(spool: spool.path)
        let now = SystemClock().wallMilliseconds()
        lock = try RunnerLock(spool, command: facts.command, now: now)
        contractLock = try ContractLock(root: spool.root)
        ledger = try Ledger(path: spool.ledgerPath)
        try spool.numberJobs(of: ledger)
        contract = try ContractFiles(root: spool.root)
        var settings = Self.makeSettings(facts, configuration, now: now)
        settings.jobs = DescriptorLimit.jobs(settings.jobs)
        self.settings = settings
    }

    /// Judges what stands in a folder before anything is made in it: what is refused here leaves the folder as it was.
    static func check(_ facts: RunFacts) throws {
        var info = stat()
        guard stat(facts.spoolPath, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return }
        _ = try SpoolConfiguration.load(spool: facts.spoolPath)
        try ContractFiles.check(try Directory(path: facts.spoolPath))
    }

    /// Whether a prompt that was put back in its place is to be left alone. A success counts while `.prompt-pipeline.state`
    /// names it. A failure is tried again by the next batch, but never by a watcher, which would run it for ever.
    func isSettled(_ job: Job, isBatch: Bool) -> Bool {
        guard job.status == .success, let id = job.promptID else { return !isBatch }
        // A state file that cannot be read now counts as it was last read.
        _ = try? contract.state.refresh()
        return contract.state.contains(id)
    }

    static func makeSettings(_ facts: RunFacts, _ configuration: SpoolConfiguration, now: Int64) -> RunSettings {
        var settings = RunSettings(
            command: facts.command, runID: "\(BatchSummary.basicText(now))-\(getpid())", repoRoot: facts.repoRoot,
            environment: configuration.environment(facts.environment.filter { $0.key != SystemdNotify.variable }))
        settings.jobs = facts.jobs ?? configuration.jobs
        settings.timeoutOverrideSeconds = facts.timeoutSeconds
        settings.timeoutDefaultSeconds = configuration.timeoutSeconds
        settings.sizeMax = configuration.sizeLimitBytes
        settings.retryDelayMilliseconds = Int64(configuration.retryDelaySeconds * 1000)
        // Whole seconds (reproducible-builds.org); up to the year 9999, which is as far as times can be written.
        settings.sourceDateEpoch = facts.environment["SOURCE_DATE_EPOCH"].flatMap { Int($0) }.flatMap { seconds in
            (0...253_402_300_799).contains(seconds) ? Date(timeIntervalSince1970: Double(seconds)) : nil
        }
        return settings
    }
}

/// A run of an opened spool.
struct RunSession {
    let opened: OpenedSpool
    let settings: RunSettings
    let dispatcher: Dispatcher
    private let journal: ContractJournal
    private let notices: RunNotices

    /// - Parameter observe: told of every event, besides the contract files.
    init(_ opened: OpenedSpool, settings: RunSettings, observe: @escaping @Sendable (RunEvent) -> Void) throws {
        self.opened = opened
        self.settings = settings
        let contract = opened.contract
        let journal = ContractJournal(files: contract) { _ = report($0) }
        self.journal = journal
        let notices = RunNotices(opened, runID: settings.runID, isBatch: settings.isBatch)
        self.notices = notices
        let configuration = opened.configuration
        let agents = try RunnerContext(configuration, environment: opened.facts.environment)
        let runners = PreflightSetup.runners(
            configuration, agents, meter: try Self.meter(opened), spoolPath: opened.spool.path)
        let preflight = try PreflightSetup.make(
            opened.facts, configuration, searchPath: settings.environment["PATH"] ?? "/usr/bin:/bin", ledger: opened.ledger,
            modes: Set(runners.keys), runners: agents)
        let isSettled = Self.settling(opened, isBatch: settings.isBatch)
        dispatcher = Dispatcher(
            spool: opened.spool, ledger: opened.ledger, settings: settings, preflight: preflight, runners: runners,
            executor: LocalExecutor(outputBytesMax: configuration.logLimitBytes, runsDirectory: opened.spool.runs.path),
            isDone: isSettled, recordKept: { job in if let id = job.promptID { try contract.state.add(id) } },
            observe: { event in
                journal.take(event)
                notices.take(event)
                observe(event)
            })
    }

    /// Begins with what the ledger says of today.
    private static func meter(_ opened: OpenedSpool) throws -> UsageMeter {
        let now = SystemClock().wallMilliseconds()
        let today = try opened.ledger.read { try $0.usage(since: now - now % 86_400_000) }
        return UsageMeter(budgets: opened.configuration.budgets, today: today.total)
    }

    private static func settling(_ opened: OpenedSpool, isBatch: Bool) -> @Sendable (Job) -> Bool {
        { opened.isSettled($0, isBatch: isBatch) }
    }

    /// Gives the run what `configuration` says, as far as that can change while it goes on; the flags stay.
    ///
    /// - Parameter whenTaken: called once what is dropped from then on is judged by it, with the keys that have changed and take effect at
    ///   the next start only; not at all where the run ends before.
    func adjust(to configuration: SpoolConfiguration, whenTaken: @escaping @Sendable (_ later: [String]) -> Void) {
        notices.reload(configuration)
        let later = configuration.keysForNextStart(comparedWith: opened.configuration)
        let settings = OpenedSpool.makeSettings(opened.facts, configuration, now: SystemClock().wallMilliseconds())
        dispatcher.adjust(RunAdjustment(settings)) { whenTaken(later) }
    }

    /// Runs to the end, with the contract files written beside.
    ///
    /// - Parameter pump: brings the hints.
    func run(_ pump: HintPump) async throws -> RunEnding {
        pump.connect(dispatcher)
        defer { pump.disconnect() }
        let told = opened.settings.recovered
        let now = SystemClock().wallMilliseconds()
        journal.catchUp(with: try opened.ledger.write { try $0.beginWritingFiles(now: now) }.filter { !told.hasFailed($0) })
        async let written: Void = journal.run()
        async let sent: Void = notices.run()
        let result: Result<RunEnding, any Error>
        do {
            result = .success(try await dispatcher.run())
        } catch {
            result = .failure(error)
        }
        journal.finish()
        notices.finish()
        await written
        await sent
        // Where that cannot be noted, the next run looks once more, and finds nothing.
        if journal.isComplete { try? opened.ledger.write { try $0.endWritingFiles() } }
        return try result.get()
    }
}
