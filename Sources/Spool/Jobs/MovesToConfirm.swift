// Files that this run has moved and that the ledger still has as under way: the note of a move is struck out once the folders are
// fsynced, and many moves share that. Until then a power loss may undo the move, and the ledger knows what is to be done again.

/// Which moves are to be confirmed, and when.
struct MovesToConfirm: Sendable {
    /// As they are now, in the order of their moves.
    private(set) var jobs: [Job] = []
    /// When the first of them must be confirmed, on the monotonic clock.
    private var due: Int64?

    /// So many are confirmed at once.
    static let groupMax = 64
    /// The longest wait for others, in milliseconds.
    static let waitMax: Int64 = 1000

    var isEmpty: Bool { jobs.isEmpty }

    /// When `areDue` has to be asked again though nothing has happened.
    var deadline: Int64? { due }

    /// Whether one of them waits for its next turn, which it cannot have before.
    var isAnyWaiting: Bool { jobs.contains { $0.state.isWaiting } }

    mutating func add(_ job: Job, now: Int64) {
        jobs.append(job)
        due = due ?? now + Self.waitMax
    }

    /// They are to be confirmed now: they are many, or the first has waited long enough, or one of them waits for its next turn.
    func areDue(now: Int64) -> Bool {
        guard let due else { return false }
        return jobs.count >= Self.groupMax || now >= due || isAnyWaiting
    }

    /// Takes all out, to confirm them.
    mutating func take() -> [Job] {
        defer { self = MovesToConfirm() }
        return jobs
    }

    /// They could not be confirmed, and are tried again.
    mutating func putBack(_ jobs: [Job], due: Int64) {
        self.jobs = jobs + self.jobs
        self.due = due
    }
}

extension Job {
    /// Its prompt went back to where it had stood, and is not to run again while it stays as it is.
    var isKept: Bool { place == .drop && state.isTerminal }
}
