// `notify:` of spool.yaml: a command of the user's that hears of events. It gets the event as JSON on standard input and a
// time limit. What always holds: whatever the command does or fails to do, the spool goes on; the caller gets a sentence for
// the log. The command is an argument vector, never a shell string, and no part of it comes from a prompt.

import Foundation

/// Tells a user's command what happened.
public struct Notifier: Sendable {
    /// What can be heard of (issue of `spool.yaml`, key `notify`).
    public enum Event: String, Sendable, CaseIterable {
        case jobFailed = "job_failed"
        case jobHeld = "job_held"
        case spoolHold = "spool_hold"
        case batchDone = "batch_done"
    }

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

    private let configuration: Configuration
    private let executor: any Executor
    private let scratch: Directory
    private let environment: [String: String]

    /// - Parameters:
    ///   - scratch: where the event and the command's output stand meanwhile (`.flowspool/`).
    ///   - environment: the command's whole environment; `FLOWSPOOL_EVENT` is added.
    public init(
        _ configuration: Configuration, executor: any Executor, scratch: Directory, environment: [String: String]
    ) {
        self.configuration = configuration
        self.executor = executor
        self.scratch = scratch
        self.environment = environment
    }

    /// Runs the command for `message` and waits for it, unless its events leave this one out.
    ///
    /// Call it beside the work, not in its way: it takes up to the time limit.
    /// - Returns: what went wrong, for the log; nil where nothing did. Nothing is ever thrown.
    public func notify(_ message: Message) async -> String? {
        guard configuration.events.contains(message.event), let program = configuration.command.first else { return nil }
        let name = "notify-\(UUID().uuidString)"
        let input = name + ".json"
        let output = name + ".log"
        do {
            try scratch.replace(input, with: Data((message.json.compact + "\n").utf8), syncsFolder: false)
        } catch {
            return "notify \(message.event.rawValue): \(error)"
        }
        var environment = environment
        environment["FLOWSPOOL_EVENT"] = message.event.rawValue
        // Systemd listens to the runner alone.
        environment[SystemdNotify.variable] = nil
        let result = await executor.run(
            Command(
                executable: program, arguments: Array(configuration.command.dropFirst()), environment: environment,
                workingDirectory: message.spool, inputPath: scratch.pathOf(input), outputPath: scratch.pathOf(output),
                timeoutSeconds: configuration.timeoutSeconds))
        let failure = failure(result.ending, output)
        for leftover in [input, output] {
            // Litter in .flowspool/ is no reason to bother anybody; `prune` takes it away.
            try? scratch.remove(leftover)
        }
        return failure.map { "notify \(message.event.rawValue): \(printable(program)) \($0)" }
    }

    private func failure(_ ending: CommandResult.Ending, _ output: String) -> String? {
        let what: String
        switch ending {
        case .exited(0), .cancelled: return nil
        case .exited(let code): what = "exited \(code)"
        case .signalled(let signal): what = "was ended by signal \(signal)"
        case .timedOut: what = "took longer than \(configuration.timeoutSeconds) s and was ended"
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
