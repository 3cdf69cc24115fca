// `flowspool logs JOB`: what the blocks of a job printed, in order; of an agent or a model, what it printed and answered. With -f it
// follows until the job is over, through an inotify watch of its own on the run folder.

import ArgumentParser
import Foundation
import Spool

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print what a job's blocks printed.",
        discussion: """
            Standard output gets the bytes of the logs; which block they are from is said on standard error.
            Of an agent: its transcript and what it wrote to standard error; of a model its answer. What
            `verify.command` printed comes last. Without --attempt: the last attempt. As JSON: `job`, `attempt` and `logs`, of
            each `block` (null: of none), `file` and `text`, in which bytes that are no UTF-8 are replaced.

            EXAMPLE
              flowspool logs 12
              flowspool logs -f nightly.md
              flowspool logs 12 --attempt 1 --block 2
              flowspool logs 12 --json | jq -r '.logs[].text'
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Argument(help: ArgumentHelp("Job number, prompt name or prompt id.", valueName: "job"))
    var job: String

    @Flag(name: .shortAndLong, help: "Go on until the job is over; also over its next attempts.")
    var follow = false

    @Option(help: ArgumentHelp("Which attempt, counted from 1.", valueName: "n"))
    var attempt: Int?

    @Option(help: ArgumentHelp("Only this block, counted from 1.", valueName: "n"))
    var block: Int?

    @Flag(help: "Print what there is as one JSON document; with bytes that are no text replaced.")
    var json = false

    func validate() throws {
        for (flag, number) in [("--attempt", attempt), ("--block", block)] where number.map({ $0 < 1 }) ?? false {
            throw ValidationError("\(flag) is counted from 1")
        }
        if json, follow { throw ValidationError("--json prints what there is, and -f goes on: give one of them") }
    }

    func run() async throws {
        try await reportingErrors {
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let ledger = try Ledger.look(at: spool)
            let found = try ledger.read { try $0.find(job) }
            let printer = LogPrinter(onlyBlock: block)
            if json {
                let attempts = try ledger.read { try $0.attempts(of: found.id) }
                try StandardOutput.write(document(of: found, try choose(attempts, found), spool))
            } else if follow {
                try await follow(found.id, spool, ledger, printer)
            } else {
                let attempts = try ledger.read { try $0.attempts(of: found.id) }
                guard let chosen = try choose(attempts, found) else { return }
                try printer.printNew(in: spool.root.pathOf(chosen.runDirectory), of: chosen, mode: found.mode)
                if printer.printed == 0, let block { try refuseUnknown(block, of: chosen, found) }
                if printer.printed == 0 { try explainNothing(chosen, found, spool) }
            }
        }
    }

    /// A block that was reached and printed nothing is none of these.
    private func refuseUnknown(_ block: Int, of attempt: AttemptRecord, _ job: Job) throws {
        let known = (JobView.stored(attempt.blocksJSON).arrayValue ?? []).compactMap { $0["block"]?.intValue }
        guard attempt.outcome != .running, !known.contains(block) else { return }
        let what = known.isEmpty ? "none" : known.map(String.init).joined(separator: ", ")
        throw FlowspoolError(
            .invalidInput, "attempt \(attempt.attempt) of \(job.title) ran no block \(block)", hint: "it ran: \(what)")
    }

    private func document(of job: Job, _ attempt: AttemptRecord?, _ spool: SpoolFolder) -> JSON {
        let folder = attempt.map { spool.root.pathOf($0.runDirectory) }
        let logs = attempt.map { RunLog.all(in: folder ?? "", of: $0, mode: job.mode) } ?? []
        return [
            "job": .int(Int(job.id)), "attempt": JSON(attempt?.attempt),
            "logs": .array(
                logs.filter { block == nil || $0.block == block }.compactMap { log in
                    // Gone or unreadable: it is not among what there is.
                    guard let bytes = RunLog.bytes(of: log, in: folder ?? "") else { return nil }
                    return [
                        "block": JSON(log.block), "file": .string(log.file),
                        "text": .string(String(decoding: bytes, as: UTF8.self)),
                    ]
                }),
        ]
    }

    private func choose(_ attempts: [AttemptRecord], _ job: Job) throws -> AttemptRecord? {
        guard let attempt else {
            if let last = attempts.last { return last }
            StandardError.write(
                "\(job.title) is \(JobView.word(job)) and has made no attempt: `flowspool show \(job.id)` says why\n")
            return nil
        }
        guard let chosen = attempts.first(where: { $0.attempt == attempt }) else {
            throw FlowspoolError(
                .invalidInput, "\(job.title) has no attempt \(attempt): it has made \(attempts.count)",
                hint: "`flowspool show \(job.id)` lists them")
        }
        return chosen
    }

    private func explainNothing(_ attempt: AttemptRecord, _ job: Job, _ spool: SpoolFolder) throws {
        let path = spool.root.pathOf(attempt.runDirectory)
        if access(path, R_OK) != 0 {
            if let pruned = job.pruned {
                throw FlowspoolError(
                    .invalidInput, "\(job.title): its logs were removed by `prune` at \(JobView.clock(pruned)) UTC",
                    hint: "`flowspool show \(job.id)` has what is left of it")
            }
            throw FlowspoolError(
                .invalidInput, "\(printable(path)): \(String(cString: strerror(errno)))",
                hint: "somebody removed it; `flowspool show \(job.id)` has what is left")
        }
        StandardError.write(block == nil ? "nothing was printed\n" : "block \(block ?? 0) has no log in \(printable(path))\n")
    }

    private func follow(_ id: Int64, _ spool: SpoolFolder, _ ledger: Ledger, _ printer: LogPrinter) async throws {
        let changes = ChangeWait([spool.control.path])
        var watched: Set<String> = []
        var isRunnerMissed = false
        while true {
            // State first, output second: what is printed after a job was seen to be over is complete.
            let (job, attempts) = try ledger.read { (try $0.job(id), try $0.attempts(of: id)) }
            for record in attempts where attempt == nil || attempt == record.attempt {
                // Earlier attempts are history; the one at work and those to come are followed.
                if attempt == nil, record.attempt < (attempts.last?.attempt ?? 0), !watched.contains(record.runDirectory) {
                    continue
                }
                let path = spool.root.pathOf(record.runDirectory)
                if watched.insert(record.runDirectory).inserted { changes.watch(path) }
                try printer.printNew(in: path, of: record, mode: job?.mode)
            }
            let isOver = job?.state.isTerminal ?? true
            let isAttemptOver =
                attempt.map { wanted in attempts.contains { $0.attempt == wanted && $0.outcome != .running } } ?? false
            if isOver || isAttemptOver { return }
            if !isRunnerMissed, try RunnerLock.holder(spool) == nil {
                isRunnerMissed = true
                StandardError.write("no runner is at work: waiting for one (`flowspool watch`)\n")
            }
            changes.wait(milliseconds: 1000)
        }
    }
}
