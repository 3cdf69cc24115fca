// `notify:` of spool.yaml: commands of the user's that hear of events. Each gets the event as JSON on standard input and a
// time limit. What always holds: whatever a command does or fails to do, the spool goes on; the caller gets a sentence for
// the log. The command is an argument vector, never a shell string, and no part of it comes from a prompt.

import Foundation

/// Tells the user's commands what happened.
public struct Notifier: Sendable {
    /// What can be heard of.
    public enum Event: String, Sendable, CaseIterable {
        case jobFailed = "job_failed"
        case jobHeld = "job_held"
        case spoolHold = "spool_hold"
        case batchDone = "batch_done"
    }

    /// One command, as spool.yaml has it.
    public struct Configuration: Sendable, Hashable {
        /// Program and arguments; the program is absolute or looked up in `PATH`.
        public var command: [String]
        public var events: Set<Event>
        /// Afterwards the command's group is ended, > 0.
        public var timeoutSeconds: Double
        public init(command: [String], events: Set<Event> = Set(Event.allCases), timeoutSeconds: Double = 10) {
            self.command = command
            self.events = events
            self.timeoutSeconds = timeoutSeconds
        }
    }

    /// One event, as the command hears of it. What is nil is `null` in the JSON.
    public struct Message: Sendable, Hashable {
        public var event: Event
        /// Milliseconds since 1970 UTC.
        public var milliseconds: Int64
        public var spool: String
        public var runID: String?
        public var job: Int64?
        public var prompt: String?
        /// Of the job or of the batch.
        public var status: String?
        public var reason: String?
        public var failStreak: Int?
        public var failTotal: Int?
        /// For failed jobs.
        public var runDirectory: String?

        public init(_ event: Event, at milliseconds: Int64, spool: String, reason: String? = nil) {
            self.event = event
            self.milliseconds = milliseconds
            self.spool = spool
            self.reason = reason
        }

        /// Keys may be added, never renamed.
        public var json: JSON {
            [
                "event": .string(event.rawValue), "ts": .string(utcText(milliseconds, fraction: false)),
                "spool": .string(spool), "run_id": JSON(runID), "job": JSON(job.map(Int.init)), "prompt": JSON(prompt),
                "status": JSON(status), "reason": JSON(reason), "fail_streak": JSON(failStreak),
                "fail_total": JSON(failTotal), "run_dir": JSON(runDirectory),
            ]
        }
    }

    private let configurations: [Configuration]
    private let executor: any Executor
    private let scratch: Directory
    private let environment: [String: String]

    /// - Parameters:
    ///   - configurations: as spool.yaml has them.
    ///   - scratch: where the event and the command's output stand meanwhile (`.flowspool/`).
    ///   - environment: the command's whole environment; `FLOWSPOOL_EVENT` is added.
    public init(
        _ configurations: [Configuration], executor: any Executor, scratch: Directory,
        environment: [String: String]
    ) {
        self.configurations = configurations
        self.executor = executor
        self.scratch = scratch
        // Systemd listens to the runner alone.
        self.environment = environment.filter { $0.key != SystemdNotify.variable }
    }

    /// Whether any command wants to hear of `event`.
    public func wants(_ event: Event) -> Bool { configurations.contains { $0.events.contains(event) } }

    /// Runs the commands that want to hear of `message`, side by side, and waits for them.
    ///
    /// Call it beside the work, not in its way: it takes up to the longest time limit.
    /// - Returns: what went wrong, a line for each command; empty where nothing did. Nothing is ever thrown.
    public func notify(_ message: Message) async -> [String] {
        await withTaskGroup(of: String?.self) { group in
            for configuration in configurations where configuration.events.contains(message.event) {
                group.addTask { await run(configuration, message) }
            }
            var failures: [String] = []
            for await failure in group { if let failure { failures.append(failure) } }
            return failures.sorted()
        }
    }

    private func run(_ configuration: Configuration, _ message: Message) async -> String? {
        guard let program = configuration.command.first else { return nil }
        let name = "notify-\(UUID().uuidString)"
        let input = name + ".json"
        let output = name + ".log"
        let failure: String?
        do {
            try scratch.replace(input, with: Data((message.json.compact + "\n").utf8), syncsFolder: false)
            var environment = environment
            environment["FLOWSPOOL_EVENT"] = message.event.rawValue
            let result = await executor.run(
                Command(
                    executable: program, arguments: Array(configuration.command.dropFirst()), environment: environment,
                    workingDirectory: message.spool, inputPath: scratch.pathOf(input), outputPath: scratch.pathOf(output),
                    timeoutSeconds: configuration.timeoutSeconds))
            failure = self.failure(result.ending, output, configuration.timeoutSeconds)
        } catch {
            failure = "was not told: \(error)"
        }
        for leftover in [input, output] {
            // Litter in .flowspool/ is no reason to bother anybody.
            try? scratch.remove(leftover)
        }
        return failure.map { "notify \(message.event.rawValue): \(printable(program)) \($0)" }
    }

    private func failure(_ ending: CommandResult.Ending, _ output: String, _ timeoutSeconds: Double) -> String? {
        let what: String
        switch ending {
        case .exited(0), .cancelled: return nil
        case .exited(let code): what = "exited \(code)"
        case .signalled(let signal): what = "was ended by signal \(signal)"
        case .timedOut: what = "took longer than \(timeoutSeconds) s and was ended"
        case .notStarted(let why): return "could not be started: \(printable(why))"
        }
        return what + (firstLine(output).map { ": \($0)" } ?? "")
    }

    /// The beginning of what the command printed, on one line.
    private func firstLine(_ output: String) -> String? {
        // No output, or an output that cannot be read, is no further failure.
        guard let data = try? scratch.openForReading(output).readAll(bytesMax: 200) else { return nil }
        let line = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).first
        return line.map { printable(String($0)) }
    }
}
