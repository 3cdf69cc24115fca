// How jobs come into the ledger and change in it. A change is written only where the job still stands as the caller saw it,
// so that a command of a person and a runner can never both move the same job.

import GRDB

/// A file that intake found worth a job.
public struct Admission: Sendable, Hashable {
    public var name: String
    public var priority: Int
    public var lane: String?
    public init(name: String, priority: Int = 0, lane: String? = nil) {
        self.name = name
        self.priority = priority
        self.lane = lane
    }
}

extension LedgerTransaction {
    /// Makes a queued job of a waiting file, and returns its number; nil where that file is a waiting job already.
    func admit(_ file: Admission, arrival: Int64, batch: Int64? = nil, why: String = "dropped", now: Int64) throws -> Int64? {
        // Asked first: a row that meets the unique index would use up a number.
        let isWaiting = try number("SELECT 1 FROM jobs WHERE file = ? AND state IN ('queued', 'deferred')", [file.name]) != nil
        if isWaiting { return nil }
        try execute(
            """
            INSERT INTO jobs (name, state, place, file, arrival, priority, lane, batch, created)
            VALUES (?1, 'queued', 'drop', ?1, ?2, ?3, ?4, ?5, ?6)
            """, [file.name, arrival, file.priority, file.lane, batch, now])
        let id = db.lastInsertedRowID
        try record(id, from: "dropped", to: JobState.queued.rawValue, why: why, at: now)
        return id
    }

    /// Which of these files the ledger knows: a waiting, held or finished job bears the name, or one whose file is on its way out of the
    /// drop folder. One question for all, because in a burst the answer is none.
    ///
    /// - Returns: their indexes, in order.
    func knownFiles(among files: [Admission]) throws -> [Int] {
        try Int.fetchAll(db.cachedStatement(sql: Self.knownFilesSQL), arguments: [Self.names(of: files[...])])
    }

    /// Makes the job of a file that the ledger does not know (`knownFiles`), claimed with the same statement; its history says that
    /// it was dropped and claimed.
    ///
    /// - Parameter job: as it is to be, but for number, arrival and `created`, which the ledger gives.
    /// - Returns: number and arrival; nil, with no job made, where the ledger knows the file.
    func admit(claimed job: Job, why: String, created: Int64, now: Int64) throws -> (id: Int64, arrival: Int64)? {
        if try number(Self.isKnownSQL, [job.name]) != nil { return nil }
        var job = job
        job.arrival = try fact(.arrival) + 1
        try setFact(.arrival, job.arrival)
        try execute(Self.admitClaimedSQL, all: [job.name.databaseValue, created.databaseValue] + job.savedValues)
        let id = db.lastInsertedRowID
        try execute(
            """
            INSERT INTO transitions (job, at, "from", "to", why)
            VALUES (?1, ?2, 'dropped', ?3, 'dropped'), (?1, ?2, ?3, ?4, ?5)
            """, [id, now, JobState.queued.rawValue, job.state.rawValue, why])
        return (id, job.arrival)
    }

    static let admitClaimedSQL = """
        INSERT INTO jobs (name, created, \(Job.savedColumns.joined(separator: ", ")))
        VALUES (?, ?, \(Job.savedColumns.map { _ in "?" }.joined(separator: ", ")))
        """

    /// Whether the ledger knows a file, as `knownFilesSQL`.
    static let isKnownSQL = """
        SELECT 1 WHERE EXISTS (SELECT 1 FROM jobs WHERE file = ?1 AND state IN ('queued', 'deferred'))
        OR EXISTS (SELECT 1 FROM jobs WHERE file = ?1 AND \(isOver))
        OR EXISTS (SELECT 1 FROM jobs WHERE file = ?1 AND state = 'held')
        OR EXISTS (SELECT 1 FROM jobs WHERE from_file = ?1 AND from_place = 'drop')
        """

    /// Makes queued jobs of waiting files that the ledger does not know (`knownFiles`), in order.
    ///
    /// - Parameter arrival: of the first; the others follow it where `eachItsOwnArrival`, else all share it.
    /// - Returns: their numbers.
    func admit(
        unknown files: ArraySlice<Admission>, arrival: Int64, eachItsOwnArrival: Bool, batch: Int64?, why: String = "dropped",
        now: Int64
    ) throws -> [Int64] {
        var numbers: [Int64] = []
        var rest = files
        while let first = rest.first {
            // One statement for all that differ in nothing but their names: nearly always all there are.
            let alike = rest.prefix { $0.priority == first.priority && $0.lane == first.lane }
            let order = eachItsOwnArrival ? arrival + Int64(numbers.count) : arrival
            try execute(
                """
                INSERT INTO jobs (name, state, place, file, arrival, priority, lane, batch, created)
                SELECT f.value, 'queued', 'drop', f.value, ?2 + f.key * ?3, ?4, ?5, ?6, ?7 FROM json_each(?1) f ORDER BY f.key
                """,
                [Self.names(of: alike), order, eachItsOwnArrival ? 1 : 0, first.priority, first.lane, batch, now])
            guard db.changesCount == alike.count else {
                throw FlowspoolError(.bug, "\(alike.count) files were to be admitted, and \(db.changesCount) were")
            }
            // One statement numbers its rows without a gap (AUTOINCREMENT: from the largest ever, by one).
            let last = db.lastInsertedRowID
            let made = (last - Int64(alike.count) + 1)...last
            try execute(
                """
                INSERT INTO transitions (job, at, "from", "to", why)
                SELECT id, created, 'dropped', state, ? FROM jobs WHERE id BETWEEN ? AND ? ORDER BY id
                """, [why, made.lowerBound, made.upperBound])
            numbers += made
            rest = rest[alike.endIndex...]
        }
        return numbers
    }

    static let knownFilesSQL = """
        SELECT f.key FROM json_each(?) f WHERE
        EXISTS (SELECT 1 FROM jobs WHERE file = f.value AND state IN ('queued', 'deferred'))
        OR EXISTS (SELECT 1 FROM jobs WHERE file = f.value AND \(isOver))
        OR EXISTS (SELECT 1 FROM jobs WHERE file = f.value AND state = 'held')
        OR EXISTS (SELECT 1 FROM jobs WHERE from_file = f.value AND from_place = 'drop')
        ORDER BY f.key
        """

    private static func names(of files: ArraySlice<Admission>) -> String {
        JSON.array(files.map { .string($0.name) }).compact
    }

    /// Makes a job that is over before it began: a file that intake refuses.
    ///
    /// - Parameter identity: of the file, so that neither a crash nor a later file of that name can make it two jobs.
    func admitRefused(
        name: String, file: String, reason: String, from place: Place = .drop, identity: String? = nil, now: Int64
    ) throws -> Job {
        try execute(
            """
            INSERT INTO jobs (name, state, status, reason, place, file, from_place, from_file, file_signature, created, finished)
            VALUES (?1, 'failed', 'blocked', ?2, 'failed', ?3, ?5, ?1, ?6, ?4, ?4)
            """, [name, reason, file, now, place.rawValue, identity])
        let id = db.lastInsertedRowID
        try record(id, from: "dropped", to: JobState.failed.rawValue, why: reason, at: now)
        return try require(id)
    }

    /// The number of the job that is made next (AUTOINCREMENT: one more than the largest ever).
    /// To be called before the first job.
    func beginNumbers(after number: Int64) throws {
        try execute("DELETE FROM sqlite_sequence WHERE name = 'jobs'", [])
        try execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', ?)", [number])
    }

    func nextNumber() throws -> Int64 {
        try (number("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'", []) ?? 0) + 1
    }

    public func job(_ id: Int64) throws -> Job? {
        try jobs("WHERE id = ?", [id]).first
    }

    /// The job with this number, which must exist.
    func require(_ id: Int64) throws -> Job {
        guard let job = try job(id) else {
            throw FlowspoolError(.invalidInput, "there is no job \(id)", hint: "`flowspool list` shows the jobs")
        }
        return job
    }

    /// The newest job whose prompt was dropped as `name`, or whose prompt id it is.
    public func job(named name: String) throws -> Job? {
        try jobs("WHERE name = ? ORDER BY id DESC LIMIT 1", [name]).first
    }

    /// Writes `job` back, where it still stands in `expected`; adds the change to its history when `why` says one.
    ///
    /// - Parameter old: the job as the ledger has it: only what differs is written, so that only the indexes of those columns
    ///   are touched. nil: the job is written whole. Where its file comes from may be struck out in the ledger (`confirmMoves`)
    ///   without `old` knowing; so both columns of that are written where one of them differs.
    /// - Returns: false, with nothing written, where somebody else has moved the job meanwhile.
    @discardableResult
    func save(_ job: Job, from old: Job? = nil, expecting expected: JobState, why: String?, now: Int64) throws -> Bool {
        let new = job.savedValues
        let differs = old.map { old in zip(old.savedValues, new).map { $0 != $1 } }
        let moves = differs.map { differs in Job.moveColumns.contains { differs[$0] } } ?? true
        var assignments = ""
        var values: [DatabaseValue] = []
        for (index, value) in new.enumerated() where differs?[index] ?? true || (moves && Job.moveColumns.contains(index)) {
            assignments += (values.isEmpty ? "" : ", ") + Job.savedColumns[index] + " = ?"
            values.append(value)
        }
        // Nothing differs: the statement still has to tell whether the job stands where it is expected.
        if values.isEmpty { assignments = "revision = revision" }
        values.append(job.id.databaseValue)
        values.append(expected.rawValue.databaseValue)
        try execute("UPDATE jobs SET \(assignments) WHERE id = ? AND state = ?", all: values)
        guard db.changesCount == 1 else { return false }
        if let why { try record(job.id, from: expected.rawValue, to: job.state.rawValue, why: why, at: now) }
        return true
    }

    /// Notes that the files of these jobs are where `place` says, durably. A job that has been sent elsewhere since it was
    /// read is left out: whoever did that confirms that move.
    func confirmMoves(_ jobs: [Job]) throws {
        for job in jobs {
            try execute(
                """
                UPDATE jobs SET from_place = NULL, from_file = NULL
                WHERE id = ? AND place = ? AND file = ? AND from_place IS ? AND from_file IS ?
                """, [job.id, job.place.rawValue, job.file, job.fromPlace?.rawValue, job.fromFile])
        }
    }

    /// Jobs whose file may not be where it belongs, oldest first.
    func unconfirmedMoves(limit: Int = 10_000) throws -> [Job] {
        try jobs("WHERE from_place IS NOT NULL ORDER BY id LIMIT ?", [limit])
    }

    /// The jobs to claim next, in order (DESIGN "The spool on disk").
    func nextWaiting(limit: Int, batch: Int64?, busyLanes: Set<String>) throws -> [Job] {
        // Mostly nothing waits, and a statement for whole rows costs its 36 columns before it has found any.
        guard try number("SELECT 1 FROM jobs WHERE state = 'queued' AND from_place IS NULL LIMIT 1") != nil else { return [] }
        var clause = "WHERE state = 'queued' AND from_place IS NULL"
        var arguments: StatementArguments = []
        if let batch {
            clause += " AND batch = ?"
            arguments += [batch]
        }
        if !busyLanes.isEmpty {
            clause += " AND (lane IS NULL OR lane NOT IN (\(busyLanes.map { _ in "?" }.joined(separator: ","))))"
            arguments += StatementArguments(busyLanes.sorted())
        }
        return try jobs(clause + " ORDER BY priority DESC, arrival, name LIMIT ?", arguments + [limit])
    }

    /// File names of the jobs that wait in the drop folder.
    func waitingFiles() throws -> Set<ExactText> {
        var names = Set<ExactText>()
        let cursor = try String.fetchCursor(
            db.cachedStatement(sql: "SELECT file FROM jobs WHERE state IN ('queued', 'deferred')"))
        while let name = try cursor.next() { names.insert(ExactText(name)) }
        return names
    }

    /// The held jobs whose files bear this name.
    func heldJobs(file: String) throws -> [Job] {
        try jobs("WHERE file = ? AND state = 'held' ORDER BY id DESC LIMIT 16", [file])
    }

    /// The finished jobs whose files bear this name, wherever they are, and were not given up by `prune`; the newest first. Each folder has
    /// one file of a name: there are more than a few only where files were taken away.
    func finishedJobs(file: String) throws -> [Job] {
        try jobs(
            """
            WHERE file = ? AND \(Self.isOver) AND (pruned IS NULL OR place = 'drop')
            ORDER BY id DESC LIMIT 16
            """, [file])
    }

    /// Jobs by state; all seven keys.
    public func counts() throws -> [JobState: Int] {
        var result: [JobState: Int] = [:]
        for row in try rows("SELECT state, n FROM counts") {
            if let state = JobState(rawValue: row[0]) { result[state] = row[1] }
        }
        return result
    }
}
