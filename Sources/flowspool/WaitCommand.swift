// `flowspool wait`: returns when the jobs named, or the whole spool, are over. Looks again whenever the ledger's log is written
// and, because an event comes a moment before the commit can be seen, at least once a second.

import ArgumentParser
import Spool

struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until jobs, or the whole spool, are over.",
        discussion: """
            Without JOB: until nothing waits and nothing runs; held jobs wait for a person and are not waited for. The name of a
            prompt that waits in the folder means that one, also where no runner has seen it yet.
            Exit status: 0 all went well; 1 a job failed or was cancelled (without JOB: failed since this began); 2 a job was
            blocked or rejected, or is held; 12 the spool is on hold and nothing runs; 75 --timeout has passed.

            EXAMPLE
              flowspool wait 12 && echo done
              cp *.md spool/ && flowspool wait --timeout 15m
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Argument(help: ArgumentHelp("Job numbers, prompt names (the newest job) or prompt ids.", valueName: "job"))
    var jobs: [String] = []

    @Option(help: ArgumentHelp("Give up after so long: seconds, or 90s, 15m, 2h.", valueName: "time"))
    var timeout: String?

    func run() async throws {
        try await reportingErrors {
            let limit = try timeout.map(Self.milliseconds)
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let ledger = try Ledger.look(at: spool)
            let clock = SystemClock()
            // Not by the clock, which may be set meanwhile.
            let began = try ledger.read { try $0.lastTransition() }
            let deadline = limit.map { clock.monotonicMilliseconds() + $0 }
            var wanted = try jobs.map { try Wanted($0, spool, ledger) }
            let changes = ChangeWait([spool.control.path])
            var isRunnerMissed = false
            while true {
                for index in wanted.indices { try wanted[index].look(spool, ledger) }
                let end = wanted.isEmpty ? try spoolEnd(spool, ledger, since: began) : try jobsEnd(wanted, spool, ledger)
                // Whoever looks for the files then finds them.
                let isFiling = try spool.isFiling(ledger, now: clock.wallMilliseconds())
                if let end, !isFiling {
                    StandardError.write(end.text)
                    throw ExitCode(end.status)
                }
                let left = deadline.map { $0 - clock.monotonicMilliseconds() } ?? 1000
                guard left > 0 else {
                    throw FlowspoolError(
                        .unavailable, "not over after \(timeout.map { Int($0) == nil ? $0 : $0 + " s" } ?? "")",
                        hint: "`flowspool status` shows what is left")
                }
                if !isRunnerMissed, try RunnerLock.holder(spool) == nil {
                    isRunnerMissed = true
                    StandardError.write("no runner is at work: waiting for one (`flowspool watch`)\n")
                }
                changes.wait(milliseconds: Int32(min(left, isFiling ? 10 : 1000)))
            }
        }
    }

    /// One of the jobs that are waited for.
    private struct Wanted {
        let text: String
        /// nil: its prompt waits in the folder, and no runner has seen it yet.
        private(set) var id: Int64?

        init(_ text: String, _ spool: SpoolFolder, _ ledger: Ledger) throws {
            self.text = text
            try look(spool, ledger)
        }

        /// Finds its job, unless that is known.
        mutating func look(_ spool: SpoolFolder, _ ledger: Ledger) throws {
            // The folder first: a prompt that leaves it after this look is in the ledger by then.
            let parts = text.split(separator: "/").map(String.init)
            let isElsewhere = parts.count > 1 && SpoolFolder.placeNames.contains(parts[parts.count - 2])
            guard id == nil, try isElsewhere || !spool.isWaiting(parts.last ?? text, ledger) else { return }
            id = try ledger.read { try $0.find(text).id }
        }
    }

    private static func milliseconds(_ text: String) throws -> Int64 {
        guard let seconds = seconds(ofDuration: text) else {
            throw FlowspoolError(.usage, "--timeout: “\(printable(text))” is no time", hint: "give seconds, or 90s, 15m, 2h")
        }
        return Int64(seconds * 1000)
    }

    /// How waiting ends.
    private struct End {
        var status: Int32
        /// For standard error.
        var text = ""
    }

    /// The end once each job is over; nil before.
    private func jobsEnd(_ wanted: [Wanted], _ spool: SpoolFolder, _ ledger: Ledger) throws -> End? {
        let found = try ledger.read { tx in try wanted.compactMap(\.id).compactMap { try tx.job($0) } }
        let open = found.filter { !$0.state.isTerminal }
        let areSeen = wanted.allSatisfy { $0.id != nil }
        if open.isEmpty, areSeen {
            if found.contains(where: { [.failed, .interrupted, .cancelled].contains($0.status) }) { return End(status: 1) }
            return End(status: found.contains { $0.status != .success } ? 2 : 0)
        }
        let held = open.filter { $0.state == .held }
        if held.count == open.count, areSeen {
            return End(status: 2, text: held.map { "\($0.title) waits for a yes: `flowspool approve \($0.id)`\n" }.joined())
        }
        if open.contains(where: { $0.state == .active }) { return nil }
        return try holdEnd(spool, ledger)
    }

    /// The end once nothing in the spool waits or runs; nil before.
    private func spoolEnd(_ spool: SpoolFolder, _ ledger: Ledger, since began: Int64) throws -> End? {
        // The folder first: a prompt that leaves it after this look is in the ledger by the next one.
        let hasFile = try spool.hasWaitingFile(ledger)
        let status = try SpoolStatus(spool, ledger)
        if status.counts[.active] ?? 0 > 0 { return nil }
        if hasFile || (status.counts[.queued] ?? 0) + (status.counts[.deferred] ?? 0) > 0 { return try holdEnd(spool, ledger) }
        return End(status: try ledger.read { try $0.failures(since: began) } > 0 ? 1 : 0)
    }

    private func holdEnd(_ spool: SpoolFolder, _ ledger: Ledger) throws -> End? {
        guard let hold = try SpoolStatus(spool, ledger).hold else { return nil }
        return End(status: 12, text: "the spool is on hold: \(printable(hold.reason)); `flowspool resume` goes on\n")
    }
}
