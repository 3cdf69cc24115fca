import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct ClaimTests {
    private struct Bench {
        let spool: TestSpool
        let ledger: Ledger
        let claim: Claim

        init(calls: SystemCalls = .live, quiet: Int64 = 0, sizeMax: Int = 1000) throws {
            spool = try TestSpool()
            ledger = try spool.ledger()
            let folder = try SpoolFolder.make(at: spool.path, calls: calls)
            claim = Claim(
                spool: folder, ledger: ledger, filing: Filing(spool: folder, ledger: ledger),
                quiet: QuietPeriod(milliseconds: quiet),
                clock: SystemClock(), sizeMax: sizeMax)
        }

        func admit(_ name: String) throws -> Job {
            _ = try ledger.write { try $0.admit(Admission(name: name), arrival: 1, now: 1) }
            return try #require(try ledger.read { try $0.job(named: name) })
        }
    }

    @Test func claim_whenWriterStillHasFileOpen_waits() throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let path = bench.spool.path + "/a.md"
        let writer = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        #expect(write(writer, "part", 4) == 4)
        let job = try bench.admit("a.md")
        guard case .busy = try bench.claim.claim(job) else { return #expect(Bool(false), "claimed while being written") }
        #expect(bench.spool.list("active").isEmpty)
        #expect(write(writer, "ial", 3) == 3)
        close(writer)
        guard case .claimed(let claimed, let bytes) = try bench.claim.claim(job) else { return #expect(Bool(false)) }
        #expect(String(decoding: bytes, as: UTF8.self) == "partial")
        #expect(claimed.state == .active)
        #expect(bench.spool.list("active") == ["a.md"])
        #expect(try bench.spool.job("a.md")?.state == .active)
    }

    /// Trouble, and no look at the file succeeded since: only that is the second time.
    @Test func claim_ofAFileThatCouldBeReadMeanwhile_isTroubleAgain() throws {
        let fails = Mutex(true)
        let bench = try Bench(
            calls: SystemCalls { call, path in call == .read && path.hasSuffix("/a.md") && fails.withLock { $0 } ? EIO : nil })
        defer { bench.spool.remove() }
        try bench.spool.drop("a.md", "true")
        let job = try bench.admit("a.md")
        #expect(throws: SystemCallError.self) { _ = try bench.claim.open(job) }
        fails.withLock { $0 = false }
        guard case .open = try bench.claim.open(job) else { return #expect(Bool(false), "not open") }
        fails.withLock { $0 = true }
        #expect(throws: SystemCallError.self) { _ = try bench.claim.open(job) }
        #expect(try bench.spool.job("a.md")?.state == .queued)
        guard case .over(.refused(let refused)) = try bench.claim.open(job) else { return #expect(Bool(false), "not refused") }
        #expect(refused.reason.hasPrefix("unreadable: ") && bench.spool.list("failed").contains("a.md"))
    }

    @Test func claim_commitsToTheLedgerBeforeTheFileMoves() throws {
        let stateAtMove = Mutex<JobState?>(nil)
        let path = Mutex("")
        let bench = try Bench(
            calls: SystemCalls { call, _ in
                if call == .renameat2 {
                    let ledger = try? Ledger(path: path.withLock { $0 } + "/.flowspool/ledger.sqlite")
                    stateAtMove.withLock { $0 = try? ledger?.read { try $0.job(named: "a.md")?.state } }
                }
                return nil
            })
        defer { bench.spool.remove() }
        path.withLock { $0 = bench.spool.path }
        try bench.spool.drop("a.md", "true")
        _ = try bench.claim.claim(try bench.admit("a.md"))
        #expect(stateAtMove.withLock { $0 } == .active)
    }

    /// Folders are no prompts: the file that stood there was taken away.
    @Test func folder_inThePlaceOfAWaitingPrompt_isLeftAlone() throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let path = bench.spool.path + "/x.md"
        try bench.spool.drop("x.md", "true")
        let job = try bench.admit("x.md")
        unlink(path)
        mkdir(path, 0o700)
        guard case .withdrawn(let ended) = try bench.claim.claim(job) else { return #expect(Bool(false)) }
        #expect(ended.state == .cancelled && bench.spool.list("") == ["x.md"] && bench.spool.list("failed").isEmpty)
    }

    @Test(arguments: ["link", "fifo", "large"])
    func claim_ofWhatIsNoSmallRegularFile_refusesWithoutOpening(_ kind: String) throws {
        let opened = Mutex(false)
        let bench = try Bench(
            calls: SystemCalls { call, path in
                if call == .openat, path.hasSuffix("/x.md") { opened.withLock { $0 = true } }
                return nil
            })
        defer { bench.spool.remove() }
        let path = bench.spool.path + "/x.md"
        switch kind {
        case "link": symlink("/etc/hostname", path)
        case "fifo": mkfifo(path, 0o600)
        default: try Data(count: 1001).write(to: URL(fileURLWithPath: path))
        }
        guard case .refused(let job) = try bench.claim.claim(try bench.admit("x.md")) else { return #expect(Bool(false)) }
        #expect(!opened.withLock { $0 })
        #expect(job.state == .failed)
        #expect(job.status == .blocked)
        #expect(bench.spool.list("failed").contains("x.md"))
        #expect(bench.spool.list("failed").contains("x.md.why.txt"))
        #expect(!bench.spool.list("").contains("x.md"))
    }

    @Test func claim_ofAVanishedFile_cancelsTheJob() throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let job = try bench.admit("gone.md")
        guard case .withdrawn = try bench.claim.claim(job) else { return #expect(Bool(false)) }
        #expect(try bench.spool.job("gone.md")?.state == .cancelled)
    }

    @Test func claim_whenTheFileIsReplacedBetweenLookAndMove_readsWhatItMoved() throws {
        let path = Mutex("")
        let bench = try Bench(
            calls: SystemCalls { call, _ in
                guard call == .renameat2 else { return nil }
                let file = path.withLock { $0 } + "/a.md"
                try? Data("second".utf8).write(to: URL(fileURLWithPath: file + ".new"))
                rename(file + ".new", file)
                return nil
            })
        defer { bench.spool.remove() }
        path.withLock { $0 = bench.spool.path }
        try Data("first".utf8).write(to: URL(fileURLWithPath: bench.spool.path + "/a.md"))
        guard case .claimed(_, let bytes) = try bench.claim.claim(try bench.admit("a.md")) else { return #expect(Bool(false)) }
        #expect(String(decoding: bytes, as: UTF8.self) == "second")
    }

    @Test func claim_whenALinkTakesThePlaceOfTheFile_neverReadsThroughIt() throws {
        let path = Mutex("")
        let bench = try Bench(
            calls: SystemCalls { call, _ in
                guard call == .renameat2 else { return nil }
                let file = path.withLock { $0 } + "/a.md"
                unlink(file)
                symlink("/etc/hostname", file)
                return nil
            })
        defer { bench.spool.remove() }
        path.withLock { $0 = bench.spool.path }
        try Data("first".utf8).write(to: URL(fileURLWithPath: bench.spool.path + "/a.md"))
        guard case .refused(let job) = try bench.claim.claim(try bench.admit("a.md")) else { return #expect(Bool(false)) }
        #expect(job.reason.hasPrefix("symbolic_link"))
    }

    /// From the read to the move under its lease, the kernel lets no writer in.
    @Test func claim_fromReadToMove_keepsWritersOut() throws {
        let path = Mutex("")
        let refused = Mutex(Set<SystemCall>())
        // The kernel tells the holder of a lease of the writer by SIGIO, which ends a process that does not ignore it.
        signal(SIGIO, SIG_IGN)
        let bench = try Bench(
            calls: SystemCalls { call, _ in
                guard call == .read || call == .renameat2 else { return nil }
                let writer = open(path.withLock { $0 } + "/a.md", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
                if writer < 0, errno == EWOULDBLOCK { _ = refused.withLock { $0.insert(call) } } else { close(writer) }
                return nil
            })
        defer { bench.spool.remove() }
        path.withLock { $0 = bench.spool.path }
        try bench.spool.drop("a.md", "true")
        guard case .claimed = try bench.claim.claim(try bench.admit("a.md")) else { return #expect(Bool(false)) }
        #expect(refused.withLock { $0 } == [.read, .renameat2])
    }

    /// Another file took its place, and its writer is still at work: half of a prompt is never run, nor stamped over the whole.
    @Test(arguments: [1, 1000]) func claim_ofAFileThatGrowsWhileItIsRead_takesAllOrNothing(_ growths: Int) throws {
        let path = Mutex("")
        let left = Mutex(growths)
        let bench = try Bench(
            calls: SystemCalls { call, file in
                let folder = path.withLock { $0 }
                if call == .renameat2, left.withLock({ $0 == growths }) {
                    try? Data("first".utf8).write(to: URL(fileURLWithPath: folder + "/a.md.new"))
                    rename(folder + "/a.md.new", folder + "/a.md")
                }
                guard call == .read, file.hasPrefix(folder + "/active/"), left.withLock({ $0 > 0 }) else { return nil }
                left.withLock { $0 -= 1 }
                let writer = open(folder + "/active/a.md", O_WRONLY | O_APPEND | O_CLOEXEC)
                _ = write(writer, "+", 1)
                close(writer)
                return nil
            })
        defer { bench.spool.remove() }
        path.withLock { $0 = bench.spool.path }
        try bench.spool.drop("a.md", "true")
        switch try bench.claim.claim(try bench.admit("a.md")) {
        case .claimed(_, let bytes): #expect(growths == 1 && String(decoding: bytes, as: UTF8.self) == "first+")
        case .refused(let job): #expect(growths > 1 && job.reason.hasPrefix("unreadable: it changed"))
        default: #expect(Bool(false))
        }
        #expect(bench.spool.list("active").count + bench.spool.list("failed").count { !$0.hasSuffix(".txt") } == 1)
    }

    @Test func claim_whenANameIsTakenInActive_takesANumberedOne() throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        try Data("other".utf8).write(to: URL(fileURLWithPath: bench.spool.path + "/active/a.md"))
        try bench.spool.drop("a.md", "true")
        guard case .claimed(let job, _) = try bench.claim.claim(try bench.admit("a.md")) else { return #expect(Bool(false)) }
        #expect(job.file == "a.1.md")
        #expect(try bench.spool.text("active/a.md") == "other")
    }

    @Test func commit_ofSeveral_claimsThemAtOnceAndLeavesWhatSomebodyElseHasMoved() throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        let prompts = try ["a.md", "b.md", "c.md"].map { name in
            try bench.spool.drop(name, "true")
            guard case .open(let prompt) = try bench.claim.open(try bench.admit(name)) else { throw CancellationError() }
            return prompt
        }
        var cancelled = prompts[1].job
        cancelled.state = .cancelled
        try bench.ledger.write { _ = try $0.save(cancelled, expecting: .queued, why: "cancelled", now: 2) }
        #expect(try bench.claim.commit(prompts).map { $0 != nil } == [true, false, true])
        #expect(try ["a.md", "b.md", "c.md"].map { try bench.spool.job($0)?.state } == [.active, .cancelled, .active])
    }

    /// A file without a job gets one with its claim, and where that cannot be, nothing is written.
    @Test func claim_ofAFileWithoutAJob_makesItsJob() throws {
        let bench = try Bench()
        defer { bench.spool.remove() }
        #expect(try bench.claim.open(unnumbered: Admission(name: "a.md")) == nil)
        try bench.spool.drop("a.md", "true")
        let prompt = try #require(try bench.claim.open(unnumbered: Admission(name: "a.md", priority: 2)))
        let claimed = try #require(try bench.claim.commit([prompt])[0])
        #expect(claimed.job.id == 1 && claimed.claimed.id == 1 && claimed.job.arrival == 1)
        guard case .moved(let job, nil) = try bench.claim.move(claimed) else { return #expect(Bool(false)) }
        #expect(try bench.spool.job("a.md") == job && job.state == .active && job.priority == 2)
        #expect(try bench.ledger.read { try $0.transitions(of: 1) }.map(\.to) == ["queued", "active"])
        // Its name is taken in active/; then others are known to the ledger: one that waits, one that is on its way.
        try bench.spool.drop("a.md", "other")
        let other = try #require(try bench.claim.open(unnumbered: Admission(name: "a.md")))
        #expect(try bench.claim.commit([other])[0] == nil)
        for state in [JobState.queued, .done, .active] {
            let name = state.rawValue + ".md"
            try bench.spool.drop(name, "true")
            let waiting = try #require(try bench.claim.open(unnumbered: Admission(name: name)))
            var known = try bench.admit(name)
            known.state = state
            if state == .active { (known.place, known.fromPlace, known.fromFile) = (.active, .drop, name) }
            try bench.ledger.write { _ = try $0.save(known, expecting: .queued, why: nil, now: 2) }
            let count = try bench.ledger.read { try $0.page(nil, after: 0, limit: 99) }.count
            #expect(try bench.claim.commit([waiting])[0] == nil)
            #expect(try bench.ledger.read { try $0.page(nil, after: 0, limit: 99) }.count == count)
        }
        // Somebody writes to it.
        let writer = open(bench.spool.path + "/c.md", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(writer) }
        #expect(try bench.claim.open(unnumbered: Admission(name: "c.md")) == nil)
    }

    @Test func quietPeriod_withoutLease_claimsOnlyWhatStoodStill() {
        let quiet = QuietPeriod(milliseconds: 100)
        #expect(!quiet.hasPassed(for: "a", signature: "1", now: 0))
        #expect(!quiet.hasPassed(for: "a", signature: "1", now: 99))
        #expect(!quiet.hasPassed(for: "a", signature: "2", now: 150))
        #expect(!quiet.hasPassed(for: "a", signature: "2", now: 249))
        #expect(quiet.hasPassed(for: "a", signature: "2", now: 250))
    }
}

/// What came of a whole claim.
enum ClaimOutcome {
    case claimed(Job, Data)
    case busy, lost
    case withdrawn(Job)
    case refused(Job)
}

extension Claim {
    /// The steps of one claim, one after the other.
    func claim(_ job: Job) throws -> ClaimOutcome {
        switch try open(job) {
        case .busy: return .busy
        case .over(let end): return outcome(end)
        case .open(let prompt):
            guard let claimed = try commit([prompt])[0] else { return .lost }
            switch try move(claimed) {
            case .over(let end): return outcome(end)
            case .moved(let job, let changed): return .claimed(job, changed ?? prompt.bytes)
            }
        }
    }

    private func outcome(_ end: ClaimEnd) -> ClaimOutcome {
        switch end {
        case .withdrawn(let job): .withdrawn(job)
        case .refused(let job): .refused(job)
        case .lost: .lost
        }
    }
}
