// `flowspool mini`: the mini experiment. Wipes and refills a spool three times, runs it under `production`, `poc`, and as a
// canary that must halt, judges what was left, and records the pass.

import ArgumentParser
import Foundation
import Spool
import Synchronization
import UnixSignals

struct MiniCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mini",
        abstract: "Run the mini experiment: prove that this configuration runs, retries and halts as it says.",
        discussion: """
            Wipes deployment_pipeline/spool and deployment_pipeline/artifacts, fills that spool from deployment_pipeline/prompts
            and runs it under production, again under poc, then runs deployment_pipeline/canary with both thresholds 1 and
            expects the halt. A pass is recorded; in a repository that has deployment_pipeline/, batches under production need
            it (exit 15 without). A spool with prompts of your own in it is not wiped, unless it was made by this command.

            EXAMPLE
              flowspool mini
              flowspool mini --root path/to/deployment_pipeline --json
            """)

    @Option(help: ArgumentHelp("The experiment's folder (default: deployment_pipeline in the repo root).", valueName: "dir"))
    var root: String?

    @Option(help: ArgumentHelp("The repository's top folder.", valueName: "dir"))
    var repoRoot: String?

    @Option(help: ArgumentHelp("The profile configuration, instead of the repository's own.", valueName: "file"))
    var config: String?

    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws { try SpoolOptions.refuseEmpty(root, "--root") }

    func run() async throws {
        try await reportingErrors {
            let stop = await MiniStop()
            defer { stop.end() }
            var options = ProfileOptions()
            options.repoRoot = repoRoot
            options.config = config
            options.profile = nil
            let repo = try options.findRepoRoot()
            let folder = try MiniFolder(path: root.map(absolutePath) ?? repo + "/" + MiniRecord.folderName)
            let configuration = try PolicyConfiguration.load(flag: options.absoluteConfig, repoRoot: repo)
            try folder.requireOwnSpool()
            // What is wrong with a profile is said before anything is wiped.
            for phase in MiniExperiment.Phase.allCases {
                _ = try MiniPhase(phase: phase, folder: folder, configuration: configuration, repoRoot: repo).expectation
            }
            // Where somebody runs that spool, nothing has happened to an old pass.
            var locks: MiniLocks? = try MiniLocks(folder)
            // A run that is cut off must not leave an old pass standing.
            try MiniRecord.remove(in: folder.directory)
            var reports: [MiniExperiment.Report] = []
            for phase in MiniExperiment.Phase.allCases {
                try stop.check(phase)
                let run = MiniPhase(phase: phase, folder: folder, configuration: configuration, repoRoot: repo)
                let names = try run.fill(holding: try locks.take() ?? MiniLocks(folder))
                try stop.check(phase)
                reports.append(MiniExperiment.judge(try await run.observe(names), by: try run.expectation))
                try stop.check(phase)
            }
            let isPassed = reports.allSatisfy(\.isPassed)
            if isPassed {
                let resolver = try PolicyResolver(configuration: configuration, profileFlag: "production", environment: [:])
                try MiniGate.present(in: folder.directory, resolver)
                    .write(in: folder.directory, passedAt: SystemClock().wallMilliseconds(), reports: reports)
            }
            if json {
                try StandardOutput.write(MiniExperiment.json(reports))
            } else {
                try StandardOutput.write(MiniExperiment.table(reports))
            }
            if !isPassed {
                for fault in reports.flatMap(\.faults) { StandardError.write("\(StandardError.prefix)\(fault)\n") }
                throw ExitCode(1)
            }
        }
    }
}

/// A signal that comes between two batches, which each handle theirs while they run.
private final class MiniStop: Sendable {
    private let isAsked = Mutex(false)
    private let signals: UnixSignalsSequence
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// Returns once the signals are caught.
    init() async {
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let listening = Task { for await _ in signals { isAsked.withLock { $0 = true } } }
        task.withLock { $0 = listening }
    }

    func end() { task.withLock { $0?.cancel() } }

    /// - Throws: `FlowspoolError(.unavailable)` where a signal has come.
    func check(_ phase: MiniExperiment.Phase) throws(FlowspoolError) {
        if isAsked.withLock({ $0 }) { throw Self.error(in: phase) }
    }

    static func error(in phase: MiniExperiment.Phase) -> FlowspoolError {
        FlowspoolError(
            .unavailable, "the mini experiment was stopped in its phase \(phase.rawValue); no pass is recorded",
            hint: "run `flowspool mini` again")
    }
}

/// The locks of the experiment's spool as it stands: while one has them, nobody runs it.
private struct MiniLocks {
    private let runner: RunnerLock?
    private let contract: ContractLock?

    /// - Throws: `spoolBusy` where somebody does.
    init(_ folder: MiniFolder) throws {
        var info = stat()
        // A link is removed, and what it leads to is somebody else's.
        let isLink = lstat(folder.spoolPath, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
        guard !isLink, SpoolFolder.isSpool(folder.spoolPath) else {
            (runner, contract) = (nil, nil)
            return
        }
        let spool = try SpoolFolder.open(at: folder.spoolPath)
        runner = try RunnerLock(spool, command: "mini", now: SystemClock().wallMilliseconds())
        contract = try ContractLock(root: spool.root)
    }
}

/// One phase: fill, run, look.
struct MiniPhase {
    let phase: MiniExperiment.Phase
    let folder: MiniFolder
    let configuration: PolicyConfiguration
    let repoRoot: String

    var expectation: MiniExperiment.Expectation {
        get throws {
            let plain = MiniExperiment.expectation(of: phase)
            let resolver = try PolicyResolver(configuration: configuration, profileFlag: plain.profile, environment: [:])
            return MiniExperiment.expectation(of: phase, retryMax: resolver.base.policy.retryMax)
        }
    }

    /// - Parameter names: of the prompts that the spool was filled with.
    func observe(_ names: [String]) async throws -> MiniExperiment.Observation {
        let clock = SystemClock()
        let begin = clock.monotonicMilliseconds()
        let code = try await batch(expectation).run()
        // A signal, or the machine: nothing is to be learnt from this phase, and nothing more is to be started.
        guard code != FlowspoolError.Code.unavailable.exitStatus else { throw MiniStop.error(in: phase) }
        let seconds = Double(clock.monotonicMilliseconds() - begin) / 1000
        let spool = try SpoolFolder.open(at: folder.spoolPath)
        let ledger = try Ledger(path: spool.ledgerPath)
        let prompts = try names.map { try prompt($0, spool, ledger) }
        return MiniExperiment.Observation(
            exitCode: code, status: try summaryStatus(spool), isOnHold: try HoldFile.exists(in: spool.root), prompts: prompts,
            events: try EventLog.read(in: spool.root), seconds: seconds)
    }

    /// Wipes the spool and fills it anew.
    ///
    /// - Parameter locks: of the spool that is wiped, kept until it is gone.
    /// - Returns: the names of the prompts.
    fileprivate func fill(holding locks: consuming MiniLocks) throws -> [String] {
        try withExtendedLifetime(locks) { try folder.wipe() }
        let spool = try folder.makeSpool()
        return try folder.fill(spool.root, for: phase)
    }

    private func batch(_ expected: MiniExperiment.Expectation) throws -> Batch {
        let flags: [ToggleFlag] =
            expected.thresholds.map { limit in
                [
                    ToggleFlag(name: "mini", toggle: .failFastThreshold, text: String(limit)),
                    ToggleFlag(name: "mini", toggle: .totalFailuresMax, text: String(limit)),
                ]
            } ?? []
        // The profile alone decides: what the surroundings set must not make the experiment pass or fail.
        let resolver = try PolicyResolver(
            configuration: configuration, profileFlag: expected.profile, flags: flags, environment: [:])
        let facts = RunFacts(
            command: "mini", spoolPath: folder.spoolPath, repoRoot: repoRoot, resolver: resolver, execMode: .script,
            environment: environment)
        return Batch(
            facts: facts, selection: BatchPlan.Selection(), goFile: nil, isDryRun: false, keeps: false, skipsMini: true,
            printsJSON: false, isSilent: true)
    }

    private func prompt(_ name: String, _ spool: SpoolFolder, _ ledger: Ledger) throws -> MiniExperiment.Prompt {
        let job = try ledger.read { try $0.job(named: name) }
        let gate = try job.flatMap { job in try ledger.read { try $0.attempts(of: job.id).last?.gate } }
        let state = job.flatMap { $0.state.isWaiting ? nil : $0.state }
        return MiniExperiment.prompt(name: name, bytes: try bytes(job, name, spool), state: state, gate: gate) { path in
            var info = stat()
            return stat(path.hasPrefix("/") ? path : repoRoot + "/" + path, &info) == 0 && info.st_size > 0
        }
    }

    private func bytes(_ job: Job?, _ name: String, _ spool: SpoolFolder) throws -> Data? {
        let places: [Place: Directory] = [.drop: spool.root, .done: spool.done, .failed: spool.failed, .held: spool.held]
        guard let place = places[job?.place ?? .drop], let status = try place.status(job?.file ?? name), status.kind == .regular
        else {
            return nil
        }
        return try place.openForReading(job?.file ?? name).readAll(bytesMax: 4 << 20)
    }

    private func summaryStatus(_ spool: SpoolFolder) throws -> String? {
        guard try spool.root.status(ContractFile.summary.name) != nil else { return nil }
        let data = try spool.root.openForReading(ContractFile.summary.name).readAll(bytesMax: 1 << 20)
        // What is no summary is a fault that is told.
        return try? JSON.parse(String(decoding: data, as: UTF8.self))["status"]?.stringValue
    }
}
