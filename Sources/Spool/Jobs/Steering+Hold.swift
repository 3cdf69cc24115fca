// Holding and resuming a spool by hand: the ledger's row and the file that people and runners see, both or neither.

extension Steering {
    /// Puts the spool on hold.
    ///
    /// - Returns: the hold in force, and whether it was in force before; an earlier hold keeps its reason.
    public func hold(reason: String) throws -> (hold: HoldRecord, wasOnHold: Bool) {
        let gate = HoldGate(spool: spool, ledger: ledger)
        let now = clock.wallMilliseconds()
        if let hold = try gate.reconcile(now: now) { return (hold, true) }
        let text = reason.isEmpty ? "set by hand" : reason
        let counts = try ledger.read { try $0.failureCounts() }
        let record = try gate.take(
            HoldRecord(since: now, kind: .byHand, reason: text, failStreak: counts.streak, failTotal: counts.total))
        try wake()
        return (record, false)
    }

    /// Whether nothing starts any more under a hold that was taken: no runner is at work, or it has seen it.
    public func isSeen(_ hold: HoldRecord) throws -> Bool {
        try ledger.read { try $0.fact(.holdSeen) } >= hold.id || RunnerLock.holder(spool) == nil
    }

    /// Lifts the hold and sets both failure counts to 0.
    ///
    /// - Returns: the hold that was in force; nil where there was none, which is no error.
    public func resume() throws -> HoldRecord? {
        let gate = HoldGate(spool: spool, ledger: ledger)
        let now = clock.wallMilliseconds()
        let before = try gate.reconcile(now: now)
        try gate.lift(why: "resumed by hand", now: now)
        try wake()
        return before
    }

    private func wake() throws {
        do {
            try Wake.runner(of: spool)
        } catch {
            throw error.forUser
        }
    }
}
