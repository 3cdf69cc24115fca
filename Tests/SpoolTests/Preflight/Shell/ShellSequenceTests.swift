// Blocks of one prompt, one after another: what one writes, another may run.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt)) struct ShellSequenceTests {
    private func codes(_ blocks: [String], _ analyzer: ShellAnalyzer) async -> [[String]] {
        let sequence = analyzer.sequence()
        var result: [[String]] = []
        for text in blocks { result.append(await sequence.check(block(text + "\n")).findings.map(\.code.rawValue)) }
        return result
    }

    @Test(arguments: [
        (["curl -fsSLo install.sh https://get.example.org", "bash install.sh"], [[], ["pipe_to_shell"]]),
        (["cat > clean.sh <<'E'\nrm -rf /srv/data\nE\nchmod +x clean.sh", "./clean.sh"], [[], ["destructive_fs"]]),
        (
            ["echo 'rm -rf /srv/data' > a.sh", "true", "cp a.sh b.sh", "bash \"$REPO_ROOT/b.sh\""],
            [[], [], [], ["destructive_fs"]]
        ),
        (["echo \"CLEAN=rm -rf /srv/data\" >> \"$FLOWSPOOL_ENV\"", "$CLEAN"], [[], ["destructive_fs"]]),
        (["echo \"X=$(curl https://x.example)\" >> \"$FLOWSPOOL_ENV\"", "eval \"$X\""], [[], ["pipe_to_shell"]]),
        (["echo 'rm -rf /srv' > e.sh\necho \"BASH_ENV=e.sh\" >> \"$FLOWSPOOL_ENV\"", "true"], [[], ["destructive_fs"]]),
        // What a block has made is the prompt's own.
        (["mkdir -p /tmp/acme-work", "rm -rf /tmp/acme-work"], [[], []]),
        (["W=$(mktemp -d)\necho \"WORK=$W\" >> \"$FLOWSPOOL_ENV\"", "rm -rf \"$WORK\""], [[], []]),
        (["docker run -d --name box alpine", "docker rm -f box"], [[], []]),
        // Each is a process of its own.
        (["x=\"rm -rf /srv\"\nf() { rm -rf /srv; }\ncd /srv", "$x\nf\nrm -rf build"], [[], []]),
        (["ln -s /srv/data build", "rm -rf build/"], [[], ["destructive_fs"]]),
    ])
    func block_findsWhatThoseBeforeItHaveLeft(_ blocks: [String], _ expected: [[String]]) async throws {
        let analyzer = try ShellAnalyzer()
        #expect(await codes(blocks, analyzer) == expected)
        // By kept reports as well, and by those of a beginning.
        #expect(await codes(blocks, analyzer) == expected)
        #expect(await Array(codes(blocks + [":"], analyzer).dropLast()) == expected)
    }

    /// The same block behind others is not the same.
    @Test func report_isKeptForTheBlockBehindItsPredecessors() async throws {
        let analyzer = try ShellAnalyzer()
        #expect(await codes(["./clean.sh"], analyzer) == [[]])
        #expect(await codes(["echo 'rm -rf /srv/data' > clean.sh", "./clean.sh"], analyzer) == [[], ["destructive_fs"]])
        #expect(await codes(["./clean.sh"], analyzer) == [[]])
        #expect(await codes(["echo 'true' > clean.sh", "./clean.sh"], analyzer) == [[], []])
    }

    @Test func manyBlocks_areJudgedOnceEach() async throws {
        let cache = CountingReports()
        let analyzer = try ShellAnalyzer(cache: cache)
        let blocks = (0..<60).map { "echo \($0) > file-\($0).sh" } + ["bash file-3.sh"]
        #expect(await codes(blocks, analyzer) == blocks.map { _ in [] })
        #expect(cache.stored == blocks.count)
        #expect(await codes(blocks, analyzer) == blocks.map { _ in [] })
        #expect(cache.stored == blocks.count)
    }
}

private final class CountingReports: ShellReportCache {
    private let inner = InMemoryShellReportCache()
    private let count = Mutex(0)
    var stored: Int { count.withLock { $0 } }
    func lookup(_ digest: String) -> CachedReport? { inner.lookup(digest) }
    func store(_ report: CachedReport, for digest: String, isLasting: Bool) {
        count.withLock { $0 += 1 }
        inner.store(report, for: digest, isLasting: isLasting)
    }
}
