// From a waiting job to one that can start at once: claim, read, preflight, stamp. Runs beside the job that is executing, so
// that the next one never waits for it. Leaves the job in `active/` when it is ready or blocked, in `held/` when a person
// must decide, and in the drop folder when it cannot be claimed yet.

import Foundation

/// A job that is claimed, checked and stamped.
struct Prepared: Sendable {
    var job: Job
    /// The job as the ledger has it.
    var saved: Job
    var prompt: PromptFile
    var report: PreflightReport
    var verdict: PreflightReport.Verdict
    /// No attempt of this preparation has started yet.
    var isFresh = true
    /// Run folder of the last attempt, relative to the spool; empty before the first.
    var runDirectory = ""
    /// Run folder that was made ahead for the next attempt, relative to the spool.
    var readyDirectory: String?
    /// The preflight stage as it was stamped.
    var stage: Stamp.Preflight?
    /// What the file in `active/` holds since it was stamped; where it holds something else by the end, its block has
    /// changed it, and it is parsed again before the last stamp.
    var stampedBytes: Data?
}

/// What came of preparing a job.
enum PrepareOutcome: Sendable {
    case ready(Prepared)
    /// An error, or a warning under `halt`: to be finished as failed.
    case blocked(Prepared)
    case held(Job, [Finding])
    case busy(Job)
    case withdrawn(Job)
    case refused(Job)
    /// Somebody else has moved it.
    case lost(Int64)
    /// The machine refused; the job is where the ledger says.
    case trouble(Int64, FlowspoolError)
}

/// Prepares jobs.
struct Preparer: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    var claim: Claim
    let preflight: Preflight
    let clock: any SpoolClock
    let settings: RunSettings
    let swap: SwapFile
    let runners: [ExecMode: any Runner]

    func prepare(_ job: Job) async -> PrepareOutcome {
        do {
            switch try claim.claim(job) {
            case .busy: return .busy(job)
            case .withdrawn(let job): return .withdrawn(job)
            case .refused(let job): return .refused(job)
            case .lost: return .lost(job.id)
            case .claimed(let job, let bytes): return try await check(job, bytes)
            }
        } catch let error as SystemCallError {
            return .trouble(job.id, error.forUser(job: job))
        } catch let error as FlowspoolError {
            return .trouble(job.id, error)
        } catch {
            return .trouble(job.id, FlowspoolError(.bug, "job \(job.id): \(error)"))
        }
    }

    private func check(_ claimed: Job, _ bytes: Data) async throws -> PrepareOutcome {
        let prompt = PromptFile.read(name: claimed.name, bytes: bytes)
        let report = await preflight.check(prompt)
        let isApproved = try report.warnings.isEmpty ? false : ledger.read { try $0.isApproved(sha: prompt.sha) }
        let verdict = report.verdict(isApproved: isApproved)
        var job = claimed
        if job.promptSHA != prompt.sha {
            // Other bytes than an earlier attempt ran: nothing of that attempt can be resumed.
            job.nextBlock = 1
            job.carriedJSON = nil
        }
        job.promptSHA = prompt.sha
        job.promptID = prompt.id
        job.mode = report.mode.rawValue
        job.lane = prompt.settings.lane ?? report.lane
        job.runner = report.runner
        job.priority = prompt.settings.priority
        job.profile = report.resolved.profile
        job.policyJSON = report.resolved.policyJSON.compact
        job.policySourceJSON = report.resolved.sourcesJSON.compact
        job.revision += 1
        job.keepsPlace = settings.keepsAll || prompt.settings.movesToCompleted == false
        var prepared = Prepared(job: job, saved: claimed, prompt: prompt, report: report, verdict: verdict)
        prepared.stage = preflightStage(prepared)
        switch verdict.status {
        case .ready, .warned:
            try stamp(&prepared)
            makeReady(&prepared)
            return .ready(prepared)
        case .blocked:
            return .blocked(prepared)
        case .held:
            return try hold(prepared)
        }
    }

    /// Writes the preflight stage into the file in `active/`.
    private func stamp(_ prepared: inout Prepared) throws {
        guard prepared.prompt.canCarryStamp else { return }
        var stamp = Stamp(promptID: prepared.prompt.id, promptSHA: prepared.prompt.sha)
        stamp.preflight = prepared.stage
        let bytes = try StampWriter.apply(stamp, to: prepared.prompt)
        let mode = try spool.active.status(prepared.job.file)?.mode ?? 0o600
        // The folder is not fsynced: after a power loss the file is there with or without this stage, whole either way.
        try swap.replace(prepared.job.file, with: bytes, mode: mode)
        prepared.stampedBytes = bytes
    }

    /// Makes the run folder of the attempt that comes next, and what its runner wants in it.
    private func makeReady(_ prepared: inout Prepared) {
        guard let runner = runners[prepared.report.mode] else { return }
        var next = prepared
        next.job.attempts += 1
        let directory = RunPath.relativePath(job: next.job.id, attempt: next.job.attempts, at: clock.wallMilliseconds())
        // Trouble is met again, and reported, by the start.
        guard let request = try? request(next, settings, runDirectory: directory) else { return }
        prepared.readyDirectory = directory
        runner.makeReady(request)
    }

    /// What the attempt is given; makes its run folder.
    func request(
        _ prepared: Prepared, _ settings: RunSettings, runDirectory: String
    ) throws -> AttemptRequest {
        let job = prepared.job
        let folder = try RunPath.make(runDirectory, in: spool)
        let carried = job.carriedJSON.flatMap { try? JSON.parse($0) }?.objectValue ?? []  // Written by us; unreadable means none.
        return AttemptRequest(
            job: job.id, attempt: job.attempts, prompt: prepared.prompt, promptPath: spool.active.pathOf(job.file),
            promptDirectory: spool.path, runDirectory: folder.path, firstBlock: job.nextBlock,
            carriedEnvironment: Dictionary(carried.compactMap { key, value in value.stringValue.map { (key, $0) } }) { $1 },
            environment: settings.environment, repoRoot: settings.repoRoot,
            timeoutSeconds: settings.timeoutOverrideSeconds ?? prepared.prompt.settings.timeoutSeconds
                ?? settings.timeoutDefaultSeconds)
    }

    private func preflightStage(_ prepared: Prepared) -> Stamp.Preflight {
        Stamp.Preflight(
            source: settings.command, status: prepared.verdict.status, isReady: prepared.verdict.isReady,
            reason: prepared.verdict.reason, revision: prepared.job.revision, resolved: prepared.report.resolved,
            findings: prepared.report.findings.map {
                Stamp.Preflight.Mark(code: $0.code.rawValue, line: $0.line, waiver: $0.waiver)
            },
            updated: now)
    }

    private var now: Date {
        settings.sourceDateEpoch ?? Date(timeIntervalSince1970: Double(clock.wallMilliseconds()) / 1000)
    }

    private func hold(_ prepared: Prepared) throws -> PrepareOutcome {
        let now = clock.wallMilliseconds()
        var prepared = prepared
        try stamp(&prepared)
        var job = prepared.job
        job.state = .held
        job.reason = prepared.verdict.reason
        job.place = .held
        job.fromPlace = .active
        job.fromFile = job.file
        job.file = try filing.freeName(job.name, job: job.id, in: .held)
        let findings = prepared.report.findings
        let saved = try ledger.write { tx in
            guard try tx.save(job, expecting: .active, why: job.reason, now: now) else { return false }
            try tx.setFindings(findings, of: job.id)
            return true
        }
        guard saved else { return .lost(job.id) }
        job = try filing.finishMove(job)
        return .held(job, findings)
    }
}

extension SystemCallError {
    /// The same trouble, naming the job that it hit.
    func forUser(job: Job) -> FlowspoolError {
        let error = forUser
        return FlowspoolError(error.code, "job \(job.id) (\(printable(job.name))): \(error.message)", hint: error.hint)
    }
}

extension ResolvedPolicy {
    /// The five values, as JSON shows them.
    var policyJSON: JSON {
        let values = policy.normalized
        return .object(Toggle.allCases.map { ($0.rawValue, JSON(values[$0])) })
    }

    /// The layer of each value, as JSON shows them.
    var sourcesJSON: JSON {
        .object(Toggle.allCases.map { ($0.rawValue, JSON(sources[$0]?.rawValue)) })
    }
}
