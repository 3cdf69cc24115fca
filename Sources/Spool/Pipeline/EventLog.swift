// `.prompt-pipeline.log.jsonl`: what happened, for people and for `jq`. What always holds: each line is one JSON object with
// the keys `ts`, `event`, `prompt`, `detail` in this order, written by one write(2). flowspool never shortens or rotates the
// log; a file that was moved away (logrotate) is made anew at the next event. The ledger, not the log, is the truth.

import Foundation
import Synchronization

/// The event log of one spool. Safe to use from several threads, and beside other processes that append to the same file.
public final class EventLog: Sendable {
    /// What can happen (DESIGN "Pipeline").
    public enum Event: String, Sendable, CaseIterable {
        /// A batch or a watcher begins; detail: root, profile, counts.
        case startup
        /// A prompt has been claimed.
        case promptStart = "prompt_start"
        /// An attempt begins; detail: attempt, time limit, runner.
        case promptRun = "prompt_run"
        case promptSuccess = "prompt_success"
        /// Attempts are used up; detail: why.
        case promptFailed = "prompt_failed"
        /// Preflight said no; detail: the findings.
        case promptBlocked = "prompt_blocked"
        /// Waits for a person.
        case promptHeld = "prompt_held"
        /// The spool halts; detail: reason, counts, threshold.
        case pipelineHold = "pipeline_hold"
        /// The batch is over; detail: counts.
        case pipelineDone = "pipeline_done"

        /// Events that end something are worth an fdatasync(2); the others are not, since the ledger has them.
        var isDurable: Bool { self == .pipelineHold || self == .pipelineDone }
    }

    /// A line longer than this cannot be one of ours.
    static let lineBytesMax = 64 << 10
    /// Bytes of `detail` that are kept.
    static let detailBytesMax = 8 << 10

    private let file: Mutex<AppendFile>

    /// Opens or makes the log, and repairs a last line that a crash cut off: whole objects are ended, pieces are removed, so
    /// that a reader like `jq` never stops at them.
    init(in directory: Directory) throws {
        var open = try AppendFile(ContractFile.log.name, in: directory)
        try Self.repair(&open)
        file = Mutex(open)
    }

    /// Appends one event.
    ///
    /// - Parameters:
    ///   - prompt: the prompt's file name; empty for events that are about no prompt.
    ///   - detail: one line of `key=value` words or a sentence; cut after 8 KiB.
    ///   - milliseconds: when, since 1970 UTC; written in whole seconds.
    public func append(_ event: Event, prompt: String = "", detail: String = "", at milliseconds: Int64) throws {
        let complete = Self.line(event, prompt, detail, milliseconds)
        try file.withLock { file in
            var lines = complete
            if try file.isChanged() {
                if try file.reopen() {
                    if try Self.isMidLine(&file) { lines.insert(UInt8(ascii: "\n"), at: 0) }
                } else {
                    try Self.repair(&file)
                }
            }
            try file.append(lines, durably: event.isDurable)
        }
    }

    /// Appends one event without the runner's lock: nothing is mended, because a piece at the end may be a line that the runner is
    /// writing.
    static func append(
        _ event: Event, prompt: String, detail: String, at milliseconds: Int64, besideRunnerIn directory: Directory
    ) throws {
        var file = try AppendFile(ContractFile.log.name, in: directory)
        let start: [UInt8] = try isMidLine(&file) ? [UInt8(ascii: "\n")] : []
        try file.append(start + line(event, prompt, detail, milliseconds), durably: event.isDurable)
    }

    private static func line(_ event: Event, _ prompt: String, _ detail: String, _ milliseconds: Int64) -> [UInt8] {
        let line: JSON = [
            "ts": .string(utcText(milliseconds, fraction: false)), "event": .string(event.rawValue), "prompt": .string(prompt),
            "detail": .string(bounded(detail)),
        ]
        var bytes: [UInt8] = []
        line.write(to: &bytes, indent: nil)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// Whether another program's line at the end has no newline yet. It is never cut off here: the kernel shows the first page of
    /// a line before the rest, so its writer may be at work this very moment, and is done a moment later.
    private static func isMidLine(_ file: inout AppendFile) throws -> Bool {
        for _ in 0..<100 {
            guard try unfinishedLine(of: file) != nil else { return false }
            sched_yield()
            try file.reopen()
        }
        return true
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > detailBytesMax else { return text }
        return String(decoding: text.utf8.prefix(detailBytesMax), as: UTF8.self) + "…"
    }

    /// Throws where the log would be refused; changes nothing, and makes nothing that is missing.
    static func check(in directory: Directory) throws {
        guard try directory.contractStatus(ContractFile.log.name) != nil else { return }
        _ = try unfinishedLine(of: AppendFile(ContractFile.log.name, in: directory))
    }

    /// The last line, where it has no newline; nil where the log ends as it should.
    private static func unfinishedLine(of file: borrowing AppendFile) throws -> ArraySlice<UInt8>? {
        let tail = try file.tail(lineBytesMax)
        guard let last = tail.last, last != UInt8(ascii: "\n") else { return nil }
        let newline = tail.lastIndex(of: UInt8(ascii: "\n"))
        guard newline != nil || tail.count == file.size else {
            throw FlowspoolError(
                .invalidInput,
                "\(printable(file.path)) ends in a line of more than \(lineBytesMax) bytes, so it is not a log of flowspool",
                hint: "move it out of the way; flowspool makes the file anew")
        }
        return tail[(newline.map { $0 + 1 } ?? 0)...]
    }

    private static func repair(_ file: inout AppendFile) throws {
        guard let piece = try unfinishedLine(of: file) else { return }
        // Power loss on some file systems leaves NUL bytes; they are no JSON either. A piece is no error, it is cut off.
        if let value = try? JSON.parse(piece), value.objectValue != nil {
            try file.append([UInt8(ascii: "\n")], durably: false)
        } else {
            try file.cut(piece.count)
        }
    }
}
