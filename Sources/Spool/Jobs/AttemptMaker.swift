// Makes attempts that the ledger has as started: notes that one begins, hands it to the runner of its mode, and tells the dispatcher of
// its end. It decides nothing, and knows neither slots nor thresholds.

import Foundation

/// What an attempt needs beside its job.
struct AttemptMaker: Sendable {
    let preparer: Preparer
    let begun: BegunRecord?
    let mailbox: Mailbox<Dispatcher.Message>
    /// What stood in the spool when the run began.
    let anchors: [String: String]

    /// Writes down that the attempt begins; without that, nothing of it may be started: a runner that finds this one killed would take
    /// it for one that never began.
    func noteBegin(of prepared: Prepared) throws(SystemCallError) {
        try begun?.note(prepared.job.id, attempt: prepared.job.attempts)
    }

    /// Makes the attempt, and posts its end.
    func make(_ prepared: Prepared, _ settings: RunSettings) async {
        let job = prepared.job
        let mode = prepared.report.mode
        let result: AttemptResult
        if let runner = preparer.runners[mode] {
            do {
                let request = try preparer.request(prepared, settings, runDirectory: prepared.runDirectory)
                result = await runner.run(request, on: preparer.executor) { event in
                    // What a block came to is told with the attempt's end: one thread less to wake.
                    guard case .blockStarted(let number, let count) = event else { return }
                    mailbox.post(.blockStarted(job, number: number, of: count))
                }
            } catch {
                let text = (error as? SystemCallError)?.description ?? "\(error)"
                result = AttemptResult(notBegun: error, "the run folder could not be made: \(text)")
            }
        } else {
            result = AttemptResult(
                outcome: .failed, failureClass: .runner, message: "nothing here can run exec_mode \(mode.rawValue)")
        }
        mailbox.post(.attemptEnded(job.id, result))
    }
}

extension Prepared {
    /// Its attempt, which the ledger has, begins.
    mutating func begin(now: Int64) {
        isRecorded = false
        isFresh = false
        began = now
        // Until `confirmClaims` has told the ledger, it differs here from what is saved.
        job.fromPlace = nil
        job.fromFile = nil
    }
}
