// One batch from its checks to its summary. Whatever stops it before the first prompt leaves the folder as it was, except that
// a missing GO file is written into the summary, because that is what the next reader looks at.

import Foundation
import ServiceLifecycle
import Spool

/// A batch, as the flags ask for it.
struct Batch: Sendable {
    let facts: RunFacts
    let selection: BatchPlan.Selection
    let goFile: String?
    let isDryRun: Bool
    let keeps: Bool
    let skipsMini: Bool
    let printsJSON: Bool
    /// Nothing but the exit status and the contract files, as `mini` needs it.
    var isSilent = false

    /// Runs the batch; returns the exit status.
    func run() async throws -> Int32 {
        try refuseHold()
        if !skipsMini { try MiniGate.check(facts) }
        if isDryRun { return try DryRun(batch: self).run() }
        // A name that is not there is refused before the folder becomes a spool. In one that is, only recovery knows what waits.
        if !SpoolFolder.isSpool(facts.spoolPath) { _ = try DryRun(batch: self).look() }
        let opened = try OpenedSpool(facts)
        var summary = makeSummary(runID: opened.settings.runID, root: opened.spool.path, opened.configuration)
        try requireGo(opened, &summary)
        // What a dead runner had in hand waits again or has failed, and belongs to this batch.
        let recovered = try await Dispatcher.recover(
            opened.spool, opened.ledger, policy: facts.resolver.base, runID: opened.settings.runID)
        let waiting = try look(opened, recovered)
        let plan = try BatchPlan(names: waiting.names, roots: Self.roots(opened.spool.path), selection: selection)
        try opened.contract.writePlan(plan)
        try opened.contract.writePreview(plan.pending(isDone: waiting.isSettled))
        try opened.contract.writeSummary(summary)
        let names = plan.names.filter { !waiting.isSettled($0) }
        // What was chosen was chosen by name; `--count` chooses none.
        let isByName = selection.from != nil || selection.to != nil || selection.promptsFile != nil
        let refusals = isByName ? [] : waiting.unnamable
        let (ending, tally) = try await runSession(opened, names, refusals, recovered)
        fill(&summary, ending, tally)
        // What has happened has happened: no file that somebody has spoilt meanwhile keeps the rest from being told.
        note { try writeResume(opened, plan, summary) }
        let code = ending.exitCode
        // A person's word is asked for: nobody would learn it otherwise.
        if code != 0 || ending.held + ending.deferred > 0, !isSilent { explain(opened, ending, tally, code) }
        note { _ = try finish(opened, summary, code: code) }
        return code
    }

    private func note(_ body: () throws -> Void) {
        do {
            try body()
        } catch let error as FlowspoolError {
            _ = report(error)
        } catch {
            _ = report(FlowspoolError(.unavailable, "\(error)"))
        }
    }

    /// A batch on a held spool changes nothing, not even a folder that is no spool yet.
    private func refuseHold() throws {
        let root = try Directory(path: facts.spoolPath)
        guard let hold = try HoldFile.read(in: root) else { return }
        throw FlowspoolError(
            .onHold, "\(printable(facts.spoolPath)) is on hold: \(printable(hold.reason))",
            hint: "mend it, then `flowspool resume --spool \(shellQuoted(facts.spoolPath))`")
    }

    /// The error where the file that says go is not there.
    var goError: FlowspoolError? {
        var info = stat()
        guard let goFile, stat(goFile, &info) != 0 || info.st_mode & S_IFMT == S_IFDIR else { return nil }
        return FlowspoolError(
            .goMissing,
            "\(printable(goFile)) \(info.st_mode & S_IFMT == S_IFDIR ? "is a folder" : "does not exist"), so nothing was run",
            hint: "`touch \(shellQuoted(goFile))` says go")
    }

    private func requireGo(_ opened: OpenedSpool, _ summary: inout BatchSummary) throws {
        guard let error = goError else { return }
        summary.status = .hold
        summary.reason = BatchSummary.Reason.goMissing.rawValue
        _ = try finish(opened, summary, code: error.code.exitStatus)
        throw error
    }

    private func look(_ opened: OpenedSpool, _ recovered: Recovered) throws -> WaitingPrompts {
        try WaitingPrompts(
            root: opened.spool.root, ledger: opened.ledger, state: opened.contract.state.snapshot(), keepsAll: keeps,
            sizeMax: opened.configuration.sizeLimitBytes
        ) {
            // One that keeps its place and failed because a runner died has had its turn in this batch.
            opened.isSettled($0, isBatch: true) || recovered.hasFailed($0)
        }
    }

    /// The names by which `--prompts-file` may call the root.
    static func roots(_ path: String) -> [String] {
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        return resolved == path ? [resolved] : [path, resolved]
    }

    func makeSummary(runID: String, root: String, _ configuration: SpoolConfiguration) -> BatchSummary {
        let policy = facts.resolver.base
        var summary = BatchSummary(
            runID: runID, startedMilliseconds: SystemClock().wallMilliseconds(), root: root,
            repoRoot: facts.repoRoot, runnerMode: facts.execMode ?? configuration.execMode ?? .script,
            execModeRequested: facts.execMode, profile: policy.profile, countRequested: selection.count,
            failFastThreshold: policy.policy.failFastThreshold, totalFailuresMax: policy.policy.totalFailuresMax)
        summary.goFile = goFile
        summary.skippedMini = skipsMini
        return summary
    }

    private func runSession(
        _ opened: OpenedSpool, _ names: [String], _ refusals: [[UInt8]], _ recovered: Recovered
    ) async throws -> (RunEnding, BatchTally) {
        var settings = opened.settings
        settings.recovered = recovered
        settings.isBatch = true
        settings.drains = true
        settings.batchNames = names
        settings.batchRefusals = refusals
        settings.startsMax = selection.count > 0 ? selection.count : nil
        settings.keepsAll = keeps
        let reporter = RunReporter(isQuiet: isSilent || printsJSON || isatty(STDOUT_FILENO) == 0)
        let tally = BatchTally()
        let session = try RunSession(opened, settings: settings) { event in
            tally.take(event)
            reporter.take(event)
        }
        let control = RunControl()
        control.set(session.dispatcher)
        let service = BatchService(session: session, reporter: reporter, control: control)
        try await RunLifecycle.run(service, control: control)
        guard let ending = control.ending else {
            throw FlowspoolError(.bug, "the batch over \(printable(opened.spool.path)) ended without a result")
        }
        return (ending, tally)
    }

    private func fill(_ summary: inout BatchSummary, _ ending: RunEnding, _ tally: BatchTally) {
        let facts = tally.facts
        summary.ran = ending.ran
        summary.succeeded = ending.succeeded
        summary.failedCount = ending.failed
        summary.blocked = facts.blocked
        summary.held = ending.held
        summary.deferred = ending.deferred
        summary.usage = ending.usage
        summary.failStreak = ending.failures.streak
        summary.failTotal = ending.failures.total
        summary.lastPrompt = facts.last
        switch ending.why {
        case .done:
            summary.status = ending.failed > 0 ? .failed : .done
            let isCounted = selection.count > 0 && ending.ran >= selection.count
            summary.reason = (isCounted ? BatchSummary.Reason.countReached : .completed).rawValue
        case .failFast: (summary.status, summary.reason) = (.hold, BatchSummary.Reason.failFast.rawValue)
        case .totalFailures: (summary.status, summary.reason) = (.hold, BatchSummary.Reason.totalFailures.rawValue)
        case .onHold: (summary.status, summary.reason) = (.hold, BatchSummary.Reason.onHold.rawValue)
        case .stopped, .replaced, .trouble:
            (summary.status, summary.reason) = (.interrupted, BatchSummary.Reason.interrupted.rawValue)
        }
    }

    private func writeResume(_ opened: OpenedSpool, _ plan: BatchPlan, _ summary: BatchSummary) throws {
        // The next batch runs what has failed in this one, however it failed.
        let waiting = try look(opened, Recovered())
        let left = Set(waiting.names)
        let next = plan.names.first { left.contains($0) && !waiting.isSettled($0) }
        try opened.contract.writeResume(
            ResumeEnvironment(
                runID: summary.runID, nextPrompt: next, root: summary.root, profile: summary.profile, reason: summary.reason))
    }

    private func finish(_ opened: OpenedSpool, _ summary: BatchSummary, code: Int32) throws -> Int32 {
        var summary = summary
        summary.exitCode = code
        summary.finishedMilliseconds = SystemClock().wallMilliseconds()
        try opened.contract.writeSummary(summary)
        if printsJSON { try StandardOutput.write(summary.json) }
        return code
    }

    /// One short paragraph, fit for cron's mail.
    private func explain(_ opened: OpenedSpool, _ ending: RunEnding, _ tally: BatchTally, _ code: Int32) {
        let path = printable(opened.spool.path)
        var text = "\(path): \(ending.ran) started, \(ending.succeeded) succeeded, \(ending.failed) failed"
        text += ending.held > 0 ? ", \(ending.held) held" : ""
        text += ending.deferred > 0 ? ", \(ending.deferred) waiting for a time" : ""
        text += " (profile \(facts.resolver.base.profile ?? "none"), exit \(code))\n"
        for line in tally.facts.failures { text += "  \(line)\n" }
        for line in tally.facts.deferred { text += "  \(line)\n" }
        if tally.facts.others > 0 { text += "  and \(tally.facts.others) more\n" }
        let spool = shellQuoted(opened.spool.path)
        switch ending.why {
        case .failFast, .totalFailures, .onHold:
            text += "  The folder is on hold. Mend it, then: flowspool resume --spool \(spool)\n"
        case .stopped, .replaced: text += "  It was stopped; the next batch goes on with what is left.\n"
        case .trouble: text += "  Nothing went on any more (see above). Mend it; the next batch goes on with what is left.\n"
        case .done where code == 0: break
        case .done: text += "  Look: flowspool list --spool \(spool) --state failed\n"
        }
        if ending.held > 0 { text += "  Held jobs wait for a yes: flowspool list --spool \(spool) --state held\n" }
        StandardError.write(StandardError.prefix + text)
    }
}

/// The long-running part of a batch.
struct BatchService: Service {
    let session: RunSession
    let reporter: RunReporter
    let control: RunControl

    func run() async throws {
        let opened = session.opened
        try await HintPump.pumping(
            folder: opened.spool.path, poll: opened.configuration.poll.asFlag, interval: opened.configuration.poll.seconds
        ) { pump in
            try await reporter.ticking { control.clear(try await session.run(pump)) }
        }
    }
}
