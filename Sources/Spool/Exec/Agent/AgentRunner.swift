// Runs a prompt by an agent's command line, and judges what came of it. The prompt goes to standard input from a file of the run
// folder; everything the agent prints is kept there as `transcript.jsonl` or `transcript.txt`, its errors as `stderr.log`, its
// answer as `answer.md`. It never throws and never prints; on return nothing of the agent is left running.

import Foundation

/// The runner for `exec_mode: agent`.
public struct AgentRunner: Runner {
    let context: RunnerContext
    let meter: UsageMeter
    /// The spool, which is no part of any working tree's changes.
    let spoolPath: String?
    let gate: CompletionGate
    let clock: any SpoolClock
    let timeZone: TimeZone?
    let outputBytesMax: Int

    /// - Parameters:
    ///   - meter: shared with the other runners of the run.
    ///   - spoolPath: worktrees are made in its `.flowspool/worktrees/`; nil: in the run folder.
    ///   - timeZone: of times of day that a tool writes without a zone; nil: that of this machine when it is asked for.
    public init(
        context: RunnerContext, meter: UsageMeter, spoolPath: String? = nil, gate: CompletionGate = CompletionGate(),
        outputBytesMax: Int = 256 << 20, clock: any SpoolClock = SystemClock(), timeZone: TimeZone? = nil
    ) {
        self.context = context
        self.meter = meter
        self.spoolPath = spoolPath
        self.gate = gate
        self.outputBytesMax = outputBytesMax
        self.clock = clock
        self.timeZone = timeZone
    }

    public func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        let begin = MonotonicTime.now
        var result: AttemptResult
        do {
            let folder = try RunFolder(path: request.runDirectory)
            let plan = try AgentPlan(request.prompt, mode: .agent, context: context)
            report(.blockStarted(number: 1, of: 1))
            var attempt = AgentAttempt(
                runner: self, request: request, plan: plan, folder: folder, executor: executor, begin: begin)
            let strikes = meter.limits.strikes(of: plan.preset.name)
            result = await attempt.run()
            meter.limits.take(&result, of: plan.preset.name, since: strikes, now: clock.wallMilliseconds())
            result.hide(attempt.secrets)
            result.durationMilliseconds = begin.milliseconds
            if let block = result.blocks.last { report(.blockFinished(block)) }
            do {
                try folder.writeResult(Data(result.json(of: request).pretty.utf8))
            } catch {
                result.message += "; \(error)"
            }
        } catch let error as RunnerCatalog.NoRunner {
            result = AttemptResult(outcome: .failed, failureClass: .runner, message: error.message)
        } catch {
            result = AttemptResult(notBegun: error, "\(error)")
        }
        result.durationMilliseconds = begin.milliseconds
        return result
    }
}
