// `flowspool fsck`: does the spool keep its promises? Looks without changing anything; with --repair it takes the runner's lock and
// mends what can be mended without loss. Exit 0 where all is well (now), 1 where a promise is broken.

import ArgumentParser
import Spool

struct FsckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck",
        abstract: "Check that ledger and folders keep the spool's promises.",
        discussion: """
            Each violation names the promise (1 to 6, docs/spool.md “What is guaranteed”). With --repair, whatever can be mended
            without loss is mended; no file is deleted or overwritten. What a killed runner left unfinished is listed too, and is
            mended by the next start as well. Exit status 0: clean; 1: a promise is broken.

            EXAMPLE
              flowspool fsck
              flowspool fsck --repair
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Flag(help: "Mend what can be mended without loss; no runner may be at work.")
    var `repair` = false

    @Flag(help: "Print one JSON document.")
    var json = false

    func run() async throws {
        try await reportingErrors {
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let (left, mended) = try await `repair` ? mend(spool) : (look(spool), [])
            if json {
                try StandardOutput.write(Self.document(spool, left, mended))
            } else {
                try StandardOutput.write(Self.text(spool, left, mended))
            }
            if !left.isEmpty { throw ExitCode(1) }
        }
    }

    private func look(_ spool: SpoolFolder) throws -> [Violation] {
        try SpoolCheck(spool: spool, ledger: try Ledger.look(at: spool)).violations()
    }

    private func mend(_ spool: SpoolFolder) async throws -> (left: [Violation], mended: [Violation]) {
        let lock = try RunnerLock(spool, command: "fsck", now: SystemClock().wallMilliseconds())
        let contractLock = try ContractLock(root: spool.root)
        defer { withExtendedLifetime(contractLock) {} }
        let check = SpoolCheck(spool: spool, ledger: try Ledger(existingIn: spool))
        let done = try await check.repair(lock: lock, executor: LocalExecutor(runsDirectory: spool.runs.path))
        return (done.after, done.mended)
    }

    static func document(_ spool: SpoolFolder, _ left: [Violation], _ mended: [Violation]) -> JSON {
        [
            "spool": .string(spool.path), "clean": .bool(left.isEmpty), "violations": .array(left.map(json)),
            "mended": .array(mended.map(json)),
        ]
    }

    private static func json(_ violation: Violation) -> JSON {
        [
            "promise": .int(violation.code.promise), "code": .string(violation.code.rawValue),
            "job": JSON(violation.job.map(Int.init)), "path": JSON(violation.path), "message": .string(violation.message),
        ]
    }

    private static func text(_ spool: SpoolFolder, _ left: [Violation], _ mended: [Violation]) -> String {
        var lines = mended.map { "mended    " + line($0) } + left.map { "violated  " + line($0) }
        if left.isEmpty {
            lines.append("clean     \(printable(spool.path))")
        } else if left.contains(where: { $0.code.isLeftByCrash }) {
            lines.append("hint      the next start mends what a killed runner left; `flowspool fsck --repair` does it now")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func line(_ violation: Violation) -> String {
        let job = violation.job.map { "job \($0): " } ?? ""
        let path = violation.path.map { "\(printable($0)): " } ?? ""
        return "promise \(violation.code.promise)  \(violation.code.rawValue)  \(job)\(path)\(printable(violation.message))"
    }
}
