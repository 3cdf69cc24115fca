// Jobs that wait for a time: a retry with a delay, the end of a limit, a machine that had no room for the rest of an attempt.

import Foundation

extension Dispatcher {
    /// Learns which jobs are deferred, and until when.
    func loadDeferred() throws {
        let wall = clock.wallMilliseconds()
        let now = clock.monotonicMilliseconds()
        let known = dueAt
        dueAt.removeAll()
        for job in try ledger.read({ try $0.deferred() }) {
            // Never longer than was meant, whatever was done to the clock meanwhile.
            let wait = min(max(0, (job.notBefore ?? wall) - wall), job.delay ?? .max)
            dueAt[job.id] = known[job.id] ?? now + wait
        }
    }

    /// Makes deferred jobs whose time has come wait like the others.
    func releaseDeferred() throws {
        guard !dueAt.isEmpty else { return }
        let now = clock.monotonicMilliseconds()
        let due = dueAt.filter { $0.value <= now }.keys
        guard !due.isEmpty else { return }
        let wall = clock.wallMilliseconds()
        var later: [Int64: Int64] = [:]
        try ledger.write { tx in
            for id in due {
                guard var job = try tx.job(id), job.state == .deferred else { continue }
                if let left = limitLeft(of: job) {
                    // Its runner has met a limit again meanwhile.
                    job.notBefore = wall + left
                    job.delay = left
                    try tx.save(job, expecting: .deferred, why: nil, now: wall)
                    later[id] = now + left
                } else {
                    job.state = .queued
                    job.notBefore = nil
                    job.delay = nil
                    try tx.save(job, expecting: .deferred, why: "its time has come", now: wall)
                }
            }
        }
        for id in due { dueAt[id] = later[id] }
        if later.count < due.count { waitingChanged() }
    }
}

extension LedgerTransaction {
    /// Numbers of the deferred jobs that belong to a batch.
    func deferred(in batch: Int64) throws -> [Int64] {
        try rows("SELECT id FROM jobs WHERE state = 'deferred' AND batch = ?", [batch]).map { $0[0] }
    }

    func deferred() throws -> [Job] { try jobs("WHERE state = 'deferred' ORDER BY not_before LIMIT 100000") }
}
