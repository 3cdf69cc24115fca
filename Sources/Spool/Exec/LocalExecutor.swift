// Runs commands on this machine: one child in its own process group, output through a pipe into a bounded file, ended by TERM,
// grace and KILL, and nothing of it left on return (`ChildWatch`). Each running command has one thread to itself, which starts
// the child, watches it and reaps it; the kernel ends the child with that thread if the runner is killed, and `endStrays` ends
// what outlives even that.

import CSystemCalls
import Foundation

/// This machine as an `Executor`.
///
/// Making one turns the process into the adopter of its orphaned descendants (PR_SET_CHILD_SUBREAPER, prctl(2)), for good.
/// Whatever else this process starts must be known to `OwnChildren`, or it is taken for such an orphan.
public struct LocalExecutor: Executor {
    /// How children are started.
    public enum Starter: Sendable, CaseIterable {
        /// By clone(2) as vfork(2) does it: the fastest, and the child dies with the runner.
        case direct
        /// By the package swift-subprocess.
        case subprocess
    }

    let graceSeconds: Double
    let outputBytesMax: Int
    let starter: Starter
    let groups: GroupRecord?
    private let programs = ProgramFinder()

    /// - Parameters:
    ///   - graceSeconds: from TERM to KILL.
    ///   - outputBytesMax: bound of each output file where the command sets none; 4 KiB at least.
    ///   - runsDirectory: the spool's `runs/`, where the groups that run are written down for `endStrays`; nil: nowhere.
    public init(
        graceSeconds: Double = 5, outputBytesMax: Int = 64 << 20, runsDirectory: String? = nil, starter: Starter = .direct
    ) {
        self.graceSeconds = graceSeconds
        self.outputBytesMax = outputBytesMax
        self.starter = starter
        self.groups = runsDirectory.flatMap(GroupRecord.init(runsDirectory:))
        // Cannot fail since Linux 3.4; if it did, orphans would go to init, and `endStrays` would find them at the next start.
        _ = flowspool_adopt_orphans()
    }

    public func run(_ command: Command) async -> CommandResult {
        let begin = ChildWatch.now()
        do {
            return await run(try readyOrThrow(command), since: begin)
        } catch {
            let refused = error as? NotStarted
            return CommandResult(
                ending: .notStarted(refused?.text ?? "\(error)"), durationSeconds: Self.seconds(since: begin),
                cause: refused?.cause ?? error as? SystemCallError)
        }
    }

    /// Trouble is met again, and reported, by `run`.
    public func makeReady(_ command: Command) -> ReadyCommand? { try? readyOrThrow(command) }

    public func begin(_ ready: ReadyCommand, reading script: HeldScript) -> ReadyCommand? {
        guard starter == .direct, let child = try? start(ready.launch) else { return nil }
        var begun = ready
        begun.shell = HeldShell(child, script: script, groups: groups)
        return begun
    }

    public func run(_ ready: ReadyCommand) async -> CommandResult { await run(ready, since: ChildWatch.now()) }

    private func readyOrThrow(_ command: Command) throws -> ReadyCommand {
        ReadyCommand(
            command: command, launch: try Launch(command, outputBytesMax: outputBytesMax, programs: programs),
            cancel: try CancelSignal())
    }

    private func run(_ ready: ReadyCommand, since begin: UInt64) async -> CommandResult {
        let (launch, cancel) = (ready.launch, ready.cancel)
        let onStart = ready.onStart ?? {}
        // What has begun is ended as any other.
        guard ready.shell != nil || !Task.isCancelled else {
            onStart()
            return CommandResult(ending: .cancelled, durationSeconds: 0)
        }
        let deadline = ready.command.timeoutSeconds.map { begin + ChildWatch.nanoseconds($0) }
        let outcome = await withTaskCancellationHandler {
            switch starter {
            case .direct: await runDirectly(ready, cancel: cancel, deadline: deadline, onStart: onStart)
            case .subprocess: await runBySubprocess(launch, cancel: cancel, deadline: deadline, onStart: onStart)
            }
        } onCancel: {
            cancel.set()
        }
        return CommandResult(
            ending: outcome.ending, durationSeconds: Self.seconds(since: begin), outputTrouble: outcome.trouble?.description,
            cause: outcome.cause)
    }

    struct Outcome: Sendable {
        var ending: CommandResult.Ending
        var trouble: SystemCallError?
        var cause: SystemCallError?
    }

    /// Starts a child on this thread.
    private func start(_ launch: Launch) throws(NotStarted) -> StartedChild {
        let tick = ProcessTable.ticksSinceBoot()
        let (pid, pidfd) = try launch.start()
        return StartedChild(pid: pid, pidfd: pidfd, slot: groups?.add(pid, startedAfter: tick))
    }

    private func runDirectly(
        _ ready: ReadyCommand, cancel: CancelSignal, deadline: UInt64?, onStart: @escaping @Sendable () -> Void
    ) async -> Outcome {
        let work: @Sendable () -> Outcome = {
            let launch = ready.launch
            let child: StartedChild
            do throws(NotStarted) {
                if let shell = ready.shell { child = try shell.take() } else { child = try start(launch) }
            } catch {
                onStart()
                return Outcome(ending: .notStarted(error.text), cause: error.cause)
            }
            defer { close(child.pidfd) }
            defer { child.slot.map { groups?.remove($0) } }
            var watch = ChildWatch(
                leader: child.pid, runDirectory: launch.runDirectory, streams: launch.streams, cancel: cancel,
                deadline: deadline, graceSeconds: graceSeconds)
            watch.letBegin(pidfd: child.pidfd)
            onStart()
            let cause = watch.waitForLeader(pidfd: child.pidfd)
            let ended = OwnChildren.wait(for: child.pid)
            watch.endRemains()
            let ending: CommandResult.Ending =
                switch (cause, ended) {
                case (.timedOut, _): .timedOut
                case (.cancelled, _): .cancelled
                case (.ended, .exited(let code)): .exited(code)
                case (.ended, .signalled(let number)): .signalled(number)
                // Somebody else's wait took the status: nothing is known of how it ended.
                case (.ended, .lost(let code)): .notStarted("its status was lost: waitid: \(String(cString: strerror(code)))")
                }
            return Outcome(ending: ending, trouble: watch.outputTrouble)
        }
        // A thread that may wait needs no other, and no hand-over to it and back.
        if let outcome = WorkerThreads.shared.lend(work) { return outcome }
        return await onThread(work)
    }

    private static func seconds(since begin: UInt64) -> Double { Double(ChildWatch.now() - begin) / 1e9 }
}
