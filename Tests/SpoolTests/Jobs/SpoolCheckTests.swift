import Foundation
import GRDB
import Testing

@testable import Spool

/// Broken spools made by hand: each break is named, and what can be mended without loss is mended.
@Suite struct SpoolCheckTests {
    /// A spool in which `a.md` succeeded and `b.md` failed.
    private func drained() async throws -> TestSpool {
        let spool = try TestSpool()
        try spool.drop("a.md", "true")
        try spool.drop("b.md", "false")
        try await spool.drain(profile: "production")
        return spool
    }

    private func check(_ spool: TestSpool) throws -> [Violation] {
        try SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger()).violations()
    }

    private func repair(_ spool: TestSpool) async throws -> SpoolCheck.Repair {
        let folder = try SpoolFolder.open(at: spool.path)
        let lock = try RunnerLock(folder, command: "fsck", now: 1)
        return try await SpoolCheck(spool: folder, ledger: try spool.ledger())
            .repair(lock: lock, executor: LocalExecutor(graceSeconds: 0.1, runsDirectory: folder.runs.path))
    }

    @Test func soundSpool_hasNoViolations() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        #expect(try check(spool).isEmpty)
    }

    /// Each statement breaks one promise; `mends`: whether a repair can put it right without losing anything.
    @Test(arguments: [
        ("UPDATE jobs SET from_place = 'active', from_file = 'a.md' WHERE id = 1", "move_unfinished", true),
        ("UPDATE attempts SET outcome = 'failed' WHERE job = 1", "done_without_success", false),
        ("UPDATE transitions SET \"to\" = 'held' WHERE job = 1 AND \"to\" = 'active'", "attempt_without_claim", false),
        (
            "INSERT INTO transitions (job, at, \"from\", \"to\", why) SELECT job, at, \"from\", \"to\", why FROM transitions WHERE job = 1 AND \"to\" = 'done'",
            "history_broken", false
        ),
        ("UPDATE attempts SET outcome = 'running' WHERE job = 2", "attempt_running", true),
        ("DELETE FROM attempts WHERE job = 2", "attempts_mismatch", false),
        ("UPDATE jobs SET budget_used = 2, attempts = 2 WHERE id = 2", "over_budget", false),
        ("UPDATE counts SET n = 7 WHERE state = 'done'", "counts_wrong", true),
        ("UPDATE facts SET value = -1 WHERE key = 'fail_total'", "failures_wrong", true),
        ("UPDATE jobs SET file = 'a.md', place = 'done' WHERE id = 2", "two_jobs", false),
    ])
    func ledgerThatBreaksAPromise_isNamed(_ sql: String, _ code: String, _ mends: Bool) async throws {
        let spool = try await drained()
        defer { spool.remove() }
        try spool.ledger().write { try $0.db.execute(sql: sql) }
        let found = try check(spool)
        #expect(found.contains { $0.code.rawValue == code }, "\(found)")
        let repair = try await repair(spool)
        #expect(repair.before.contains { $0.code.rawValue == code })
        #expect(!repair.after.contains { $0.code.rawValue == code } == mends, "\(repair.after)")
        #expect(spool.list("done") == ["a.md"])
        #expect(spool.list("failed") == ["b.md"])
    }

    @Test func fileWithoutAJob_isNamedAndFiledAsFailed() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        for place in ["active", "held"] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/\(place)/\(place).md"))
        }
        #expect(try check(spool).map(\.code) == [.orphan, .orphan])
        #expect(try await repair(spool).after.isEmpty)
        #expect(spool.list("failed") == ["active.md", "active.md.why.txt", "b.md", "held.md", "held.md.why.txt"])
    }

    @Test func fileOfAJobInAnotherPlace_isFoundByItsBytes() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        try FileManager.default.moveItem(atPath: spool.path + "/done/a.md", toPath: spool.path + "/failed/a.md")
        #expect(try check(spool).map(\.code) == [.fileMissing])
        #expect(try await repair(spool).after.isEmpty)
        #expect(try spool.job("a.md")?.place == .failed)
    }

    @Test func jobWhoseFileIsNowhere_isNamedAndMarked() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        try FileManager.default.removeItem(atPath: spool.path + "/done/a.md")
        let found = try check(spool)
        #expect(found.map(\.code) == [.fileMissing])
        #expect(found.first?.code.promise == 1)
        #expect(found.first?.path == "done/a.md")
        #expect(try await repair(spool).after.isEmpty)
        #expect(try spool.job("a.md")?.place == Place.none)
    }

    @Test func fileThatIsOnItsWayBackByHand_isNoViolation() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        try FileManager.default.moveItem(atPath: spool.path + "/failed/b.md", toPath: spool.path + "/b.md")
        #expect(try check(spool).isEmpty)
    }

    @Test func sameFileInTwoPlaces_isNamed() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        link(spool.path + "/done/a.md", spool.path + "/failed/twin.md")
        #expect(try check(spool).map(\.code) == [.twoPlaces])
    }

    @Test func halfWrittenFile_isNamedAndRemoved() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        try Data("half".utf8).write(to: URL(fileURLWithPath: spool.path + "/active/.flowspool-aside-a.md"))
        #expect(try check(spool).map(\.code) == [.halfWritten])
        #expect(try await repair(spool).after.isEmpty)
    }

    /// The pages of an index hold other bytes than its table: SQLite still answers, and only a look at all of it tells.
    @Test func damagedLedger_isNamedAndLeftAlone() async throws {
        let spool = try await drained()
        defer { spool.remove() }
        let path = spool.path + "/.flowspool/ledger.sqlite"
        let page = try spool.ledger().queue.inDatabase { database in
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            return try Int.fetchOne(database, sql: "SELECT rootpage FROM sqlite_master WHERE name = 'jobs_by_name'")
        }
        let number = try #require(page)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let size = Int(try SpoolFolder.open(at: spool.path).control.status(Ledger.fileName)?.size ?? 0)
        let pageSize = try spool.ledger().queue.inDatabase { try Int.fetchOne($0, sql: "PRAGMA page_size") ?? 4096 }
        try #require(number * pageSize <= size)
        // The tail of a page holds its first rows.
        try file.seek(toOffset: UInt64(number * pageSize - 64))
        try file.write(contentsOf: Data(repeating: 0xA5, count: 64))
        try file.close()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try check(spool).contains { $0.code == .ledgerDamaged })
        let repair = try await repair(spool)
        #expect(repair.before == repair.after && repair.mended.isEmpty)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
        #expect(spool.list("done") == ["a.md"])
    }
}
