// Runs a prompt's shell blocks, one child each, in order, and judges them by their marks; then the completion gate. It never
// throws and never prints: whatever happens is an outcome with a class, a block and a sentence. On return `result.json` and
// the logs stand in the run folder, and the executor has left nothing running.

import Foundation

/// The runner for `exec_mode: script` (DESIGN "Execution").
public struct ScriptRunner: Runner {
    private let logBytesMax: Int
    private let gate: CompletionGate
    private let calls: SystemCalls

    /// - Parameters:
    ///   - logBytesMax: bound for the logs of one attempt together; of a block that prints more, the beginning and the end
    ///     are kept.
    ///   - gate: what is asked after the blocks succeeded.
    public init(logBytesMax: Int = 64 << 20, gate: CompletionGate = CompletionGate(), calls: SystemCalls = .live) {
        self.logBytesMax = logBytesMax
        self.gate = gate
        self.calls = calls
    }

    public func makeReady(_ request: AttemptRequest, _ readiness: Readiness, on executor: any Executor) -> ReadyAttempt? {
        let begins = readiness == .begun && ScriptAttempt.beginsWithScript(request)
        // Whatever fails here is tried and reported by the attempt itself.
        guard let folder = try? request.ready?.folder ?? RunFolder(path: request.runDirectory, calls: calls),
            var ready = try? ScriptAttempt.makeReady(request, in: folder, withoutScript: begins)
        else { return nil }
        if readiness == .files { return ready }
        var request = request
        request.ready = ready
        var attempt = ScriptAttempt(
            request: request, folder: folder, executor: executor, logBytesMax: logBytesMax, begin: .now, report: { _ in })
        ready.first = attempt.readyBlock()
        // Where it cannot begin, the attempt writes its script and starts it.
        if begins { ready.first = ready.first.flatMap(attempt.begun) }
        return ready
    }

    public func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        let begin = MonotonicTime.now
        // Where the first block has not come to it.
        defer { request.ready?.first?.giveUp() }
        var result: AttemptResult
        do {
            let folder = try request.ready?.folder ?? RunFolder(path: request.runDirectory, calls: calls)
            var attempt = ScriptAttempt(
                request: request, folder: folder, executor: executor, logBytesMax: logBytesMax, begin: begin, report: report)
            result = await attempt.run(gate: gate)
            result.durationMilliseconds = begin.milliseconds
            do {
                try folder.writeResult(Data(result.json(of: request).pretty.utf8))
            } catch {
                result.message += result.message.isEmpty ? "\(error)" : "; \(error)"
            }
        } catch {
            result = AttemptResult(notBegun: error, "\(error)")
            result.lastOKBlock = request.firstBlock - 1
            result.carriedEnvironment = request.carriedEnvironment
            result.durationMilliseconds = begin.milliseconds
        }
        return result
    }
}

/// A moment on the monotonic clock, which a person who sets the time of day does not move.
struct MonotonicTime: Sendable {
    private let nanoseconds: UInt64

    static var now: MonotonicTime { MonotonicTime(nanoseconds: ChildWatch.now()) }

    /// Since this moment.
    var seconds: Double { Double(ChildWatch.now() - nanoseconds) / 1e9 }
    var milliseconds: Int { Int(seconds * 1000) }
}

/// `90 s`, `0.5 s`; at most three decimals.
func spelled(seconds: Double) -> String {
    let rounded = (seconds * 1000).rounded() / 1000
    return rounded == rounded.rounded() && rounded < 1e15 ? "\(Int(rounded)) s" : "\(rounded) s"
}
