// What this run has moved and the ledger still has as under way: while another job runs for long, that can be so for a while. The author
// may do with a filed prompt then whatever is done with it later, and a crash then loses nothing.

import Foundation
import Synchronization
import Testing

@testable import Spool

/// A clock on which short waits pass at once and long ones never: what has moved stays unconfirmed.
private final class ShortWaitsClock: SpoolClock {
    private let now = Mutex(Int64(1000))
    func wallMilliseconds() -> Int64 { SystemClock().wallMilliseconds() }
    func monotonicMilliseconds() -> Int64 { now.withLock { $0 } }
    func sleep(milliseconds: Int64) async throws {
        if milliseconds > 100 { try await SystemClock().sleep(milliseconds: .max / 2_000_000) }
        now.withLock { $0 += milliseconds }
    }
}

@Suite struct MovedBackTests {
    /// Two at a time, and one of them is at work until it is let go.
    private final class Bench: Sendable {
        let spool: TestSpool
        private let gate: String

        init() throws {
            spool = try TestSpool()
            gate = spool.folder.path + "/gate"
            mkfifo(gate, 0o600)
            try spool.drop("0-long.md", "read < $OUT/gate || true")
        }

        func run(
            profile: String = "production", calls: SystemCalls = .live, adjust: (inout RunSettings) -> Void = { _ in },
            _ next: (Job) throws -> [String]?
        ) async throws -> RunEnding {
            let watching = try WatchingRun(
                spool, profile: profile, calls: calls, clock: ShortWaitsClock(),
                adjust: {
                    $0.jobs = 2
                    adjust(&$0)
                })
            return try await watching.run { job in
                // Found by the look that a run begins with.
                guard let job else { return [] }
                if job.name == "0-long.md" { return nil }
                if let names = try next(job) { return names }
                letGo()
                return []
            }
        }

        func letGo() {
            let descriptor = open(gate, O_WRONLY | O_CLOEXEC)
            close(descriptor)
        }

        var trace: String { (try? String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8)) ?? "" }
        var jobs: [Job] {
            get throws { try spool.ledger().read { try $0.page(nil, after: 0, limit: 99) }.sorted { $0.id < $1.id } }
        }

        func expectSound() throws {
            let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
            #expect(try check.violations().isEmpty)
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["done", "failed"])
    func prompt_isTheSameJobAgain(_ place: String) async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("a.md", "echo ran >> $OUT/trace; [ \(place) = done ] || [ -f $OUT/mended ]")
        _ = try await bench.run { job in
            #expect(job.id == 2)
            if job.attempts == 2 { return nil }
            _ = FileManager.default.createFile(atPath: spool.folder.path + "/mended", contents: nil)
            try spool.moveBack(place + "/a.md")
            return ["a.md"]
        }
        #expect(bench.trace == "ran\nran\n")
        #expect(try bench.jobs.map(\.name) == ["0-long.md", "a.md"] && bench.jobs.map(\.attempts) == [1, 2])
        #expect(spool.list("done") == ["0-long.md", "a.md"] && spool.list("failed").isEmpty && spool.list("").isEmpty)
        try bench.expectSound()
    }

    /// A new prompt under the name of one that is filed is another job.
    @Test(.timeLimit(.minutes(1))) func newPromptOfThatName_isAnotherJob() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("a.md", "echo one >> $OUT/trace")
        _ = try await bench.run { job in
            if job.id == 3 { return nil }
            try spool.drop("a.md", "echo two >> $OUT/trace")
            return ["a.md"]
        }
        #expect(bench.trace == "one\ntwo\n")
        #expect(try bench.jobs.map(\.name) == ["0-long.md", "a.md", "a.md"])
        #expect(spool.list("done") == ["0-long.md", "a.3.md", "a.md"])
        try bench.expectSound()
    }

    /// As when a folder is refilled; also in the instant after the prompt was put back, before anybody else knows that it was.
    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func keptPromptThatIsReplaced_runs(_ isAtOnce: Bool) async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        let kept = spool.path + "/k.md"
        try spool.drop("k.md", "echo one >> $OUT/trace", front: "move_to_completed: no")
        let replace: @Sendable () -> Bool = {
            guard let text = try? String(contentsOfFile: kept, encoding: .utf8), text.contains("last_event"),
                text.contains("echo one")
            else { return false }
            let other = "---\nmove_to_completed: no\n---\n```bash\necho two >> $OUT/trace\n```\n"
            return (try? Data(other.utf8).write(to: URL(fileURLWithPath: kept), options: .atomic)) != nil
        }
        let told = Mutex<[String]>([])
        let calls = SystemCalls { call, path in
            // The runner looks how it stands there now.
            if isAtOnce, call == .fstatat, path == kept, replace() { told.withLock { $0.append("replaced") } }
            return nil
        }
        _ = try await bench.run(calls: calls) { job in
            if job.id == 3 { return nil }
            if isAtOnce { return [] }
            while !replace() {
                try Task.checkCancellation()
                sched_yield()
            }
            return ["k.md"]
        }
        #expect(told.withLock { $0.count } == (isAtOnce ? 1 : 0))
        #expect(bench.trace == "one\ntwo\n")
        #expect(try bench.jobs.map(\.id) == [1, 2, 3] && spool.list("") == ["k.md"])
        try bench.expectSound()
        // It stands as it was put back.
        try await spool.drain(profile: "production")
        #expect(bench.trace == "one\ntwo\n")
    }

    /// What the runner itself puts back, and tells itself of, does not run again.
    @Test(.timeLimit(.minutes(1)), arguments: [0, 1])
    func keptPromptThatStays_doesNot(_ status: Int) async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("k.md", "echo one >> $OUT/trace; exit \(status)", front: "move_to_completed: no")
        _ = try await bench.run { job in
            if job.name == "other.md" { return nil }
            while (try? spool.text("k.md").contains("last_event")) != true {
                try Task.checkCancellation()
                sched_yield()
            }
            try spool.drop("other.md", "true")
            return ["k.md", "other.md"]
        }
        try await spool.drain(profile: "production")
        #expect(bench.trace == "one\n")
        #expect(try bench.jobs.map(\.attempts).max() == 1 && spool.list("") == ["k.md"])
        try bench.expectSound()
    }

    /// A prompt that intake or a claim has refused is mended where it was put, and moved back: the same inode.
    @Test(.timeLimit(.minutes(1))) func refusedPromptThatIsMended_runs() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("big.md", "# " + String(repeating: "x", count: 3000))
        _ = try await bench.run(adjust: { $0.sizeMax = 2000 }) { job in
            if job.state == .done { return nil }
            #expect(job.reason.hasPrefix("too_large"))
            let filed = spool.path + "/failed/big.md"
            let descriptor = open(filed, O_WRONLY | O_TRUNC | O_CLOEXEC)
            let text = Array("```bash\necho mended >> $OUT/trace\n```\n".utf8)
            #expect(write(descriptor, text, text.count) == text.count)
            close(descriptor)
            try spool.moveBack("failed/big.md")
            return ["big.md"]
        }
        #expect(bench.trace == "mended\n")
        #expect(try bench.jobs.map(\.id) == [1, 2] && spool.list("done") == ["0-long.md", "big.md"])
        try bench.expectSound()
    }

    /// A job that waits for its next attempt stands in the drop folder again: it has not to wait for the other job as well.
    @Test(.timeLimit(.minutes(1))) func deferredJob_hasItsNextAttempt_whileAnotherRuns() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("r.md", "echo try >> $OUT/trace; [ $(wc -l < $OUT/trace) = 2 ]")
        _ = try await bench.run(profile: "poc", adjust: { $0.retryDelayMilliseconds = 50 }) { job in
            #expect(job.state == .done && job.attempts == 2)
            return nil
        }
        #expect(bench.trace == "try\ntry\n")
        try bench.expectSound()
    }
}

/// States in which a crash finds such a spool.
@Suite struct UnconfirmedMoveTests {
    private struct Bench {
        let spool: TestSpool
        let ledger: Ledger
        let folder: SpoolFolder
        var filing: Filing { Filing(spool: folder, ledger: ledger) }

        init() throws {
            spool = try TestSpool()
            ledger = try spool.ledger()
            folder = try SpoolFolder.open(at: spool.path)
        }

        /// A job that has run, and whose last move the ledger has as under way.
        func filed(_ name: String, _ block: String, front: String = "") async throws {
            try spool.drop(name, block, front: front)
            try await spool.drain(profile: "production")
            try ledger.write {
                try $0.execute(
                    "UPDATE jobs SET from_place = 'active', from_file = file, file_signature = NULL WHERE name = ?", [name])
            }
        }

        var intake: Intake {
            Intake(spool: folder, ledger: ledger, filing: filing, clock: SystemClock(), sizeMax: 1 << 20, isDone: { _ in true })
        }

        func claim(_ name: String) throws {
            _ = try intake.scan(isDraining: true)
            let claim = Claim(
                spool: folder, ledger: ledger, filing: filing, quiet: QuietPeriod(), clock: SystemClock(), sizeMax: 1000)
            _ = try claim.claim(try #require(try spool.job(name)))
        }

        func expectSound() throws { #expect(try SpoolCheck(spool: folder, ledger: ledger).violations().isEmpty) }
    }

    /// It would be taken for the file of the first job, and filed as that.
    @Test func nextPromptOfThatName_hasAnotherNameInActive_andIsNotLost() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try await bench.filed("a.md", "echo one >> $OUT/trace")
        try spool.drop("a.md", "echo two >> $OUT/trace")
        try bench.claim("a.md")
        #expect(spool.list("active") == ["a.2.md"])
        let done = try spool.text("done/a.md")
        // The runner dies here.
        try await spool.drain(profile: "production")
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "one\ntwo\n")
        #expect(spool.list("done") == ["a.2.md", "a.md"])
        #expect(try spool.text("done/a.md") == done && spool.text("done/a.2.md").contains("echo two"))
        try bench.expectSound()
    }

    /// The same in `held/`, which a person's command moves files out of.
    @Test func nameInHeld_isNotGivenOutBeforeTheMoveIsConfirmed() async throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        try await bench.filed("a.md", "true")
        #expect(try bench.filing.freeName("a.md", job: 7, in: .held) == "a.md")
        try bench.ledger.write { try $0.execute("UPDATE jobs SET from_place = 'held'", []) }
        #expect(try bench.filing.freeName("a.md", job: 7, in: .held) == "a.7.md")
        #expect(try bench.filing.freeName("a.md", job: 7, in: .active) == "a.md")
        #expect(try bench.filing.freeName("a.md", job: 7, in: .failed) == "a.md")
    }

    /// Its author takes it out of `held/` to mend it. It is checked anew, and no approval is remembered.
    @Test func heldPromptThatIsMovedBack_isTheSameJob() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        let flags = [ToggleFlag(name: "--warn-mode", toggle: .warnMode, text: "ask")]
        try spool.drop("a.md", "echo ran >> $OUT/trace # odd")
        for _ in 0..<2 {
            try await spool.drain(profile: "production", flags: flags, shell: WordCheck(word: "odd"))
            #expect(spool.list("held") == ["a.md"] && spool.list("").isEmpty)
            #expect(try bench.ledger.read { try $0.page(nil, after: 0, limit: 9) }.map(\.state) == [.held])
            try bench.expectSound()
            try spool.moveBack("held/a.md")
        }
        // A name in `held/` is its job's, also while the file is not there.
        #expect(try bench.filing.freeName("a.md", job: 7, in: .held) == "a.7.md")
        #expect(try bench.filing.freeName("a.md", job: 1, in: .held) == "a.md")
        try spool.drop("a.md", "echo mended >> $OUT/trace")
        try await spool.drain(profile: "production", flags: flags, shell: WordCheck(word: "odd"))
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "mended\n")
        #expect(try bench.ledger.read { try $0.page(nil, after: 0, limit: 9) }.map(\.state) == [.done])
        try bench.expectSound()
    }

    /// Two filed prompts of one name: the one that is moved back is the one that is gone, not the newest.
    @Test func olderOneThatIsMovedBack_isItself() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("a.md", "true")
        try await spool.drain(profile: "production")
        try spool.drop("a.md", "exit 1")
        try await spool.drain(profile: "production")
        try spool.moveBack("done/a.md")
        #expect(try bench.intake.scan(isDraining: true).admitted == [1])
    }

    /// Both are gone, and one of them stands in the drop folder. A name that its owner's file has left is not given out in between.
    @Test func oneOfTwoThatAreGone_isKnownByItsContent() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("a.md", "exit 1")
        try await spool.drain(profile: "production")
        try spool.drop("a.md", "exit 2")
        #expect(try bench.intake.scan(isDraining: true).admitted == [2])
        let first = try spool.text("failed/a.md")
        try FileManager.default.removeItem(atPath: spool.path + "/failed/a.md")
        try await spool.drain(profile: "poc")
        #expect(spool.list("failed") == ["a.2.md"])
        #expect(try SpoolCheck(spool: bench.folder, ledger: bench.ledger).violations().map(\.code) == [.fileMissing])
        try FileManager.default.removeItem(atPath: spool.path + "/failed/a.2.md")
        // As an older version may have left it.
        try bench.ledger.write { try $0.execute("UPDATE jobs SET file = 'a.md'", []) }
        try Data(first.utf8).write(to: URL(fileURLWithPath: spool.path + "/a.md"))
        #expect(try bench.intake.scan(isDraining: true).admitted == [1])
    }

    /// The author puts another prompt in the place of one that is being claimed: it becomes a job of its own, and the first claim's move
    /// takes it.
    @Test func promptThatTwoClaimsMean_isOneJobs() throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("a.md", "echo one")
        let intake = bench.intake
        #expect(try intake.scan(isDraining: true).admitted == [1])
        let claim = Claim(
            spool: bench.folder, ledger: bench.ledger, filing: bench.filing, quiet: QuietPeriod(), clock: SystemClock(),
            sizeMax: 1000)
        func open(_ id: Int64) throws -> OpenPrompt {
            guard case .open(let prompt) = try claim.open(try #require(try bench.ledger.read { try $0.job(id) })) else {
                throw FlowspoolError(.bug, "job \(id) cannot be claimed")
            }
            return prompt
        }
        let first = try #require(try claim.commit([try open(1)])[0])
        let other = URL(fileURLWithPath: spool.path + "/.other")
        try Data("```bash\necho two\n```\n".utf8).write(to: other)
        #expect(rename(other.path, spool.path + "/a.md") == 0)
        #expect(try intake.scan(isDraining: true).admitted == [2])
        // Both are claimed before either file has moved.
        let second = try #require(try claim.commit([try open(2)])[0])
        guard case .moved(_, let changed?) = try claim.move(first) else {
            Issue.record("the first claim has not got the other file")
            return
        }
        #expect(String(decoding: changed, as: UTF8.self).contains("echo two"))
        guard case .over(.withdrawn(let job)) = try claim.move(second) else {
            Issue.record("both claims have one file")
            return
        }
        #expect(job.id == 2 && spool.list("active") == ["a.md"] && spool.list("").isEmpty)
    }

    /// A job waits for a file that is gone; what is put back in its place would be taken for that file, and run again.
    @Test func promptThatIsPutBack_getsNoNameThatAnotherJobWaitsFor() throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("k.md", "true")
        #expect(try bench.intake.scan(isDraining: true).admitted == [1])
        try FileManager.default.removeItem(atPath: spool.path + "/k.md")
        #expect(try bench.filing.freeName("k.md", job: 7, in: .drop) == "k.7.md")
        #expect(try bench.ledger.write { try bench.filing.freeName("k.md", job: 7, in: .drop, $0) } == "k.7.md")
        #expect(try bench.filing.freeName("k.md", job: 1, in: .drop) == "k.md")
    }

    @Test func keptPromptThatWasReplaced_ownsNoFile() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        let front = "move_to_completed: no"
        for (turn, text) in ["echo one", "echo two", "echo one"].enumerated() {
            try spool.drop("k.md", text + " >> $OUT/trace", front: front)
            try await spool.drain(profile: "production")
            let places = try bench.ledger.read { try $0.page(nil, after: 0, limit: 9) }.sorted { $0.id < $1.id }.map(\.place)
            #expect(places == Array(repeating: .none, count: turn) + [.drop])
        }
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "one\ntwo\none\n")
        try bench.expectSound()
    }

    /// A check meets it before intake does.
    @Test func promptThatIsMovedBack_isNotMissing() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try await bench.filed("a.md", "true")
        func codes() throws -> [Violation.Code] {
            try SpoolCheck(spool: bench.folder, ledger: bench.ledger).violations().map(\.code)
        }
        try spool.moveBack("done/a.md")
        #expect(try codes() == [.moveUnfinished])
        try FileManager.default.removeItem(atPath: spool.path + "/a.md")
        #expect(try codes().contains(.fileMissing))
    }

    @Test func promptThatIsMovedBack_isTheSameJob_onlyOnceItHasLeftActive() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try await bench.filed("a.md", "echo ran >> $OUT/trace")
        // On its way, it stands in `active/`: what stands in the drop folder is another.
        try FileManager.default.moveItem(atPath: spool.path + "/done/a.md", toPath: spool.path + "/active/a.md")
        try spool.drop("a.md", "true")
        #expect(try bench.intake.scan(isDraining: true).admitted == [2])
        // Somebody takes that away; and the first one is filed, and moved back.
        try FileManager.default.removeItem(atPath: spool.path + "/a.md")
        #expect(try bench.intake.scan(isDraining: true).withdrawn.map(\.id) == [2])
        try FileManager.default.moveItem(atPath: spool.path + "/active/a.md", toPath: spool.path + "/a.md")
        #expect(try bench.ledger.write { try $0.execute("DELETE FROM jobs WHERE id = 2") } == ())
        #expect(try bench.intake.scan(isDraining: true).admitted == [1])
        let job = try #require(try spool.job("a.md"))
        #expect(job.state == .queued && job.fromPlace == nil && job.fromFile == nil)
    }

    /// The runner died before it noted how a kept prompt stands there. What counts is whether it is the prompt that ran.
    @Test(arguments: [0, 1], ["k.md", "k.1.md"])
    func keptPrompt_afterACrash_runsAgainIfItIsAnother(_ status: Int, _ name: String) async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        let front = "move_to_completed: no"
        try await bench.filed("k.md", "echo one >> $OUT/trace; exit \(status)", front: front)
        // Put back under another name, where a new prompt had taken its own.
        rename(spool.path + "/k.md", spool.path + "/" + name)
        try bench.ledger.write { try $0.execute("UPDATE jobs SET file = ?, from_file = ?", [name, name]) }
        try await spool.drain(profile: "production")
        func trace() throws -> String { try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) }
        #expect(try trace() == "one\n")
        try bench.ledger.write {
            try $0.execute("UPDATE jobs SET from_place = 'active', from_file = file, file_signature = NULL", [])
        }
        try spool.drop(name, "echo two >> $OUT/trace", front: front)
        try await spool.drain(profile: "production")
        #expect(try trace() == "one\ntwo\n")
        try bench.expectSound()
    }

    /// `retry` moved it away and died; another job's prompt was filed under its name meanwhile.
    @Test func retriedPrompt_isNotTheOneThatTookItsName() async throws {
        let bench = try Bench()
        let spool = bench.spool
        defer { spool.remove() }
        try spool.drop("a.md", "exit 1")
        try await spool.drain(profile: "production")
        try spool.drop("b.md", "exit 1")
        try await spool.drain(profile: "production")
        let moved = Mutex(false)
        let calls = SystemCalls { call, path in
            // It has moved its file, and cannot make sure of it.
            guard call == .fsync, path.hasSuffix("/failed") else { return nil }
            return moved.withLock { moved in
                defer { moved = true }
                return EIO
            }
        }
        let steering = Steering(spool: try SpoolFolder.make(at: spool.path, calls: calls), ledger: bench.ledger)
        _ = try? await steering.apply(.retry, to: [1])
        #expect(moved.withLock { $0 } && spool.list("failed") == ["b.md"] && spool.list("") == ["a.md"])
        try FileManager.default.moveItem(atPath: spool.path + "/failed/b.md", toPath: spool.path + "/failed/a.md")
        try bench.ledger.write { try $0.execute("UPDATE jobs SET file = 'a.md' WHERE id = 2", []) }
        let job = try #require(try bench.ledger.read { try $0.job(1) })
        #expect(job.fromPlace == .failed && job.fileSignature != nil)
        #expect(try bench.filing.isMoveMade(job))
        #expect(try bench.filing.finishMove(job).file == "a.md")
        #expect(spool.list("failed") == ["a.md"] && spool.list("") == ["a.md"])
    }
}

@Suite struct MovesToConfirmTests {
    private func job(_ id: Int64, _ state: JobState) -> Job {
        var job = Job(waiting: Admission(name: "\(id).md"), now: 1)
        job.id = id
        job.state = state
        return job
    }

    @Test func they_areDue_whenTheyAreMany_orTheFirstIsOld_orOneOfThemWaits() {
        var moves = MovesToConfirm()
        #expect(moves.isEmpty && moves.deadline == nil && !moves.areDue(now: .max))
        moves.add(job(1, .done), now: 10)
        moves.add(job(2, .failed), now: 500)
        #expect(moves.deadline == 10 + MovesToConfirm.waitMax)
        #expect(!moves.areDue(now: 9 + MovesToConfirm.waitMax) && moves.areDue(now: 10 + MovesToConfirm.waitMax))
        let taken = moves.take()
        #expect(taken.map(\.id) == [1, 2] && moves.isEmpty && moves.deadline == nil)
        moves.add(job(3, .done), now: 20)
        moves.putBack(taken, due: 7000)
        #expect(moves.jobs.map(\.id) == [1, 2, 3] && moves.deadline == 7000 && !moves.areDue(now: 6999))
        moves.add(job(4, .deferred), now: 30)
        #expect(moves.areDue(now: 30))
        _ = moves.take()
        for id in 1..<Int64(MovesToConfirm.groupMax) { moves.add(job(id, .done), now: 1) }
        #expect(!moves.areDue(now: 2))
        moves.add(job(99, .done), now: 2)
        #expect(moves.areDue(now: 2))
    }
}
