// Sends a prompt to an OpenAI-compatible endpoint and keeps the answer as it streams, in `answer.md` of the run folder. It never
// throws and never prints. A key goes only where `HTTPTarget` lets it, and is written nowhere.

import Foundation

/// The runner for `exec_mode: http`.
public struct HTTPRunner: Runner {
    let context: RunnerContext
    let meter: UsageMeter
    let gate: CompletionGate
    let clock: any SpoolClock

    /// - Parameter meter: shared with the other runners of the run.
    public init(
        context: RunnerContext, meter: UsageMeter, gate: CompletionGate = CompletionGate(), clock: any SpoolClock = SystemClock()
    ) {
        self.context = context
        self.meter = meter
        self.gate = gate
        self.clock = clock
    }

    public func run(
        _ request: AttemptRequest, on executor: any Executor, report: @escaping @Sendable (AttemptEvent) -> Void
    ) async -> AttemptResult {
        let begin = MonotonicTime.now
        var result: AttemptResult
        do {
            let folder = try RunFolder(path: request.runDirectory)
            let plan = try AgentPlan(request.prompt, mode: .http, context: context)
            let target = try HTTPTarget(request.prompt.settings.agent, plan.preset, context)
            report(.blockStarted(number: 1, of: 1))
            var attempt = HTTPAttempt(
                runner: self, request: request, plan: plan, target: target, folder: folder, executor: executor, begin: begin)
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
        } catch let error as HTTPTarget.Refused {
            result = AttemptResult(outcome: .failed, failureClass: .runner, message: error.message)
        } catch {
            result = AttemptResult(notBegun: error, "\(error)")
        }
        result.durationMilliseconds = begin.milliseconds
        return result
    }
}
