// One file that the kernel will not move or look at, among others: it keeps none of them waiting, in this run or in the next.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct ImmovableFileTests {
    /// A file that is mounted there by itself, as containers have them.
    @Test(arguments: [EBUSY, EPERM, EXDEV]) func fileThatMayNotBeMoved_keepsNoOtherWaiting(_ code: Int32) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try Data("x".utf8).write(to: URL(fileURLWithPath: spool.path + "/bound.pdf"))
        let calls = SystemCalls { call, path in call == .renameat2 && path.hasSuffix("/bound.pdf") ? code : nil }
        for name in ["a.md", "b.md"] {
            try spool.drop(name, "true")
            let events = EventList()
            let ending = try await spool.drain(profile: "production", events: events, calls: calls)
            #expect(ending.why == .done && ending.succeeded == 1)
            #expect(!events.troubles.isEmpty && events.troubles.allSatisfy { $0.contains("bound.pdf") }, "\(events.troubles)")
        }
        #expect(spool.list("done") == ["a.md", "b.md"] && spool.list("") == ["bound.pdf"])
        #expect(try spool.ledger().read { try $0.counts()[.failed] } == 1)
        // It may be moved now.
        try await spool.drain(profile: "production")
        #expect(spool.list("").isEmpty && spool.list("failed").first == "bound.pdf")
        #expect(try spool.ledger().read { try $0.counts()[.failed] } == 1)
    }

    /// A prompt that cannot be claimed for that: it fails, and is filed once it may be moved.
    @Test(arguments: [EBUSY, EPERM]) func promptThatMayNotBeMoved_failsAndKeepsNoOtherWaiting(_ code: Int32) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "bound.md", "c.md"] { try spool.drop(name, "echo \(name) >> $OUT/trace") }
        let calls = SystemCalls { call, path in call == .renameat2 && path.hasSuffix("/bound.md") ? code : nil }
        let ending = try await spool.drain(profile: "production", calls: calls)
        #expect(ending.why == .done && ending.succeeded == 2 && ending.failed == 1)
        #expect(spool.list("done") == ["a.md", "c.md"] && spool.list("") == ["bound.md"] && spool.list("failed").isEmpty)
        let job = try #require(try spool.job("bound.md"))
        #expect(job.status == .blocked && job.reason.hasPrefix("immovable: ") && job.attempts == 0)
        // Still not, and then it may.
        #expect(try await spool.drain(profile: "production", calls: calls).failed == 0)
        try await spool.drain(profile: "production")
        #expect(spool.list("failed") == ["bound.md"] && spool.list("").isEmpty)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "a.md\nc.md\n")
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
    }

    /// A damaged inode.
    @Test(arguments: [EUCLEAN, EIO]) func fileThatCannotBeLookedAt_keepsNoOtherWaiting(_ code: Int32) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        for name in ["a.md", "bad.md", "c.md"] { try spool.drop(name, "true") }
        let calls = SystemCalls { call, path in call == .fstatat && path.hasSuffix("/bad.md") ? code : nil }
        let ending = try await spool.drain(profile: "production", calls: calls)
        #expect(ending.succeeded == 2 && spool.list("done") == ["a.md", "c.md"] && spool.list("") == ["bad.md"])
    }

    /// What has run and could not be filed is filed by a later start, and does not keep that one from running the others.
    @Test func jobThatCouldNotBeFiled_keepsNoOtherWaitingAfterARestart() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "echo x >> $OUT/trace")
        let hasBegun = Mutex(false)
        let calls = SystemCalls { call, path in
            call == .renameat2 && path.hasSuffix("/active/a.md") && hasBegun.withLock { $0 } ? EBUSY : nil
        }
        let own = Mutex<Dispatcher?>(nil)
        let dispatcher = try spool.dispatcher(
            profile: "production", calls: calls,
            observe: { event in
                switch event {
                case .attemptStarted: hasBegun.withLock { $0 = true }
                case .finished: own.withLock { $0 }?.drain()
                default: break
                }
            }, adjust: { $0.drains = false })
        own.withLock { $0 = dispatcher }
        _ = try await dispatcher.run()
        own.withLock { $0 = nil }
        #expect(spool.list("active") == ["a.md"])
        try spool.drop("b.md", "true")
        let ending = try await spool.drain(profile: "production", calls: calls)
        #expect(ending.succeeded == 1 && spool.list("done") == ["b.md"] && spool.list("active") == ["a.md"])
        try await spool.drain(profile: "production")
        #expect(spool.list("done") == ["a.md", "b.md"] && spool.list("failed").isEmpty)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "x\n")
    }
}
