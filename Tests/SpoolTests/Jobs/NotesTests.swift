// The notes beside files that cannot carry a stamp, and the prompts that may bear the name of one.

import Foundation
import Testing

@testable import Spool

@Suite struct NotesTests {
    /// The prompt has removed its own file, or a person has: the ledger names none.
    @Test(arguments: ["production", "poc"]) func jobWhoseFileIsGone_namesNone(_ profile: String) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("a.md", "unlink \"$FLOWSPOOL_PROMPT\"")
        try spool.drop("b.md", "unlink \"$FLOWSPOOL_PROMPT\"; exit 3")
        try spool.drop("c.md", "true")
        try await spool.drain(profile: profile)
        let ledger = try spool.ledger()
        for (name, state) in [("a.md", JobState.done), ("b.md", .failed)] {
            let job = try #require(try spool.job(name))
            #expect(job.state == state && job.place == .none && job.fromPlace == nil)
            #expect(try ledger.read { try $0.transitions(of: job.id) }.last?.why == "its file was gone when it was to be filed")
        }
        #expect(spool.list("done") == ["c.md"] && spool.list("failed").isEmpty && spool.list("active").isEmpty)
        #expect(try SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: ledger).violations().isEmpty)
    }

    private static let noText = Data([0xFF, 0xFE, 0x0A])

    /// `.txt` is an ending of prompts, so `x.md.why.txt` may be one.
    @Test func note_takesNoPromptsPlace() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("x.md.why.txt", "echo the author wrote this; exit 1", front: "retry_max: 0")
        try await spool.drain()
        try Self.noText.write(to: URL(fileURLWithPath: spool.path + "/x.md"))
        try await spool.drain()
        let job = try #require(try spool.job("x.md"))
        #expect(spool.list("failed") == ["x.md", "x.md.why.\(job.id).txt", "x.md.why.txt"])
        #expect(try spool.text("failed/x.md.why.txt").contains("the author wrote this"))
        #expect(try spool.text("failed/x.md.why.\(job.id).txt").hasPrefix("x.md: "))
        let checked = try SpoolCheck(spool: SpoolFolder.open(at: spool.path), ledger: spool.ledger()).violations()
        #expect(checked.isEmpty, "\(checked)")
    }

    /// An older note of the same name is of no use any more.
    @Test func note_takesTheOldNotesPlace() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try FileManager.default.createDirectory(atPath: spool.path + "/failed", withIntermediateDirectories: true)
        try Data("old".utf8).write(to: URL(fileURLWithPath: spool.path + "/failed/x.md.why.txt"))
        try Self.noText.write(to: URL(fileURLWithPath: spool.path + "/x.md"))
        try await spool.drain()
        #expect(spool.list("failed") == ["x.md", "x.md.why.txt"])
        #expect(try spool.text("failed/x.md.why.txt").hasPrefix("x.md: "))
    }

    @Test func retry_takesAwayItsNote_andNoPrompt() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("x.md", "exit 1", front: "retry_max: 0")
        try spool.drop("x.md.why.txt", "exit 1", front: "retry_max: 0")
        try Self.noText.write(to: URL(fileURLWithPath: spool.path + "/y.md"))
        try await spool.drain()
        #expect(spool.list("failed") == ["x.md", "x.md.why.txt", "y.md", "y.md.why.txt"])
        let ids = try ["x.md", "y.md"].map { try #require(try spool.job($0)).id }
        _ = try await Steering(path: spool.path).apply(.retry, to: ids)
        #expect(spool.list("failed") == ["x.md.why.txt"])
    }
}
