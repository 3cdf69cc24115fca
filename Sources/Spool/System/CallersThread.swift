// The thread that a command begins on, as an executor of the command's only task: what would otherwise be done by a pool of threads,
// which takes a while to come and to go, while this one waits for it.

/// An executor of tasks whose one thread is that of whoever calls `run`.
public final class CallersThread: TaskExecutor {
    private let jobs = Mailbox<UnownedJob>()

    public init() {}

    public func enqueue(_ job: consuming ExecutorJob) { jobs.post(UnownedJob(job)) }

    /// Runs the parts of its tasks, in order, until the process ends.
    public func run() -> Never {
        while true { jobs.next().runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
