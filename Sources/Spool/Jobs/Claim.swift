// The claim: a waiting prompt becomes a runner's own. Order: look (kind, owner, size), make sure that nobody writes (read
// lease), read, commit to the ledger, rename into `active/`, put the stamped copy in its place. The lease is held across all of it, so
// a writer who comes meanwhile waits in open(2) and cannot change what was judged; and before the author's file goes, one asks whether
// somebody waits: what he is about to write would go with it. Several jobs may share the commit, which is what costs time.

import Foundation
import Synchronization

/// What a look at a waiting job's file came to.
enum ClaimLook: Sendable {
    /// It may be claimed.
    case open(OpenPrompt)
    /// Somebody has the file open for writing, or it changed a moment ago; it stays queued.
    case busy
    /// It cannot be claimed, and its job is over or somebody else's.
    case over(ClaimEnd)
}

/// How a job ends that is not claimed.
enum ClaimEnd: Sendable {
    /// The file is no longer there; the job is cancelled.
    case withdrawn(Job)
    /// It is no file that may be opened; the job failed and what stood there is in `failed/`.
    case refused(Job)
    /// Somebody else has moved the job.
    case lost
}

/// A claimed job whose file is in `active/`.
enum ClaimMove: Sendable {
    /// `changed`: what the file holds now, where that is not what was read before the claim.
    case moved(Job, changed: Data?)
    case over(ClaimEnd)
}

/// A waiting prompt, open under its lease and read.
struct OpenPrompt: Sendable {
    /// As the ledger has it; without a number where it has none yet.
    @Boxed private(set) var job: Job
    /// As it will be, once claimed.
    @Boxed private(set) var claimed: Job
    fileprivate let content: Content

    var bytes: Data { content.bytes }
    /// When it had been read.
    var status: FileStatus { content.status }
    /// The claim makes its job.
    var isUnnumbered: Bool { job.id == Job.noNumber }

    /// Changes what the ledger has as well as what it will have.
    mutating func change(_ body: (inout Job) -> Void) {
        body(&job)
        body(&claimed)
    }

    /// Whether the author's file is as it was read, and nobody waits to write to it.
    func isUntouched() throws(SystemCallError) -> Bool {
        let now = try content.file.status()
        return now.size == status.size && now.modifiedNanoseconds == status.modifiedNanoseconds
            && (!content.hasLease || content.file.isLeaseWhole)
    }

    /// Lets writers come.
    func endLease() { content.file.endLease() }

    /// Names the file that it will be in `active/`.
    fileprivate mutating func isToBecome(_ name: String) { claimed.file = name }

    /// Closed, and its lease ended, with the last copy.
    fileprivate final class Content: Sendable {
        let bytes: Data
        let file: OpenFile
        let status: FileStatus
        let hasLease: Bool

        init(bytes: Data, file: consuming OpenFile, status: FileStatus, hasLease: Bool) {
            self.bytes = bytes
            self.file = file
            self.status = status
            self.hasLease = hasLease
        }
    }
}

/// Claims waiting jobs.
struct Claim: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger
    let filing: Filing
    let quiet: QuietPeriod
    let clock: any SpoolClock
    /// Largest prompt, in bytes.
    var sizeMax: Int
    /// What a refused prompt counts against: the thresholds and the run; nil: nothing is counted.
    var counting: (policy: Policy, runID: String)?
    let unreadable = UnreadableFiles()

    /// Opens a waiting job's file, makes sure that nobody writes to it, and reads it. Nothing is claimed yet.
    func open(_ job: Job) throws -> ClaimLook {
        switch try look(at: job) {
        case .open(let content): .open(OpenPrompt(job: job, claimed: claimed(job, content.status), content: content))
        case .busy: .busy
        case .gone: .over(try withdraw(job))
        case .refused(let reason): .over(try refuse(job, reason))
        }
    }

    /// As above for a file that has no job yet; the claim makes it one.
    ///
    /// - Returns: nil, with nothing done, where it cannot be claimed now: intake knows what is to become of it.
    func open(unnumbered file: Admission) throws -> OpenPrompt? {
        guard case .open(let content) = try look(file.name) else { return nil }
        let job = Job(waiting: file, now: clock.wallMilliseconds())
        return OpenPrompt(job: job, claimed: claimed(job, content.status), content: content)
    }

    private enum Look {
        case open(OpenPrompt.Content)
        case busy, gone
        case refused(String)
    }

    /// Looks at a waiting job's file. One that the disk cannot read (a bad sector) is trouble of the machine once, and what may have passed
    /// is tried again. The second time the prompt is refused: it must not keep all others waiting.
    private func look(at job: Job) throws -> Look {
        do {
            let look = try look(job.file)
            unreadable.forget(job.id)
            return look
        } catch let error as SystemCallError where error.isOfMedium {
            if unreadable.insert(job.id) { throw error }
            unreadable.forget(job.id)
            return .refused("unreadable: \(error.description)")
        }
    }

    private func look(_ name: String) throws -> Look {
        // A folder is no prompt: the one that stood there was taken away.
        guard let status = try spool.root.status(name), status.kind != .folder else { return .gone }
        if let reason = Self.refusal(status, sizeMax: sizeMax) { return .refused(reason) }
        let file: OpenFile
        do {
            file = try spool.root.openForReading(name)
        } catch {
            switch error.errno {
            case ENOENT: return .gone
            case ELOOP: return .refused("symbolic_link: symbolic links are not followed")
            // Somebody's write lease, which is being broken (open(2), O_NONBLOCK).
            case EAGAIN: return .busy
            case EACCES, EPERM: return .refused("unreadable: \(error.description)")
            default: throw error
            }
        }
        let opened = try file.status()
        if let reason = Self.refusal(opened, sizeMax: sizeMax) { return .refused(reason) }
        let lease = try file.takeReadLease()
        switch lease {
        case .granted: break
        case .refused: return .busy
        case .unsupported:
            if !quiet.hasPassed(for: name, signature: opened.signature, now: clock.monotonicMilliseconds()) { return .busy }
        }
        guard let (bytes, read) = try stillContent(file) else { return .refused(Self.changing) }
        return .open(OpenPrompt.Content(bytes: bytes, file: file, status: read, hasLease: lease == .granted))
    }

    private func claimed(_ job: Job, _ status: FileStatus) -> Job {
        var claimed = job
        claimed.state = .active
        claimed.place = .active
        claimed.fromPlace = .drop
        claimed.fromFile = job.file
        claimed.fileSignature = status.identity
        claimed.started = claimed.started ?? clock.wallMilliseconds()
        return claimed
    }

    /// Claims jobs in the ledger, with one commit.
    ///
    /// - Parameters:
    ///   - starting: those, by number, whose attempt is recorded as started with the same commit.
    /// - Returns: each as it is now, with its number and with the name that its file gets in `active/`; nil where somebody else has moved
    ///   it meanwhile, or where it had no job and the ledger knows its file.
    func commit(_ prompts: [OpenPrompt], starting: [Int64: Prepared] = [:]) throws -> [OpenPrompt?] {
        let now = clock.wallMilliseconds()
        return try ledger.write { tx in
            try prompts.map { given in
                var prompt = given
                var prepared = starting[given.job.id]
                let name = try filing.freeName(given.job.file, job: given.job.id, in: .active, tx)
                // Another name would have the number in it that it has not got yet.
                if given.isUnnumbered, name != given.job.file { return nil }
                prompt.isToBecome(name)
                prepared?.job.file = name
                let claimed = prepared?.job ?? prompt.claimed
                let why = prepared == nil ? "claimed" : "claimed; attempt \(claimed.attempts) is next"
                if given.isUnnumbered {
                    // It was there when it was looked at.
                    let created = min(now, claimed.started ?? now)
                    guard let made = try tx.admit(claimed: claimed, why: why, created: created, now: now) else { return nil }
                    prompt.change { ($0.id, $0.arrival, $0.created) = (made.id, made.arrival, created) }
                    prepared?.become(prompt)
                } else {
                    guard try tx.save(claimed, from: given.job, expecting: given.job.state, why: why, now: now) else {
                        return nil
                    }
                }
                guard let prepared else { return prompt }
                try tx.setFindings(prepared.report.findings, of: prepared.job.id, isNew: given.isUnnumbered)
                try tx.startAttempt(prepared.job, runDirectory: prepared.runDirectory, now: now)
                return prompt
            }
        }
    }

    /// Moves a claimed job's file into `active/`. The lease stands afterwards.
    func move(_ prompt: OpenPrompt) throws -> ClaimMove {
        let job: Job
        do {
            job = try filing.finishMove(prompt.claimed)
        } catch let error as SystemCallError where isOfTheFileAlone(error) {
            return .over(try refuse(prompt.claimed, "immovable: \(error.description)", isStillInDrop: true))
        }
        // Taken away between the look and the rename.
        guard let moved = try spool.active.status(job.file) else { return .over(try withdraw(job)) }
        if moved.identity == prompt.status.identity {
            let now = try prompt.content.file.status()
            if now.size == prompt.status.size, now.modifiedNanoseconds == prompt.status.modifiedNanoseconds {
                return .moved(job, changed: nil)
            }
        }
        // Without a lease a writer may have come, or the user put another file in its place in the instant before the move.
        if let reason = Self.refusal(moved, sizeMax: sizeMax) { return .over(try refuse(job, reason)) }
        let other = try spool.active.openForReading(job.file)
        guard let (bytes, _) = try stillContent(other) else { return .over(try refuse(job, Self.changing)) }
        return .moved(job, changed: bytes)
    }

    /// Whether a move was refused for that one file, which is mounted there by itself or may not be changed (`chattr +i`), and not for
    /// the folders, which would refuse all.
    private func isOfTheFileAlone(_ error: SystemCallError) -> Bool {
        guard error.call == .renameat2, error.errno == EBUSY || error.errno == EPERM else { return false }
        return (try? spool.root.checkWritable()) != nil && (try? spool.active.checkWritable()) != nil
    }

    /// Why a file of this kind is not opened, or nil.
    static func refusal(_ status: FileStatus, sizeMax: Int) -> String? {
        switch status.kind {
        case .regular: break
        case .symlink: return "symbolic_link: symbolic links are not followed"
        case .folder: return "not_a_prompt: it is a folder"
        case .fifo, .socket, .device, .other: return "not_a_prompt: it is a \(status.kind.rawValue), not a regular file"
        }
        if status.owner != geteuid() {
            return "other_owner: it belongs to user \(status.owner), not to the user who runs the spool"
        }
        if status.size > sizeMax { return "too_large: \(status.size) bytes; the limit is \(sizeMax) (size_limit in spool.yaml)" }
        return nil
    }

    private static let changing = "unreadable: it changed while it was read, again and again; drop it when it is complete"

    /// The file's bytes, all of one moment, and its status then; nil where it never stands still. Under a lease it always does;
    /// without one a writer may still be at work, and half of a prompt must be neither run nor stamped over the whole.
    private func stillContent(_ file: borrowing OpenFile) throws -> (Data, FileStatus)? {
        for _ in 0..<5 {
            let before = try file.status()
            guard before.size <= sizeMax else { return nil }
            let data = try file.readAll(bytesMax: sizeMax + 1)
            let after = try file.status()
            if data.count == Int(before.size), after.size == before.size, after.modifiedNanoseconds == before.modifiedNanoseconds
            {
                return (data, after)
            }
        }
        return nil
    }

    private func withdraw(_ job: Job) throws -> ClaimEnd {
        let now = clock.wallMilliseconds()
        var gone = job
        gone.state = .cancelled
        gone.status = .cancelled
        gone.reason = "withdrawn: the file was taken out of the drop folder"
        gone.place = .none
        gone.fromPlace = nil
        gone.fromFile = nil
        gone.finished = now
        let isSaved = try ledger.write { tx in
            guard try tx.save(gone, expecting: job.state, why: gone.reason, now: now) else { return false }
            try tx.removeUnbegunAttempt(of: job.id)
            return true
        }
        return isSaved ? .withdrawn(gone) : .lost
    }

    /// - Parameter isStillInDrop: the job was claimed, and its file could not be moved.
    private func refuse(_ job: Job, _ reason: String, isStillInDrop: Bool = false) throws -> ClaimEnd {
        let now = clock.wallMilliseconds()
        var refused = job
        refused.state = .failed
        refused.status = .blocked
        refused.reason = reason
        let (place, file) = isStillInDrop ? (.drop, job.fromFile ?? job.name) : (job.place, job.file)
        refused.fromPlace = place
        refused.fromFile = file
        refused.place = .failed
        refused.file = try filing.freeName(job.file, job: job.id, in: .failed)
        // Which file this is, so that its move can be finished even if a new file takes the name meanwhile.
        refused.fileSignature = try spool.directory(place)?.status(file)?.identity
        refused.finished = now
        let ended = refused
        let isSaved = try ledger.write { tx in
            guard try tx.save(ended, expecting: job.state, why: reason, now: now) else { return false }
            try tx.removeUnbegunAttempt(of: job.id)
            // In one transaction, so that a crash can never separate a failure from its count.
            if let counting { _ = try EndOfJob.count(ended, counting.policy, runID: counting.runID, now: now, tx) }
            return true
        }
        guard isSaved else { return .lost }
        // Its move is noted, and made when it can be.
        if isStillInDrop { return .refused(refused) }
        refused = try filing.finishMove(refused)
        try filing.explain(refused, "\(refused.name): \(reason)")
        return .refused(refused)
    }
}

/// Jobs whose files could not be read when they were last looked at. Safe to use from several threads.
final class UnreadableFiles: Sendable {
    private let jobs = Mutex<Set<Int64>>([])

    /// Returns whether it is new here.
    func insert(_ job: Int64) -> Bool { jobs.withLock { $0.insert(job).inserted } }

    func forget(_ job: Int64) { jobs.withLock { _ = $0.remove(job) } }
}
