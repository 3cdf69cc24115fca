// `flowspool exec FILE`, also called as `prompt-exec`: preflight, stamp and run one prompt where it stands. Needs no spool and
// writes no ledger; logs go to run folders of the user's own. INT, TERM and HUP end what runs, and the stamp says so.

import ArgumentParser
import Foundation
import Spool
import UnixSignals

struct ExecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Check, stamp and run one prompt in place.",
        discussion: """
            Logs and results stand in run folders below --run-dir (default: $XDG_STATE_HOME/flowspool/runs, or
            ~/.local/state/flowspool/runs; without a home: temp/flowspool/runs in the repository).
            Exit status: 0 success; 1 it failed or was interrupted; 2 it is blocked, held or could not be read; 75 a rate
            limit: try again later.

            EXAMPLE
              flowspool exec hello.md
              flowspool exec --profile production --timeout 15m nightly.md --json
            """)

    @OptionGroup var options: InPlaceOptions

    @Argument(help: ArgumentHelp("The prompt file.", valueName: "file"))
    var file: String

    @Option(
        name: [.long, .customLong("timeout-sec")],
        help: ArgumentHelp("For one attempt: seconds, or 90s, 15m, 2h.", valueName: "time"))
    var timeout: String?

    @Option(help: ArgumentHelp("Where run folders are made.", valueName: "dir"))
    var runDir: String?

    @Flag(help: "Print one JSON document.")
    var json = false

    func validate() throws { try SpoolOptions.refuseEmpty(runDir, "--run-dir") }

    func run() async throws {
        try await reportingErrors {
            let setup = try options.choice.setup(command: "exec", timeoutSeconds: try timeout.map(Self.readTimeout))
            var checked = try await setup.check(file, asks: !json)
            try setup.stamp(&checked)
            guard checked.verdict.isReady else { return try refuse(&checked, setup) }
            if !json { StandardError.write(checked.text(file, showsInfo: false)) }
            guard let runner = setup.runners[checked.report.mode] else {
                throw FlowspoolError(.invalidInput, "nothing here can run exec_mode \(checked.report.mode.rawValue)")
            }
            let exec = ExecInPlace(
                runner: runner, executor: LocalExecutor(outputBytesMax: setup.configuration.logLimitBytes),
                settings: setup.settings)
            let outcome = try await runUntilSignal(exec, checked, base: try runBase(setup.settings.repoRoot))
            try stamp(&checked, setup, exec.stage(checked.prompt, outcome, warnings: checked.report.warnings.count))
            try tell(checked, outcome)
            if let code = Self.exitCode(outcome.result) { throw ExitCode(code) }
        }
    }

    private static func readTimeout(_ text: String) throws -> Double {
        guard let limit = seconds(ofDuration: text) else {
            throw FlowspoolError(.usage, "--timeout: “\(printable(text))” is no time", hint: "give seconds, or 90s, 15m, 2h")
        }
        return limit
    }

    static func exitCode(_ result: AttemptResult) -> Int32? {
        if result.outcome == .success { return nil }
        return result.failureClass == .rateLimited ? 75 : 1
    }

    /// Runs it; a signal cancels the attempt, which ends all that it started before this returns.
    private func runUntilSignal(_ exec: ExecInPlace, _ checked: InPlaceSetup.Checked, base: String) async throws
        -> ExecInPlace.Outcome
    {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let blocks = checked.prompt.blocks.count
        let showsProgress = Terminal.isError && !json
        let work = Task {
            try await exec.run(
                checked.prompt, at: checked.place, base: base, retryMax: checked.report.resolved.policy.retryMax
            ) { attempt, event in
                if showsProgress { Self.progress(attempt, event, blocks: blocks) }
            }
        }
        let listener = Task {
            for await _ in signals { work.cancel() }
        }
        let result = await work.result
        listener.cancel()
        await listener.value
        return try result.get()
    }

    private static func progress(_ attempt: Int, _ event: AttemptEvent, blocks: Int) {
        switch event {
        case .blockStarted(let number, let of): StandardError.write("  attempt \(attempt), block \(number) of \(of) …\n")
        case .blockFinished(let result):
            let exit = result.exitCode.map { "exit \($0)" } ?? result.failureClass?.rawValue ?? "skipped"
            StandardError.write("  block \(result.block): \(exit), \(JobView.took(Int64(result.durationMilliseconds)))\n")
        }
    }

    private func runBase(_ repoRoot: String) throws -> String {
        if let runDir { return absolutePath(runDir) }
        // The XDG Base Directory Specification wants absolute paths, and others ignored.
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return absolutePath(state + "/flowspool/runs") }
        if let home = environment["HOME"], home.hasPrefix("/") { return absolutePath(home + "/.local/state/flowspool/runs") }
        return repoRoot + "/temp/flowspool/runs"
    }

    /// It may not run: the stamp says so, and so does the exit status.
    private func refuse(_ checked: inout InPlaceSetup.Checked, _ setup: InPlaceSetup) throws {
        if checked.verdict.status == .blocked {
            let runner = setup.runners[.script] ?? ScriptRunner()
            let exec = ExecInPlace(runner: runner, executor: LocalExecutor(), settings: setup.settings)
            try stamp(&checked, setup, exec.stage(checked.prompt, nil, warnings: checked.report.warnings.count))
        }
        if json {
            try StandardOutput.write(document(checked, nil))
        } else {
            StandardError.write(checked.text(file, showsInfo: false))
            if checked.verdict.status == .held {
                StandardError.write("  hint: answer at a terminal, or give --warn-mode auto-approve\n")
            }
        }
        throw ExitCode(2)
    }

    /// Writes the exec stage, unless what ran has changed the prompt itself: a stamp would speak of other bytes.
    private func stamp(_ checked: inout InPlaceSetup.Checked, _ setup: InPlaceSetup, _ stage: Stamp.Exec) throws {
        guard checked.prompt.canCarryStamp, checked.place.bytes.count <= setup.settings.sizeMax else { return }
        do {
            try checked.place.reload(sizeMax: setup.settings.sizeMax)
        } catch let error as FlowspoolError {
            return StandardError.warn("not stamped: \(error.message)")
        }
        let now = PromptFile.read(name: checked.place.name, bytes: checked.place.bytes)
        guard now.sha == checked.prompt.sha else {
            return StandardError.warn("\(printable(file)) changed while it ran, so it is not stamped")
        }
        var stamp = checked.stamp
        stamp.exec = stage
        try checked.place.write(try StampWriter.apply(stamp, to: now))
    }

    private func tell(_ checked: InPlaceSetup.Checked, _ outcome: ExecInPlace.Outcome) throws {
        if json { return try StandardOutput.write(document(checked, outcome)) }
        let result = outcome.result
        let tries = outcome.attempts == 1 ? "" : ", \(outcome.attempts) attempts"
        let gate = result.gate == .skipped ? "" : ", gate \(result.gate.rawValue)"
        let why = result.message.isEmpty ? "" : ": \(printable(result.message))"
        let usage = result.usage.flatMap { usage in
            JobView.usage(
                runner: usage.runner, tokens: usage.tokensIn == nil && usage.tokensOut == nil ? nil : usage.tokens,
                costUSD: usage.costUSD)
        }
        try StandardOutput.write(
            """
            \(printable(file)): \(outcome.status.rawValue)\(why) (\(JobView.took(Int64(result.durationMilliseconds)))\(tries)\(gate))
            \(usage.map { "  used: \($0)\n" } ?? "")  logs: \(printable(outcome.runDirectory))

            """)
    }

    private func document(_ checked: InPlaceSetup.Checked, _ outcome: ExecInPlace.Outcome?) -> JSON {
        let result = outcome?.result
        let status = outcome?.status.rawValue ?? checked.verdict.status.rawValue
        return [
            "job": nil, "path": .string(checked.place.path), "prompt_id": .string(checked.prompt.id), "status": .string(status),
            "reason": .string(result?.message ?? checked.verdict.reason),
            "failure_class": result == nil ? "blocked" : JSON(result?.failureClass?.rawValue),
            "exit_code": JSON(result?.exitCode.map(Int.init)), "failed_block": JSON(result?.failedBlock),
            "completion_gate": .string((result?.gate ?? .skipped).rawValue), "attempts": .int(outcome?.attempts ?? 0),
            "run_dir": JSON(outcome?.runDirectory), "duration_ms": JSON(result?.durationMilliseconds),
            "usage": result?.usage?.json ?? .null,
            "findings": .array(checked.report.findings.map(JobView.json)),
        ]
    }
}
