// What one run lets wait for another attempt, and the next one's policy does not allow.

import Foundation
import Testing

@testable import Spool

@Suite struct NextRunsPolicyTests {
    private let later: (inout RunSettings) -> Void = {
        $0.retryDelayMilliseconds = 3_600_000
        $0.deferredWaitMaxMilliseconds = 0
    }

    /// Makes a prompt fail once under a policy that tries it again later, and has its time come.
    private func failedOnce(_ spool: TestSpool) async throws {
        try spool.drop("a.md", "echo >> $OUT/ran; false")
        try await spool.drain(profile: "poc", adjust: later)
        #expect(try spool.job("a.md")?.state == .deferred)
        try spool.ledger().write { tx in
            var job = try #require(try tx.job(named: "a.md"))
            job.delay = 0
            try tx.save(job, expecting: .deferred, why: nil, now: 1)
        }
    }

    @Test func retryThatTheNextRunDoesNotAllow_failsUnrun() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try await failedOnce(spool)
        let ending = try await spool.drain(profile: "production")
        #expect(ending.failed == 1 && ending.failures.total == 1)
        #expect(try String(contentsOfFile: spool.folder.path + "/ran", encoding: .utf8) == "\n")
        let job = try #require(try spool.job("a.md"))
        #expect(job.state == .failed && job.status == .blocked && job.attempts == 1)
        #expect(job.reason.contains("retry_max=0"), "\(job.reason)")
        #expect(spool.list("failed") == ["a.md"])
        #expect(try spool.text("failed/a.md").contains("status: blocked"))
        let found = try SpoolCheck(spool: SpoolFolder.open(at: spool.path), ledger: spool.ledger()).violations()
        #expect(found.isEmpty, "\(found)")
    }

    @Test func retryThatTheNextRunAllows_isMade() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try await failedOnce(spool)
        try await spool.drain(profile: "poc")
        #expect(try String(contentsOfFile: spool.folder.path + "/ran", encoding: .utf8) == "\n\n")
        #expect(try spool.job("a.md")?.attempts == 2)
    }

    /// `retry` gives what has used up its attempts a fresh budget.
    @Test func retryByHand_isMade() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try await failedOnce(spool)
        try await spool.drain(profile: "production")
        let id = try #require(try spool.job("a.md")?.id)
        _ = try await Steering(path: spool.path).apply(.retry, to: [id])
        try await spool.drain(profile: "production")
        #expect(try String(contentsOfFile: spool.folder.path + "/ran", encoding: .utf8) == "\n\n")
    }
}
