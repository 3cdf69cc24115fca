// Shows a run to a person: one line for each finished job, and at a terminal a live line for each running one. Standard output
// gets the lines, standard error the trouble. It only looks; nothing depends on it.

import Foundation
import Spool
import Synchronization

/// Prints the events of a run.
final class RunReporter: Sendable {
    private struct State {
        var running: [Int64: Running] = [:]
        /// Lines of the live display that stand on the screen now.
        var shown = 0
        var waitingFor: Set<Int64> = []
    }

    private struct Running {
        var job: Job
        var blocks: Int
        var block = 0
        var since: Int64
    }

    private let state = Mutex(State())
    private let isTerminal: Bool
    private let hasColour: Bool
    /// Nothing is said about what went well (cron).
    private let isQuiet: Bool
    private let clock = SystemClock()

    init(isQuiet: Bool = false) {
        isTerminal = isatty(STDOUT_FILENO) == 1 && !isQuiet
        hasColour = isTerminal && Terminal.outputHasColour
        self.isQuiet = isQuiet
    }

    func take(_ event: RunEvent) {
        state.withLock { state in
            clear(&state)
            let line = self.line(event, &state)
            if let line { print(line) }
            draw(&state)
        }
    }

    /// Redraws the live lines each second while `body` runs; only at a terminal.
    func ticking(_ body: () async throws -> Void) async throws {
        let task = Task {
            guard isTerminal else { return }
            while (try? await clock.sleep(milliseconds: 1000)) != nil {  // Cancellation ends the display.
                state.withLock { state in
                    clear(&state)
                    draw(&state)
                }
            }
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        task.cancel()
        await task.value
        try result.get()
    }

    private func line(_ event: RunEvent, _ state: inout State) -> String? {
        switch event {
        case .started: return nil
        case .attemptStarted(let job, let blocks):
            state.running[job.id] = Running(job: job, blocks: blocks, since: clock.monotonicMilliseconds())
            return isTerminal ? nil : text("start", job, "attempt \(job.attempts)")
        case .blockStarted(let job, let number, let of):
            state.running[job.id]?.block = number
            state.running[job.id]?.blocks = of
            return nil
        case .attemptFailed(let job, let result, let again):
            state.running[job.id] = nil
            return again ? text("retry", job, job.reason.isEmpty ? result.message : job.reason) : nil
        case .finished(let job, let result):
            state.running[job.id] = nil
            let seconds = Self.seconds(Int(job.duration ?? Int64(result?.durationMilliseconds ?? 0)))
            if job.state == .done { return text("done", job, seconds) }
            return text(
                job.state == .cancelled ? "cancel" : "FAILED", job,
                "\(seconds)  \(printable(job.reason))  → flowspool logs \(job.id)")
        case .held(let job, _): return text("held", job, "\(printable(job.reason))  → flowspool approve \(job.id)")
        case .blocked(let job, _): return text("BLOCKED", job, "\(printable(job.reason))  → flowspool show \(job.id)")
        case .refused(let job): return text("REFUSED", job, printable(job.reason))
        case .withdrawn(let job): return text("gone", job, "taken out of the drop folder")
        case .deferred(let job):
            return text("later", job, job.notBefore.map { "not before \(utcText($0, fraction: false))" } ?? "")
        case .notBegun(let job, _):
            state.running[job.id] = nil
            return text("later", job, "its attempt could not begin, and does not count")
        case .waitsForWriter(let job):
            guard state.waitingFor.insert(job.id).inserted else { return nil }
            // Where nobody looks, it is what a batch that does not end is asked about.
            if isQuiet, job.batch != nil {
                StandardError.write(
                    "\(StandardError.prefix)\(job.title) is waited for, up to 10 minutes: somebody still writes it\n")
            }
            return text("waits", job, "somebody still writes it")
        case .onHold(let hold): return "on hold: \(printable(hold.reason))\n  hint: mend it, then `flowspool resume`"
        case .holdLifted: return "the hold is lifted"
        case .stopping(let running, let unrecorded):
            let (jobs, them) = running == 1 ? ("1 job that runs", "it") : ("\(running) jobs that run", "them")
            if running > 0 {
                StandardError.write("\(StandardError.prefix)stopping: waits for \(jobs); a second signal ends \(them) at once\n")
            }
            if !unrecorded.isEmpty {
                let ended = unrecorded.map(String.init).joined(separator: ", ")
                StandardError.write(
                    "\(StandardError.prefix)stopping: waits until the end of job \(ended) can be recorded; a second signal leaves it, "
                        + "and then it counts as interrupted\n")
            }
            return nil
        case .trouble(let error):
            StandardError.write("flowspool: \(error)\n")
            return nil
        case .ended: return nil
        }
    }

    private func text(_ word: String, _ job: Job, _ rest: String) -> String {
        let padded = word + String(repeating: " ", count: max(1, 8 - word.count))
        let coloured = hasColour && word.first?.isUppercase == true ? "\u{1B}[31m\(padded)\u{1B}[0m" : padded
        return "\(coloured)\(job.id)  \(printable(job.name))  \(rest)"
    }

    private func print(_ line: String) {
        if isQuiet { return }
        // A reader that has gone must not end the run.
        try? StandardOutput.write(line + "\n")
    }

    private func clear(_ state: inout State) {
        guard isTerminal, state.shown > 0 else { return }
        // Cursor up, erase to the end of the screen (ECMA-48 CUU, ED).
        try? StandardOutput.write("\u{1B}[\(state.shown)A\u{1B}[J")  // As above.
        state.shown = 0
    }

    private func draw(_ state: inout State) {
        guard isTerminal, !state.running.isEmpty else { return }
        let now = clock.monotonicMilliseconds()
        let entries = state.running.values.sorted { $0.job.id < $1.job.id }.prefix(16)
        let lines: [String] = entries.map { entry in
            let elapsed = Self.seconds(Int(now - entry.since))
            // A line that wraps would not be cleared as a whole.
            return Terminal.fit(text("run", entry.job, "block \(entry.block)/\(entry.blocks)  \(elapsed)"), width: Terminal.width)
        }
        try? StandardOutput.write(lines.joined(separator: "\n") + "\n")  // As above.
        state.shown = lines.count
    }

    static func seconds(_ milliseconds: Int) -> String {
        let tenths = milliseconds / 100
        if milliseconds < 60_000 { return "\(tenths / 10).\(tenths % 10) s" }
        let seconds = milliseconds / 1000
        return "\(seconds / 60) min \(seconds % 60) s"
    }
}
