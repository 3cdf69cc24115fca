// Ended jobs whose files have still to be stamped and moved. One group of them is under way at a time, and those of a group
// share the fsync of their stamps. While more jobs end within milliseconds, a group waits for some of them, but not for long:
// the ledger has the end already, and people look for the file.

/// Which files are to be filed next, and which are on their way.
struct FilingQueue: Sendable {
    private var waiting: [FilingWork] = []
    private var underWay: Set<Int64> = []
    /// When the first of those that wait must go, on the monotonic clock.
    private var due: Int64?

    static let groupMax = 16
    /// A group is not waited for beyond this many jobs.
    static let enough = 8
    /// The longest wait for others, in milliseconds.
    static let waitMax: Int64 = 25

    var isEmpty: Bool { waiting.isEmpty && underWay.isEmpty }

    var jobs: Set<Int64> { underWay.union(waiting.map(\.job.id)) }

    /// When `next` has to be asked again though nothing has happened; nil: whatever happens next will do.
    var deadline: Int64? { underWay.isEmpty ? due : nil }

    mutating func add(_ work: FilingWork, now: Int64) {
        waiting.append(work)
        due = due ?? now + Self.waitMax
    }

    /// The works to do now, in order; they are under way until `ended` is told of them.
    ///
    /// - Parameter isMoreComing: others will end in a moment.
    mutating func next(now: Int64, isMoreComing: Bool) -> [FilingWork] {
        guard underWay.isEmpty, let due else { return [] }
        if isMoreComing, waiting.count < Self.enough, now < due { return [] }
        let works = Array(waiting.prefix(Self.groupMax))
        waiting.removeFirst(works.count)
        underWay = Set(works.map(\.job.id))
        self.due = waiting.isEmpty ? nil : due
        return works
    }

    mutating func ended(_ jobs: [Int64]) { underWay.subtract(jobs) }
}
