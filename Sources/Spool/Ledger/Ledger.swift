// The ledger: one SQLite database in write-ahead mode with `synchronous=FULL`, so that a commit that returned is on stable
// storage; only what the drop folder tells again after a power loss, and what may be lost, may be committed without a sync
// (`writeUnsynced`). One connection per process; every change is a transaction, and what belongs together is committed together. Whoever shows an
// effect outside commits here first.

import Foundation
import GRDB
import GRDBSQLite
import Synchronization

/// The durable record of every job, attempt and transition of one spool.
public final class Ledger: Sendable {
    /// File name inside `.flowspool/`.
    public static let fileName = "ledger.sqlite"

    let queue: DatabaseQueue
    public let path: String
    private let syncing = Mutex(Syncing())

    /// How the connection commits. Changed on `queue` only, which does one thing at a time.
    private struct Syncing {
        /// The connection is at `synchronous=NORMAL`.
        var isRelaxed = false
        /// Something was committed that no sync has followed.
        var isOwed = false
    }

    /// Opens the ledger, making it and migrating it as needed.
    ///
    /// - Parameters:
    ///   - path: the database file; its folder must exist.
    ///   - busyTimeoutSeconds: how long to wait for another process's transaction.
    /// - Throws: `FlowspoolError.unavailable` with SQLite's reason.
    public init(path: String, busyTimeoutSeconds: Double = 10) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(busyTimeoutSeconds)
        configuration.label = "ledger"
        configuration.prepareDatabase { db in
            // A DatabaseQueue leaves `synchronous` alone (a DatabasePool sets NORMAL after this closure); both are set here
            // and read back by a test. WAL is a property of the file, FULL one of each connection.
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // The default of 1000 pages checkpoints in the middle of a batch; 4000 pages are 16 MB of log. Whoever is at rest does it
            // sooner: see `checkpointAtRest`.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
        }
        self.path = path
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            if try queue.read({ try Self.migrator.hasBeenSuperseded($0) }) { throw Self.isNewer(path) }
            if try queue.read({ try !Self.migrator.hasCompletedMigrations($0) }) { try Self.migrator.migrate(queue) }
        } catch let error as DatabaseError {
            throw Self.userError(error, path: path)
        }
    }

    private static func isNewer(_ path: String) -> FlowspoolError {
        FlowspoolError(
            .invalidInput, "\(printable(path)) was written by a newer flowspool, whose rules this one does not know",
            hint: "install that version again, or begin a new spool")
    }

    /// A ledger on a connection that is open already.
    init(queue: DatabaseQueue, path: String) {
        self.queue = queue
        self.path = path
    }

    /// Runs `body` in one transaction and commits it durably, or changes nothing.
    ///
    /// - Throws: what `body` throws; a `FlowspoolError.unavailable` when SQLite cannot (disk full, I/O error, locked).
    @discardableResult
    public func write<T>(_ body: (LedgerTransaction) throws -> T) throws -> T {
        try inDatabase { db in
            // Only where `writeUnsynced` could not set it back. Should that fail again, nothing may be called durable.
            if syncing.withLock({ $0.isRelaxed }) { try setRelaxed(false, db) }
            guard syncing.withLock({ $0.isOwed }) else { return try commit(db, body) }
            let result = try commit(db) { tx in
                let result = try body(tx)
                // A commit syncs only where a page differs, and `body` may have written what stood there already.
                try tx.setFact(.syncs, try tx.fact(.syncs) + 1)
                return result
            }
            syncing.withLock { $0.isOwed = false }
            return result
        }
    }

    /// As `write`, but returns before the change is on stable storage: a power loss may undo it, together with all that was written
    /// this way since the last `write`, never in part and never out of order. The next `write` or `sync` makes all of it sure,
    /// since the log is one file. A crash of the program undoes nothing.
    ///
    /// Only for what the folders tell again, or what may be lost; never before a file is moved, started or promised to anybody.
    ///
    /// - Parameter isOwed: `sync` is to make sure of it, even if no other `write` comes.
    @discardableResult
    func writeUnsynced<T>(isOwed: Bool = true, _ body: (LedgerTransaction) throws -> T) throws -> T {
        try inDatabase { db in
            try setRelaxed(true, db)
            let result = Result { try commit(db, body) }
            if isOwed, case .success = result { syncing.withLock { $0.isOwed = true } }
            try setRelaxed(false, db)
            return try result.get()
        }
    }

    /// Makes sure of what `writeUnsynced` has written; without such a debt it does nothing.
    func sync() throws {
        guard syncing.withLock({ $0.isOwed }) else { return }
        try write { _ in }
    }

    /// Copies the log into the database file, where it has grown by a quarter of what forces a commit to do so: that takes two syncs more, and the
    /// commit that it falls on is one that a prompt waits for. Call it while nothing is to be done.
    ///
    /// The next commit begins the log anew, which takes a sync of its own (SQLite, "walWriteFrames"); that is made here as well.
    ///
    /// - Returns: whether it was due.
    @discardableResult
    func checkpointAtRest() throws -> Bool {
        let isDue = try inDatabase { db in
            guard Self.pagesWritten(db, startsAnew: false) >= Self.pagesAtRestMax else { return false }
            _ = Self.pagesWritten(db, startsAnew: true)
            do {
                try db.checkpoint(.passive)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                // Another process is about it.
                return false
            }
            return true
        }
        if isDue { try write { try $0.setFact(.syncs, try $0.fact(.syncs) + 1) } }
        return isDue
    }

    /// 4 MB of log.
    private static let pagesAtRestMax = 1000

    /// Pages that this connection has written to the log since it was opened, or since a call with `startsAnew`
    /// (SQLITE_DBSTATUS_CACHE_WRITE).
    private static func pagesWritten(_ db: Database, startsAnew: Bool) -> Int {
        var (count, unused): (CInt, CInt) = (0, 0)
        // Cannot fail with an operation that SQLite knows.
        sqlite3_db_status(db.sqliteConnection, SQLITE_DBSTATUS_CACHE_WRITE, &count, &unused, startsAnew ? 1 : 0)
        return Int(count)
    }

    /// In write-ahead mode, NORMAL commits without a sync and still syncs before a checkpoint (SQLite, "PRAGMA synchronous").
    private func setRelaxed(_ isRelaxed: Bool, _ db: Database) throws {
        syncing.withLock { $0.isRelaxed = true }
        // Prepared anew each time: this pragma works while it is compiled, so a cached statement would do nothing.
        try db.execute(sql: isRelaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL")
        if !isRelaxed { syncing.withLock { $0.isRelaxed = false } }
    }

    private func commit<T>(_ db: Database, _ body: (LedgerTransaction) throws -> T) throws -> T {
        // IMMEDIATE: take the write lock at once, so that a read inside never has to be upgraded (SQLITE_BUSY). Both
        // statements are prepared once; GRDB's own `inTransaction` prepares them anew each time.
        try db.cachedStatement(sql: "BEGIN IMMEDIATE").execute()
        do {
            let result = try body(LedgerTransaction(db: db))
            try db.cachedStatement(sql: "COMMIT").execute()
            return result
        } catch {
            // SQLite may have rolled back already (disk full); a second rollback is an error without meaning.
            if db.isInsideTransaction { try? db.execute(sql: "ROLLBACK") }
            throw error
        }
    }

    private func inDatabase<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try queue.inDatabase(body)
        } catch let error as DatabaseError {
            throw Self.userError(error, path: path)
        }
    }

    /// Reads. Each statement sees a consistent state; two of them may see different ones, as another process commits between.
    public func read<T>(_ body: (LedgerTransaction) throws -> T) throws -> T {
        try inDatabase { try body(LedgerTransaction(db: $0)) }
    }

    /// What `PRAGMA integrity_check` says; `["ok"]` when all is well. Reads the whole file.
    public func integrityCheck() throws -> [String] {
        do {
            return try queue.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        } catch let error as DatabaseError {
            throw Self.userError(error, path: path)
        }
    }

    /// The command that moves a damaged ledger away whole: its log and index go with it, or they would be taken for the new
    /// ledger's.
    static func setAside(_ path: String) -> String {
        let folder = shellQuoted((path as NSString).deletingLastPathComponent + "/damaged")
        return "mkdir \(folder) && mv \(shellQuoted(path))* \(folder)"
    }

    static func userError(_ error: DatabaseError, path: String) -> FlowspoolError {
        let hint: String
        switch error.resultCode {
        case .SQLITE_FULL: hint = "free space on that file system; nothing was lost, and work goes on when there is room"
        case .SQLITE_BUSY, .SQLITE_LOCKED: hint = "another flowspool command holds the ledger; try again"
        case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM:
            hint = "check that you own the spool and may write to its .flowspool/ folder (`ls -ld` on both)"
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            hint = """
                the ledger is damaged, the prompts are not: move the file away and keep it (`\(setAside(path))`); the next \
                `flowspool watch` begins a new one and files what stood in active/ as failed (prompts that keep their place \
                would run again)
                """
        case .SQLITE_IOERR: hint = "the disk reports an error: see `dmesg`"
        default: hint = "try again; should it stay, `flowspool fsck` looks for damage"
        }
        return FlowspoolError(
            .unavailable, "\(printable(path)): ledger: \(error.message ?? error.resultCode.description)", hint: hint)
    }
}

/// What can be read and changed within one transaction of the ledger.
public struct LedgerTransaction {
    let db: Database

    func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func jobs(_ clause: String, _ arguments: StatementArguments = []) throws -> [Job] {
        // A cursor hands out the statement's own row; `fetchAll` would copy each one first.
        let cursor = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT \(Job.columns) FROM jobs \(clause)"), arguments: arguments)
        var jobs: [Job] = []
        while let row = try cursor.next() { jobs.append(try Job(row: row)) }
        return jobs
    }

    func fact(_ key: Fact) throws -> Int64 {
        try number("SELECT value FROM facts WHERE key = ?", [key.rawValue]) ?? 0
    }

    func setFact(_ key: Fact, _ value: Int64) throws {
        try execute(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key.rawValue, value])
    }

    /// Single numbers that the ledger keeps.
    enum Fact: String {
        case failStreak = "fail_streak"
        case failTotal = "fail_total"
        /// Number of the last scan that admitted files.
        case arrival
        /// Files that wait in the drop folder beyond those admitted.
        case backlog
        case overflows, rescans
        /// The hold that a runner has seen: nothing has started since.
        case holdSeen = "hold_seen"
        /// What the last run has written into `runs/.begun` as well.
        case begunMark = "begun_mark"
        /// When the run began whose contract files may lack what it has recorded; 0: they lack nothing.
        case unwrittenSince = "unwritten_since"
        /// Commits that made sure of unsynced ones before them.
        case syncs
    }

    /// Adds a line to a job's history.
    func record(_ job: Int64, from: String, to: String, why: String, at: Int64) throws {
        try execute(#"INSERT INTO transitions (job, at, "from", "to", why) VALUES (?, ?, ?, ?, ?)"#, [job, at, from, to, why])
    }
}
