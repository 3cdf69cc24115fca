// What one hostile prompt may cost: each way to ask for endless work or memory ends in `parser_failed`.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt)) struct ShellBudgetTests {
    private func failure(_ text: String, _ adjust: (inout ShellLimits) -> Void = { _ in }) async throws -> String? {
        var analyzer = try ShellAnalyzer()
        adjust(&analyzer.limits)
        return await analyzer.analyze(block(text)).findings.first { $0.code == .parserFailed }?.message
    }

    /// A clock that goes on by a second whenever it is looked at.
    private func hastyClock() -> SecondsClock {
        let seconds = Mutex(0.0)
        return {
            seconds.withLock {
                $0 += 1
                return $0
            }
        }
    }

    @Test func stepsBeyondTheBudget_areNotPassed() async throws {
        let text = "for i in $(seq 9); do a; b; done\n"
        #expect(try await failure(text) == nil)
        let message = try await failure(text) { $0.stepsMax = 5 }
        #expect(message == "the block could not be judged: what it runs takes more than 5 steps to follow")
    }

    @Test func valuesBeyondTheBudget_areNotPassed() async throws {
        let text = "a=\(String(repeating: "x", count: 2_000))\necho \"$a$a\"\n"
        #expect(try await failure(text) == nil)
        let message = try await failure(text) { $0.valueBytesMax = 5_000 }
        #expect(message == "the block could not be judged: the values that it makes take more than 0 MiB")
    }

    @Test func timeBeyondTheBudget_isNotPassed() async throws {
        let text = String(repeating: "a\n", count: 2_000)
        #expect(try await failure(text) == nil)
        let message = try await failure(text) {
            $0.clock = hastyClock()
            $0.seconds = 5
        }
        #expect(message == "the block could not be judged: to judge it took more than 5 s")
    }

    /// A runner that was stopped while shfmt was at work.
    @Test func walkBehindASlowParser_hasItsShare() {
        let now = Mutex(0.0)
        func at(_ seconds: Double) { now.withLock { $0 = seconds } }
        var limits = ShellLimits()
        limits.clock = { now.withLock { $0 } }
        let budget = ShellBudget(limits)
        at(3_600)
        budget.beginWalk()
        at(3_600.9)
        for _ in 0..<1_000 { _ = budget.spendStep() }
        #expect(budget.shortage == nil)
        at(3_601.1)
        for _ in 0..<1_000 { _ = budget.spendStep() }
        #expect(budget.shortage == .time)
    }

    @Test func blockThatWasTooSlow_isKeptForTheRunAtHandOnly() async throws {
        let cache = InMemoryShellReportCache()
        var analyzer = try ShellAnalyzer(cache: cache)
        analyzer.limits.clock = hastyClock()
        let text = String(repeating: "a\n", count: 2_000)
        #expect(await analyzer.analyze(block(text)).isCached == false)
        #expect(await analyzer.analyze(block(text)).isCached)

        let folder = try TestFolder()
        defer { folder.remove() }
        let ledger = try Ledger(path: folder.path + "/ledger.sqlite")
        let report = CachedReport(findings: [], commands: ["ls"])
        let kept = LedgerShellCache(ledger: ledger)
        kept.store(report, for: "slow", isLasting: false)
        kept.store(report, for: "sound", isLasting: true)
        #expect(kept.lookup("slow") == nil)
        #expect(kept.lookup("sound") == report)
    }

    private static let growing: [String: String] = [
        "a string that runs itself twice": "x='eval \"$x$x\"'; eval \"$x\"",
        "a string that runs itself with itself": "x='eval \"$x\" \"$x\"'; eval \"$x\"",
        "an array that doubles": "a=(x x)\n" + String(repeating: "a=(\"${a[@]}\" \"${a[@]}\")\n", count: 40) + "echo \"${a[@]}\"",
        "a value that doubles": "a=r\n" + String(repeating: "a=$a$a\n", count: 60) + "$a",
        "an addition that doubles": "a=r\n" + String(repeating: "a+=$a\n", count: 60) + "echo $a",
        "a replacement that multiplies": "a=\(String(repeating: "x", count: 4_000))\n"
            + String(repeating: "a=${a//x/xxxxxxxxxxxxxxxxxxxxxxxxxxxx}\n", count: 9) + "$a",
        "wildcards": "echo " + String(repeating: "*", count: 900_000),
        "braces": "echo " + String(repeating: "{a,b}", count: 30_000),
        "open braces": "echo " + String(repeating: "{", count: 200_000),
        "pipes": "a" + String(repeating: " | a", count: 100_000),
        "arithmetic in arithmetic": "echo " + String(repeating: "$((", count: 100_000),
        "commands": (0..<60_000).map { "echo line \($0)\n" }.joined(),
        "eval before eval": String(repeating: "eval ", count: 20_000) + "rm -rf /srv",
        "a pattern against a long text": "a=\(String(repeating: "x", count: 500_000))\necho ${a%%*y*z*}",
    ]

    @Test(arguments: growing.keys.sorted()) func endlessWork_isNotPassed(_ name: String) async throws {
        let text = try #require(Self.growing[name])
        #expect(try await failure(text + "\n") != nil)
    }

    @Test func manyFindings_areCutBehindTheFirstOfEachKind() async throws {
        let text = String(repeating: "sudo a; ", count: 3_000) + "git push -f\n"
        let findings = await (try ShellAnalyzer()).analyze(block(text)).findings
        #expect(Set(findings.map(\.code)) == [.privilege, .forcePush])
        #expect(findings.count == ShellEvaluator.hitsMax + 1)
    }

    @Test func blocksBeyondThePromptsTime_areNotPassed() async throws {
        var context = PreflightContext(repoRoot: "/", searchPath: "/usr/bin:/bin")
        context.clock = hastyClock()
        context.blocksSecondsMax = 3
        let text = String(repeating: "```bash\nsudo id\n```\n\n", count: 9)
        let preflight = Preflight(context: context, resolver: try TestSpool.resolver(), shell: WordCheck(word: "sudo"))
        let report = await preflight.check(PromptFile.read(name: "a.md", bytes: Data(text.utf8)))
        #expect(report.warnings.map(\.code) == [.destructiveFS, .destructiveFS, .parserFailed])
        #expect(report.warnings.last?.line == 9)
    }
}
