// The claim: a waiting prompt becomes a runner's own. Order: look (kind, owner, size), make sure that nobody writes (read
// lease), commit to the ledger, rename into `active/`, read through the same descriptor. The lease is held across all of it,
// so a writer who comes meanwhile waits in open(2) and cannot change what was judged.

import Foundation

/// What became of trying to claim a job.
enum ClaimOutcome: Sendable {
    /// In `active/`, with its content.
    case claimed(Job, Data)
    /// Somebody has the file open for writing, or it changed a moment ago; it stays queued.
    case busy
    /// The file is no longer there; the job is cancelled.
    case withdrawn(Job)
    /// It is no file that may be opened; the job failed and what stood there is in `failed/`.
    case refused(Job)
    /// Somebody else has moved the job.
    case lost
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

    func claim(_ job: Job) throws -> ClaimOutcome {
        guard let status = try spool.root.status(job.file) else { return try withdraw(job) }
        if let reason = Self.refusal(status, sizeMax: sizeMax) { return try refuse(job, reason) }
        let file: OpenFile
        do {
            file = try spool.root.openForReading(job.file)
        } catch {
            switch error.errno {
            case ENOENT: return try withdraw(job)
            case ELOOP: return try refuse(job, "symbolic_link: symbolic links are not followed")
            case EACCES, EPERM: return try refuse(job, "unreadable: \(error.description)")
            default: throw error
            }
        }
        let opened = try file.status()
        if let reason = Self.refusal(opened, sizeMax: sizeMax) { return try refuse(job, reason) }
        switch try file.takeReadLease() {
        case .granted: break
        case .refused: return .busy
        case .unsupported:
            if !quiet.hasPassed(for: job.file, signature: opened.signature, now: clock.monotonicMilliseconds()) { return .busy }
        }
        guard let claimed = try commitAndMove(job, opened) else { return .lost }
        return try read(claimed, file, opened)
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

    private func commitAndMove(_ job: Job, _ opened: FileStatus) throws -> Job? {
        let now = clock.wallMilliseconds()
        var claimed = job
        claimed.state = .active
        claimed.place = .active
        claimed.file = try filing.freeName(job.file, job: job.id, in: .active)
        claimed.fromPlace = .drop
        claimed.fromFile = job.file
        claimed.fileSignature = opened.identity
        claimed.started = claimed.started ?? now
        guard try ledger.write({ try $0.save(claimed, from: job, expecting: job.state, why: "claimed", now: now) }) else {
            return nil
        }
        return try filing.finishMove(claimed)
    }

    /// Reads what is now in `active/`: through the open descriptor, unless the user put another file in its place in the
    /// instant before the move.
    private func read(_ job: Job, _ file: borrowing OpenFile, _ opened: FileStatus) throws -> ClaimOutcome {
        guard let moved = try spool.active.status(job.file) else {
            // The file was taken away between the look and the rename.
            return try withdraw(job)
        }
        if moved.identity == opened.identity {
            let data = try stillContent(file)
            file.endLease()
            return try data.map { .claimed(job, $0) } ?? refuse(job, Self.changing)
        }
        if let reason = Self.refusal(moved, sizeMax: sizeMax) { return try refuse(job, reason) }
        let other = try spool.active.openForReading(job.file)
        return try stillContent(other).map { .claimed(job, $0) } ?? refuse(job, Self.changing)
    }

    private static let changing = "unreadable: it changed while it was read, again and again; drop it when it is complete"

    /// The file's bytes, all of one moment; nil where it never stands still. Under a lease it always does; without one a writer may
    /// still be at work, and half of a prompt must be neither run nor stamped over the whole.
    private func stillContent(_ file: borrowing OpenFile) throws -> Data? {
        for _ in 0..<5 {
            let before = try file.status()
            guard before.size <= sizeMax else { return nil }
            let data = try file.readAll(bytesMax: sizeMax + 1)
            let after = try file.status()
            if data.count == Int(before.size), after.size == before.size, after.modifiedNanoseconds == before.modifiedNanoseconds
            {
                return data
            }
        }
        return nil
    }

    private func withdraw(_ job: Job) throws -> ClaimOutcome {
        let now = clock.wallMilliseconds()
        var gone = job
        gone.state = .cancelled
        gone.status = .cancelled
        gone.reason = "withdrawn: the file was taken out of the drop folder"
        gone.place = .none
        gone.fromPlace = nil
        gone.fromFile = nil
        gone.finished = now
        return try ledger.write { try $0.save(gone, expecting: job.state, why: gone.reason, now: now) } ? .withdrawn(gone) : .lost
    }

    private func refuse(_ job: Job, _ reason: String) throws -> ClaimOutcome {
        let now = clock.wallMilliseconds()
        var refused = job
        refused.state = .failed
        refused.status = .blocked
        refused.reason = reason
        refused.fromPlace = job.place
        refused.fromFile = job.file
        refused.place = .failed
        refused.file = try filing.freeName(job.file, job: job.id, in: .failed)
        // Which file this is, so that its move can be finished even if a new file takes the name meanwhile.
        refused.fileSignature = try spool.directory(job.place)?.status(job.file)?.identity
        refused.finished = now
        let ended = refused
        let isSaved = try ledger.write { tx in
            guard try tx.save(ended, expecting: job.state, why: reason, now: now) else { return false }
            // In one transaction, so that a crash can never separate a failure from its count.
            if let counting { _ = try EndOfJob.count(ended, counting.policy, runID: counting.runID, now: now, tx) }
            return true
        }
        guard isSaved else { return .lost }
        refused = try filing.finishMove(refused)
        try filing.explain(refused, "\(refused.name): \(reason)")
        return .refused(refused)
    }
}
