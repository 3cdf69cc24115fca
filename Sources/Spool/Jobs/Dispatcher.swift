// The run of one spool: it owns which jobs are being prepared, ready and running, and nothing starts without its leave. It reacts to
// messages (a hint, a job prepared, an attempt ended, a timer) and never polls. What must hold: nothing starts while the
// spool is on hold or the run is stopping; an attempt is in the ledger before it starts; every task it makes has ended
// before `run` returns. While it runs, its thread sleeps between two messages and the actor is never free: whoever wants
// something of it posts a message, and its tasks capture what they need instead of `self`.

import Dispatch
import Foundation

public actor Dispatcher {
    let spool: SpoolFolder
    let ledger: Ledger
    var settings: RunSettings
    let preflight: Preflight
    let runners: [ExecMode: any Runner]
    let executor: any Executor
    let clock: any SpoolClock
    let thresholds: ResolvedPolicy
    let observe: @Sendable (RunEvent) -> Void
    let recordKept: @Sendable (Job) throws -> Void
    let filing: Filing
    var intake: Intake
    var preparer: Preparer

    /// A job whose attempt is being made.
    struct Running {
        var prepared: Prepared
        var task: Task<Void, Never>
        /// On the monotonic clock.
        var since: Int64
        var cancelsJob = false
        /// The run counts the job as started with this attempt.
        var countsAsRan = false
    }

    enum Message: Sendable {
        /// Hints wait in the inbox, or names of earlier ones are left to look at.
        case hints
        case prepared([PrepareOutcome])
        case preparedUnnumbered(PrepareOutcome?)
        case begunUnnumbered(Prepared, replaced: [SwapFile.Spare])
        case blockStarted(Job, number: Int, of: Int)
        case attemptEnded(Int64, AttemptResult)
        case filed([(job: Int64, outcome: FilingWork.Outcome)])
        case timer
        case stop(now: Bool)
        case adjust(RunAdjustment, whenTaken: @Sendable () -> Void)
    }

    enum Stopping { case no, drain, now }

    var running: [Int64: Running] = [:]
    var ready: [Prepared] = []
    /// Jobs that preflight has blocked, until it is their turn: failures are counted in the order in which jobs run.
    var blocked: [Prepared] = []
    var preparing: [Int64: Job] = [:]
    /// Files whose writer we wait for, by job: tried again when a hint names them or at the next scan.
    var busy: Set<Int64> = []
    /// Jobs that are being prepared and were since hinted at, or may have been: what their preparation saw of a writer may be over.
    var hintedSince: Set<Int64> = []
    /// Since when their writers are waited for, on the monotonic clock.
    var busySince: [Int64: Int64] = [:]
    var stopping = Stopping.no
    var hold: HoldRecord?
    /// A hold that a refused file has caused, until that file is told of.
    var untoldHold: HoldRecord?
    /// The hold that whoever has taken it knows to be seen.
    var holdAcknowledged: Int64 = 0
    var ending = RunEnding(why: .done)
    var batch: Int64?
    /// When a move that somebody else has begun was first seen, by job, on the monotonic clock.
    var foreignMoves: [Int64: Int64] = [:]
    /// Jobs whose file this run has moved, as they were then; the ledger still has the move as not confirmed.
    var unconfirmed = MovesToConfirm()
    /// Runners whose account has reached a limit, and until when, on the monotonic clock.
    var limits: [String: RunnerLimit] = [:]
    var limitedUntil: [String: Int64] = [:]
    /// When each of these limits was noted, on the monotonic clock.
    var limitNotedAt: [String: Int64] = [:]
    /// Jobs that have ended and whose files are not moved yet.
    var filings = FilingQueue()
    /// How long jobs have taken lately.
    var pace = Pace()
    var backlog = 0
    /// Hints that name files, not looked at yet.
    var namedFiles: [[UInt8]] = []
    /// The file that is being prepared and becomes a job with its claim; it stands in `preparing` without a number.
    var unnumbered: Unnumbered?
    /// That was tried with the file that comes first of `namedFiles`, and intake is to see to it.
    var isForIntake = false
    var wantsScan = true
    /// Prompts that waited when the whole folder was looked at last.
    var filesAtLastScan = 0
    /// To look at so many takes a few milliseconds.
    private static let filesFewMax = 2000
    var wantsWaiting = true
    /// Something has come to wait that may have a higher priority than what is ready.
    var mayBeOvertaken = false
    /// The jobs that come next, as they were read from the ledger; a claim looks at each again.
    var upcoming = UpcomingJobs()
    /// The one timer, and what it is set for on the monotonic clock.
    private var timer: (deadline: Int64, task: Task<Void, Never>)?
    /// When the folder is to be looked at again, on the monotonic clock; nil: only when something happens.
    var scanAt: Int64?
    /// A file that is no prompt is still being written, or is too young to be judged.
    var isStrayYoung = false
    /// When each deferred job is due, on the monotonic clock, so that a wall clock that steps moves none of them.
    var dueAt: [Int64: Int64] = [:]
    /// Names of the batch that have no job yet, in order.
    var planned: ArraySlice<String> = []
    var batchArrival: Int64 = 0
    /// Until when nothing new is tried after trouble with the machine, on the monotonic clock.
    var pausedUntil: Int64 = 0
    /// Pauses in a row, without an attempt between them that the machine let begin.
    var pauses = 0
    /// Of these, the last ones that were for trouble which only a person can mend.
    var lastingPauses = 0
    /// Trouble with single files that was told.
    var toldOf: Set<SystemCallError> = []
    /// Jobs that were claimed with their start, and whose file the ledger still has as leaving the drop folder.
    var claimsToConfirm: [Job] = []
    /// Which attempts have begun; nil: it could not be made, and starts are recorded one by one when their turn comes.
    var begun: BegunRecord?
    /// What could not be written down yet, in order.
    var unwritten: [Unwritten] = []
    var isReplaced = false
    /// The spool does not stand under its path any more, and that was said.
    var isMissing = false
    /// What stood there when the run began, by name (`SpoolFolder.anchors`).
    var anchors: [String: String] = [:]
    /// When the spool's own folders are looked at next, on the monotonic clock.
    var foldersAt: Int64 = 0
    /// Jobs that were being prepared when `runs/` became another folder.
    var preparedElsewhere: Set<Int64> = []
    /// Jobs to cancel as soon as their preparation ends.
    var cancelWhenPrepared: Set<Int64> = []
    /// Jobs to cancel where they would go back to wait, which could not be written down yet.
    var cancelWhenGivenBack: Set<Int64> = []
    /// Jobs that this run has counted as started and that went back to wait.
    var goesOn: Set<Int64> = []
    /// What people asked for is not read yet, because it may be about the job that `unnumbered` becomes.
    var areRequestsLeft = false
    /// Makes run folders ahead of their jobs, while nothing else is to be done.
    private var spareRunsTask: Task<Void, Never>?
    /// Preparations under way: each has something to put away after it has told of its outcome.
    let preparations = DispatchGroup()
    let inbox = HintInbox()
    let mailbox = Mailbox<Message>()

    /// - Parameters:
    ///   - runners: what carries out each mode; a mode without one is refused by preflight's `modesAllowed`.
    ///   - thresholds: the policy of the run itself, without any front matter.
    ///   - isDone: whether a prompt that was put back in its place is not to run again.
    ///   - recordKept: called before a prompt that goes back to its place is recorded as done, to note durably that it is not
    ///     to run again.
    ///   - observe: told of every event, in order, on the dispatcher.
    public init(
        spool: SpoolFolder, ledger: Ledger, settings: RunSettings, preflight: Preflight, runners: [ExecMode: any Runner],
        executor: any Executor, clock: any SpoolClock = SystemClock(), isDone: @escaping @Sendable (Job) -> Bool = { _ in true },
        recordKept: @escaping @Sendable (Job) throws -> Void = { _ in },
        observe: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.spool = spool
        self.ledger = ledger
        self.settings = settings
        self.preflight = preflight
        self.runners = runners
        self.executor = executor
        self.clock = clock
        self.thresholds = preflight.resolver.base
        self.observe = observe
        self.recordKept = recordKept
        let filing = Filing(spool: spool, ledger: ledger)
        self.filing = filing
        intake = Intake(
            spool: spool, ledger: ledger, filing: filing, clock: clock, sizeMax: settings.sizeMax, windowMax: settings.windowMax,
            isDone: isDone)
        let claim = Claim(
            spool: spool, ledger: ledger, filing: filing, quiet: QuietPeriod(milliseconds: settings.quietMilliseconds),
            clock: clock,
            sizeMax: settings.sizeMax, counting: (thresholds.policy, settings.runID))
        preparer = Preparer(
            spool: spool, ledger: ledger, filing: filing, claim: claim, preflight: preflight, clock: clock, settings: settings,
            swap: SwapFile(spool.active), spareRuns: SpareRuns(spool.runs), runners: runners, executor: executor)
    }

    /// Takes a hint from whoever watches the folder; a run that drains needs none. Safe to call at any time, from anywhere.
    public nonisolated func take(_ hint: SpoolHint) {
        switch inbox.add(hint) {
        case .waits: return
        case .isFirst: mailbox.post(.hints)
        case .carriedOut: break
        }
        letWokenThreadBegin()
    }

    /// Asks the run to stop: what runs finishes, nothing new starts. Safe to call at any time, from anywhere.
    public nonisolated func drain() {
        inbox.endOrders()
        mailbox.post(.stop(now: false))
    }

    /// Asks the run to stop at once: running attempts are ended and recorded as interrupted.
    public nonisolated func stopNow() {
        inbox.endOrders()
        mailbox.post(.stop(now: true))
    }

    /// Gives the run other settings, which hold for what it does next; attempts that run keep theirs. Safe to call at any time.
    ///
    /// - Parameter whenTaken: called once every prompt that is dropped from then on is judged by them, and not at all where the run ends
    ///   before.
    public nonisolated func adjust(_ adjustment: RunAdjustment, whenTaken: @escaping @Sendable () -> Void = {}) {
        mailbox.post(.adjust(adjustment, whenTaken: whenTaken))
    }

    /// Runs the spool until it is stopped, or, when `settings.drains`, until nothing is left.
    ///
    /// - Throws: `FlowspoolError` when the spool cannot be opened for work at all. Once it runs, trouble is an event.
    public func run() async throws -> RunEnding {
        // One for this, one for an attempt, one for what is prepared and filed meanwhile: with these everything has its turn.
        try WorkerThreads.shared.require(3)
        // It waits for commits, and what it starts goes on with these threads: so nothing is handed from one pool to another.
        return try await withTaskExecutorPreference(WorkerThreads.shared) {
            try await withTaskCancellationHandler {
                try await work()
            } onCancel: {
                stopNow()
            }
        }
    }

    private func work() async throws -> RunEnding {
        var recovered = settings.recovered
        recovered.add(
            try await Recovery(
                spool: spool, ledger: ledger, filing: filing, executor: executor, clock: clock,
                counting: (thresholds, settings.runID)
            ).run())
        let mark = Int64.random(in: 1 ... .max)
        do {
            begun = try BegunRecord.begin(spool.runs, mark: mark)
        } catch {
            throw error.forUser
        }
        try ledger.write { try $0.setFact(.begunMark, mark) }
        anchors = try spool.anchors()
        // A batch knows by name what it is about to take in.
        let waiting = try settings.batchNames?.count ?? ledger.read { try $0.counts()[.queued] ?? 0 }
        observe(.started(profile: thresholds.profile ?? "none", waiting: waiting))
        take(recovered)
        try syncHold(force: true)
        if let hold = recovered.hold, self.hold != nil { ending.why = hold.kind == .failFast ? .failFast : .totalFailures }
        try loadDeferred()
        try loadLimits()
        if settings.isBatch, hold == nil { try startBatch(recovered) }
        advance()
        // Nothing else is to be done on this actor, so that its thread may sleep between two messages.
        WorkerThreads.shared.lend(handleMessages) ?? handleMessages()
        timer?.task.cancel()
        await timer?.task.value
        WorkerThreads.shared.lend { preparations.wait() } ?? preparations.wait()
        finishMoves()
        preparer.swap.removeSpares()
        await spareRunsTask?.value
        preparer.spareRuns.removeAll()
        finishRun()
        return ending
    }

    // MARK: Messages

    /// Handles messages, as they come, until the run is over.
    private func handleMessages() {
        while !isFinished() {
            // Also for a pause that the look just now has begun.
            setTimer()
            let message = mailbox.next()
            // Only told of; nothing follows from it.
            if case .blockStarted(let job, let number, let count) = message {
                observe(.blockStarted(job, number: number, of: count))
                continue
            }
            handle(message)
            advance()
        }
    }

    private func handle(_ message: Message) {
        withdrawStandingOrder()
        switch message {
        case .hints: take(inbox.take())
        case .prepared(let outcomes):
            for outcome in outcomes { take(outcome) }
            // Of those that were refused at their claims, which has counted them: the hold that one has caused is told of behind it.
            if outcomes.contains(where: \.isRefused) { note { try learnCounts() } }
        case .preparedUnnumbered(let outcome): takeUnnumbered(outcome)
        case .begunUnnumbered(let prepared, let replaced): takeBegun(prepared, replaced)
        case .blockStarted: break
        case .attemptEnded(let job, let result): attemptEnded(job, result)
        case .filed(let outcomes):
            filings.ended(outcomes.map(\.job))
            for (job, outcome) in outcomes { filed(job, outcome) }
        case .timer:
            timer = nil
            if let at = scanAt, at <= clock.monotonicMilliseconds() {
                scanAt = nil
                wantsScan = true
            }
        case .adjust(let adjustment, let whenTaken):
            adjustment.apply(to: &settings)
            intake.sizeMax = settings.sizeMax
            preparer.claim.sizeMax = settings.sizeMax
            preparer.preflight.context.sizeMax = settings.sizeMax
            waitingChanged()
            whenTaken()
        case .stop(let now):
            if now || stopping == .drain { stopping = .now } else if stopping == .no { stopping = .drain }
            if stopping == .now {
                for entry in running.values { entry.task.cancel() }
            } else if !running.isEmpty || !unrecordedEnds.isEmpty {
                observe(.stopping(running: running.count, unrecorded: unrecordedEnds.map(\.id)))
            }
        }
    }

    /// Notes what the hints ask for; `advance` does it.
    private func take(_ hints: HintInbox.Waiting) {
        // They may have told of a folder.
        foldersAt = 0
        if hints.isSignalled {
            waitingChanged()
            // Files that a command has moved were passed over while it had them in hand.
            if filesAtLastScan < Self.filesFewMax { wantsScan = true }
            note {
                try syncHold(force: true)
                try readRequests()
                try loadDeferred()
                try forgetLiftedLimits()
            }
        }
        if hints.overflows > 0 {
            note { try ledger.write { try $0.setFact(.overflows, try $0.fact(.overflows) + hints.overflows) } }
        }
        // A hint only: a folder that is still ours was perhaps moved away and back.
        if hints.isReplaced, note({ try spool.isStillThere() }) != true { isReplaced = true }
        if hints.wantsScan || hints.isReplaced || namedFiles.count > HintInbox.namesMax { wantsScan = true }
        namedFiles += hints.names
    }

    /// Whatever can be done now is done or started.
    private func advance() {
        lookAtFolders()
        if isReplaced {
            stopping = .now
            for entry in running.values { entry.task.cancel() }
        }
        retryUnwritten()
        note { try syncHold(force: false) }
        lookForFiles()
        if mayStart {
            note { try releaseDeferred() }
        } else {
            withdrawPermit()
            giveBackReady()
        }
        startReady()
        confirmClaims()
        // One that was given back keeps its turn, and can be claimed only then.
        if unconfirmed.isAnyWaiting { confirmMoves(all: true) }
        prepareNext()
        fileEnded()
        // One that came back to the drop folder may be claimed only now, and no event will tell of it.
        if confirmMoves(all: running.isEmpty && preparing.isEmpty) { prepareNext() }
        // Numbers that were given out are made sure, unless a claim is about to do that, or more come in a moment.
        if preparing.isEmpty, namedFiles.isEmpty, inbox.isEmpty { note { try ledger.sync() } }
        tellHold()
        acknowledgeHold()
        makeSpareRuns()
        if isAllFiled { note { try ledger.checkpointAtRest() } }
        giveStandingOrder()
    }

    private func makeSpareRuns() {
        guard !settings.drains, mayStart, running.isEmpty, preparing.isEmpty, areNoneReady, filings.isEmpty, backlog == 0,
            preparer.spareRuns.areMissing
        else { return }
        spareRunsTask = Task(executorPreference: WorkerThreads.shared) { [preparer, earlier = spareRunsTask] in
            await earlier?.value
            preparer.spareRuns.fill()
        }
    }

    var attempts: AttemptMaker { AttemptMaker(preparer: preparer, begun: begun, mailbox: mailbox, anchors: anchors) }

    /// Whether new work may begin at all.
    var mayStart: Bool {
        stopping == .no && hold == nil && !isReplaced && unwritten.isEmpty && clock.monotonicMilliseconds() >= pausedUntil
    }

    /// Sets the timer for the next thing that only time brings.
    private func setTimer() {
        let now = clock.monotonicMilliseconds()
        // A pause that ended within this turn, after the others had looked, still needs its wake.
        let pause = pausedUntil > 0 ? pausedUntil : nil
        if pausedUntil <= now { pausedUntil = 0 }
        let deadlines = [scanAt, pause, filings.deadline, unconfirmed.deadline, mayStart ? dueAt.values.min() : nil]
        guard let next = deadlines.compactMap({ $0 }).min() else { return }
        if let timer, timer.deadline <= next { return }
        timer?.task.cancel()
        let task = Task { [clock, mailbox] in
            // Cancellation means that an earlier timer took its place, or that the run is over.
            guard (try? await clock.sleep(milliseconds: max(1, next - now))) != nil else { return }
            mailbox.post(.timer)
        }
        timer = (next, task)
    }

    /// Looks at the folder again after a while, or sooner where that is planned already.
    func scanLater(afterMilliseconds delay: Int64) {
        let at = clock.monotonicMilliseconds() + delay
        scanAt = min(scanAt ?? at, at)
    }
}
