// How many jobs are prepared ahead. Long jobs need one for each slot: it is ready long before it is wanted. Jobs of a few
// milliseconds wait for the disk as long as they run, so several share a commit and an fsync. Only so many are taken ahead as
// run in an instant: what is prepared cannot be overtaken by a prompt of higher priority that is dropped meanwhile.

/// How long jobs have taken lately.
struct Pace: Sendable {
    /// An exponential moving average, which a long job raises at once; nil: none has ended yet.
    private var milliseconds: Double?

    /// Jobs prepared ahead of one slot are together not meant to take longer, in milliseconds.
    static let instant = 32.0
    static let aheadMax = 8

    /// An attempt took so long.
    mutating func note(milliseconds took: Int64) {
        let took = Double(max(1, took))
        milliseconds = milliseconds.map { took > $0 ? took : $0 + (took - $0) / 4 } ?? took
    }

    /// An agent or a model was at work, for whatever time: the next one may take minutes, or meet the limit of its account, and
    /// then what was prepared ahead has to be put back.
    mutating func noteAgent() { note(milliseconds: Self.agentMilliseconds) }

    private static let agentMilliseconds: Int64 = 1000

    /// How many jobs are to be prepared beside those that run.
    func ahead(slots: Int, usesLanes: Bool) -> Int {
        guard let milliseconds, !usesLanes else { return slots }
        let perSlot = min(Self.aheadMax, max(1, Int(Self.instant / milliseconds)))
        return max(slots, min(slots * perSlot, Self.aheadMax * 2))
    }
}
