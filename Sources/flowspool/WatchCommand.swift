// `flowspool watch`: runs the spool until it is told to stop. Joins the watcher's hints, the dispatcher and the signals; a spool
// folder that is deleted and made again is opened anew.

import ArgumentParser
import Foundation
import ServiceLifecycle
import Spool
import Watcher

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Run the prompts that are dropped into the spool, until told to stop.",
        discussion: """
            The first TERM or INT lets running jobs finish, the second ends them; HUP reads spool.yaml again.
            With --drain it stops when nothing is left: exit status 0, 1 when a job failed, 10 or 11 when it halted, 75 when
            a signal stopped it.

            EXAMPLE
              flowspool watch
              flowspool watch --drain --profile poc
            """)

    @OptionGroup var spoolOptions: SpoolOptions
    @OptionGroup var profileOptions: ProfileOptions
    @OptionGroup var toggleOptions: ToggleOptions

    @Option(help: ArgumentHelp("Jobs that run at the same time.", valueName: "n"))
    var jobs: Int?

    @Option(help: ArgumentHelp("How prompts are executed: script, agent, http.", valueName: "mode"))
    var execMode: String?

    @Flag(help: "Stop when nothing is left to do.")
    var drain = false

    @Flag(help: "Look at the folder every 2 seconds instead of waiting for events.")
    var poll = false

    @Flag(help: "Accept a spool folder that others may write to: whoever can drop a prompt runs commands as you.")
    var allowShared = false

    func run() async throws {
        try await reportingErrors {
            let repoRoot = try profileOptions.findRepoRoot()
            let facts = RunFacts(
                command: "watch", spoolPath: spoolOptions.path, repoRoot: repoRoot,
                resolver: try profileOptions.resolver(toggles: toggleOptions, repoRoot: repoRoot), allowsShared: allowShared,
                jobs: try Self.checkJobs(jobs), execMode: try ExecModeOption.read(execMode), environment: environment)
            let service = WatchService(facts: facts, drains: drain, poll: poll ? true : nil)
            try await RunLifecycle.run(service, control: service.control, takesHangup: true)
            guard let ending = service.control.ending else { return }
            if drain || ending.unrecorded > 0, ending.exitCode != 0 { throw ExitCode(ending.exitCode) }
        }
    }

    static func checkJobs(_ jobs: Int?) throws(FlowspoolError) -> Int? {
        guard let jobs, !(1...256).contains(jobs) else { return jobs }
        throw FlowspoolError(.usage, "--jobs \(jobs) is out of range", hint: "give a number from 1 to 256")
    }
}

/// `--exec-mode`, `PROMPT_FLOW_EXEC_MODE`.
enum ExecModeOption {
    static func read(_ flag: String?) throws(FlowspoolError) -> ExecMode? {
        if flag?.isEmpty == true {
            throw FlowspoolError(.usage, "--exec-mode is empty", hint: "is the variable set that gives it?")
        }
        guard let text = flag ?? environment["PROMPT_FLOW_EXEC_MODE"], !text.isEmpty else { return nil }
        guard let mode = ExecMode(rawValue: text) else {
            let name = flag == nil ? "PROMPT_FLOW_EXEC_MODE" : "--exec-mode"
            throw FlowspoolError(
                .invalidInput, "\(name): “\(printable(text))” is no way to execute a prompt",
                hint: "use one of: \(ExecMode.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return mode
    }
}

/// The long-running part of `watch`.
struct WatchService: Service {
    let facts: RunFacts
    let drains: Bool
    /// nil: as spool.yaml says, else by the file system.
    let poll: Bool?
    let control: RunControl
    private let supervisor: Supervisor

    init(facts: RunFacts, drains: Bool, poll: Bool?) {
        self.facts = facts
        self.drains = drains
        self.poll = poll
        let supervisor = Supervisor(environment: facts.environment)
        self.supervisor = supervisor
        control = RunControl(stopping: { supervisor.stopping() })
    }

    func run() async throws {
        let reporter = RunReporter()
        // Made first, so that there is something to watch.
        let spool = try SpoolFolder.make(at: facts.spoolPath, allowsShared: facts.allowsShared)
        let configuration = try SpoolConfiguration.load(spool: spool.path)
        try await HintPump.pumping(
            folder: spool.path, poll: poll ?? configuration.poll.asFlag, interval: configuration.poll.seconds
        ) { pump in
            try await reporter.ticking { try await runSessions(reporter, pump) }
        }
    }

    private func runSessions(_ reporter: RunReporter, _ pump: HintPump) async throws {
        while true {
            let ending = try await runSession(reporter, pump)
            // The next one reads the settings anyway; and what is kept here would keep the locks of the last one.
            control.onHangup {}
            if ending.why != .replaced || control.isStopping { return }
        }
    }

    private func runSession(_ reporter: RunReporter, _ pump: HintPump) async throws -> RunEnding {
        let opened = try OpenedSpool(facts)
        var settings = opened.settings
        settings.drains = drains
        let session = try RunSession(opened, settings: settings) { [supervisor] event in
            reporter.take(event)
            if case .started = event { supervisor.ready() }
        }
        control.set(session.dispatcher)
        control.onHangup { [supervisor] in
            supervisor.reloading()
            Self.reload(session) { supervisor.ready() }
        }
        if !drains { announce(session) }
        let ending = try await session.run(pump)
        control.clear(ending)
        return ending
    }

    /// Reads spool.yaml again. A file with a fault changes nothing.
    ///
    /// - Parameter whenOver: called once what is dropped from then on is judged by the settings that hold now.
    private static func reload(_ session: RunSession, whenOver: @escaping @Sendable () -> Void) {
        do throws(FlowspoolError) {
            session.adjust(to: try SpoolConfiguration.load(spool: session.opened.spool.path)) { later in
                let rest = later.isEmpty ? "" : "; the change of \(later.joined(separator: ", ")) takes effect at the next start"
                StandardError.write("\(StandardError.prefix)spool.yaml was read again\(rest)\n")
                whenOver()
            }
        } catch {
            _ = report(error)
            StandardError.write("\(StandardError.prefix)spool.yaml was not taken over: the settings stay as they were\n")
            whenOver()
        }
    }

    private func announce(_ session: RunSession) {
        let names = "\(printable(session.opened.spool.path))/*.md"
        let profile = facts.resolver.base.profile ?? "none"
        let line =
            "watching \(names)  (profile \(profile), \(session.settings.jobs) at a time; Ctrl-C lets running jobs finish)\n"
        // A reader that has gone must not end the run.
        try? StandardOutput.write(line)
    }
}

extension SpoolConfiguration.Poll {
    /// How often, where that is said.
    var seconds: Double? { if case .every(let seconds) = self { seconds } else { nil } }

    var asFlag: Bool? {
        switch self {
        case .automatic: nil
        case .never: false
        case .every: true
        }
    }
}
