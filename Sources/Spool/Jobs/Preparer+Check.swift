// The check of a prompt that is being prepared, and what follows from it for its job, its stamp and its run folder.

import Foundation

extension Preparer {
    /// Checks prompts side by side, because a block that is new costs a start of shfmt; one result for each, in their order.
    func check(_ prompts: [OpenPrompt]) async -> [Result<Prepared, any Error>] {
        if prompts.count == 1 { return [await result(prompts[0])] }
        return await withTaskGroup(of: (Int, Result<Prepared, any Error>).self) { group in
            for (index, prompt) in prompts.enumerated() { group.addTask { (index, await result(prompt)) } }
            var results: [(Int, Result<Prepared, any Error>)] = []
            for await one in group { results.append(one) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func result(_ prompt: OpenPrompt) async -> Result<Prepared, any Error> {
        do {
            return .success(try await check(prompt.claimed, prompt.bytes))
        } catch {
            return .failure(error)
        }
    }

    /// Checks one prompt.
    ///
    /// - Parameter claimed: its job as the ledger has it once it is claimed.
    func check(_ claimed: Job, _ bytes: Data) async throws -> Prepared {
        let prompt = PromptFile.read(name: claimed.name, bytes: bytes)
        let report = await preflight.check(prompt)
        // Nothing is said of the prompt by that: neither may it run unjudged, nor does it count as refused.
        if let refusal = report.refusal { throw refusal }
        let warned = Set(report.warnings.map(\.code))
        let isApproved = try warned.isEmpty ? false : ledger.read { try $0.isApproved(sha: prompt.sha, codes: warned) }
        let verdict = Self.overBudget(claimed, report) ?? report.verdict(isApproved: isApproved)
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
        return prepared
    }

    /// Why a job may not be tried once more, though the run that let it wait for that would have done so; nil where it may.
    private static func overBudget(_ job: Job, _ report: PreflightReport) -> PreflightReport.Verdict? {
        let retries = report.resolved.policy.retryMax
        guard job.budgetUsed > retries else { return nil }
        let what =
            "\(job.budgetUsed == 1 ? "the attempt" : "the \(job.budgetUsed) attempts") before used up what retry_max=\(retries) allows"
        return PreflightReport.Verdict(status: .blocked, reason: "\(what); `flowspool retry` gives a fresh start")
    }

    /// Makes the run folder of the attempt that comes next, and what its runner wants in it.
    ///
    /// - Parameter begins: as soon as its claim is on disk it starts.
    func makeReady(_ prepared: inout Prepared, begins: Bool = false) {
        guard let runner = runners[prepared.report.mode] else { return }
        var next = prepared
        if !next.isRecorded { next.countAttempt(now: clock.wallMilliseconds()) }
        let directory = next.runDirectory
        // Trouble is met again, and reported, by the start.
        if next.report.mode == .script, ScriptAttempt.beginsPrefilled(next.prompt), let spare = spareRuns.take(for: directory) {
            let attempt = ReadyAttempt(folder: RunFolder(spare), files: ScriptAttempt.prefilled)
            next.ready = ReadyRun(directory: directory, attempt: attempt)
        }
        guard let request = try? request(next, settings, runDirectory: directory) else { return }
        let attempt = runner.makeReady(request, !prepared.isRecorded ? .files : begins ? .begun : .child, on: executor)
        prepared.ready = ReadyRun(directory: directory, attempt: attempt)
    }

    /// What the attempt is given; makes its run folder, where that was not made ahead.
    func request(
        _ prepared: Prepared, _ settings: RunSettings, runDirectory: String
    ) throws -> AttemptRequest {
        let job = prepared.job
        let ready = prepared.ready.flatMap { $0.directory == runDirectory ? $0.attempt : nil }.flatMap {
            $0.isStillThere ? $0 : nil
        }
        // Before another script stands under its script's name.
        if ready == nil { prepared.ready?.endBegun() }
        let path = try ready?.folder.path ?? RunPath.make(runDirectory, in: spool).path
        let carried = job.carriedJSON.flatMap { try? JSON.parse($0) }?.objectValue ?? []  // Written by us; unreadable means none.
        var request = AttemptRequest(
            job: job.id, attempt: job.attempts, prompt: prepared.prompt, promptPath: spool.active.pathOf(job.file),
            promptDirectory: spool.path, runDirectory: path, firstBlock: job.nextBlock,
            carriedEnvironment: Dictionary(carried.compactMap { key, value in value.stringValue.map { (key, $0) } }) { $1 },
            environment: settings.environment, repoRoot: settings.repoRoot,
            timeoutSeconds: settings.timeoutOverrideSeconds ?? prepared.prompt.settings.timeoutSeconds
                ?? settings.timeoutDefaultSeconds)
        request.ready = ready
        return request
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
}

extension Prepared {
    /// Its own lane, and that of the working tree which its agent shares with others: no other job of either may run beside it.
    var lanes: [String] { [job.lane, report.lane].compactMap { $0 } }

    /// Whether its attempt may be recorded ahead of its turn: nothing but the turn keeps it from starting. A lane may be busy
    /// for long, and the account of an agent may be limited.
    var mayBeRecorded: Bool {
        !isRecorded && verdict.isReady && report.mode == .script && job.lane == nil && job.runner == nil
    }

    /// Its attempt is going to be recorded ahead of its turn.
    mutating func recordStart(now: Int64) {
        countAttempt(now: now)
        isRecorded = true
    }

    /// Its job has a number: its own, where it had one before.
    mutating func become(_ prompt: OpenPrompt) {
        guard job.id != prompt.job.id else { return }
        (job.id, job.arrival, job.created) = (prompt.job.id, prompt.job.arrival, prompt.job.created)
        saved = prompt.claimed
        runDirectory = RunPath.renumbered(runDirectory, job: job.id)
    }

    /// Its job will have this number, which names its run folder.
    mutating func foretell(_ number: Int64) {
        job.id = number
        runDirectory = RunPath.renumbered(runDirectory, job: number)
    }

    /// One attempt more, whose run folder has the date of `now`.
    mutating func countAttempt(now: Int64) {
        job.attempts += 1
        job.budgetUsed += 1
        runDirectory = RunPath.relativePath(job: job.id, attempt: job.attempts, at: now)
    }
}

extension Job {
    /// The attempt that was recorded ahead of its turn, and never began, does not count.
    mutating func takeBackAttempt() {
        attempts -= 1
        budgetUsed -= 1
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
