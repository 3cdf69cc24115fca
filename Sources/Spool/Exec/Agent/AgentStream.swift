// What an agent's output tells while it runs: answer, usage, turns, and how it says it ended. Bytes come in as they are
// written; lines that are no events are counted and kept out of every judgement. Each tool's events are in `AgentStream+Events`.

import Foundation

/// Reads one agent's output.
struct AgentStream: Sendable {
    /// How the tool itself says it ended.
    enum Terminal: Sendable, Hashable {
        case success
        /// It says why.
        case failure(String)
        /// It does not.
        case unexplained(String)
        /// It stopped at a limit that it was given.
        case outOfBudget(String)
    }

    let reader: RunnerPreset.Reader
    var answer = ""
    var model: String?
    var session: String?
    var tokensIn: Int?
    var tokensOut: Int?
    var costUSD: Double?
    var turns: Int?
    var terminal: Terminal?
    /// Text of the last event that reports trouble without ending the run.
    var lastError: String?
    /// When a limit ends, where an event said so.
    var resetsAt: Date?
    /// A question that nobody will answer.
    var question: String?
    /// Permissions that were denied.
    var denials = 0
    /// The last line that should be an event and is none: of a tool that gave up before it could speak, the reason.
    var stray: String?
    /// Why the last step ended, of a tool that works in steps.
    var stepReason: String?
    /// Usage by message, because a message is told more than once while it grows.
    var usageOfMessage: [String: (tokensIn: Int, tokensOut: Int)] = [:]

    private var partial: [UInt8] = []
    private var skipsLine = false
    /// The answer is longer than what is kept of it.
    private(set) var isCut = false
    /// A part of the output was taken out before it was read.
    private(set) var isHoled = false

    mutating func noteCut() { isHoled = true }
    /// Longest event that is read, in bytes; a longer one is skipped.
    private static let lineMax = 16 << 20
    /// Longest answer that is kept, in bytes.
    static let answerMax = 16 << 20

    init(reader: RunnerPreset.Reader) { self.reader = reader }

    private var isLines: Bool { reader == .codex || reader == .claude || reader == .opencode }

    /// Takes the next bytes of standard output.
    mutating func take(_ bytes: some Sequence<UInt8>) {
        guard isLines else {
            if partial.count < Self.answerMax { partial.append(contentsOf: bytes) } else { isCut = true }
            return
        }
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !skipsLine { takeLine() }
                partial.removeAll(keepingCapacity: true)
                skipsLine = false
            } else if partial.count >= Self.lineMax {
                skipsLine = true
            } else {
                partial.append(byte)
            }
        }
    }

    /// The output has ended.
    mutating func finish() {
        if isLines {
            if !partial.isEmpty, !skipsLine { takeLine() }
            partial = []
            finishSteps()
        } else {
            finishDocument(String(decoding: partial, as: UTF8.self))
        }
    }

    /// The unfinished last line, where a question would stand.
    var openLine: String {
        let line = partial.suffix(500)
        let start = line.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? line.startIndex
        return String(decoding: line[start...], as: UTF8.self)
    }

    private mutating func takeLine() {
        let line = String(decoding: partial, as: UTF8.self)
        guard line.contains(where: { !$0.isWhitespace }) else { return }
        // What is no JSON is no event, whatever it is.
        guard let event = try? JSON.parse(line.utf8, mends: true), event.objectValue != nil else {
            stray = line
            return
        }
        takeEvent(event)
    }

    /// What was used so far.
    func usage(runner: String, model asked: String?) -> RunUsage {
        var usage = RunUsage(runner: runner)
        usage.model = model ?? asked
        usage.tokensIn = tokensIn
        usage.tokensOut = tokensOut
        usage.costUSD = costUSD
        usage.turns = turns
        usage.session = session
        return usage
    }

    /// Whether this reader expects an event that ends the run.
    var needsTerminal: Bool { reader == .codex || reader == .claude }

    mutating func addAnswer(_ text: String) {
        if answer.utf8.count + text.utf8.count <= Self.answerMax { answer += text } else { isCut = true }
    }
}
