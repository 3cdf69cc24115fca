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
        var verdict = AgentVerdict(failure: .exit, exitCode: code, message: "")
        // The tool's last words, the most telling first. What the agent wrote is not among them.
        var words: [String] = []
        if case .failure(let text) = stream.terminal { words.append(text) }
        if let error = stream.lastError { words.append(error) }
        if !evidence.errors.isEmpty { words.append(evidence.errors) }
        if let limit = limit(words, evidence, code) { return limit }
        if case .outOfBudget(let text) = stream.terminal {
            verdict.failure = .budget
            verdict.message = "\(name): \(text)"
        } else if let meaning = evidence.preset.exits[code] {
            verdict.failure = meaning.failure
            verdict.message = "\(name) exited \(code): \(meaning.text)" + (words.first.map { ": \(line($0))" } ?? "")
        } else if stream.denials > 0 {
            verdict.failure = .permission
            verdict.message = "\(name) failed after \(stream.denials) denied permission\(stream.denials == 1 ? "" : "s")"
        } else if let first = words.first {
            verdict.message = "\(name) failed (exit \(code)): \(line(first))"
        } else if code == 0 {
            verdict.message = "\(name) exited 0 without \(stream.needsTerminal ? "the event that ends a run" : "an answer")"
        } else {
            verdict.message = "\(name) exited \(code)"
        }
        return verdict
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
            ?? words.lazy.compactMap { LimitText.resetTime(in: $0, now: evidence.now, timeZone: evidence.timeZone) }.first
        return verdict
    }

    private static func isSuccess(_ stream: AgentStream) -> Bool {
        switch stream.terminal {
        case .success: true
        case .failure, .outOfBudget: false
        case nil:
            switch stream.reader {
            case .codex, .claude, .gemini: false
            case .opencode: !stream.answer.isEmpty || (stream.turns ?? 0) > 0
            case .aider, .text: stream.answer.contains { !$0.isWhitespace }
            }
        }
    }

    /// The last line that says something, short enough for a reason.
    private static func line(_ text: String) -> String {
        let lines = text.split(separator: "\n").filter { $0.contains { !$0.isWhitespace } }
        let best = lines.last { LimitText.isLimit(String($0)) } ?? lines.last ?? ""
        return printable(best.count > 300 ? best.prefix(299) + "…" : String(best))
    }
}
