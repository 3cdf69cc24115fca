import Foundation
import Testing

@testable import Spool

/// Files that somebody made to do harm, through a whole drain (docs/hostile-input.md). Beside each stands a good prompt, which runs.
@Suite struct HostileFilesTests {
    private struct Outcome {
        let spool: TestSpool
        let ending: RunEnding
        func reason(_ name: String) throws -> String { try #require(try spool.job(name)).reason }
    }

    private func drain(_ make: (TestSpool) throws -> Void) async throws -> Outcome {
        let spool = try TestSpool()
        try spool.drop("good.md", "echo good >> $OUT/trace")
        try make(spool)
        let ending = try await spool.drain(profile: "poc")
        #expect(spool.list("done").contains("good.md"))
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
        return Outcome(spool: spool, ending: ending)
    }

    @Test func sparseFileOfATerabyte_isRefusedUnread() async throws {
        let outcome = try await drain { spool in
            let descriptor = open(spool.path + "/big.md", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
            defer { close(descriptor) }
            // Where the file system has no files of this size, a smaller one does as well.
            if ftruncate(descriptor, 1 << 40) != 0 { #expect(ftruncate(descriptor, 1 << 30) == 0) }
        }
        defer { outcome.spool.remove() }
        #expect(try outcome.reason("big.md").hasPrefix("too_large"))
        #expect(outcome.spool.list("failed") == ["big.md", "big.md.why.txt"])
    }

    /// Only root can give files away, so only root can try this one; the spool then belongs to root and the file to nobody.
    @Test(.enabled(if: geteuid() == 0)) func anotherUsersFile_isRefusedUnread() async throws {
        let outcome = try await drain { spool in
            try spool.drop("theirs.md", "echo theirs >> $OUT/trace")
            #expect(chown(spool.path + "/theirs.md", 65534, 65534) == 0)
        }
        defer { outcome.spool.remove() }
        #expect(try outcome.reason("theirs.md").hasPrefix("other_owner: it belongs to user 65534"))
        #expect(outcome.spool.list("failed") == ["theirs.md", "theirs.md.why.txt"])
        #expect(try outcome.spool.text("../trace") == "good\n")
    }

    /// A child that writes as fast as the machine can: the log keeps its bound, the head, the tail and the mark between them.
    @Test func logFlood_keepsHeadTailAndMark() async throws {
        let limit = 1 << 16
        let spool = try TestSpool()
        defer { spool.remove() }
        try spool.drop("flood.md", "echo the head; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo the tail")
        let runner = ScriptRunner(logBytesMax: limit)
        #expect(try await spool.dispatcher(runner: runner).run().succeeded == 1)
        let runs = spool.path + "/runs"
        let name = try #require(FileManager.default.subpaths(atPath: runs)?.first { $0.hasSuffix("block-001.log") })
        let log = try String(contentsOfFile: runs + "/" + name, encoding: .utf8)
        #expect(log.utf8.count <= limit && log.utf8.count > limit / 4)
        #expect(log.hasPrefix("the head\nxxx") && log.hasSuffix("xxx\nthe tail\n"))
        #expect(log.components(separatedBy: "bytes were cut here, the log is bounded").count == 2)
    }

    @Test func socket_isRefused() async throws {
        let outcome = try await drain { spool in
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            // A path of at most 107 bytes: bound elsewhere, then moved in.
            let short = "/tmp/fs-\(UUID().uuidString.prefix(8))"
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(bound == 0)
            #expect(rename(short, spool.path + "/sock.md") == 0)
        }
        defer { outcome.spool.remove() }
        #expect(try outcome.reason("sock.md").contains("socket"))
    }

    @Test func oddNames_areOnlyNames() async throws {
        let names = ["-rf.md", "--help.md", "a..md", "x y.md", "$(touch x).md", "`id`.md", ";ls.md", "'\".md", "%41.md", "*.md"]
        let long = String(repeating: "n", count: 252) + ".md"
        let outcome = try await drain { spool in
            for name in names + [long] { try spool.drop(name, "echo ran >> $OUT/trace") }
        }
        defer { outcome.spool.remove() }
        #expect(outcome.spool.list("done").sorted() == (names + [long, "good.md"]).sorted())
        #expect(outcome.ending.succeeded == names.count + 2)
    }

    /// Names that are one text to Swift, or to people, but are two files.
    @Test func twins_areTwoJobs() async throws {
        let outcome = try await drain { spool in
            for name in ["Case.md", "case.md", "\u{E9}.md", "e\u{301}.md"] { try spool.drop(name, "echo ran >> $OUT/trace") }
        }
        defer { outcome.spool.remove() }
        #expect(outcome.ending.succeeded == 5)
        #expect(outcome.spool.list("done").count == 5)
        #expect(try outcome.spool.text("../trace").split(separator: "\n").count == 5)
    }

    @Test func yamlBomb_isFiledAsFailedQuickly() async throws {
        var front = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            front += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", "))]\n"
        }
        let outcome = try await drain { try $0.drop("bomb.md", "echo boom >> $OUT/trace", front: front) }
        defer { outcome.spool.remove() }
        #expect(outcome.spool.list("failed").contains("bomb.md"))
        #expect(try outcome.spool.text("../trace") == "good\n")
    }

    @Test func fenceOfAMegabyte_isTooLargeOrRuns_butNeverBoth() async throws {
        let body = "true # " + String(repeating: "x", count: 1 << 20)
        let outcome = try await drain { try $0.drop("fence.md", body) }
        defer { outcome.spool.remove() }
        #expect(try outcome.reason("fence.md").hasPrefix("too_large"))
    }

    /// The author's own copy, hard-linked into the spool, is stamped by nobody.
    @Test func hardLink_leavesTheOtherNameAlone() async throws {
        let outcome = try await drain { spool in
            try spool.folder.write("```bash\necho linked >> $OUT/trace\n```\n", to: "master.md")
            #expect(link(spool.folder.path + "/master.md", spool.path + "/linked.md") == 0)
        }
        defer { outcome.spool.remove() }
        #expect(try outcome.spool.text("../master.md") == "```bash\necho linked >> $OUT/trace\n```\n")
        #expect(outcome.spool.list("done") == ["good.md", "linked.md"])
    }
}
