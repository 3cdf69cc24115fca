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

    /// An age: a whole number with `s`, `m`, `h`, `d` or `w`, such as `30d`.
    ///
    /// - Returns: milliseconds.
    /// - Throws: `FlowspoolError(.invalidInput)`.
    public static func parseAge(_ text: String) throws(FlowspoolError) -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        // ASCII digits only, and no more than a century, so that nothing overflows.
        if let unit = text.last.flatMap({ units[$0] }), text.dropLast().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(text.dropLast()), number <= 36_525 * 86_400 / unit
        {
            return number * unit * 1000
        }
        throw FlowspoolError(
            .invalidInput, "“\(printable(text))” is no age", hint: "a whole number and a unit, such as 90s, 15m, 12h, 30d or 8w")
    }
}
