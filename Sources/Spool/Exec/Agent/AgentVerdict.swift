// How an attempt by an agent is judged, from everything that is known when nothing of it runs any more. An exit status alone is
// never trusted: success needs status 0, the tool's own word where it gives one, and no word to the contrary.

import Foundation

/// Why the watch ended an attempt before its time.
enum WatchCause: Sendable, Hashable {
    case idle(seconds: Double)
    case budget(String)
    case permission(String)
}

struct AgentVerdict: Sendable, Hashable {
    var failure: FailureClass?
    var exitCode: Int32?
    var message: String
    var retryAt: Date?
    var isCancelled = false

    struct Evidence {
        var preset: RunnerPreset
        var ending: CommandResult.Ending
        var cause: WatchCause?
        var stream: AgentStream
        /// The end of standard error.
        var errors: String
        var timeoutSeconds: Double
        var now: Date
        var timeZone: TimeZone
    }

    static func judge(_ evidence: Evidence) -> AgentVerdict {
        let name = evidence.preset.name
        if let cause = evidence.cause {
            if case .idle = cause, let verdict = waitedForLimit(evidence) { return verdict }
            return ended(by: cause, name)
        }
        switch evidence.ending {
        case .timedOut:
            if let verdict = waitedForLimit(evidence) { return verdict }
            return AgentVerdict(
                failure: .timeout,
                message: "\(name) was ended: the time limit of \(spelled(seconds: evidence.timeoutSeconds)) was reached")
        case .cancelled: return AgentVerdict(failure: .interrupted, message: "cancelled while \(name) ran", isCancelled: true)
        case .notStarted(let why): return AgentVerdict(failure: .runner, message: "\(name) could not start: \(why)")
        case .signalled(let signal):
            return AgentVerdict(
                failure: .signal, message: "\(name) was ended by signal \(signal) (\(String(cString: strsignal(signal))))")
        case .exited(let code): return exited(code, evidence)
        }
    }

    private static func ended(by cause: WatchCause, _ name: String) -> AgentVerdict {
        switch cause {
        case .idle(let seconds):
            AgentVerdict(
                failure: .idle, message: "\(name) was ended: no output and no processor time for \(spelled(seconds: seconds))")
        case .budget(let text): AgentVerdict(failure: .budget, message: "\(name) was ended: \(text)")
        case .permission(let text):
            AgentVerdict(failure: .permission, message: "\(name) was ended: \(text), and nobody is there to answer")
        }
    }

    private static func exited(_ code: Int32, _ evidence: Evidence) -> AgentVerdict {
        let stream = evidence.stream
        let name = evidence.preset.name
        if code == 0, isSuccess(stream) { return AgentVerdict(exitCode: 0, message: "\(name) finished") }
        if case .outOfBudget(let text) = stream.terminal {
            return AgentVerdict(failure: .budget, exitCode: code, message: "\(name): \(text)")
        }
        if let limit = limit(limitWords(evidence, code), evidence, code) { return limit }
        var verdict = AgentVerdict(failure: .exit, exitCode: code, message: "")
        let words = words(evidence)
        if let meaning = evidence.preset.exits[code] {
            verdict.failure = meaning.failure
            verdict.message = "\(name) exited \(code): \(meaning.text)" + (words.map { ": \(line($0))" } ?? "")
        } else if stream.denials > 0 {
            verdict.failure = .permission
            verdict.message = "\(name) failed after \(stream.denials) denied permission\(stream.denials == 1 ? "" : "s")"
        } else if let words {
            verdict.message = "\(name) failed (exit \(code)): \(line(words))"
        } else if code == 0 {
            verdict.message = "\(name) exited 0 without \(stream.needsTerminal ? "the event that ends a run" : "an answer")"
        } else {
            verdict.message = "\(name) exited \(code)" + (printed(stream).map { ": \(line($0))" } ?? "")
        }
        return verdict
    }

    /// What can say that a limit ended the run. The event that ends it decides alone where it has a reason; where a tool gives none, its
    /// last words do. What was printed on the way tells of limits, too, that it sat out.
    private static func limitWords(_ evidence: Evidence, _ code: Int32) -> [String] {
        if case .failure(let reason) = evidence.stream.terminal { return [reason] }
        var words = [evidence.stream.lastError].compactMap(\.self)
        // A status with a meaning of its own is such a reason.
        if evidence.preset.exits[code] == nil { words.append(LastWords.of(evidence.errors)) }
        return words
    }

    /// The tool's last words, the most telling. What the agent wrote is not among them.
    private static func words(_ evidence: Evidence) -> String? {
        switch evidence.stream.terminal {
        case .failure(let reason): return reason
        case .unexplained(let text): return evidence.stream.lastError ?? lines(evidence.errors).last.map(String.init) ?? text
        case .success, .outOfBudget, nil: return evidence.stream.lastError ?? lines(evidence.errors).last.map(String.init)
        }
    }

    /// The last that a program printed which said nothing on standard error.
    private static func printed(_ stream: AgentStream) -> String? {
        switch stream.reader {
        case .text, .aider: lines(stream.answer).last.map(String.init)
        case .codex, .claude, .opencode, .gemini: stream.stray
        }
    }

    /// Some tools sit a limit out and try again; ended meanwhile, it is the limit that they met, and no fault of the prompt.
    private static func waitedForLimit(_ evidence: Evidence) -> AgentVerdict? {
        guard case .failure(let text) = evidence.stream.terminal else { return nil }
        return limit([text], evidence, nil)
    }

    private static func limit(_ words: [String], _ evidence: Evidence, _ code: Int32?) -> AgentVerdict? {
        guard let text = words.first(where: LimitText.isLimit) else { return nil }
        var verdict = AgentVerdict(
            failure: .rateLimited, exitCode: code, message: "\(evidence.preset.name) has reached a limit: \(line(text))")
        verdict.retryAt =
            evidence.stream.resetsAt.flatMap { LimitText.believed($0, evidence.now) }
            ?? (words + [evidence.stream.lastError].compactMap(\.self)).lazy.compactMap {
                LimitText.resetTime(in: $0, now: evidence.now, timeZone: evidence.timeZone)
            }.first
        return verdict
    }

    private static func isSuccess(_ stream: AgentStream) -> Bool {
        switch stream.terminal {
        case .success: true
        case .failure, .unexplained, .outOfBudget: false
        case nil:
            switch stream.reader {
            case .codex, .claude, .gemini: false
            case .opencode: !stream.answer.isEmpty || (stream.turns ?? 0) > 0
            case .aider, .text: stream.answer.contains { !$0.isWhitespace }
            }
        }
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(whereSeparator: \.isNewline).filter { $0.contains { !$0.isWhitespace } }
    }

    /// The line that tells of a limit, else the last that says something, short enough for a reason.
    private static func line(_ text: String) -> String {
        let lines = lines(text)
        let best = lines.last { LimitText.isLimit(String($0)) } ?? lines.last ?? ""
        return printable(best.count > 300 ? best.prefix(299) + "…" : String(best))
    }
}
