// From files in the drop folder to queued jobs. A bounded number of files is admitted to the ledger; the rest wait in the
// folder, counted, and are found by the next scan, so a million waiting prompts cost neither memory nor a slow first job.
// The folder is the truth: admitting twice is harmless, and a file that went away takes its job along.

import Foundation

/// What one look at the drop folder did.
public struct IntakeReport: Sendable, Hashable {
    /// New jobs.
    public var admitted: [Int64] = []
    /// Jobs that failed at once because intake refuses what stood there.
    public var refused: [Job] = []
    /// Jobs whose file was taken away.
    public var withdrawn: [Job] = []
    /// Prompts that wait in the folder without a job yet.
    public var backlog = 0
    /// Prompts that a look at the whole folder met.
    var seen = 0
    /// A file that was filed or held has come back.
    var isAnyMovedBack = false
    /// What the machine refused for one file each; the others were looked at all the same.
    var troubles: [SystemCallError] = []
    /// Files that are too young to be judged; look again in this many milliseconds.
    public var lookAgainMilliseconds: Int64?
    public init() {}
}

/// Admits files.
struct Intake: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    let clock: any SpoolClock
    var sizeMax: Int
    /// Waiting jobs in the ledger at most.
    var windowMax = 16_384
    /// Whether the prompt with this id, which was put back where it stood, is not to run again.
    let isDone: @Sendable (Job) -> Bool

    /// Files that are no prompts are given this long to become one (an editor's or copier's temporary name).
    static let strayAgeMilliseconds: Int64 = 2000

    /// Looks at files that events named.
    func admit(names: [[UInt8]], isDraining: Bool) throws -> IntakeReport {
        var report = IntakeReport()
        let now = clock.wallMilliseconds()
        var candidates: [String] = []
        // One file is often told of twice: made, and closed.
        var seen = Set<[UInt8]>()
        for raw in names where seen.insert(raw).inserted {
            guard let name = PromptName(bytes: raw) else { continue }
            switch name.kind {
            case .ignored: continue
            case .prompt where name.isText: candidates.append(name.text)
            case .prompt, .notAPrompt:
                try forOne(&report) { report in try refuse(name, &report, now: now, isDraining: isDraining) }
            }
        }
        try admit(candidates, batch: nil, now: now, eachItsOwnArrival: true, &report)
        return report
    }

    /// Looks at the whole folder.
    ///
    /// - Parameter batch: the batch that newly admitted jobs belong to.
    func scan(batch: Int64? = nil, isDraining: Bool) throws -> IntakeReport {
        var report = IntakeReport()
        let now = clock.wallMilliseconds()
        var unseen = try ledger.read { try $0.waitingFiles() }
        let kept = try ledger.read { try $0.keptFiles() }
        var smallest = SmallestNames(capacity: max(0, windowMax - unseen.count))
        var strays: [PromptName] = []
        var waiting = 0
        try spool.root.forEachEntry { bytes, type in
            if type == UInt8(DT_DIR) { return true }
            guard let found = PromptName(bytes: Array(bytes)) else { return true }
            switch found.kind {
            case .ignored: break
            case .prompt where found.isText:
                report.seen += 1
                let name = found.text
                if unseen.remove(ExactText(name)) != nil { break }
                if let job = kept[ExactText(name)], try isUnchanged(job) { break }
                waiting += 1
                smallest.offer(name)
            case .prompt, .notAPrompt: if strays.count < 1000 { strays.append(found) }
            }
            return true
        }
        for name in strays {
            try forOne(&report) { report in try refuse(name, &report, now: now, isDraining: isDraining) }
        }
        try withdraw(unseen, &report, now: now)
        let chosen = smallest.sorted()
        try admit(chosen, batch: batch, now: now, eachItsOwnArrival: false, &report)
        report.backlog = waiting - chosen.count
        try ledger.write {
            try $0.setFact(.backlog, Int64(report.backlog))
            try $0.setFact(.rescans, try $0.fact(.rescans) + 1)
        }
        return report
    }

    /// Withdraws the jobs that wait for files which are gone. One fstatat(2) for each that waits.
    func withdrawGone() throws -> IntakeReport {
        var report = IntakeReport()
        let gone = try ledger.read { try $0.waitingFiles() }.filter { try spool.root.status($0.text) == nil }
        try withdraw(gone, &report, now: clock.wallMilliseconds())
        return report
    }

    /// Gives the next names of a batch a job each, in order; a name that waits already joins the batch, one that is gone or
    /// done is left out.
    func admit(planned names: [String], batch: Int64, arrival: Int64) throws -> IntakeReport {
        var report = IntakeReport()
        let now = clock.wallMilliseconds()
        var admissions: [Admission] = []
        for name in names {
            try forOne(&report) { _ in if let admission = try admission(name) { admissions.append(admission) } }
        }
        try ledger.write { tx in
            for admission in admissions {
                if try tx.join(batch: batch, arrival: arrival, file: admission.name) { continue }
                if let id = try admit(admission, tx, arrival: arrival, batch: batch, now: now, &report) {
                    report.admitted.append(id)
                }
            }
            try makeSure(of: report)
        }
        return report
    }

    /// Does something about one file. What can be wrong with it alone keeps no other waiting.
    private func forOne(_ report: inout IntakeReport, _ body: (inout IntakeReport) throws -> Void) throws {
        do {
            try body(&report)
        } catch let error as SystemCallError where error.isOfOneFile {
            report.troubles.append(error)
        }
    }

    private func admission(_ name: String) throws -> Admission? {
        guard let status = try spool.root.status(name), status.kind != .folder else { return nil }
        var admission = Admission(name: name)
        if Claim.refusal(status, sizeMax: sizeMax) == nil, status.size > 0 { readHead(&admission) }
        return admission
    }

    private func admit(
        _ candidates: [String], batch: Int64?, now: Int64, eachItsOwnArrival: Bool, _ report: inout IntakeReport
    ) throws {
        guard !candidates.isEmpty else { return }
        var admissions: [Admission] = []
        for candidate in candidates {
            try forOne(&report) { _ in if let admission = try admission(candidate) { admissions.append(admission) } }
        }
        guard !admissions.isEmpty else { return }
        // Unsynced: what a power loss takes back stands in the folder and is admitted again. Nothing is moved, and no file gets
        // another job's number that anybody was promised: `Dispatcher.advance` syncs as soon as no claim is about to.
        try ledger.writeUnsynced { tx in
            var room = windowMax - (try tx.counts()[.queued] ?? 0)
            let arrival = try tx.fact(.arrival) + 1
            var known = try tx.knownFiles(among: admissions)[...]
            var next = 0
            while next < admissions.count, room > 0 {
                let order = eachItsOwnArrival ? arrival + Int64(next) : arrival
                let admitted: [Int64]
                if known.first == next {
                    known.removeFirst()
                    admitted = try admit(admissions[next], tx, arrival: order, batch: batch, now: now, &report).map { [$0] } ?? []
                    next += 1
                } else {
                    let end = min(known.first ?? admissions.count, next + room)
                    admitted = try tx.admit(
                        unknown: admissions[next..<end], arrival: order, eachItsOwnArrival: eachItsOwnArrival, batch: batch,
                        now: now)
                    next = end
                }
                report.admitted += admitted
                room -= admitted.count
            }
            report.backlog += admissions.count - next
            try tx.setFact(.arrival, eachItsOwnArrival ? arrival + Int64(next) - 1 : arrival)
            try makeSure(of: report)
        }
    }

    /// Before the ledger says that files stand in the drop folder again: their moves, the runner's and their author's, are made sure.
    private func makeSure(of report: IntakeReport) throws(SystemCallError) {
        if report.isAnyMovedBack { try spool.syncPlaces() }
    }

    private func admit(
        _ admission: Admission, _ tx: LedgerTransaction, arrival: Int64, batch: Int64?, now: Int64, _ report: inout IntakeReport
    ) throws -> Int64? {
        // A claim of this very file is under way: the ledger has it, the rename is about to happen or has just happened.
        if let moving = try tx.jobLeaving(.drop, file: admission.name) {
            guard let status = try spool.root.status(admission.name), status.identity != moving.fileSignature else { return nil }
        }
        let finished = try tx.finishedJobs(file: admission.name)
        if let kept = finished.filter(\.isKept).max(by: { ($0.finished ?? 0) < ($1.finished ?? 0) }) {
            if try isUnchanged(kept) { return nil }
            // Another prompt stands in its place.
            try tx.takeAwayKept(file: admission.name)
        }
        if var earlier = try movedBack(among: finished + tx.heldJobs(file: admission.name)) {
            // The same job again, with a fresh budget. Where the runner has filed it a moment ago, the note of that move goes with it.
            report.isAnyMovedBack = true
            let was = earlier.state
            // What the note beside it says is not so any more. It is no harm where it stays.
            if earlier.place == .failed { try? filing.removeNote(beside: earlier.file, tx) }
            earlier.requeue(arrival: arrival, now: now)
            (earlier.fromPlace, earlier.fromFile) = (nil, nil)
            earlier.file = admission.name
            earlier.priority = admission.priority
            earlier.lane = admission.lane
            earlier.batch = batch
            try tx.save(earlier, expecting: was, why: "moved back to the drop folder", now: now)
            return earlier.id
        }
        return try tx.admit(admission, arrival: arrival, batch: batch, now: now)
    }

    /// The job whose file the author has moved back: it is gone from where it was filed. Where that is so of several, the one whose prompt
    /// stands here now, or else the newest.
    private func movedBack(among filed: [Job]) throws -> Job? {
        let gone = try filed.filter { job in
            guard let folder = spool.directory(job.place), job.place != .drop, try hasArrived(job) else { return false }
            return try folder.status(job.file) == nil
        }
        guard gone.count > 1, let file = gone.first?.file, let status = try spool.root.status(file),
            let prompt = try KeptPrompt.read(file, status, in: spool.root, sizeMax: sizeMax)
        else { return gone.first }
        return gone.first { $0.promptSHA == prompt.sha } ?? gone.first
    }

    /// Whether a finished or held job's file has reached the folder where the ledger has it, even if the ledger does not know that yet. Asked before
    /// one looks for it there. Of a file that was refused in the drop folder only a confirmed move says so: it may stand there again.
    private func hasArrived(_ job: Job) throws -> Bool {
        guard let from = job.fromPlace, let file = job.fromFile else { return true }
        return try from != .drop && spool.directory(from)?.status(file) == nil
    }

    /// Whether a file that was put back in its place is still as it was put back, and is not to run again.
    private func isUnchanged(_ job: Job) throws -> Bool {
        // On its way back; the event that told of it was our own doing.
        if job.fromPlace != nil { return true }
        return try KeptPrompt.isAsItWas(job, in: spool.root, sizeMax: sizeMax) && isDone(job)
    }

    /// `---`, with and without a byte-order mark.
    private static let frontMatterBeginnings: [[UInt8]] = [[0x2D, 0x2D, 0x2D], [0xEF, 0xBB, 0xBF, 0x2D, 0x2D, 0x2D]]

    /// Priority and lane, from the beginning of the file: what is needed to put the job in its place. The claim reads again.
    private func readHead(_ admission: inout Admission) {
        // A file that cannot be read now is judged when it is claimed.
        guard let file = try? spool.root.openForReading(admission.name), let status = try? file.status(), status.kind == .regular,
            let head = try? file.readHead(bytesMax: 4096, beginning: Self.frontMatterBeginnings)
        else { return }
        guard head.range(of: Data("priority".utf8)) != nil || head.range(of: Data("lane".utf8)) != nil else { return }
        let settings = PromptFile.read(name: admission.name, bytes: head).settings
        admission.priority = settings.priority
        admission.lane = settings.lane
    }

    private func refuse(_ name: PromptName, _ report: inout IntakeReport, now: Int64, isDraining: Bool) throws {
        guard let status = try spool.root.status(rawName: name.bytes), status.kind != .folder else { return }
        let age = now - status.changedNanoseconds / 1_000_000
        if !isDraining, age >= 0, age < Self.strayAgeMilliseconds {
            report.lookAgainMilliseconds = Self.strayAgeMilliseconds - age
            return
        }
        if status.kind == .regular, name.isText, try isBeingWritten(name.text) {
            report.lookAgainMilliseconds = Self.strayAgeMilliseconds
            return
        }
        let reason: String
        if let refusal = Claim.refusal(status, sizeMax: .max) {
            reason = refusal
        } else if !name.isText {
            reason = "name_not_utf8: the file name is not valid UTF-8"
        } else {
            reason = "not_a_prompt: the name has no ending of a prompt (.md .markdown .prompt .prompty .txt)"
        }
        let job: Job
        if let moving = try ledger.read({ try $0.jobLeaving(.drop, file: name.text) }), moving.fileSignature == status.identity {
            // An earlier look has refused this very file, and it could not be moved then.
            job = moving
        } else {
            let target = try filing.freeName(name.text, job: 0, in: .failed)
            job = try ledger.write {
                try $0.admitRefused(name: name.text, file: target, reason: reason, identity: status.identity, now: now)
            }
        }
        let moved = try filing.finishMove(job)
        report.refused.append(moved)
        try filing.explain(moved, "\(printable(moved.name)): \(reason)")
    }

    private func isBeingWritten(_ name: String) throws -> Bool {
        // One that cannot be opened is not ours to judge by a lease; its age has decided.
        guard let file = try? spool.root.openForReading(name) else { return false }
        return try file.takeReadLease() == .refused
    }

    private func withdraw(_ names: Set<ExactText>, _ report: inout IntakeReport, now: Int64) throws {
        guard !names.isEmpty else { return }
        try ledger.write { tx in
            for name in names.map(\.text).sorted(by: precedes) {
                // Listed as waiting, not met by the walk: it may have been claimed or put there since; look at it itself.
                guard try spool.root.status(name) == nil, var job = try tx.waitingJob(file: name), job.fromPlace == nil else {
                    continue
                }
                let was = job.state
                job.state = .cancelled
                job.status = .cancelled
                job.reason = "withdrawn: the file was taken out of the drop folder"
                job.place = .none
                job.finished = now
                if try tx.save(job, expecting: was, why: job.reason, now: now) { report.withdrawn.append(job) }
            }
        }
    }
}

extension Job {
    /// Makes a finished or held job wait again, with a fresh budget; its file must be in the drop folder or on its way there.
    mutating func requeue(arrival: Int64, now: Int64) {
        state = .queued
        status = nil
        reason = ""
        place = .drop
        self.arrival = arrival
        budgetUsed = 0
        nextBlock = 1
        carriedJSON = nil
        notBefore = nil
        delay = nil
        started = nil
        finished = nil
        duration = nil
        fileSignature = nil
        pruned = nil
    }
}

extension LedgerTransaction {
    /// Finished jobs whose prompt stands in the drop folder, by file name.
    func keptFiles() throws -> [ExactText: Job] {
        var result: [ExactText: Job] = [:]
        for job in try jobs("INDEXED BY jobs_kept WHERE place = 'drop' AND \(Self.isOver) ORDER BY finished, id") {
            result[ExactText(job.file)] = job
        }
        return result
    }

    /// Notes that the files of finished jobs do not stand in the drop folder any more.
    func takeAwayKept(file: String) throws {
        try execute("UPDATE jobs SET place = 'none' WHERE file = ? AND place = 'drop' AND \(Self.isOver)", [file])
    }

    /// The job whose file is on its way out of a folder, under this name there.
    func jobLeaving(_ place: Place, file: String) throws -> Job? {
        try jobs("WHERE from_file = ? AND from_place = ? ORDER BY id DESC LIMIT 1", [file, place.rawValue]).first
    }

    /// Makes a job that waits already part of a batch.
    func join(batch: Int64, arrival: Int64, file: String) throws -> Bool {
        try execute(
            "UPDATE jobs SET batch = ?, arrival = ? WHERE file = ? AND state IN ('queued', 'deferred')", [batch, arrival, file])
        return db.changesCount > 0
    }

    func waitingJob(file: String) throws -> Job? {
        try jobs("WHERE file = ? AND state IN ('queued', 'deferred')", [file]).first
    }
}
