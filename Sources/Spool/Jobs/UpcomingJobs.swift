// The waiting jobs that come next, read from the ledger a few at a time, so that a job that ends does not cost a look at the
// ledger for its successor. What is kept here is a hint: the ledger is the truth, and a claim changes a job only where it still
// stands as it was read. Whoever changes what waits calls `forget`.

/// Waiting jobs in order, read ahead.
struct UpcomingJobs: Sendable {
    private var jobs: ArraySlice<Job> = []
    /// Lanes that were busy when they were read: jobs of these are not among them.
    private var lanes: Set<String> = []

    /// Read at a time.
    static let count = 64

    /// The next jobs, in order, at most `limit`; taken out.
    ///
    /// - Parameters:
    ///   - inHand: jobs that still wait in the ledger but are being prepared.
    ///   - lanes: those that are busy now.
    ///   - read: reads at most so many waiting jobs of other lanes from the ledger, in order.
    mutating func next(
        _ limit: Int, without inHand: Set<Int64>, lanes: Set<String>, read: (Int) throws -> [Job]
    ) rethrows -> [Job] {
        // With another set of busy lanes, others may come first.
        if lanes != self.lanes { jobs = [] }
        self.lanes = lanes
        let known = take(limit, without: inHand)
        if !known.isEmpty { return known }
        // More than are in hand, since those come first again.
        jobs = try read(max(Self.count, limit + inHand.count))[...]
        return take(limit, without: inHand)
    }

    private mutating func take(_ limit: Int, without inHand: Set<Int64>) -> [Job] {
        var taken: [Job] = []
        while taken.count < limit, let job = jobs.popFirst() {
            if !inHand.contains(job.id) { taken.append(job) }
        }
        return taken
    }

    /// What was read does not hold any more.
    mutating func forget() { jobs = [] }
}
