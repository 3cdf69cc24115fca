// Which finished jobs `prune` takes away. Pure selection: it never sees a file. What always holds: a job that is not finished
// is never selected, and a job that any of the limits protects stays.

/// The rule of `prune --older-than AGE --keep N` and of `retention:` in spool.yaml.
public struct Retention: Sendable, Hashable {
    /// Finished jobs younger than this stay, in milliseconds; nil: age protects nothing.
    public var olderThanMilliseconds: Int64?
    /// So many of the newest finished jobs stay, ≥ 0; nil: none is protected by its rank.
    public var keep: Int?

    /// What the rule looks at.
    public struct Item: Sendable, Hashable {
        public var job: Int64
        public var state: JobState
        /// Milliseconds since 1970 UTC; nil where it is unknown, which protects the job.
        public var finishedMilliseconds: Int64?
        public init(job: Int64, state: JobState, finishedMilliseconds: Int64?) {
            self.job = job
            self.state = state
            self.finishedMilliseconds = finishedMilliseconds
        }
    }

    public init(olderThanMilliseconds: Int64? = nil, keep: Int? = nil) {
        self.olderThanMilliseconds = olderThanMilliseconds
        self.keep = keep
    }

    /// The jobs that go, oldest first. A rule without limits selects nothing.
    ///
    /// With both limits a job goes only if it is older *and* not among the newest: `--keep` is a promise, not a target.
    /// - Parameter now: milliseconds since 1970 UTC. A job that finished after it (a clock that was set back) stays.
    public func selection(from items: some Sequence<Item>, now: Int64) -> [Int64] {
        guard olderThanMilliseconds != nil || keep != nil else { return [] }
        var finished: [(job: Int64, at: Int64)] = []
        for item in items where item.state.isTerminal {
            if let at = item.finishedMilliseconds { finished.append((item.job, at)) }
        }
        finished.sort { ($0.at, $0.job) < ($1.at, $1.job) }
        finished.removeLast(min(finished.count, max(0, keep ?? 0)))
        if let age = olderThanMilliseconds { finished = Array(finished.prefix { now - $0.at > age }) }
        return finished.map(\.job)
    }

    /// An age: a number with a unit, such as `30d` (`Quantity`). A bare number is refused: someone who means days and gets
    /// seconds loses every job.
    ///
    /// - Returns: milliseconds.
    /// - Throws: `FlowspoolError(.invalidInput)`.
    public static func parseAge(_ text: String) throws(FlowspoolError) -> Int64 {
        // No more than a century, so that nothing overflows.
        if let last = text.utf8.last, !(0x30...0x39).contains(last), let seconds = Quantity.seconds(text),
            seconds <= 36_525 * 86_400
        {
            return Int64(seconds * 1000)
        }
        throw FlowspoolError(
            .invalidInput, "“\(printable(text))” is no age", hint: "a number and a unit, such as 90s, 15m, 12h, 30d or 8w")
    }
}
