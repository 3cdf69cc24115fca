import Foundation
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
}
