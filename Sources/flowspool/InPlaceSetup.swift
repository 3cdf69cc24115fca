// What `preflight` and `exec` share: how a single file is judged outside a run. Both find policy, configuration and checks as
// `watch` does; where the spool that the other commands would find exists, its spool.yaml counts too.

import ArgumentParser
import Foundation
import Spool

struct InPlaceOptions: ParsableArguments {
    @OptionGroup var spoolOptions: SpoolOptions
    @OptionGroup var profileOptions: ProfileOptions
    @OptionGroup var toggleOptions: ToggleOptions

    @Option(help: ArgumentHelp("How prompts are executed: script, agent, http.", valueName: "mode"))
    var execMode: String?

    var choice: InPlaceChoice {
        InPlaceChoice(
            spool: spoolOptions.spool, profile: profileOptions.choice, toggles: toggleOptions.flags, execMode: execMode)
    }
}

/// The same, parsed.
struct InPlaceChoice: Hashable {
    var spool: String?
    var profile = ProfileChoice()
    var toggles: [ToggleFlag] = []
    var execMode: String?

    /// - Parameter begun: of shell blocks that are analyzed already, or are about to be.
    func setup(
        command: String, timeoutSeconds: Double? = nil, begun: BegunAnalysis = BegunAnalysis()
    ) throws -> InPlaceSetup {
        let repoRoot = try profile.findRepoRoot()
        let path = SpoolOptions.path(flag: spool)
        let configuration = SpoolFolder.isSpool(path) ? try SpoolConfiguration.load(spool: path) : SpoolConfiguration()
        let facts = RunFacts(
            command: command, spoolPath: path, repoRoot: repoRoot,
            resolver: try profile.resolver(flags: toggles, repoRoot: repoRoot),
            execMode: try ExecModeOption.read(execMode), timeoutSeconds: timeoutSeconds, environment: environment)
        let settings = OpenedSpool.makeSettings(facts, configuration, now: SystemClock().wallMilliseconds())
        let agents = try RunnerContext(configuration, environment: environment)
        let runners = PreflightSetup.runners(
            configuration, agents, meter: UsageMeter(budgets: configuration.budgets),
            spoolPath: SpoolFolder.isSpool(path) ? path : nil)
        let preflight = try PreflightSetup.make(
            facts, configuration, searchPath: settings.environment["PATH"] ?? "/usr/bin:/bin", ledger: nil,
            modes: Set(runners.keys), runners: agents, begun: begun)
        return InPlaceSetup(configuration: configuration, settings: settings, runners: runners, preflight: preflight)
    }
}

struct InPlaceSetup {
    let configuration: SpoolConfiguration
    let settings: RunSettings
    let runners: [ExecMode: any Runner]
    let preflight: Preflight

    /// A prompt, read and judged.
    struct Checked {
        var place: PromptInPlace
        let prompt: PromptFile
        let report: PreflightReport
        var verdict: PreflightReport.Verdict

        var stamp: Stamp { Stamp(promptID: prompt.id, promptSHA: prompt.sha) }
    }

    /// Reads and judges the file at `path`.
    ///
    /// - Parameter asks: whether a person at the terminal may be asked about warnings under `warn_mode=ask`.
    func check(_ path: String, asks: Bool) async throws -> Checked {
        let place = try PromptInPlace(path: path, sizeMax: settings.sizeMax)
        let prompt = PromptFile.read(name: place.name, bytes: place.bytes)
        let report = await preflight.check(prompt)
        // Nothing runs, and nothing is stamped, that was not judged.
        if let fault = preflight.shell?.fault { throw fault }
        var verdict = report.verdict(isApproved: false)
        if verdict.status == .held, asks, Terminal.canAsk {
            StandardError.write("\(printable(path)):\n" + FindingText.lines(report.warnings).map { "  \($0)\n" }.joined())
            if Terminal.asks("run it all the same? [y/N] ") { verdict = report.verdict(isApproved: true) }
        }
        return Checked(place: place, prompt: prompt, report: report, verdict: verdict)
    }

    /// Writes the preflight stage into the file; a file that cannot carry a stamp is left as it is.
    func stamp(_ checked: inout Checked) throws {
        guard checked.prompt.canCarryStamp, checked.place.bytes.count <= settings.sizeMax else { return }
        var stamp = checked.stamp
        stamp.preflight = Stamp.Preflight(
            checked.report, checked.verdict, source: settings.command, revision: Stamp.revision(in: checked.place.bytes) + 1,
            updated: settings.stampTime())
        try checked.place.write(try StampWriter.apply(stamp, to: checked.prompt))
    }
}

extension InPlaceSetup.Checked {
    /// One element of `preflight --json`.
    var json: JSON {
        let (policy, sources) = report.resolved.documents
        return [
            "path": .string(place.path), "status": .string(verdict.status.rawValue), "ready": .bool(verdict.isReady),
            "reason": .string(verdict.reason), "prompt_id": .string(prompt.id), "prompt_sha": .string(prompt.sha),
            "profile": JSON(report.resolved.profile), "exec_mode": .string(report.mode.rawValue), "policy": policy,
            "policy_source": sources, "findings": .array(report.findings.map(JobView.json)),
        ]
    }

    /// The same for a person; info findings only where they are asked for.
    func text(_ path: String, showsInfo: Bool) -> String {
        let shown = report.findings.filter { showsInfo || $0.severity != .info }
        // The lines are those of the author's text: a stamp above the body shifts none of them.
        let text = String(decoding: prompt.authorBytes, as: UTF8.self)
        return FindingRenderer(usesColour: Terminal.outputHasColour).render(shown, name: path, text: text)
            + "\(printable(path)): \(verdict.status.rawValue): \(printable(verdict.reason))\n"
    }
}
