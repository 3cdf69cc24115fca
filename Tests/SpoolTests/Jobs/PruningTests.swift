import Foundation
import Testing

@testable import Spool

/// What a crash leaves behind in the middle of a prune; the command itself is tried in the black-box tests.
@Suite struct PruningTests {
    private func violations(_ spool: TestSpool) throws -> [Violation] {
        try SpoolCheck(spool: SpoolFolder.open(at: spool.path), ledger: spool.ledger()).violations()
    }

    private func pruning(_ spool: TestSpool) throws -> Pruning {
        Pruning(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
    }

    @Test(arguments: [false, true]) func aCrashInTheMiddle_losesNothing_andIsFinishedByTheNext(isFileGone: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try await spool.drain()
        #expect(try spool.ledger().write { try $0.beginPrune(1, now: 5) })
        if isFileGone { try FileManager.default.removeItem(atPath: spool.path + "/done/a.md") }
        #expect(try violations(spool).isEmpty)
        // Another prompt of that name, whose file takes the name that is free, is nobody else's.
        try spool.drop("a.md", "echo other")
        try await spool.drain()
        #expect(try violations(spool).isEmpty)
        let report = try pruning(spool).remove([])
        #expect(report.jobs == [1] && report.runFolders == 1)
        #expect(spool.list("done") == [isFileGone ? "a.md" : "a.2.md"])
        #expect(try spool.text("done/" + spool.list("done")[0]).contains("echo other"))
        #expect(try spool.ledger().read { try $0.job(1) }?.place == Place.none)
        #expect(try pruning(spool).remove([]).jobs.isEmpty)
        #expect(try violations(spool).isEmpty)
    }

    @Test func jobsThatAreNotFinished_areNeverTouched() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try spool.ledger().write { _ = try $0.admit(Admission(name: "a.md"), arrival: 1, now: 1) }
        #expect(try pruning(spool).candidates(Retention(keep: 0)).isEmpty)
        #expect(try pruning(spool).remove([1, 99]).jobs.isEmpty)
        #expect(spool.list("") == ["a.md"])
        try await spool.drain()
        // Told to wait again between the choice and the removal.
        let chosen = try pruning(spool).candidates(Retention(keep: 0))
        #expect(chosen == [1])
        let steering = Steering(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        _ = try await steering.apply(.retry, to: [1])
        #expect(try pruning(spool).remove(chosen).jobs.isEmpty)
        #expect(spool.list("") == ["a.md"])
    }
}
