import Foundation
import GRDB
import Synchronization
import Testing

@testable import Spool

@Suite struct IntakeTests {
    private func intake(_ spool: TestSpool, ledger: Ledger, window: Int = 100) throws -> Intake {
        let folder = try SpoolFolder.open(at: spool.path)
        return Intake(
            spool: folder, ledger: ledger, filing: Filing(spool: folder, ledger: ledger), clock: SystemClock(), sizeMax: 1 << 20,
            windowMax: window, isDone: { _ in true })
    }

    /// A scan that ran between a claim's commit and its rename once made a second job of the same file.
    @Test func scan_betweenClaimAndRename_makesNoSecondJob() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        try spool.drop("a.md", "true")
        let intake = try intake(spool, ledger: ledger)
        let second = Mutex<[Int64]?>(nil)
        let folder = try SpoolFolder.make(
            at: spool.path,
            calls: SystemCalls { call, _ in
                if call == .renameat2 { second.withLock { $0 = try? intake.scan(isDraining: true).admitted } }
                return nil
            })
        #expect(try intake.scan(isDraining: true).admitted == [1])
        let claim = Claim(
            spool: folder, ledger: ledger, filing: Filing(spool: folder, ledger: ledger), quiet: QuietPeriod(),
            clock: SystemClock(),
            sizeMax: 1000)
        _ = try claim.claim(try #require(try spool.job("a.md")))
        #expect(second.withLock { $0 } == [])
        #expect(try intake.scan(isDraining: true).withdrawn.isEmpty)
    }

    @Test func scan_takesTheSmallestNamesAndCountsTheRest() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        for index in 0..<20 { try spool.drop(String(format: "p%02d.md", 19 - index), "true") }
        let report = try intake(spool, ledger: ledger, window: 5).scan(isDraining: true)
        #expect(report.backlog == 15)
        let names = try ledger.read { try $0.nextWaiting(limit: 100, batch: nil, busyLanes: []).map(\.name) }
        #expect(names == ["p00.md", "p01.md", "p02.md", "p03.md", "p04.md"])
    }

    @Test func waitingFileThatIsTakenAway_cancelsItsJob() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        try spool.drop("a.md", "true")
        let intake = try intake(spool, ledger: ledger)
        _ = try intake.scan(isDraining: true)
        try FileManager.default.removeItem(atPath: spool.path + "/a.md")
        #expect(try intake.scan(isDraining: true).withdrawn.map(\.name) == ["a.md"])
        #expect(try spool.job("a.md")?.state == .cancelled)
    }

    @Test func strayThatWasJustMade_isGivenTimeToBecomeAPrompt() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/a.md.k3j2"))
        let report = try intake(spool, ledger: try spool.ledger()).scan(isDraining: false)
        #expect(report.refused.isEmpty)
        #expect((1...Intake.strayAgeMilliseconds).contains(report.lookAgainMilliseconds ?? 0))
        #expect(spool.list("") == ["a.md.k3j2"])
    }

    @Test func namesThatDifferOnlyInUnicodeForm_areTwoFiles() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        for name in ["\u{E9}.md", "e\u{301}.md"] { try spool.drop(name, "true") }
        #expect(try intake(spool, ledger: ledger).scan(isDraining: true).admitted.count == 2)
        #expect(try intake(spool, ledger: ledger).scan(isDraining: true).admitted.isEmpty)
    }

    private func admit(_ names: [String], _ intake: Intake) throws -> IntakeReport {
        try intake.admit(names: names.map { Array($0.utf8) }, isDraining: true)
    }

    private func waiting(_ ledger: Ledger) throws -> [Job] {
        try ledger.read { try $0.nextWaiting(limit: 1000, batch: nil, busyLanes: []) }
    }

    @Test func namedFiles_areTakenInInTheOrderOfTheirEvents() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        for name in ["c.md", "a.md", "b.md", "d.md"] { try spool.drop(name, "true") }
        try spool.drop("urgent.md", "true", front: "priority: 5\nlane: l")
        let intake = try intake(spool, ledger: ledger)
        #expect(try admit(["c.md"], intake).admitted == [1])
        // Told twice, gone again, known, and one whose front matter asks for its turn.
        let report = try admit(["b.md", "b.md", "gone.md", "urgent.md", "c.md", "a.md", ".hidden.md", "d.md"], intake)
        #expect(report.admitted == [2, 3, 4, 5])
        let jobs = try waiting(ledger)
        #expect(jobs.map(\.name) == ["urgent.md", "c.md", "b.md", "a.md", "d.md"])
        #expect(jobs.map(\.id) == [3, 1, 2, 4, 5])
        #expect(jobs.map(\.priority) == [5, 0, 0, 0, 0] && jobs.map(\.lane) == ["l", nil, nil, nil, nil])
        #expect(jobs.allSatisfy { $0.state == .queued && $0.place == .drop && $0.file == $0.name && $0.batch == nil })
        for job in jobs {
            let history = try ledger.read { try $0.transitions(of: job.id) }
            #expect(history == [Transition(at: job.created, from: "dropped", to: "queued", why: "dropped")])
        }
        // Those that come later stand behind these.
        try spool.drop("0.md", "true")
        _ = try admit(["0.md"], intake)
        #expect(try waiting(ledger).last?.name == "0.md")
        #expect(try ledger.read { try $0.counts()[.queued] } == 6)
    }

    @Test func filesOfOneScan_arriveTogether_inNameOrder() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        for name in ["b.md", "a.md", "c.md"] { try spool.drop(name, "true") }
        _ = try intake(spool, ledger: ledger).scan(isDraining: true)
        let jobs = try waiting(ledger)
        #expect(jobs.map(\.name) == ["a.md", "b.md", "c.md"] && jobs.map(\.id) == [1, 2, 3])
        #expect(Set(jobs.map(\.arrival)).count == 1)
    }

    /// Names go to the ledger by way of JSON.
    @Test func hostileNames_reachTheLedgerByteForByte() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let names = [
            #"qu"ote.md"#, #"back\slash\u0041.md"#, "new\nline\ttab\rreturn.md", "esc\u{1B}[31m\u{7F}\u{1}.md",
            "right\u{202E}left.md",
            "tag\u{E0041}\u{1F600}.md", "e\u{301}.md", "\u{E9}.md", "'; DROP TABLE jobs; --.md", "\u{FFFE}\u{FEFF}.md",
            "[1,2].md", "null.md",
        ]
        for name in names { try spool.drop(name, "true") }
        let intake = try intake(spool, ledger: ledger)
        #expect(try admit(names, intake).admitted.count == names.count)
        #expect(try waiting(ledger).map { Array($0.file.utf8) } == names.map { Array($0.utf8) })
        #expect(try admit(names, intake).admitted.isEmpty)
    }

    @Test func window_whenAGroupIsLargerThanItsRoom_countsTheRest() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let names = (0..<8).map { "p\($0).md" }
        for name in names { try spool.drop(name, "true") }
        let intake = try intake(spool, ledger: ledger, window: 5)
        #expect(try admit(["p4.md"], intake).backlog == 0)
        // p4 waits already and takes no room again; whoever stands behind the last that had room is counted.
        let report = try admit(names, intake)
        #expect(report.admitted.count == 4 && report.backlog == 4)
        #expect(try waiting(ledger).map(\.name) == ["p4.md", "p0.md", "p1.md", "p2.md", "p3.md"])
    }

    @Test(arguments: [LedgerTransaction.knownFilesSQL, LedgerTransaction.isKnownSQL])
    func questionForKnownFiles_usesAnIndexForEachPart(sql: String) throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let plan = try spool.ledger().queue.read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: ["[]"]).map { $0["detail"] as String }
        }
        for index in ["jobs_drop_file", "jobs_by_file", "jobs_held", "jobs_moving"] {
            #expect(plan.contains { $0.contains(index) }, "\(plan)")
        }
        #expect(!plan.contains { $0.hasPrefix("SCAN jobs") }, "\(plan)")
    }
}
