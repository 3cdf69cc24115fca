import Foundation
import Testing

@testable import Spool

@Suite struct ThresholdsTests {
    @Test func record_failuresInARow_crossFailFast() {
        var counts = Thresholds(failFast: 2, totalMax: 4)
        #expect(counts.record(.failed) == nil)
        #expect(counts.record(.blocked) == .failFast)
        #expect(counts.failStreak == 2 && counts.failTotal == 2)
    }

    @Test func record_success_endsTheStreakAndNotTheTotal() {
        var counts = Thresholds(failFast: 2, totalMax: 3)
        for outcome in [Thresholds.Outcome.failed, .success, .failed, .success] { #expect(counts.record(outcome) == nil) }
        #expect(counts.record(.failed) == .totalFailures)
    }

    @Test(arguments: [Thresholds.Outcome.held, .deferred, .cancelled]) func record_noFailure_changesNothing(
        outcome: Thresholds.Outcome
    ) {
        var counts = Thresholds(failFast: 2, totalMax: 2, failStreak: 1, failTotal: 1)
        #expect(counts.record(outcome) == nil)
        #expect(counts.failStreak == 1 && counts.failTotal == 1)
    }

    @Test func record_bothReached_isFailFast() {
        var counts = Thresholds(failFast: 1, totalMax: 1)
        #expect(counts.record(.failed) == .failFast)
    }

    @Test func record_afterTheCrossing_tellsItOnlyOnce() {
        var counts = Thresholds(failFast: 1, totalMax: 9)
        #expect(counts.record(.failed) == .failFast)
        #expect(counts.record(.failed) == nil)
        #expect(counts.crossing == .failFast)
        counts.reset()
        #expect(counts.crossing == nil)
        #expect(counts.record(.failed) == .failFast)
    }

    @Test func crossing_afterARestart_isSeenFromTheCounts() {
        #expect(Thresholds(failFast: 3, totalMax: 8, failStreak: 0, failTotal: 8).crossing == .totalFailures)
    }

    @Test func exitCodes_areTheContracts() {
        #expect(Thresholds.Crossing.failFast.exitCode == 10 && Thresholds.Crossing.totalFailures.exitCode == 11)
    }
}

@Suite struct HoldFileTests {
    private func hold(lastPrompt: String = "b.md") -> HoldFile {
        HoldFile(
            .failFast, Thresholds(failFast: 2, totalMax: 4, failStreak: 2, failTotal: 3), runID: "run-1", lastPrompt: lastPrompt,
            profile: "production", at: 0)
    }

    @Test func text_isTheGoldenText() {
        #expect(
            hold().text(root: "/my spool") == """
                This spool is on hold: nothing new starts until someone resumes it.
                Why: 2 failed in a row (threshold 2)
                Go on with: flowspool resume --spool '/my spool' (or delete this file; both set the counts to 0)

                kind: fail_fast
                reason: 2 failed in a row (threshold 2)
                run: run-1
                fail_streak: 2
                fail_total: 3
                threshold: 2
                last_prompt: b.md
                profile: production
                since_utc: 1970-01-01T00:00:00Z

                """)
    }

    @Test(arguments: hostileNames) func read_afterWrite_givesItBack(name: String) throws {
        let folder = try ContractFolder()
        try hold(lastPrompt: "x\(name)").write(in: folder.directory)
        #expect(try HoldFile.exists(in: folder.directory))
        #expect(try HoldFile.read(in: folder.directory) == hold(lastPrompt: "x\(name)"))
    }

    @Test func read_noFile_isNoHold() throws {
        let folder = try ContractFolder()
        #expect(try !HoldFile.exists(in: folder.directory))
        #expect(try HoldFile.read(in: folder.directory) == nil)
        try HoldFile.remove(in: folder.directory)
    }

    @Test(arguments: [
        ("", "set by hand"), ("\n\n", "set by hand"), ("disk swap, back at noon\nmore\n", "disk swap, back at noon"),
        ("reason: maintenance", "maintenance"), ("kind: nonsense\nfail_total: many\n", "set by hand"),
    ]) func read_madeByHand_isAHoldByHand(text: String, reason: String) throws {
        let folder = try ContractFolder()
        try folder.write(text, to: .hold)
        let hold = try #require(try HoldFile.read(in: folder.directory))
        #expect(hold.kind == .byHand && hold.reason == reason && hold.failTotal == nil)
    }

    @Test func read_noText_isStillAHold() throws {
        let folder = try ContractFolder()
        try Data([0xFF, 0x00, 0x80]).write(to: URL(fileURLWithPath: folder.pathOf(.hold)))
        #expect(try HoldFile.read(in: folder.directory)?.kind == .byHand)
    }

    @Test func remove_liftsIt() throws {
        let folder = try ContractFolder()
        try hold().write(in: folder.directory)
        try HoldFile.remove(in: folder.directory)
        #expect(try folder.names.isEmpty)
    }
}
