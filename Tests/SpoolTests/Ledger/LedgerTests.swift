import Foundation
import GRDB
import Synchronization
import Testing

@testable import Spool

@Suite struct LedgerTests {
    @Test func writer_commitsWithFullSynchronousInWALMode() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let (mode, synchronous) = try ledger.queue.writeWithoutTransaction { db in
            (try String.fetchOne(db, sql: "PRAGMA journal_mode"), try Int.fetchOne(db, sql: "PRAGMA synchronous"))
        }
        #expect(mode == "wal")
        #expect(synchronous == 2)  // FULL
    }

    /// How often the log was begun anew, which a commit does after a checkpoint of all of it (SQLite, "WAL File Format").
    private func logNumber(_ ledger: Ledger) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: ledger.path + "-wal"))[12..<16])
    }

    @Test func checkpointAtRest_copiesALongLog_andLeavesNothingOfItToTheNextCommit() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let first = try logNumber(ledger)
        func insert(_ digest: String, megabytes: Int) throws {
            let report = String(repeating: "r", count: megabytes << 20)
            try ledger.write { try $0.execute("INSERT INTO shell_reports VALUES (?, ?)", [digest, report]) }
        }
        try insert("a", megabytes: 3)
        #expect(try !ledger.checkpointAtRest())
        try insert("b", megabytes: 2)
        #expect(try ledger.checkpointAtRest())
        #expect(try logNumber(ledger) != first)
        #expect(try !ledger.checkpointAtRest())
        // The file alone has it all: the log has been copied.
        let copy = spool.folder.path + "/copy.sqlite"
        try FileManager.default.copyItem(atPath: ledger.path, toPath: copy)
        let digests = try DatabaseQueue(path: copy).read { try String.fetchAll($0, sql: "SELECT digest FROM shell_reports") }
        #expect(digests == ["a", "b"])
        #expect(try synchronous(ledger) == 2)
    }

    /// Another process reads: what it still needs of the log stays, and nobody waits.
    @Test func checkpointAtRest_whileSomebodyReads_losesNothing() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let (ledger, other) = (try spool.ledger(), try spool.ledger())
        try other.queue.inDatabase { db in
            try db.execute(sql: "BEGIN")
            #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM shell_reports") == 0)
            let report = String(repeating: "r", count: 5 << 20)
            try ledger.write { try $0.execute("INSERT INTO shell_reports VALUES ('a', ?)", [report]) }
            #expect(try ledger.checkpointAtRest())
            #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM shell_reports") == 0)
            try db.execute(sql: "COMMIT")
            #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM shell_reports") == 1)
        }
        #expect(try ledger.integrityCheck() == ["ok"])
    }

    /// They are written by groups.
    @Test(arguments: [0, 1, 7, 8, 9, 16, 30]) func findings_areKeptInOrder_andReplaceThoseBefore(count: Int) throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let findings = (0..<count).map { number in
            Finding(.hostPath, line: number + 1, column: nil, message: "message \(number)", advice: "advice \(number)")
        }
        try ledger.write { tx in
            try tx.setFindings([Finding(.noGate, message: "before", advice: "before")], of: 1)
            try tx.setFindings([Finding(.noGate, message: "of another", advice: "")], of: 2, isNew: true)
            try tx.setFindings(findings, of: 1)
        }
        #expect(try ledger.read { try $0.findings(of: 1) } == findings)
        #expect(try ledger.read { try $0.findings(of: 2) }.map(\.message) == ["of another"])
    }

    /// A cache only: nobody waits for the disk.
    @Test func shellReport_isKeptWithoutASync() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let levels = Mutex<[Int?]>([])
        try ledger.queue.inDatabase { db in
            // Called by SQLite on the queue of this very connection.
            nonisolated(unsafe) let connection = db
            db.add(
                function: DatabaseFunction("level", argumentCount: 0) { _ in
                    levels.withLock { $0.append(try? Int.fetchOne(connection, sql: "PRAGMA synchronous")) }
                    return nil
                })
            try db.execute(sql: "CREATE TEMP TRIGGER told AFTER INSERT ON shell_reports BEGIN SELECT level(); END")
        }
        LedgerShellCache(ledger: ledger).store(CachedReport(findings: [], commands: ["ls"]), for: "d", isLasting: true)
        #expect(levels.withLock { $0 } == [1])  // NORMAL
        #expect(LedgerShellCache(ledger: ledger).lookup("d")?.commands == ["ls"])
        #expect(try synchronous(ledger) == 2)
    }

    private func synchronous(_ ledger: Ledger) throws -> Int? {
        try ledger.queue.inDatabase { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    }

    @Test func writeUnsynced_relaxesItsOwnCommitOnly() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        func level(_ tx: LedgerTransaction) throws -> Int? { try Int.fetchOne(tx.db, sql: "PRAGMA synchronous") }
        #expect(try ledger.writeUnsynced { try level($0) } == 1)  // NORMAL
        #expect(try ledger.write { try level($0) } == 2)  // FULL
        #expect(try synchronous(ledger) == 2)
    }

    @Test func writeUnsynced_thatFails_changesNothingAndSyncsAgain() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        #expect(throws: CancellationError.self) {
            try ledger.writeUnsynced { tx in
                _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
                throw CancellationError()
            }
        }
        // An error of SQLite's own.
        #expect(throws: FlowspoolError.self) { try ledger.writeUnsynced { try $0.execute("INSERT INTO jobs DEFAULT VALUES") } }
        #expect(try synchronous(ledger) == 2)
        #expect(try ledger.read { try $0.counts()[.queued] } == 0)
        #expect(try ledger.write { try $0.admit(Admission(name: "b.md"), arrival: 1, now: 1) } == 1)
    }

    /// A commit whose pages are all as they were before writes nothing to the log and syncs nothing.
    @Test func nextWrite_makesSureOfWhatIsOwed_evenWhenItChangesNothing() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        var bytes = 0
        func logGrows(_ body: () throws -> Void) throws -> Bool {
            try body()
            let before = bytes
            bytes = try Data(contentsOf: URL(fileURLWithPath: ledger.path + "-wal")).count
            return bytes > before
        }
        func admit(_ name: String) throws {
            try ledger.writeUnsynced { tx in
                _ = try tx.admit(Admission(name: name), arrival: 1, now: 1)
                try tx.setFact(.arrival, 1)
            }
        }
        #expect(try logGrows { try admit("a.md") })
        #expect(try logGrows { try ledger.sync() })
        #expect(try !logGrows { try ledger.sync() })
        #expect(try !logGrows { try ledger.write { try $0.setFact(.arrival, 1) } })
        #expect(try logGrows { try admit("b.md") })
        #expect(try logGrows { try ledger.write { try $0.setFact(.arrival, 1) } })
        #expect(try !logGrows { try ledger.sync() })
        #expect(try ledger.read { try $0.fact(.syncs) } == 2)
    }

    @Test func numbers_countUpAndAreNeverUsedAgain() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let first = try ledger.write { try $0.admit(Admission(name: "a.md"), arrival: 1, now: 1) }
        try ledger.queue.write { try $0.execute(sql: "DELETE FROM jobs") }
        let second = try spool.ledger().write { try $0.admit(Admission(name: "a.md"), arrival: 1, now: 1) }
        #expect(first == 1)
        #expect(second == 2)
    }

    @Test func admit_whenTheFileWaitsAlready_makesNoSecondJob() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        _ = try ledger.write { try $0.admit(Admission(name: "a.md"), arrival: 1, now: 1) }
        #expect(try ledger.write { try $0.admit(Admission(name: "a.md"), arrival: 2, now: 2) } == nil)
        #expect(try ledger.read { try $0.counts()[.queued] } == 1)
        // The file that was looked at twice has used up no number.
        #expect(try ledger.write { try $0.admit(Admission(name: "b.md"), arrival: 3, now: 3) } == 2)
    }

    @Test func save_whenTheJobHasMoved_changesNothing() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        _ = try ledger.write { try $0.admit(Admission(name: "a.md"), arrival: 1, now: 1) }
        var job = try #require(try spool.job("a.md"))
        job.state = .active
        #expect(try ledger.write { try $0.save(job, expecting: .queued, why: "claimed", now: 2) })
        job.state = .cancelled
        #expect(try !ledger.write { try $0.save(job, expecting: .queued, why: "cancel", now: 3) })
        #expect(try spool.job("a.md")?.state == .active)
        #expect(try ledger.read { try $0.transitions(of: 1).map(\.to) } == ["queued", "active"])
    }

    @Test func counts_followEveryChangeOfState() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        for name in ["a.md", "b.md", "c.md"] { _ = try ledger.write { try $0.admit(Admission(name: name), arrival: 1, now: 1) } }
        var job = try #require(try spool.job("b.md"))
        job.state = .done
        try ledger.write { _ = try $0.save(job, expecting: .queued, why: nil, now: 2) }
        let counts = try ledger.read { try $0.counts() }
        #expect(counts[.queued] == 2)
        #expect(counts[.done] == 1)
        #expect(counts.count == JobState.allCases.count)
    }

    @Test func nextWaiting_ordersByPriorityThenArrivalThenBytesOfTheName() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        try ledger.write { tx in
            _ = try tx.admit(Admission(name: "b.md"), arrival: 1, now: 1)
            _ = try tx.admit(Admission(name: "Z.md"), arrival: 1, now: 1)
            _ = try tx.admit(Admission(name: "a.md"), arrival: 2, now: 1)
            _ = try tx.admit(Admission(name: "late.md", priority: 9), arrival: 3, now: 1)
            _ = try tx.admit(Admission(name: "laned.md", priority: 10, lane: "x"), arrival: 3, now: 1)
        }
        let names = try ledger.read { try $0.nextWaiting(limit: 9, batch: nil, busyLanes: ["x"]).map(\.name) }
        #expect(names == ["late.md", "Z.md", "b.md", "a.md"])
    }

    @Test func openLedger_ofADamagedFile_saysWhichFileAndWhatToDo() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try Data(repeating: 7, count: 4096).write(to: URL(fileURLWithPath: spool.path + "/.flowspool/ledger.sqlite"))
        let error = #expect(throws: FlowspoolError.self) { try spool.ledger() }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("ledger.sqlite") == true)
        #expect(error?.hint?.contains("move the file away") == true)
    }

    @Test func save_writesOnlyWhatDiffers_andOnlyWhereTheJobStands() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let ledger = try Ledger(path: folder.path + "/ledger.sqlite")
        try ledger.write { tx in
            let id = try #require(try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1))
            let old = try tx.require(id)
            // Somebody else's change of another column stays.
            try tx.execute("UPDATE jobs SET priority = 7 WHERE id = ?", [id])
            var new = old
            new.lane = "l"
            #expect(try tx.save(new, from: old, expecting: .queued, why: nil, now: 2))
            #expect(try tx.require(id).lane == "l" && tx.require(id).priority == 7)
            #expect(try tx.save(new, from: new, expecting: .queued, why: nil, now: 2))
            #expect(try !tx.save(old, from: new, expecting: .active, why: nil, now: 2))
            #expect(try !tx.save(new, from: new, expecting: .active, why: nil, now: 2))
            #expect(try tx.require(id).lane == "l")
            #expect(try tx.save(old, expecting: .queued, why: nil, now: 2))
            #expect(try tx.require(id).priority == 0 && tx.require(id).lane == nil)
            // A move that was struck out meanwhile, and one more of a file of the same name.
            var moving = old
            (moving.fromPlace, moving.fromFile) = (.drop, "a.md")
            #expect(try tx.save(moving, from: old, expecting: .queued, why: nil, now: 3))
            try tx.confirmMoves([moving])
            #expect(try tx.require(id).fromFile == nil)
            var again = moving
            again.fromPlace = .active
            #expect(try tx.save(again, from: moving, expecting: .queued, why: nil, now: 3))
            #expect(try tx.require(id).fromPlace == .active && tx.require(id).fromFile == "a.md")
        }
    }
}
