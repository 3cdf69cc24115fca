// Watches an agent while the executor runs it: follows its output as it is written, counts what it uses, and ends it when a
// budget is used up, when it waits for an answer, or when neither output nor processor time moves. What it did so far is kept.

import Foundation

/// The watch over one command.
struct AgentWatch: Sendable {
    let preset: RunnerPreset
    let model: String?
    let budget: SpoolConfiguration.Budget
    let job: Int64
    let runDirectory: String
    let meter: UsageMeter
    let clock: any SpoolClock
    let secrets: SecretMask

    struct Outcome: Sendable {
        var result: CommandResult
        var cause: WatchCause?
        var stream: AgentStream
    }

    private enum Step: Sendable {
        case ended(CommandResult)
        case watched(WatchCause?, Follower)
    }

    /// Runs `command` to its end or to that of a limit.
    func run(_ command: Command, on executor: any Executor) async -> Outcome {
        let follower = Follower(path: command.outputPath, stream: AgentStream(reader: preset.reader))
        let work = Task { await executor.run(command) }
        var outcome = Outcome(
            result: CommandResult(ending: .cancelled, durationSeconds: 0), cause: nil, stream: follower.stream)
        await withTaskGroup(of: Step.self) { group in
            group.addTask {
                .ended(
                    await withTaskCancellationHandler {
                        await work.value
                    } onCancel: {
                        work.cancel()
                    })
            }
            group.addTask { await watch(follower) }
            for await step in group {
                switch step {
                case .ended(let result):
                    outcome.result = result
                    group.cancelAll()
                case .watched(let cause, var follower):
                    outcome.cause = cause
                    if cause != nil {
                        work.cancel()
                        outcome.result = await work.value
                    }
                    // The rest, when nothing writes any more.
                    if cause == nil { outcome.result = await work.value }
                    follower.read(all: true)
                    follower.stream.finish()
                    outcome.stream = follower.stream
                }
            }
        }
        // It may have ended by itself at that very moment.
        if outcome.result.ending != .cancelled { outcome.cause = nil }
        return outcome
    }

    private func watch(_ start: Follower) async -> Step {
        var follower = start
        let begin = clock.monotonicMilliseconds()
        var quietSince = begin
        var processorTicks: UInt64?
        var nextLook = begin
        var interval: Int64 = 50
        while true {
            // Cancelled means that the command has ended, or that it is being called off.
            guard (try? await clock.sleep(milliseconds: interval)) != nil else { return .watched(nil, follower) }
            interval = min(interval * 2, 400)
            let now = clock.monotonicMilliseconds()
            if follower.read(all: false) {
                quietSince = now
                processorTicks = nil
            }
            if let cause = judge(follower.stream, seconds: Double(now - begin) / 1000, quiet: now - quietSince) {
                return .watched(cause, follower)
            }
            guard let idle = budget.idleSeconds, now >= nextLook else { continue }
            nextLook = now + Int64(min(max(idle * 250, 50), 5000))
            // Looking at every process costs something, so only where there is silence.
            let ticks = Self.processorTicks(runDirectory)
            if processorTicks != ticks {
                if processorTicks != nil { quietSince = now }
                processorTicks = ticks
            }
            if Double(now - quietSince) / 1000 >= idle { return .watched(.idle(seconds: idle), follower) }
        }
    }

    private func judge(_ stream: AgentStream, seconds: Double, quiet: Int64) -> WatchCause? {
        if let question = stream.question { return .permission(question) }
        if preset.reader == .text || preset.reader == .aider, quiet >= 3000, Self.isQuestion(stream.openLine) {
            return .permission("it asks “\(printable(String(secrets(stream.openLine).suffix(120))))”")
        }
        var usage = stream.usage(runner: preset.name, model: model)
        usage.price(preset.price)
        let total = usage.total(seconds: seconds)
        let isOver = UsageMeter.exceeded(total, budget, of: "the job", strictly: true) ?? meter.note(job, total)
        return isOver.map { .budget($0) }
    }

    /// Whether an unfinished line is one at which a program waits for a person.
    static func isQuestion(_ line: String) -> Bool {
        let end = line.trimming(while: \.isWhitespace).lowercased()
        return [
            "(y/n)", "[y/n]", "(y/n):", "[y/n]:", "(yes/no)?", "(y)es/(n)o", "password:", "passphrase:", "(y/n)?", "[yes/no]:",
        ]
        .contains { end.hasSuffix($0) }
            || (end.hasSuffix("?") && (end.contains("allow ") || end.contains("do you want to proceed")))
            || end.contains("(y)es/(n)o")
    }

    /// Processor time of the attempt's processes and of those of their children that ended, in clock ticks (proc(5)).
    static func processorTicks(_ runDirectory: String) -> UInt64 {
        var seen = Set<pid_t>()
        for pid in ProcessTable.ownProcesses() where ProcessTable.runDirectory(of: pid) == runDirectory {
            seen.insert(pid)
            seen.formUnion(ProcessTable.descendants(of: pid))
        }
        return seen.reduce(0) { sum, pid in sum + (ticks(of: pid) ?? 0) }
    }

    private static func ticks(of pid: pid_t) -> UInt64? {
        guard let text = ProcessTable.read("/proc/\(pid)/stat", bytesMax: 4096),
            let nameEnd = text.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        // Counted from the state, which is field 3: utime 14, stime 15, cutime 16, cstime 17.
        let fields = text[(nameEnd + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 14 else { return nil }
        return fields[11...14].reduce(0) { $0 + (ProcessTable.number($1) ?? 0) }
    }
}

/// Follows a file that grows.
struct Follower: Sendable {
    let path: String
    var stream: AgentStream
    private var offset = 0

    init(path: String, stream: AgentStream) {
        self.path = path
        self.stream = stream
    }

    /// Takes what is new, one buffer or all; returns whether there was anything.
    @discardableResult
    mutating func read(all: Bool) -> Bool {
        // Not there yet, or replaced by something else: nothing to read.
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return false }
        // Its middle was cut out to bound it: what is missing cannot be had, and what is there is not to be counted twice.
        if info.st_size < offset {
            offset = Int(info.st_size)
            stream.noteCut()
        }
        var isNew = false
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return isNew }
            stream.take(buffer[0..<count])
            offset += count
            isNew = true
            if !all, count < buffer.count { return true }
        }
    }
}
