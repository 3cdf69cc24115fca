// A real spool in a folder of its own: real ledger, real bash. What a test injects are faults, clocks and hints.

import Foundation
import Synchronization

@testable import Spool

/// Collects what a run tells.
final class EventList: Sendable {
    private let list = Mutex<[RunEvent]>([])
    func take(_ event: RunEvent) { list.withLock { $0.append(event) } }
    var events: [RunEvent] { list.withLock { $0 } }

    /// Names of the jobs whose attempts started, in order.
    var started: [String] {
        events.compactMap { if case .attemptStarted(let job, _) = $0 { job.name } else { nil } }
    }
    var troubles: [String] {
        events.compactMap { if case .trouble(let error) = $0 { error.message } else { nil } }
    }
}

struct TestSpool {
    let folder: TestFolder
    var path: String { folder.path + "/spool" }

    init() throws {
        folder = try TestFolder()
        _ = try SpoolFolder.make(at: folder.path + "/spool")
    }

    func remove() { folder.remove() }

    /// Drops a prompt with these bash blocks.
    func drop(_ name: String, _ blocks: String..., front: String = "") throws {
        var text = front.isEmpty ? "" : "---\n\(front)\n---\n"
        text += "# \(name.filter { $0.isLetter || $0.isNumber })\n"
        for block in blocks { text += "```bash\n\(block)\n```\n" }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func list(_ place: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place.isEmpty ? path : path + "/" + place)) ?? []
        return names.filter { !$0.hasPrefix(".") && !SpoolFolder.placeNames.contains($0) }.sorted()
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

    func ledger() throws -> Ledger { try Ledger(path: path + "/.flowspool/" + Ledger.fileName) }

    func job(_ name: String) throws -> Job? { try ledger().read { try $0.job(named: name) } }

    static func resolver(profile: String = "poc", flags: [ToggleFlag] = []) throws -> PolicyResolver {
        try PolicyResolver(configuration: .builtin, profileFlag: profile, flags: flags, environment: [:])
    }

    func dispatcher(
        profile: String = "poc", flags: [ToggleFlag] = [], calls: SystemCalls = .live, shell: (any ShellChecking)? = nil,
        runner: (any Runner)? = nil, clock: any SpoolClock = SystemClock(), events: EventList = EventList(),
        isDone: @escaping @Sendable (Job) -> Bool = { _ in true }, observe: (@Sendable (RunEvent) -> Void)? = nil,
        adjust: (inout RunSettings) -> Void = { _ in }
    ) throws -> Dispatcher {
        let spool = try SpoolFolder.make(at: path, calls: calls)
        var settings = RunSettings(
            command: "watch", runID: "test", repoRoot: folder.path,
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "OUT": folder.path])
        settings.drains = true
        settings.troublePauseMilliseconds = 1
        adjust(&settings)
        let preflight = Preflight(
            context: PreflightContext(repoRoot: folder.path, searchPath: "/usr/bin:/bin", modesAllowed: [.script]),
            resolver: try Self.resolver(profile: profile, flags: flags), shell: shell)
        return Dispatcher(
            spool: spool, ledger: try Ledger(path: spool.ledgerPath), settings: settings, preflight: preflight,
            runners: [.script: runner ?? ScriptRunner()],
            executor: LocalExecutor(graceSeconds: 0.1, runsDirectory: spool.runs.path),
            clock: clock, isDone: isDone, observe: observe ?? { events.take($0) })
    }

    /// Drains prompts for agents, which `agent` stands in for: it is the runner `mine`.
    func agentDispatcher(
        _ agent: any Runner, clock: any SpoolClock = SystemClock(), adjust: (inout RunSettings) -> Void = { _ in },
        observe: @escaping @Sendable (RunEvent) -> Void
    ) throws -> Dispatcher {
        let spool = try SpoolFolder.make(at: path)
        var settings = RunSettings(
            command: "watch", runID: "test", repoRoot: folder.path, environment: ["PATH": "/usr/bin:/bin"])
        settings.drains = true
        adjust(&settings)
        var context = PreflightContext(repoRoot: folder.path, searchPath: "/usr/bin:/bin")
        let configuration = try SpoolConfiguration(
            contents: Data("runners: {mine: {command: [/bin/true]}}".utf8), path: "spool.yaml")
        context.runners = try RunnerContext(configuration, environment: [:])
        return Dispatcher(
            spool: spool, ledger: try Ledger(path: spool.ledgerPath), settings: settings,
            preflight: Preflight(context: context, resolver: try Self.resolver(), shell: nil),
            runners: [.agent: agent, .script: ScriptRunner()], executor: LocalExecutor(graceSeconds: 0.1), clock: clock,
            observe: observe)
    }

    /// Runs until nothing is left.
    @discardableResult
    func drain(
        profile: String = "poc", flags: [ToggleFlag] = [], events: EventList = EventList(), calls: SystemCalls = .live,
        shell: (any ShellChecking)? = nil, adjust: (inout RunSettings) -> Void = { _ in }
    ) async throws -> RunEnding {
        try await dispatcher(profile: profile, flags: flags, calls: calls, shell: shell, events: events, adjust: adjust)
            .run()
    }
}

/// Finds a warning in each block that holds a word.
struct WordCheck: ShellChecking {
    let word: String
    func check(_ block: Block) async -> ShellCheckResult {
        guard block.text.contains(word) else { return ShellCheckResult() }
        return ShellCheckResult(
            findings: [Finding(.destructiveFS, line: block.firstLine, message: "found \(word)", advice: "take it out")])
    }
}

/// Finds nothing, but is not done with a block that holds a word before it is let go.
struct HeldCheck: ShellChecking {
    let word: String
    private let gate = AsyncStream<Void>.makeStream()

    init(word: String) { self.word = word }

    func letGo() { gate.continuation.finish() }

    func check(_ block: Block) async -> ShellCheckResult {
        if block.text.contains(word) { for await _ in gate.stream {} }
        return ShellCheckResult()
    }
}

extension Dispatcher {
    /// Runs with hints that a test makes before there is a dispatcher to take them.
    nonisolated func run(hints: AsyncStream<SpoolHint>) async throws -> RunEnding {
        let listener = Task { for await hint in hints { take(hint) } }
        defer { listener.cancel() }
        return try await run()
    }
}
