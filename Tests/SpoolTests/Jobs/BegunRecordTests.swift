import Foundation
import Testing

@testable import Spool

/// What is written down of attempts that have begun, and what the next start makes of it.
@Suite struct BegunRecordTests {
    private typealias Entry = BegunRecord.Entry

    @Test func attemptThatWasTakenBack_hasNotBegun() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let runs = try SpoolFolder.open(at: spool.path).runs
        let record = try #require(try BegunRecord.begin(runs, mark: 1))
        try record.note(1, attempt: 1)
        try record.note(2, attempt: 3)
        try record.takeBack(1)
        let entries = try #require(BegunRecord.read(runs, mark: 1))
        #expect(!entries.contains(.init(job: 1, attempt: 1)) && entries.contains(.init(job: 2, attempt: 3)))
        try record.note(4, attempt: 1)
        #expect(try #require(BegunRecord.read(runs, mark: 1)) == [.init(job: 2, attempt: 3), .init(job: 4, attempt: 1)])
    }

    @Test func record_namesWhatBegan_untilItsSlotIsNeeded() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let runs = try SpoolFolder.open(at: spool.path).runs
        #expect(BegunRecord.read(runs, mark: 1) == nil)
        let record = try #require(try BegunRecord.begin(runs, mark: 1))
        #expect(BegunRecord.read(runs, mark: 1) == [])
        try record.note(7, attempt: 1)
        try record.note(8, attempt: 1)
        try record.note(7, attempt: 2)
        #expect(BegunRecord.read(runs, mark: 1) == [Entry(job: 7, attempt: 2), Entry(job: 8, attempt: 1)])
        record.forget(7)
        // What has ended may stay, but takes up no room for long.
        try record.note(9, attempt: 1)
        #expect(BegunRecord.read(runs, mark: 1) == [Entry(job: 9, attempt: 1), Entry(job: 8, attempt: 1)])
        #expect(try spool.text("runs/" + BegunRecord.name).utf8.count == 3 * BegunRecord.slotBytes)
        let mode = try #require(try runs.status(BegunRecord.name)?.mode)
        #expect(mode == 0o600)
        _ = try BegunRecord.begin(runs, mark: 1)
        #expect(BegunRecord.read(runs, mark: 1) == [])
    }

    /// Somebody's folder under its name is neither removed nor read.
    @Test func folderOfItsName_isNoRecord() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let runs = try SpoolFolder.open(at: spool.path).runs
        _ = try runs.makeFolder(BegunRecord.name)
        #expect(try BegunRecord.begin(runs, mark: 1) == nil)
        #expect(BegunRecord.read(runs, mark: 1) == nil)
        #expect(try runs.status(BegunRecord.name)?.kind == .folder)
    }

    @Test func recordThatCannotBeMade_isNone_andAnOldOneIsGone() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        _ = try BegunRecord.begin(try SpoolFolder.open(at: spool.path).runs, mark: 1)
        let full = SystemCalls { call, path in call == .pwrite && path.hasSuffix(BegunRecord.name) ? ENOSPC : nil }
        let runs = try SpoolFolder.open(at: spool.path, calls: full).runs
        #expect(try BegunRecord.begin(runs, mark: 1) == nil)
        #expect(BegunRecord.read(runs, mark: 1) == nil)
    }

    /// Job 1 is recorded as started together with its claim; the runner died.
    private func crashed(isMoved: Bool, write: (Directory) throws -> Void) throws -> TestSpool {
        let spool = try TestSpool()
        try spool.drop("a.md", "echo ran >> $OUT/trace")
        let folder = try SpoolFolder.open(at: spool.path)
        let identity = try #require(try folder.root.status("a.md")).identity
        try spool.ledger().write { tx in
            _ = try tx.admit(Admission(name: "a.md"), arrival: 1, now: 1)
            var job = try tx.require(1)
            job.state = .active
            job.place = .active
            job.fromPlace = .drop
            job.fromFile = "a.md"
            job.fileSignature = identity
            job.attempts = 1
            job.budgetUsed = 1
            job.policyJSON = #"{"retry_max":"0"}"#
            try tx.save(job, expecting: .queued, why: "claimed", now: 1)
            try tx.startAttempt(job, runDirectory: "runs/2026-01-01/1/attempt-1", now: 1)
            try tx.setFact(.begunMark, 1)
        }
        if isMoved { try FileManager.default.moveItem(atPath: spool.path + "/a.md", toPath: spool.path + "/active/a.md") }
        try write(folder.runs)
        return spool
    }

    @Test(arguments: [true, false]) func attemptThatNeverBegan_doesNotCount(_ isMoved: Bool) async throws {
        let spool = try crashed(isMoved: isMoved) { _ = try BegunRecord.begin($0, mark: 1) }
        defer { spool.remove() }
        try await spool.drain(profile: "production")
        #expect(spool.list("done") == ["a.md"] && spool.list("") == [])
        #expect(try spool.ledger().read { try $0.attempts(of: 1) }.map(\.outcome) == [.success])
        #expect(try spool.job("a.md")?.budgetUsed == 1)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "ran\n")
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
    }

    enum Told: String, CaseIterable {
        case begun, nothing, anotherBoot, anotherLedger, torn, itsResult, itsLog, itsTranscript, noFolder
    }

    /// It began, or nobody can say that it did not: then it is never run again unasked, wherever its file was left.
    @Test(arguments: Told.allCases, [true, false])
    func attemptThatMayHaveBegun_isInterrupted(_ told: Told, _ isMoved: Bool) async throws {
        let spool = try crashed(isMoved: isMoved) { runs in
            guard told != .nothing else { return }
            // A spool that was restored but for its runs.
            let record = try #require(try BegunRecord.begin(runs, mark: told == .anotherLedger ? 2 : 1))
            if told == .begun { try record.note(1, attempt: 1) }
            // A copy of the ledger that was made while it ran.
            let traces: [Told: String] = [
                .itsResult: RunFolder.resultName, .itsLog: RunFolder.logName(2), .itsTranscript: "transcript.jsonl",
            ]
            let job = try runs.makeFolder("2026-01-01").makeFolder("1")
            if told == .noFolder { _ = try job.create("attempt-1") }
            if let name = traces[told] { try job.makeFolder("attempt-1").replace(name, with: Data("x".utf8), mode: 0o600) }
            let path = runs.pathOf(BegunRecord.name)
            var text = try String(contentsOfFile: path, encoding: .utf8)
            if told == .anotherBoot { text = text.replacingOccurrences(of: ProcessTable.bootIdentifier(), with: "0-0") }
            if told == .torn { text += "1" }
            try text.write(toFile: path, atomically: false, encoding: .utf8)
        }
        defer { spool.remove() }
        try await spool.drain(profile: "production")
        #expect(spool.list("failed") == ["a.md"] && spool.list("") == [])
        #expect(try spool.job("a.md")?.status == .interrupted)
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(try spool.ledger().read { try $0.page(nil, after: 0, limit: 9) }.count == 1)
    }
}
