// `flowspool logs JOB`: what the blocks of a job printed, in order. With -f it follows until the job is over, through an inotify
// watch of its own on the run folder. At a terminal, output that could steer the terminal is made harmless.

import ArgumentParser
import Foundation
import Spool

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print what a job's blocks printed.",
        discussion: """
            Standard output gets the bytes of the logs; which block they are from is said on standard error.
            Without --attempt: the last attempt.

            EXAMPLE
              flowspool logs 12
              flowspool logs -f nightly.md
              flowspool logs 12 --attempt 1 --block 2
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

    func run() async throws {
        try await reportingErrors {
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let ledger = try Ledger.look(at: spool)
            let found = try ledger.read { try $0.find(job) }
            let printer = LogPrinter(onlyBlock: block)
            if follow {
                try await follow(found.id, spool, ledger, printer)
            } else {
                let attempts = try ledger.read { try $0.attempts(of: found.id) }
                guard let chosen = try choose(attempts, found) else { return }
                try printer.printNew(in: spool.root.pathOf(chosen.runDirectory), attempt: chosen.attempt)
                if printer.printed == 0 { try explainNothing(chosen, found, spool) }
            }
        }
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
                try printer.printNew(in: path, attempt: record.attempt)
            }
            let isOver = job?.state.isTerminal ?? true
            let isAttemptOver =
                attempt.map { wanted in attempts.contains { $0.attempt == wanted && $0.outcome != .running } } ?? false
            if isOver || isAttemptOver { return }
            changes.wait(milliseconds: 1000)
        }
    }
}

/// Prints the logs of run folders, each byte once.
final class LogPrinter {
    private let onlyBlock: Int?
    private var offsets: [String: off_t] = [:]
    private var last = ""
    private let isTerminal = Terminal.isOutput
    private var filter = TerminalFilter()
    /// Bytes printed so far.
    private(set) var printed = 0

    init(onlyBlock: Int?) { self.onlyBlock = onlyBlock }

    /// Prints what has been added to the logs in this folder since the last call.
    func printNew(in folder: String, attempt: Int) throws {
        for name in Self.logs(in: folder) where onlyBlock == nil || Self.number(name) == onlyBlock {
            let path = folder + "/" + name
            let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { continue }  // Gone or unreadable now; the next look may find it.
            defer { close(descriptor) }
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = pread(descriptor, &buffer, buffer.count, offsets[path] ?? 0)
                guard count > 0 else { break }
                if last != path {
                    StandardError.write(
                        "\(last.isEmpty ? "" : "\n")==> attempt \(attempt), block \(Self.number(name) ?? 0) <==\n")
                    last = path
                }
                offsets[path, default: 0] += off_t(count)
                printed += count
                try StandardOutput.write(bytes: isTerminal ? filter.clean(buffer[..<count]) : Array(buffer[..<count]))
            }
        }
    }

    /// `block-001.log` → 1
    private static func number(_ name: String) -> Int? {
        guard name.hasPrefix("block-"), name.hasSuffix(".log") else { return nil }
        return Int(name.dropFirst(6).dropLast(4))
    }

    private static func logs(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if number(name) != nil { names.append(name) }
        }
        return names.sorted { (number($0) ?? 0) < (number($1) ?? 0) }
    }
}

/// Takes from a stream of bytes what could steer a terminal: all control characters but newline, tab and carriage return, and all
/// escape sequences but colours (ECMA-48 SGR).
struct TerminalFilter {
    private enum State { case text, escape, sequence([UInt8]) }
    private var state = State.text

    mutating func clean(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        for byte in bytes {
            switch state {
            case .text:
                if byte == 0x1B {
                    state = .escape
                } else if byte >= 0x20 && byte != 0x7F || byte == 0x0A || byte == 0x09 || byte == 0x0D {
                    out.append(byte)
                }
            case .escape:
                state = byte == UInt8(ascii: "[") ? .sequence([]) : .text
            case .sequence(let parameters):
                if (0x20...0x3F).contains(byte), parameters.count < 32 {
                    state = .sequence(parameters + [byte])
                } else {
                    let isColour = byte == UInt8(ascii: "m") && parameters.allSatisfy { (0x30...0x3B).contains($0) }
                    if isColour { out += [0x1B, UInt8(ascii: "[")] + parameters + [byte] }
                    state = .text
                }
            }
        }
        return out
    }
}
