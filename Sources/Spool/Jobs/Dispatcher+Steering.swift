// What people say while a run is at work: the hold, and requests about jobs that it has in hand.

import Foundation

extension Dispatcher {
    // MARK: Hold

    /// Brings the run's idea of the hold in step with file and ledger; without `force` only when the file says otherwise.
    func syncHold(force: Bool) throws {
        guard force || HoldGate.isFileThere(spool) != (hold != nil) else { return }
        let before = hold
        hold = try HoldGate(spool: spool, ledger: ledger).reconcile(now: clock.wallMilliseconds())
        if let hold, before == nil {
            if ending.why == .done { ending.why = .onHold }
            observe(.onHold(hold))
        } else if hold == nil, before != nil {
            ending.why = .done
            ending.failures = FailureCounts()
            waitingChanged()
            observe(.holdLifted)
        }
    }

    /// The run has crossed a threshold: the ledger has it; now everybody else learns it.
    func tookHold(_ record: HoldRecord) {
        hold = record
        ending.why = record.kind == .failFast ? .failFast : .totalFailures
        note { try HoldGate(spool: spool, ledger: ledger).write() }
    }

    /// Tells whoever has taken the hold that nothing starts any more.
    func acknowledgeHold() {
        guard let id = hold?.id, id != holdAcknowledged, unnumbered?.permit == nil else { return }
        if note({ try ledger.write { try $0.setFact(.holdSeen, id) } }) != nil { holdAcknowledged = id }
    }

    // MARK: Requests

    /// Does what people have asked of jobs that this run has in hand.
    func readRequests() throws {
        areRequestsLeft = unnumbered != nil
        if areRequestsLeft { return }
        guard try ledger.read({ try $0.hasRequests() }) else { return }
        for request in try ledger.write({ try $0.takeRequests() }) where request.kind == "cancel" {
            if running[request.job] != nil {
                running[request.job]?.cancelsJob = true
                running[request.job]?.task.cancel()
            } else if let index = ready.firstIndex(where: { $0.job.id == request.job }) {
                finishUnstarted(ready.remove(at: index))
            } else if let index = blocked.firstIndex(where: { $0.job.id == request.job }) {
                finishUnstarted(blocked.remove(at: index))
            } else if preparing[request.job] != nil {
                cancelWhenPrepared.insert(request.job)
            } else {
                cancelUnwritten(request.job)
                cancelHeld(request.job)
            }
        }
    }

    /// Cancels a job that has come to be held since somebody asked for it.
    func cancelHeld(_ id: Int64) {
        note {
            let now = clock.wallMilliseconds()
            guard var job = try ledger.read({ try $0.job(id) }), job.state == .held else { return }
            if job.fromPlace != nil { job = try filing.finishMove(job) }
            let isThere = try spool.held.status(job.file) != nil
            job.end(.cancelled, .cancelled, reason: "cancelled before it started", now: now)
            if !isThere { (job.place, job.fromPlace, job.fromFile) = (.none, nil, nil) }
            let ended = try ledger.write { tx -> Job? in
                var job = job
                if isThere { job.file = try filing.freeName(for: job, tx) }
                return try tx.save(job, expecting: .held, why: job.reason, now: now) ? job : nil
            }
            guard let ended else { return }
            hasMoved(try filing.finishMove(ended))
            observe(.finished(ended, nil))
        }
    }

    /// What could not be written down of a job is not to have it wait again.
    private func cancelUnwritten(_ id: Int64) {
        for index in unwritten.indices {
            switch unwritten[index] {
            case .giveBack(id, _): cancelWhenGivenBack.insert(id)
            case .ended(let prepared, var result?) where prepared.job.id == id && result.outcome != .success:
                result.outcome = .cancelled
                unwritten[index] = .ended(prepared, result)
            default: break
            }
        }
    }

    /// A prepared job is cancelled before it started.
    func finishUnstarted(_ prepared: Prepared) {
        removeUnused(prepared)
        var prepared = prepared
        if prepared.isRecorded {
            // The commit of its end takes the recorded attempt away.
            prepared.job.takeBackAttempt()
            prepared.isRecorded = false
        }
        finish(prepared, AttemptResult(outcome: .cancelled, message: "cancelled before it started"))
    }
}
