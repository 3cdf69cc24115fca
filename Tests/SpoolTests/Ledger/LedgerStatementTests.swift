import Foundation
import GRDB
import Testing

@testable import Spool

/// How statements are executed, and what SQLite makes of them.
@Suite struct LedgerStatementTests {
    @Test func values_ofEveryKind_areReadBackAsTheyWere() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let long = String(repeating: "ä€😀", count: 1000)
        try ledger.write { tx in
            try tx.execute("CREATE TABLE t (a, b, c, d, e)")
            try tx.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", [Int64.min, "", long, nil, 0.5])
            try tx.execute("INSERT INTO t VALUES (?2, ?1, ?2, ?1, NULL)", ["x", 7])
        }
        let rows = try ledger.read { try $0.rows("SELECT a, b, c, d, e FROM t ORDER BY rowid") }
        let first: [DatabaseValue] = [Int64.min.databaseValue, "".databaseValue, long.databaseValue, .null, 0.5.databaseValue]
        let second: [DatabaseValue] = [7.databaseValue, "x".databaseValue, 7.databaseValue, "x".databaseValue, .null]
        #expect(rows.map { Array($0.databaseValues) } == [first, second])
        try ledger.read { tx throws in
            #expect(try tx.number("SELECT count(*) FROM t") == 2)
            #expect(try tx.number("SELECT a FROM t ORDER BY rowid DESC") == 7)
            #expect(try tx.number("SELECT d FROM t ORDER BY rowid") == nil)
            #expect(try tx.number("SELECT a FROM t WHERE b = ?", ["nobody"]) == nil)
        }
    }

    @Test func values_inAnotherNumberThanPlaceholders_areRefused() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        // A column that takes NULL: what SQLite makes of a placeholder without a value.
        try ledger.write { try $0.execute("CREATE TABLE t (a, b)") }
        for values: [(any StatementBinding)?] in [[], [1], [1, 2, 3]] {
            #expect(throws: FlowspoolError.self) { try ledger.write { try $0.execute("INSERT INTO t VALUES (?, ?)", values) } }
            #expect(throws: FlowspoolError.self) {
                try ledger.write { try $0.execute("INSERT INTO t VALUES (?, ?)", all: values.map { _ in 1.databaseValue }) }
            }
        }
        #expect(try ledger.read { try $0.number("SELECT count(*) FROM t") } == 0)
    }

    /// A statement that failed is neither left running nor lost, and what its transaction did before is undone.
    @Test func statementThatFails_saysWhy_andCanBeUsedAgain() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let insert = "INSERT INTO approvals (prompt_sha, at, job) VALUES (?, ?, ?)"
        try ledger.write { try $0.execute(insert, ["a", 1, 1]) }
        do {
            try ledger.write { tx in
                try tx.execute(insert, ["b", 1, 1])
                try tx.execute(insert, ["a", 1, 1])
            }
            Issue.record("the same key twice")
        } catch let error as FlowspoolError {
            #expect(error.message.contains("UNIQUE constraint failed: approvals.prompt_sha"), "\(error)")
        }
        try ledger.write { try $0.execute(insert, ["c", 1, 1]) }
        let approved = try ledger.read { tx in try tx.rows("SELECT prompt_sha FROM approvals ORDER BY 1").map { $0[0] as String }
        }
        #expect(approved == ["a", "c"])
        // Nothing is still being read: a checkpoint would be told so.
        let isBusy = try ledger.queue.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        #expect(isBusy == 0)
    }

    /// SQLite makes a table in memory for a list of more than two, for an insertion that asks its own table, and for RETURNING; each costs
    /// as much as the row itself.
    @Test(arguments: [
        "UPDATE jobs SET state = ?, status = ?, place = ?, file = ?, finished = ? WHERE id = ? AND state = ?",
        "UPDATE jobs SET from_place = NULL, from_file = NULL WHERE id = ? AND place = ? AND file = ?",
        "INSERT INTO jobs (name, state, place, file, created) VALUES (?, 'queued', 'drop', ?, ?)",
        LedgerTransaction.isKnownSQL, LedgerTransaction.admitClaimedSQL,
    ]) func statementOfEachJob_makesNoTableInMemory(sql: String) throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let operations = try spool.ledger().queue.read { db in
            let statement = try db.makeStatement(sql: "EXPLAIN " + sql)
            return try Row.fetchAll(
                statement, arguments: StatementArguments(Array(repeating: 1, count: placeholders(of: statement)))
            )
            .map { $0["opcode"] as String }
        }
        #expect(operations.count > 10)
        #expect(!operations.contains { $0.hasPrefix("OpenEphemeral") || $0.hasPrefix("OpenAutoindex") }, "\(operations)")
    }

    @Test func questionsForFinishedJobs_useTheirIndexes() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.ledger().queue.read { db in
            for (sql, index) in [
                ("SELECT id FROM jobs WHERE file = ? AND \(LedgerTransaction.isOver) ORDER BY id DESC LIMIT 1", "jobs_by_file"),
                ("SELECT id FROM jobs INDEXED BY jobs_kept WHERE place = 'drop' AND \(LedgerTransaction.isOver)", "jobs_kept"),
            ] {
                let statement = try db.makeStatement(sql: "EXPLAIN QUERY PLAN " + sql)
                let arguments = StatementArguments(Array(repeating: "a", count: placeholders(of: statement)))
                let plan = try Row.fetchAll(statement, arguments: arguments).map { $0["detail"] as String }
                #expect(
                    plan.contains { $0.contains("USING INDEX \(index)") || $0.contains("COVERING INDEX \(index)") }, "\(plan)")
                #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
            }
        }
    }

    @Test func ledgerOfAnOlderVersion_isBroughtUpToDate_withItsJobs() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let path = spool.path + "/.flowspool/" + Ledger.fileName
        do {
            let queue = try DatabaseQueue(path: path)
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
            try Ledger.migrator.migrate(queue, upTo: "3 prunes")
            try queue.write { db in
                for (state, place) in [
                    ("done", "done"), ("failed", "failed"), ("cancelled", "failed"), ("done", "drop"), ("queued", "drop"),
                ] {
                    try db.execute(
                        sql: "INSERT INTO jobs (name, state, place, file, created) VALUES (?1, ?2, ?3, ?1, 1)",
                        arguments: ["\(state)-\(place).md", state, place])
                }
            }
            try queue.close()
        }
        let ledger = try Ledger(path: path)
        try ledger.read { tx throws in
            for file in ["done-done.md", "failed-failed.md", "cancelled-failed.md", "done-drop.md"] {
                #expect(try tx.finishedJobs(file: file).map(\.name) == [file])
            }
            #expect(try tx.finishedJobs(file: "queued-drop.md").isEmpty)
            #expect(try tx.keptFiles().map(\.key.text) == ["done-drop.md"])
        }
        #expect(try ledger.integrityCheck() == ["ok"])
    }

    private func placeholders(of statement: Statement) -> Int {
        var count = 0
        while statement.validates(count) != true { count += 1 }
        return count
    }
}

extension Statement {
    /// Whether it takes this many values.
    fileprivate func validates(_ count: Int) -> Bool {
        (try? validateArguments(StatementArguments(Array(repeating: 1, count: count)))) != nil
    }
}
