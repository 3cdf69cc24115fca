// What the contract files lack because a runner was killed, and what a log that cannot be written costs.

import Foundation
import Testing

@testable import Spool

@Suite struct ContractJournalTests {
    private static func id(_ name: String) -> String { "\(name)--0123456789ab" }

    private static func job(_ number: Int64, _ name: String, _ state: JobState, _ status: JobStatus) -> Job {
        var job = Job(waiting: Admission(name: name), now: 1)
        job.id = number
        job.promptID = id(name)
        job.end(state, status, reason: "", now: 2)
        return job
    }

    private func write(_ events: [RunEvent], _ files: ContractFiles) async -> [FlowspoolError] {
        await writing(events, files).errors
    }

    private func writing(_ events: [RunEvent], _ files: ContractFiles) async -> (errors: [FlowspoolError], isComplete: Bool) {
        let (seen, input) = AsyncStream.makeStream(of: FlowspoolError.self)
        let journal = ContractJournal(files: files) { input.yield($0) }
        for event in events { journal.take(event) }
        journal.finish()
        await journal.run()
        input.finish()
        return (await seen.reduce(into: []) { $0.append($1) }, journal.isComplete)
    }

    @Test func logThatCannotBeWritten_costsNoListALine() async throws {
        let calls = SystemCalls { call, path in call == .write && path.hasSuffix(ContractFile.log.name) ? EIO : nil }
        let folder = try ContractFolder(calls: calls)
        let files = try ContractFiles(root: folder.directory)
        let events: [RunEvent] = [
            .finished(Self.job(1, "a.md", .done, .success), nil), .finished(Self.job(2, "b.md", .failed, .failed), nil),
            .blocked(Self.job(3, "c.md", .failed, .blocked), []),
        ]
        let written = await writing(events, files)
        // The next run makes up for it.
        #expect(written.errors.count == 1 && !written.isComplete)
        #expect(try folder.text(.state) == "\(Self.id("a.md"))\n")
        #expect(try folder.text(.failed) == "\(Self.id("b.md"))\n\(Self.id("c.md"))\n")
    }

    @Test func promptThatIsBlockedWithoutACode_isLoggedWithItsReason() async throws {
        let folder = try ContractFolder()
        let files = try ContractFiles(root: folder.directory)
        var job = Self.job(1, "a.md", .failed, .blocked)
        job.reason = "lane: not one of those in spool.yaml"
        let written = await writing([.blocked(job, [])], files)
        #expect(written.isComplete && written.errors.isEmpty)
        #expect(try folder.text(.log).contains("job=1 lane: not one of"))
    }

    @Test func whatAKilledRunnerDidNotWrite_isMadeUpFor_once() throws {
        let folder = try ContractFolder()
        try folder.write("\(Self.id("a.md"))\n", to: .state)
        try folder.write("\(Self.id("b.md"))\n", to: .failed)
        let files = try ContractFiles(root: folder.directory)
        let journal = ContractJournal(files: files) { Issue.record($0) }
        let jobs = [
            Self.job(1, "a.md", .done, .success), Self.job(2, "b.md", .done, .success), Self.job(3, "c.md", .done, .success),
            Self.job(4, "d.md", .failed, .failed), Self.job(5, "e.md", .failed, .blocked),
            Self.job(6, "f.md", .cancelled, .cancelled),
        ]
        for _ in 0..<2 { journal.catchUp(with: jobs) }
        #expect(try folder.text(.state) == ["a.md", "b.md", "c.md"].map { Self.id($0) + "\n" }.joined())
        #expect(try folder.text(.failed) == ["d.md", "e.md"].map { Self.id($0) + "\n" }.joined())
        let events = try folder.text(.log).split(separator: "\n").map { line in
            let event = try JSON.parse(String(line))
            return "\(event["event"]?.stringValue ?? "") \(event["prompt"]?.stringValue ?? "")"
        }
        #expect(events == ["prompt_success b.md", "prompt_success c.md", "prompt_failed d.md", "prompt_blocked e.md"])
    }

    /// Whoever empties the list wants everything to run again.
    @Test func emptiedList_staysEmpty() throws {
        let folder = try ContractFolder()
        let files = try ContractFiles(root: folder.directory)
        let journal = ContractJournal(files: files) { Issue.record($0) }
        journal.catchUp(with: [Self.job(1, "a.md", .done, .success)])
        #expect(try folder.text(.state).isEmpty)
    }

    /// Between the beginning of a run and its end the ledger remembers that the files may lack something.
    @Test func ledger_tellsWhatHasEndedSinceARunThatWasCutOff() throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        for (name, finished) in [("a.md", 10), ("b.md", 30), ("c.md", 20)] {
            try ledger.write { tx in
                let admitted = try tx.admit(Admission(name: name), arrival: 1, now: 1)
                var job = try tx.require(try #require(admitted))
                job.end(.done, .success, reason: "", now: Int64(finished))
                try tx.save(job, expecting: .queued, why: "done", now: 1)
            }
        }
        #expect(try ledger.write { try $0.beginWritingFiles(now: 15) }.isEmpty)
        #expect(try ledger.write { try $0.beginWritingFiles(now: 40) }.map(\.name) == ["c.md", "b.md"])
        try ledger.write { try $0.endWritingFiles() }
        #expect(try ledger.write { try $0.beginWritingFiles(now: 5) }.isEmpty)
    }
}
