// A limit is an account's, not a job's: when one job of a runner meets it, all jobs of that runner wait until it ends, and the
// jobs of others go on. It uses up no attempt and counts toward no threshold. The ledger keeps it through a restart.

import Foundation

extension Dispatcher {
    /// Wait after the first limit whose end the tool did not tell; doubled with each that follows, up to the longest.
    static let limitWaitMilliseconds: Int64 = 60_000
    static let limitWaitMaxMilliseconds: Int64 = 3_600_000

    /// Learns which runners are limited, and until when.
    func loadLimits() throws {
        for limit in try ledger.read({ try $0.runnerLimits() }) {
            remember(limit)
            postponeWaiting(of: limit.runner)
        }
    }

    private func remember(_ limit: RunnerLimit) {
        let now = clock.monotonicMilliseconds()
        limits[limit.runner] = limit
        limitedUntil[limit.runner] = now + max(0, limit.until - clock.wallMilliseconds())
        limitNotedAt[limit.runner] = now
    }

    /// A person who retries a job of a limited runner knows that the limit is over.
    func forgetLiftedLimits() throws {
        guard !limits.isEmpty else { return }
        let known = Set(try ledger.read { try $0.runnerLimits() }.map(\.runner))
        for runner in limits.keys where !known.contains(runner) {
            limits[runner] = nil
            limitedUntil[runner] = nil
            limitNotedAt[runner] = nil
        }
    }

    /// When the job's runner may work again, in milliseconds from now; nil: now.
    func limitLeft(of job: Job) -> Int64? {
        guard let runner = job.runner, let until = limitedUntil[runner] else { return nil }
        let left = until - clock.monotonicMilliseconds()
        return left > 0 ? left : nil
    }

    /// How long the job that met a limit waits.
    func limitWait(_ result: AttemptResult, _ job: Job) -> Int64 {
        let now = clock.wallMilliseconds()
        if let until = result.retryAt {
            let seconds = until.timeIntervalSince1970 - Double(now) / 1000
            return Int64(min(max(1, seconds), LimitText.waitMax) * 1000)
        }
        let strikes = job.runner.flatMap { limits[$0]?.strikes } ?? 0
        return min(Self.limitWaitMilliseconds << Int64(min(strikes, 16)), Self.limitWaitMaxMilliseconds)
    }

    /// The end of an attempt is in the ledger: notes a limit that it met, or that there is none any more.
    func noteLimit(_ job: Job, _ result: AttemptResult?) {
        guard let runner = job.runner, let result else { return }
        if result.failureClass == .rateLimited {
            let until = job.notBefore ?? clock.wallMilliseconds()
            // Jobs side by side meet one limit several times; it is one strike.
            let isNew = limitLeft(of: job) == nil
            let strikes = (limits[runner]?.strikes ?? 0) + (isNew ? 1 : 0)
            let limit = RunnerLimit(
                runner: runner, until: max(until, limits[runner]?.until ?? 0), strikes: strikes, why: result.message)
            remember(limit)
            // All of them at one moment, so that they come in their order afterwards.
            if dueAt[job.id] != nil { dueAt[job.id] = limitedUntil[runner] }
            note { try ledger.write { try $0.setLimit(limit) } }
            for prepared in ready where prepared.job.runner == runner {
                ready.removeAll { $0.job.id == prepared.job.id }
                postpone(prepared)
            }
            postponeWaiting(of: runner)
        } else if result.outcome == .success, let notedAt = limitNotedAt[runner] {
            // One that was at work already when another met the limit says nothing of it.
            guard clock.monotonicMilliseconds() - Int64(result.durationMilliseconds) >= notedAt else { return }
            limits[runner] = nil
            limitedUntil[runner] = nil
            limitNotedAt[runner] = nil
            note { try ledger.write { try $0.clearLimit(of: runner) } }
        }
    }

    /// Jobs in the drop folder that are known to be the limited runner's wait there, neither claimed nor moved.
    private func postponeWaiting(of runner: String) {
        guard let limit = limits[runner], let until = limitedUntil[runner] else { return }
        let left = until - clock.monotonicMilliseconds()
        guard left > 0 else { return }
        let now = clock.wallMilliseconds()
        let why = Self.why(limit)
        let postponed = note {
            try ledger.write { tx in
                var ids: [Int64] = []
                for var job in try tx.queued(for: runner) where preparing[job.id] == nil {
                    job.state = .deferred
                    job.reason = "rate_limited: \(why)"
                    job.delay = left
                    job.notBefore = now + left
                    if try tx.save(job, expecting: .queued, why: why, now: now) { ids.append(job.id) }
                }
                return ids
            }
        }
        for id in postponed ?? [] { dueAt[id] = until }
        upcoming.forget()
    }

    private static func why(_ limit: RunnerLimit) -> String { "waits for the runner \(limit.runner): \(limit.why)" }

    /// A job that is claimed and whose runner is limited goes back to wait.
    func postpone(_ prepared: Prepared) {
        removeUnused(prepared)
        let job = prepared.job
        guard let runner = job.runner, let left = limitLeft(of: job), let limit = limits[runner] else {
            return giveBack(job, why: "given back: the limit of its runner has ended")
        }
        do {
            try postponeOrThrow(job, left: left, why: Self.why(limit))
        } catch {
            unwritten.append(.giveBack(job.id, why: "given back: its runner is limited"))
            trouble(error)
        }
    }

    private func postponeOrThrow(_ known: Job, left: Int64, why: String) throws {
        let now = clock.wallMilliseconds()
        guard var job = try ledger.read({ try $0.job(known.id) }), job.state == .active else { return }
        // Known from now on, so that it need not be claimed again to learn it.
        (job.runner, job.mode, job.lane, job.priority) = (known.runner, known.mode, known.lane, known.priority)
        if let from = job.fromPlace, from == .drop { job = try filing.finishMove(job) }
        job.wait(.deferred, reason: "rate_limited: \(why)")
        job.delay = left
        job.notBefore = now + left
        job.file = try filing.freeName(for: job)
        let isSaved = try ledger.write { tx in
            if try tx.takeCancel(of: job.id) {
                job.cancelInstead(now: now)
                job.file = try filing.freeName(for: job, tx)
            }
            return try tx.save(job, expecting: .active, why: job.state == .cancelled ? job.reason : why, now: now)
        }
        guard isSaved else { return }
        if job.state == .cancelled {
            hasMoved(try filing.finishMove(job))
            return observe(.finished(job, nil))
        }
        dueAt[job.id] = job.runner.flatMap { limitedUntil[$0] } ?? clock.monotonicMilliseconds() + left
        hasMoved(try filing.finishMove(job))
        waitingChanged()
        observe(.deferred(job))
    }
}

extension LedgerTransaction {
    /// Jobs of a runner that wait in the drop folder.
    func queued(for runner: String) throws -> [Job] {
        try jobs("WHERE state = 'queued' AND from_place IS NULL AND runner = ? ORDER BY id LIMIT 10000", [runner])
    }
}
