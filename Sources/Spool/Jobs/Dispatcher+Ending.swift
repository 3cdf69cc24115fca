// When a run is over: a draining one where nothing is left to do or to wait for, a stopped one where nothing is under way.

import Foundation

extension Dispatcher {
    /// Whether the batch may still start another prompt that it has not started before.
    var hasRoom: Bool {
        guard let max = settings.startsMax else { return true }
        return ending.ran + ready.count + blocked.count + preparing.count < max
    }

    /// Nothing is prepared that has not had its turn.
    var areNoneReady: Bool { ready.isEmpty && blocked.isEmpty }

    func isFinished() -> Bool {
        guard running.isEmpty, preparing.isEmpty, areNoneReady, filings.isEmpty else { return false }
        if stopping != .no {
            // Not recorded it would count as interrupted at the next start, and run again or fail. A second signal leaves it so.
            if stopping == .drain, !isReplaced, !unrecordedEnds.isEmpty { return false }
            ending.why = isReplaced ? .replaced : .stopped
            return true
        }
        guard settings.drains else { return false }
        // Moves that are left are in the ledger, and the next start makes them.
        if lastingPauses >= Self.lastingPausesMax, unrecordedEnds.isEmpty {
            ending.why = .trouble
            return true
        }
        // What is not written down would be lost, and a prompt that has run would run again.
        guard unwritten.isEmpty else { return false }
        if hold != nil { return true }
        guard clock.monotonicMilliseconds() >= pausedUntil else { return false }
        if let max = settings.startsMax, ending.ran >= max, note({ try !isAnyToGoOn() }) == true { return true }
        guard !wantsScan, namedFiles.isEmpty, backlog == 0, planned.isEmpty, !isStrayYoung else { return false }
        return note { try !isAnythingLeft() } ?? false
    }

    /// Jobs whose end could not be written down yet.
    var unrecordedEnds: [Job] {
        unwritten.compactMap { if case .ended(let prepared, _) = $0 { prepared.job } else { nil } }
    }

    /// Whether a job that the run has started waits to go on.
    private func isAnyToGoOn() throws -> Bool {
        let now = clock.monotonicMilliseconds()
        return try goesOn.contains { id in
            if let due = dueAt[id] { return due - now <= settings.deferredWaitMaxMilliseconds }
            return try ledger.read { try $0.job(id) }?.state == .queued
        }
    }

    /// Whether a draining run has something to wait for.
    private func isAnythingLeft() throws -> Bool {
        let now = clock.monotonicMilliseconds()
        let soon = dueAt.filter { $0.value - now <= settings.deferredWaitMaxMilliseconds }
        if !soon.isEmpty {
            guard let batch else { return true }
            if try ledger.read({ try $0.deferred(in: batch) }).contains(where: { soon[$0] != nil }) { return true }
        }
        guard try ledger.read({ try $0.isAnyQueued(batch: batch) }) else { return false }
        // Files whose writers do not come to an end are left for another run.
        let old = stillWritten
        if old.isEmpty { return true }
        return try ledger.read { tx in
            try tx.queuedCount(batch: batch) > old.count { try tx.job($0)?.state == .queued }
        }
    }

    /// Jobs whose files somebody has had open for writing for longer than a run that drains waits.
    var stillWritten: [Int64] {
        let now = clock.monotonicMilliseconds()
        return busySince.filter { now - $0.value >= settings.deferredWaitMaxMilliseconds }.keys.sorted()
    }
}
