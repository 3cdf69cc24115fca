// A prompt that is dropped while nothing else is at work becomes a job with the commit of its claim. Whatever keeps it from that is
// intake's, and nothing has happened to it then.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct DroppedAloneTests {
    private func history(_ spool: TestSpool, _ job: Int64) throws -> [String] {
        try spool.ledger().read { try $0.transitions(of: job) }.map(\.to)
    }

    @Test(.timeLimit(.minutes(1))) func each_isAJobLikeAnyOther_andRunsOnce() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        var names = (10..<20).map { "p\($0).md" }[...]
        let watching = try WatchingRun(spool)
        let ending = try await watching.run { _ in
            guard let name = names.popFirst() else { return nil }
            try spool.drop(name, "echo \(name) >> $OUT/trace", front: name == "p15.md" ? "priority: 7\nlane: slow" : "")
            return [name]
        }
        let all = (10..<20).map { "p\($0).md" }
        #expect(ending.succeeded == 10 && spool.list("done") == all && spool.list("").isEmpty)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == all.map { $0 + "\n" }.joined())
        let ledger = try spool.ledger()
        let jobs = try ledger.read { try $0.page(nil, after: 0, limit: 99) }.sorted { $0.id < $1.id }
        #expect(jobs.map(\.id) == Array(1...10) && jobs.map(\.name) == all && jobs.map(\.arrival) == jobs.map(\.arrival).sorted())
        #expect(Set(jobs.map(\.arrival)).count == 10 && jobs[5].priority == 7 && jobs[5].lane == "slow")
        for job in jobs {
            let history = try history(spool, job.id)
            #expect(history.first == "queued" && history.last == "done")
            let attempts = try ledger.read { try $0.attempts(of: job.id) }
            #expect(attempts.map(\.outcome) == [.success])
            let run = try #require(attempts.first).runDirectory
            #expect(run.hasSuffix("/\(job.id)/attempt-1"))
            #expect(spool.list(run) == ["block-001.log", "block-001.sh", "env", "result.json"])
        }
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: ledger)
        #expect(try check.violations().isEmpty)
        // One commit wrote that they were dropped and that they were claimed, of all but perhaps the first.
        let together = try jobs.count { job in
            let times = try ledger.read { try $0.transitions(of: job.id) }.map(\.at)
            return times[0] == times[1]
        }
        #expect(together >= 9)
        // No spare folder is left, and no other leftover.
        let left = try FileManager.default.contentsOfDirectory(atPath: spool.path + "/runs")
        #expect(left.filter { $0.hasPrefix(Directory.asidePrefix) }.isEmpty)
    }

    /// Settings that come while the run begins are told of as taken once they hold, and not before.
    @Test(.timeLimit(.minutes(1))) func settings_holdForWhatIsDroppedOnceTheyAreTaken() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let dispatcher = Mutex<Dispatcher?>(nil)
        let isTaken = Mutex(false)
        let (input, continuation) = AsyncStream.makeStream(of: SpoolHint.self)
        let observe: @Sendable (RunEvent) -> Void = { event in
            switch event {
            case .started:
                // On the dispatcher's own thread: it cannot have taken anything before this returns.
                var adjustment = RunAdjustment(
                    RunSettings(command: "watch", runID: "test", repoRoot: spool.path, environment: [:]))
                adjustment.sizeMax = 100_000
                dispatcher.withLock { $0 }?.adjust(adjustment) {
                    isTaken.withLock { $0 = true }
                    try? spool.drop("a.md", "true # " + String(repeating: "x", count: 5000))
                    continuation.yield(.file(Array("a.md".utf8)))
                }
                let isTakenAlready = isTaken.withLock { $0 }
                #expect(!isTakenAlready)
            case .finished, .refused, .blocked: dispatcher.withLock { $0 }?.drain()
            default: break
            }
        }
        let run = try spool.dispatcher(observe: observe) {
            $0.drains = false
            $0.sizeMax = 1000
        }
        dispatcher.withLock { $0 = run }
        let ending = try await run.run(hints: input)
        #expect(ending.succeeded == 1)
    }

    /// The event of a writer's close comes while its file, looked at a moment before, is not known to be waited for yet.
    @Test(.timeLimit(.minutes(1))) func fileThatIsClosedWhileItIsLookedAt_isTriedAtOnce() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let looks = Mutex(0)
        let run = Mutex<Dispatcher?>(nil)
        let isHintSeen = DispatchSemaphore(value: 0)
        let calls = SystemCalls { call, path in
            guard path.hasSuffix("/a.md") else { return nil }
            // Intake looks whether the file that the hint names is there.
            if call == .fstatat, looks.withLock({ $0 }) == 2 { isHintSeen.signal() }
            guard call == .fcntl else { return nil }
            let look = looks.withLock { looks in
                looks += 1
                return looks
            }
            if look == 2 {
                run.withLock { $0 }?.take(.file(Array("a.md".utf8)))
                isHintSeen.wait()
            }
            return look <= 2 ? EAGAIN : nil
        }
        // Nothing else would have it tried again in time.
        let watching = try WatchingRun(spool, calls: calls, adjust: { $0.quietMilliseconds = 600_000 })
        run.withLock { $0 = watching.dispatcher }
        let ending = try await watching.run { job in
            guard job == nil else { return nil }
            try spool.drop("a.md", "true")
            return ["a.md"]
        }
        run.withLock { $0 = nil }
        #expect(ending.succeeded == 1 && looks.withLock { $0 } == 3)
    }

    /// Somebody writes a prompt anew while it is being claimed, and waits in open(2): what he writes is what runs. A tool that asks without
    /// waiting (`touch`) changes nothing, and has it run once all the same.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false], [true, false])
    func promptThatIsWrittenToWhileItIsClaimed_isNotLost(_ writes: Bool, _ drains: Bool) async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let hasCome = Mutex(false)
        let calls = SystemCalls { call, path in
            // It is claimed, and about to move to `active/`.
            guard call == .renameat2, path.hasSuffix("/a.md") else { return nil }
            let isFirst = hasCome.withLock { come in
                defer { come = true }
                return !come
            }
            guard isFirst else { return nil }
            // O_PATH, open(2).
            let file = Glibc.open(spool.path + "/a.md", 0o10_000_000 | O_CLOEXEC)
            // Breaks the lease, and does not wait for its end.
            #expect(Glibc.open("/proc/self/fd/\(file)", O_WRONLY | O_NONBLOCK | O_CLOEXEC) == -1 && errno == EWOULDBLOCK)
            guard writes else {
                close(file)
                return nil
            }
            Thread.detachNewThread {
                let writer = Glibc.open("/proc/self/fd/\(file)", O_WRONLY | O_TRUNC | O_CLOEXEC)
                let text = Array("```bash\necho new >> $OUT/trace\n```\n".utf8)
                #expect(write(writer, text, text.count) == text.count)
                close(writer)
                close(file)
            }
            return nil
        }
        let text = "echo old >> $OUT/trace"
        if drains {
            try spool.drop("a.md", text)
            #expect(try await spool.drain(calls: calls).succeeded == 1)
        } else {
            var isDropped = false
            let ending = try await WatchingRun(spool, calls: calls).run { job in
                if isDropped { return nil }
                isDropped = true
                try spool.drop("a.md", text)
                return ["a.md"]
            }
            #expect(ending.succeeded == 1)
        }
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == (writes ? "new\n" : "old\n"))
        let attempts = try spool.ledger().read { try $0.attempts(of: 1) }
        #expect(attempts.map(\.outcome) == [.success])
        let filed = PromptFile.read(name: "a.md", bytes: try Data(contentsOf: URL(fileURLWithPath: spool.path + "/done/a.md")))
        #expect(try filed.sha == spool.job("a.md")?.promptSHA && spool.list("").isEmpty && spool.list("active").isEmpty)
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
    }

    /// What it comes to is the same as with many: refused, blocked, held, or a job that the ledger knows.
    @Test(.timeLimit(.minutes(1))) func whatCannotBeClaimedSo_isIntakes() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        var step = 0
        let watching = try WatchingRun(spool)
        _ = try await watching.run { job in
            step += 1
            switch step {
            case 1:
                try spool.drop("a.md", "echo a >> $OUT/trace")
                return ["a.md"]
            case 2:
                #expect(job?.state == .done)
                // The author puts it back: the same job again.
                try spool.moveBack("done/a.md")
                return ["a.md"]
            case 3:
                #expect(job?.id == 1 && job?.state == .done)
                symlink("/etc/hostname", spool.path + "/link.md")
                return ["link.md"]
            case 4:
                #expect(job?.name == "link.md" && job?.state == .failed && job?.reason.hasPrefix("symbolic_link") == true)
                try spool.drop("bad.md", "true", front: "exec_mode: agent")
                return ["bad.md"]
            default:
                #expect(job?.name == "bad.md" && job?.state == .failed && job?.status == .blocked)
                return nil
            }
        }
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "a\na\n")
        #expect(spool.list("failed").filter { !$0.hasSuffix(".why.txt") } == ["bad.md", "link.md"])
        #expect(try spool.ledger().read { try $0.page(nil, after: 0, limit: 99) }.map(\.id).sorted() == [1, 2, 3])
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        #expect(try check.violations().isEmpty)
    }

    /// The commit fails: no job, no run folder is left of it, and it runs once when the ledger can be written again.
    @Test(.timeLimit(.minutes(1))) func commitThatFails_leavesTheFileForIntake() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let observe: @Sendable (RunEvent) -> Void = { event in
            if case .trouble = event { try? ledger.write { try $0.execute("DROP TRIGGER IF EXISTS fault") } }
        }
        let watching = try WatchingRun(spool, observe: observe)
        let ending = try await watching.run { job in
            guard job == nil else { return nil }
            try ledger.write {
                try $0.execute("CREATE TRIGGER fault BEFORE INSERT ON attempts BEGIN SELECT RAISE(FAIL, 'fault'); END")
            }
            try spool.drop("a.md", "echo ran >> $OUT/trace")
            return ["a.md"]
        }
        #expect(ending.succeeded == 1)
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "ran\n")
        let jobs = try ledger.read { try $0.page(nil, after: 0, limit: 99) }
        #expect(jobs.map(\.id) == [1] && jobs.map(\.attempts) == [1])
        let day = try #require(spool.list("runs").first)
        #expect(spool.list("runs/" + day) == ["1"])
    }

    /// The stamp cannot be made sure while commit and run folder succeed: the job waits again, with nothing left of that start.
    @Test(.timeLimit(.minutes(1))) func stampThatFails_takesTheRunFolderWithIt() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let fails = Mutex(false)
        let calls = SystemCalls { call, path in
            guard call == .fsync, path.contains("/active/" + Directory.asidePrefix) else { return nil }
            return fails.withLock { fails in
                defer { fails = false }
                return fails ? EIO : nil
            }
        }
        let left = Mutex<[[String]]>([])
        let watching = try WatchingRun(spool, calls: calls) { event in
            guard case .trouble = event else { return }
            left.withLock { left in left.append(spool.list("runs").flatMap { spool.list("runs/" + $0) }) }
        }
        var names = ["first.md", "a.md"][...]
        let ending = try await watching.run { job in
            guard let name = names.popFirst() else { return nil }
            try spool.drop(name, "echo \(name) >> $OUT/trace")
            if let job {
                // Its own last stamp is not to be the one that fails.
                while !spool.list("done").contains(job.name) {
                    try Task.checkCancellation()
                    sched_yield()
                }
                fails.withLock { $0 = true }
            }
            return [name]
        }
        #expect(ending.succeeded == 2 && left.withLock { $0 } == [["1"]])
        #expect(try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8) == "first.md\na.md\n")
        #expect(
            try spool.job("a.md")?.attempts == 1 && spool.ledger().read { try $0.attempts(of: 2) }.map(\.outcome) == [.success])
        #expect(try history(spool, 2) == ["queued", "active", "queued", "active", "done"])
    }

    /// It grows by two dozen pages for each. Copying it into the database file is left to no commit that a prompt waits for.
    @Test(.timeLimit(.minutes(1))) func ledgersLog_isCopiedWhileNothingIsToBeDone() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let log = URL(fileURLWithPath: try spool.ledger().path + "-wal")
        func number() throws -> [UInt8] { Array(try Data(contentsOf: log)[12..<16]) }
        var first: [UInt8] = []
        var names = (100..<160).map { "p\($0).md" }[...]
        let watching = try WatchingRun(spool)
        let ending = try await watching.run { job in
            if job?.name == "p100.md" { first = try number() }
            guard let name = names.popFirst() else {
                // Long before 4000 pages, where a commit would do it.
                while try number() == first {
                    try Task.checkCancellation()
                    sched_yield()
                }
                return nil
            }
            try spool.drop(name, "true")
            return [name]
        }
        #expect(ending.succeeded == 60)
    }

    /// Its shell has begun when the claim is committed, and waits. Where its run folder is taken away then, the block runs once all the same.
    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func shellThatHasBegun_runsTheBlockOnce(_ isFolderTaken: Bool) async throws {
        struct Begun {
            var run: String
            var hasRun: Bool
        }
        let spool = try TestSpool()
        defer { spool.remove() }
        let trace = spool.folder.path + "/trace"
        let begun = Mutex<Begun?>(nil)
        let calls = SystemCalls { call, path in
            // It is claimed, and about to move to `active/`.
            guard call == .renameat2, path.hasSuffix("/a.md"), begun.withLock({ $0 == nil }) else { return nil }
            let shell = ProcessTable.ownChildren().lazy.map { (pid: $0, run: ProcessTable.runDirectory(of: $0) ?? "") }
                .first { $0.run.hasPrefix(spool.path + "/") }
            guard let shell else { return nil }
            begun.withLock { $0 = Begun(run: shell.run, hasRun: access(trace, F_OK) == 0) }
            guard isFolderTaken else { return nil }
            try? FileManager.default.removeItem(atPath: shell.run)
            try? Data("\(shell.pid)".utf8).write(to: URL(fileURLWithPath: spool.folder.path + "/pid"))
            return nil
        }
        var drops = 0
        let ending = try await WatchingRun(spool, calls: calls).run { job in
            // None begins ahead where the script's lease is refused: a child that another test starts at that moment has its file open,
            // until it becomes its program. Then the block has run as ever, and the next one shows it.
            if drops > 1 { #expect(try String(contentsOfFile: trace, encoding: .utf8) == "a.md\n") }
            guard begun.withLock({ $0 == nil }) else { return nil }
            try? FileManager.default.removeItem(atPath: trace)
            let name = drops == 0 ? "first.md" : "a.md"
            drops += 1
            // By then the shell is gone whose folder was taken: it might open the script that stands there now.
            let check = "if [ -f $OUT/pid ] && kill -0 $(cat $OUT/pid) 2> /dev/null; then echo alive >> $OUT/trace; fi"
            try spool.drop(name, "echo \(name) >> $OUT/trace\n\(check)")
            return [name]
        }
        #expect(ending.succeeded == drops)
        let seen = try #require(begun.withLock { $0 })
        #expect(seen.run.hasSuffix("/\(drops)/attempt-1") && !seen.hasRun)
        #expect(try spool.ledger().read { try $0.attempts(of: Int64(drops)) }.map(\.outcome) == [.success])
        #expect(ProcessTable.ownChildren().compactMap(ProcessTable.runDirectory).allSatisfy { !$0.hasPrefix(spool.path + "/") })
    }

    /// A person cancels it between the commit and its start: the request is not lost.
    @Test(.timeLimit(.minutes(1))) func cancelledWhileItBecomesAJob_neverRuns() async throws {
        let spool = try TestSpool()
        defer { spool.remove() }
        let ledger = try spool.ledger()
        let (hints, input) = AsyncStream.makeStream(of: SpoolHint.self)
        let isAsked = Mutex(false)
        let clock = CountingClock()
        let calls = SystemCalls { call, path in
            // It is claimed, and about to move to `active/`.
            guard call == .renameat2, path.hasSuffix("/a.md") else { return nil }
            let isFirst = isAsked.withLock { asked in
                defer { asked = true }
                return !asked
            }
            guard isFirst else { return nil }
            try? ledger.write { try $0.request("cancel", job: 2, now: 1) }
            clock.waitForTurns { input.yield(.file(Wake.fileBytes)) }
            return nil
        }
        let (seen, events) = AsyncStream.makeStream(of: RunEvent.self)
        let dispatcher = try spool.dispatcher(calls: calls, clock: clock, observe: { events.yield($0) }) { $0.drains = false }
        async let ending = dispatcher.run(hints: hints)
        loop: for await event in seen {
            switch event {
            case .started:
                try spool.drop("first.md", "true")
                input.yield(.file(Array("first.md".utf8)))
            // The first may be met by the scan that a run begins with.
            case .finished(let job, _) where job.name == "first.md":
                try spool.drop("a.md", "sleep 20; echo ran >> $OUT/trace")
                input.yield(.file(Array("a.md".utf8)))
            case .finished(let job, _):
                #expect(job.state == .cancelled)
                break loop
            default: break
            }
        }
        dispatcher.drain()
        _ = try await ending
        #expect(!FileManager.default.fileExists(atPath: spool.folder.path + "/trace"))
        #expect(try spool.job("a.md")?.state == .cancelled)
    }
}

@Suite struct RunPathTests {
    @Test(arguments: [(0, 1), (0, 1_234_567_890_123), (99, 7)] as [(Int64, Int64)])
    func renumbered_isThatOfTheOtherJob(_ old: Int64, _ new: Int64) {
        let path = RunPath.relativePath(job: old, attempt: 12, at: 1_767_312_000_000)
        #expect(path == "runs/2026-01-02/\(old)/attempt-12")
        #expect(RunPath.renumbered(path, job: new) == "runs/2026-01-02/\(new)/attempt-12")
        #expect(RunPath.renumbered("", job: new) == "")
    }
}

@Suite struct SpareRunsTests {
    private func bench() throws -> (TestSpool, Directory, SpareRuns) {
        let spool = try TestSpool()
        let runs = try SpoolFolder.open(at: spool.path).runs
        return (spool, runs, SpareRuns(runs))
    }

    @Test func spare_becomesAFirstAttemptsFolder() throws {
        let (spool, _, spares) = try bench()
        defer { spool.remove() }
        #expect(spares.take(for: "runs/2026-01-02/7/attempt-1") == nil)
        spares.fill()
        #expect(!spares.areMissing)
        #expect(spares.take(for: "runs/2026-01-02/7/attempt-2") == nil)
        let folder = try #require(spares.take(for: "runs/2026-01-02/7/attempt-1"))
        #expect(folder.path == spool.path + "/runs/2026-01-02/7/attempt-1")
        #expect(spool.list("runs/2026-01-02/7/attempt-1") == ["block-001.log", "block-001.sh", "env"])
        for name in ["", "/7", "/7/attempt-1"] {
            var status = stat()
            #expect(stat(spool.path + "/runs/2026-01-02" + name, &status) == 0 && status.st_mode & 0o777 == 0o700)
        }
        #expect(spares.areMissing)
    }

    /// Where the job has a folder already, that one stays as it is.
    @Test func folderThatIsThere_isNotReplaced() throws {
        let (spool, _, spares) = try bench()
        defer { spool.remove() }
        let path = spool.path + "/runs/2026-01-02/7/attempt-1"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data("old".utf8).write(to: URL(fileURLWithPath: path + "/block-001.log"))
        spares.fill()
        #expect(spares.take(for: "runs/2026-01-02/7/attempt-1") == nil)
        #expect(try spool.text("runs/2026-01-02/7/attempt-1/block-001.log") == "old")
    }

    @Test func spares_goWithTheRun_andThoseOfADeadOneWithTheNext() async throws {
        let (spool, runs, spares) = try bench()
        defer { spool.remove() }
        spares.fill()
        var names: [String] = []
        try runs.forEachEntry { bytes, _ in
            names.append(String(decoding: bytes, as: UTF8.self))
            return true
        }
        #expect(names.count { $0.hasPrefix(Directory.asidePrefix) } == SpareRuns.count)
        // Another run finds them and takes them away, with nobody's help.
        try await spool.drain()
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: runs.path).allSatisfy { !$0.hasPrefix(Directory.asidePrefix) })
    }
}
