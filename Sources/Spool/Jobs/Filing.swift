// Moving a job's file to where the ledger says it belongs. The ledger commits first, with where the file comes from; the
// rename follows; the note is struck out later, once the folders are fsynced. So a move that a crash cut off is always
// known, and doing it again is harmless. renameat2(RENAME_NOREPLACE) keeps two prompts of one name from meeting.

import Foundation

/// Moves files between the folders of a spool.
struct Filing: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger

    /// A name for `job`'s file that is free in `place` now: its own, or `<stem>.<job><ext>` where that is taken.
    ///
    /// - Parameter tx: what the ledger is asked in; nil: a transaction of its own.
    func freeName(_ name: String, job: Int64, in place: Place, _ tx: LedgerTransaction? = nil) throws -> String {
        guard let folder = spool.directory(place) else { return name }
        func isTaken(_ name: String) throws -> Bool {
            // On disk first: a file leaves a folder after the ledger has its move.
            if try folder.status(name) != nil { return true }
            return try tx?.isTaken(name, in: place, byOtherThan: job)
                ?? ledger.read { try $0.isTaken(name, in: place, byOtherThan: job) }
        }
        if try !isTaken(name) { return name }
        guard var candidate = PromptName(name) else { return name }
        for turn in 0..<1000 {
            // `<stem>.<job><ext>`; should that be taken as well, `<stem>.<job>.<turn><ext>`.
            guard let next = PromptName(candidate.numbered(turn == 0 ? job : Int64(turn))) else { break }
            if try !isTaken(next.text) { return next.text }
            if turn == 0 { candidate = next }
        }
        throw FlowspoolError(
            .unavailable, "\(printable(folder.pathOf(name))): a thousand names like this are taken", hint: "clear that folder")
    }

    /// A name for the file of `job` that is free in the folder where it is to go.
    func freeName(for job: Job, _ tx: LedgerTransaction? = nil) throws -> String {
        try freeName(job.name, job: job.id, in: job.place, tx)
    }

    /// Makes the move that the ledger has committed for `job`, whatever part of it was done before.
    ///
    /// - Returns: the job as it is now: its file name may have become another one, where a stranger's file took the name
    ///   meanwhile; or `place` may be `none`, where the file is nowhere.
    /// - Throws: `SystemCallError`; the move then is still noted and is tried again later.
    func finishMove(_ job: Job) throws -> Job {
        guard let fromPlace = job.fromPlace, let fromFile = job.fromFile else { return job }
        guard let source = spool.directory(fromPlace), let target = spool.directory(job.place) else { return job }
        var job = job
        for _ in 0..<10 {
            do {
                if try isStillAtSource(job, source: source, file: fromFile, target: target) {
                    try source.moveWithoutReplacing(fromFile, to: target, as: job.file)
                } else if let raw = try rawName(job, source: source, file: fromFile, target: target) {
                    try source.moveWithoutReplacing(rawName: raw, to: target, as: job.file)
                }
                return job
            } catch let error as SystemCallError where error.errno == EEXIST {
                job.file = try freeName(job.file, job: job.id, in: job.place)
                try ledger.write { try $0.rename(job) }
            } catch let error as SystemCallError where error.errno == ENOENT {
                // Gone between the look and the move; look again.
                continue
            }
        }
        throw FlowspoolError(
            .unavailable, "job \(job.id): \(printable(job.file)): its name is taken again and again in \(printable(target.path))")
    }

    /// Notes of a job that is over that its file is nowhere: its prompt has removed it, or a person has. No path is named that leads nowhere.
    func noteGone(_ job: Job) throws -> Job {
        var gone = job
        (gone.place, gone.fromPlace, gone.fromFile) = (.none, nil, nil)
        let ended = gone
        let isSaved = try ledger.write { tx in
            try tx.save(ended, expecting: job.state, why: "its file was gone when it was to be filed", now: job.finished ?? 0)
        }
        return isSaved ? gone : job
    }

    /// Whether the move that the ledger has for `job` needs nothing more; so too where there is none.
    func isMoveMade(_ job: Job) throws -> Bool {
        guard let fromPlace = job.fromPlace, let fromFile = job.fromFile, let source = spool.directory(fromPlace),
            let target = spool.directory(job.place)
        else { return true }
        if try isStillAtSource(job, source: source, file: fromFile, target: target) { return false }
        return try rawName(job, source: source, file: fromFile, target: target) == nil
    }

    /// The name on disk of a file that still has to move and whose name is no text: the ledger has it escaped.
    private func rawName(_ job: Job, source: Directory, file: String, target: Directory) throws -> [UInt8]? {
        guard job.fromPlace == .drop || job.fromPlace == .active, let identity = job.fileSignature,
            file.utf8.contains(UInt8(ascii: "%")),
            try source.status(file) == nil, try target.status(job.file)?.identity != identity
        else { return nil }
        var found: [UInt8]?
        try source.forEachEntry { bytes, _ in
            guard let name = PromptName(bytes: Array(bytes)), !name.isText, name.text == file,
                try source.status(rawName: name.bytes)?.identity == identity
            else { return true }
            found = name.bytes
            return false
        }
        return found
    }

    /// Whether the file still has to move. In the drop folder a file of the same name may be a user's new one, and in `done/` and `failed/`
    /// that of another job, so where both names exist the inode decides, if it was noted. In `active/` and `held/` names are not given out
    /// anew before the move is confirmed.
    private func isStillAtSource(_ job: Job, source: Directory, file: String, target: Directory) throws -> Bool {
        guard let atSource = try source.status(file) else { return false }
        guard job.fromPlace != .active, job.fromPlace != .held, try target.status(job.file) != nil else { return true }
        return job.fileSignature == nil || job.fileSignature == atSource.identity
    }

    /// Writes `<file>.why.txt` beside a file that cannot carry a stamp. An older note of that name goes; a prompt that has the name (it may,
    /// with this ending) stays, and the note gets another one.
    func explain(_ job: Job, _ text: String) throws {
        guard let folder = spool.directory(job.place) else { return }
        let data = Data((text + "\n").utf8)
        var name = PromptName(job.file)?.why ?? job.file + ".why.txt"
        for _ in 0..<10 {
            if try isPrompt(name, in: job.place) { name = try freeName(name, job: job.id, in: job.place) }
            do throws(SystemCallError) {
                return try folder.replace(name, with: data, isNew: true, syncsFolder: false)
            } catch {
                guard error.errno == EEXIST else { throw error }
            }
            // Nobody else can come to have the name while something stands there.
            if try !isPrompt(name, in: job.place) { return try folder.replace(name, with: data, syncsFolder: false) }
        }
        throw FlowspoolError(
            .unavailable, "job \(job.id): \(printable(name)): that name is taken again and again in \(printable(folder.path))")
    }

    /// Takes away the note that stands beside a file that goes elsewhere.
    ///
    /// - Parameter tx: the transaction that is open, where one is.
    func removeNote(beside file: String, _ tx: LedgerTransaction? = nil) throws {
        guard let name = PromptName(file)?.why else { return }
        let isPrompt = try tx.map { try Self.isPrompt(name, in: .failed, $0) } ?? isPrompt(name, in: .failed)
        if !isPrompt { try spool.failed.remove(name) }
    }

    /// Whether what bears the name of a note is the file of a job, or will be.
    private func isPrompt(_ name: String, in place: Place) throws -> Bool {
        try ledger.read { try Self.isPrompt(name, in: place, $0) }
    }

    private static func isPrompt(_ name: String, in place: Place, _ tx: LedgerTransaction) throws -> Bool {
        try tx.isClaimed(name, in: place, byOtherThan: Job.noNumber)
            || tx.isLeaving([place], file: name, byOtherThan: Job.noNumber)
    }
}

extension LedgerTransaction {
    /// Whether a name in a folder belongs to another job, though no file of that name may stand there.
    func isTaken(_ name: String, in place: Place, byOtherThan job: Int64) throws -> Bool {
        switch place {
        case .active:
            // Until the move of the file that bore it is confirmed: should that have to be made again, whatever stood there then would be
            // taken for that file. And while a claim of that name is under way: both may mean the one file that the author has just put
            // in the place of another.
            // And while another job is at work whose file bears it, though its block may have taken that away: what came to stand there
            // would be filed as that one.
            return try isLeaving([.active, .drop], file: name, byOtherThan: job) || isActive(file: name, otherThan: job)
        case .held:
            return try isLeaving([.held], file: name, byOtherThan: job) || heldJobs(file: name).contains { $0.id != job }
        case .done, .failed:
            // Its author may have moved it back a moment ago.
            return try isClaimed(name, in: place, byOtherThan: job)
        case .drop:
            // Whatever came to stand there would be that job's.
            return try waitingJob(file: name).map { $0.id != job } ?? false
        case .none:
            return false
        }
    }

    /// Whether a file of this name is on its way out of one of these folders.
    ///
    /// The folders stand in the statement. As values they would have SQLite plan it anew each time: whether an index has the rows depends on
    /// them ("sqlite3ExprImpliesExpr", partial indexes).
    fileprivate func isLeaving(_ places: [Place], file: String, byOtherThan job: Int64) throws -> Bool {
        let places = places.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        return try number(
            "SELECT 1 FROM jobs WHERE from_file = ? AND from_place IN (\(places)) AND id <> ? LIMIT 1", [file, job])
            != nil
    }

    private func isActive(file: String, otherThan job: Int64) throws -> Bool {
        try number("SELECT 1 FROM jobs WHERE state = 'active' AND file = ? AND id <> ? LIMIT 1", [file, job]) != nil
    }

    /// Notes a new name for a job's file.
    func rename(_ job: Job) throws {
        try execute("UPDATE jobs SET file = ? WHERE id = ?", [job.file, job.id])
    }
}
