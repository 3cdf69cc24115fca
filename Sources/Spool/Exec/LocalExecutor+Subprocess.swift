// The same life of a child, started and reaped by the package swift-subprocess. It gives the child the pipe's end as a plain
// descriptor and never touches the output; time, cancellation and everything beyond the leader are `ChildWatch`'s here, too,
// because the package's own teardown ends when the group's leader does.

import Foundation
import Subprocess
import SystemPackage

extension LocalExecutor {
    func runBySubprocess(
        _ launch: Launch, cancel: CancelSignal, deadline: UInt64?, onStart: @escaping @Sendable () -> Void
    ) async -> Outcome {
        var options = PlatformOptions()
        options.processGroupID = 0
        let environment = launch.environment.map { Array("\($0.key)=\($0.value)\0".utf8) }
        let graceSeconds = self.graceSeconds
        let groups = self.groups
        let watching = Watching()
        // A task of its own: the package acts on the surrounding task's cancellation before the watch can do it in order.
        let task = Task { () async throws -> TerminationStatus in
            OwnChildren.begin()
            defer {
                // The package has waited for it.
                if let pid = watching.pid { OwnChildren.forget(pid) } else { OwnChildren.end(nil) }
                watching.slot.map { groups?.remove($0) }
            }
            let result = try await Subprocess.run(
                .path(FilePath(launch.path)),
                arguments: Arguments(
                    executablePathOverride: launch.arguments[0], remainingValues: Array(launch.arguments.dropFirst())),
                environment: .custom(environment), workingDirectory: FilePath(launch.directory), platformOptions: options,
                input: .fileDescriptor(FileDescriptor(rawValue: launch.input.value), closeAfterSpawningProcess: false),
                output: .fileDescriptor(
                    FileDescriptor(rawValue: launch.streams[0].writeDescriptor), closeAfterSpawningProcess: false),
                error: .fileDescriptor(
                    FileDescriptor(rawValue: launch.streams[launch.streams.count - 1].writeDescriptor),
                    closeAfterSpawningProcess: false)
            ) { execution in
                let pid = execution.processIdentifier.value
                let pidfd = execution.processIdentifier.processDescriptor
                OwnChildren.end(pid)
                watching.slot = groups?.add(pid)
                watching.pid = pid
                onStart()
                await onThread {
                    for stream in launch.streams { stream.closeWriteEnd() }
                    var watch = ChildWatch(
                        leader: pid, runDirectory: launch.runDirectory, streams: launch.streams, cancel: cancel,
                        deadline: deadline, graceSeconds: graceSeconds)
                    watching.cause = watch.waitForLeader(pidfd: pidfd)
                    watching.watch = consume watch
                }
            }
            return result.terminationStatus
        }
        let status: TerminationStatus
        do {
            status = try await task.value
        } catch {
            if watching.pid == nil { onStart() }
            return Outcome(ending: .notStarted("\(printable(launch.path)): \(error)"))
        }
        let trouble = await onThread {
            watching.watch?.endRemains()
            return watching.watch?.outputTrouble
        }
        let ending: CommandResult.Ending =
            switch (watching.cause, status) {
            case (.timedOut, _): .timedOut
            case (.cancelled, _): .cancelled
            case (.ended, .exited(let code)): .exited(code)
            case (.ended, .signaled(let code)): .signalled(code)
            }
        return Outcome(ending: ending, trouble: trouble)
    }
}

/// What the steps of one command hand on. Invariant behind @unchecked: the steps follow one another, each awaited before the
/// next begins.
private final class Watching: @unchecked Sendable {
    var watch: ChildWatch?
    var cause = ChildWatch.Cause.ended
    var slot: Int?
    /// Of the child; once it is known, `onStart` is called.
    var pid: pid_t?
}
