// The files of a run folder in which something was printed, and the printing of them: blocks' logs, an agent's transcript and standard
// error, a model's answer, the log of `verify.command`. At a terminal, output that could steer the terminal is made harmless.

import Foundation
import Spool

/// One file of a run folder in which something was printed.
struct RunLog: Hashable {
    var file: String
    /// Counted from 1; nil: of no block.
    var block: Int?

    var title: String {
        guard let block else { return file }
        return Self.number(file) == nil ? "block \(block), \(file)" : "block \(block)"
    }

    /// What there is of an attempt, in order.
    ///
    /// - Parameter mode: of its job; nil where nobody has prepared it yet.
    static func all(in folder: String, of attempt: AttemptRecord, mode: String?) -> [RunLog] {
        let names = names(in: folder)
        let blocks = names.compactMap { name in number(name).map { RunLog(file: name, block: $0) } }
        var logs = blocks.sorted { ($0.block ?? 0) < ($1.block ?? 0) }
        // An attempt that is over has them in the ledger; one that runs has them under the names that its mode gives them.
        for block in JobView.stored(attempt.blocksJSON).arrayValue ?? [] {
            if let file = block["log"]?.stringValue { logs.append(RunLog(file: file, block: block["block"]?.intValue)) }
        }
        switch mode.flatMap(ExecMode.init(rawValue:)) {
        case .agent:
            logs += ["transcript.jsonl", "transcript.json", "transcript.txt", "stderr.log"].map { RunLog(file: $0, block: 1) }
        case .http: logs.append(RunLog(file: "answer.md", block: 1))
        case .script, nil: break
        }
        logs.append(RunLog(file: "verify.log"))
        var seen = Set<String>()
        return logs.filter { names.contains($0.file) && seen.insert($0.file).inserted }
    }

    /// All that it holds; nil where it cannot be read.
    static func bytes(of log: RunLog, in folder: String) -> [UInt8]? {
        let descriptor = open(folder + "/" + log.file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return all }
            all += buffer[..<count]
        }
    }

    /// `block-001.log` → 1
    private static func number(_ name: String) -> Int? {
        guard name.hasPrefix("block-"), name.hasSuffix(".log") else { return nil }
        return Int(name.dropFirst(6).dropLast(4))
    }

    private static func names(in folder: String) -> Set<String> {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names = Set<String>()
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.insert(name)
        }
        return names
    }
}

/// Prints the logs of run folders, each byte once.
final class LogPrinter {
    /// How far a file was printed.
    private struct Position {
        var offset = 0
        /// Bytes that were taken out of the middle before that.
        var cutBytes = 0
        /// The last of what was printed: what stands there now is the same, unless the file was cut.
        var last: [UInt8] = []

        static let lastMax = 64
    }

    private let onlyBlock: Int?
    private var positions: [String: Position] = [:]
    private var last = ""
    private let isTerminal = Terminal.isOutput
    /// One for each file: a sequence that is cut off in one does not go on in the next.
    private var filters: [String: TerminalFilter] = [:]
    /// Bytes printed so far.
    private(set) var printed = 0

    init(onlyBlock: Int?) { self.onlyBlock = onlyBlock }

    /// Whether what was printed last still stands where it stood.
    private func isWhole(_ position: Position, _ descriptor: Int32) -> Bool {
        var found = [UInt8](repeating: 0, count: position.last.count)
        let count = pread(descriptor, &found, found.count, off_t(position.offset - found.count))
        return count == found.count && found == position.last
    }

    /// The cut that came after a position, once it is made; nil where none comes.
    private func finishedCut(of log: RunLog, in folder: String, after position: Position) -> LogCut? {
        // To move a quarter of the largest log takes some ten milliseconds.
        for _ in 0..<100 {
            if let cut = LogCut.find(in: RunLog.bytes(of: log, in: folder) ?? []), cut.bytes > position.cutBytes { return cut }
            usleep(2000)
        }
        return nil
    }

    /// Its middle was taken out meanwhile, and what is behind that has moved; or somebody has put another file in its place.
    private func goOn(behindTheCutOf log: RunLog, in folder: String, _ position: inout Position) {
        guard let cut = finishedCut(of: log, in: folder, after: position) else {
            StandardError.write("\n\(log.title) was replaced: from its beginning\n")
            position = Position()
            return
        }
        let gone = cut.bytes - position.cutBytes
        // The mark of an earlier cut stands where the new one does.
        let moved = position.offset - gone + (position.cutBytes == 0 ? LogCut.markLength : 0)
        if moved < cut.end {
            StandardError.write("\n\(log.title) has reached its bound: \(cut.end - moved) bytes were cut here\n")
        }
        position = Position(offset: max(moved, cut.end), cutBytes: cut.bytes)
    }

    /// Prints what has been added to the logs in this folder since the last call.
    func printNew(in folder: String, of attempt: AttemptRecord, mode: String?) throws {
        for log in RunLog.all(in: folder, of: attempt, mode: mode) where onlyBlock == nil || log.block == onlyBlock {
            let path = folder + "/" + log.file
            let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { continue }  // Gone or unreadable now; the next look may find it.
            defer { close(descriptor) }
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            var position = positions[path] ?? Position()
            defer { positions[path] = position }
            if !isWhole(position, descriptor) { goOn(behindTheCutOf: log, in: folder, &position) }
            while true {
                let count = pread(descriptor, &buffer, buffer.count, off_t(position.offset))
                guard count > 0 else { break }
                if last != path {
                    StandardError.write("\(last.isEmpty ? "" : "\n")==> attempt \(attempt.attempt), \(log.title) <==\n")
                    last = path
                }
                position.offset += count
                printed += count
                let bytes = buffer[..<count]
                position.last = Array((position.last + bytes.suffix(Position.lastMax)).suffix(Position.lastMax))
                try StandardOutput.write(bytes: isTerminal ? filters[path, default: .init()].clean(bytes) : Array(bytes))
            }
        }
    }
}
