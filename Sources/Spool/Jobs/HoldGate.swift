// The hold stands in two places: a row of the ledger, which survives everything, and a file, which a person can make and
// remove. This file keeps the two the same. A row whose file was written once and is gone means that a person lifted the
// hold; a row whose file was never written means that a crash came between, and the file is written now.

import Foundation

struct HoldGate {
    let spool: SpoolFolder
    let ledger: Ledger

    enum Change: Sendable { case none, taken(HoldRecord), lifted }

    /// Whether the hold file stands; one faccessat(2). A file that cannot be looked at counts as standing.
    static func isFileThere(_ spool: SpoolFolder) -> Bool {
        faccessat(spool.root.descriptor, ContractFile.hold.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT
    }

    /// Brings ledger and file in step, and returns the hold in force.
    /// - Throws: `SystemCallError` also where the folder cannot be looked at now: then nobody has taken or lifted a hold.
    func reconcile(now: Int64) throws -> HoldRecord? {
        let isThere = try spool.root.status(ContractFile.hold.name) != nil
        let record = try ledger.read { try $0.openHold() }
        switch (record, isThere) {
        case (nil, false): return nil
        case (let hold?, true):
            if !hold.fileWritten { try ledger.write { try $0.noteHoldFileWritten() } }
            guard let text = Self.reasonByHand(instead: hold, in: spool) else { return hold }
            return try take(byHand: text, why: "the hold file was replaced by hand", now: now)
        case (let hold?, false) where hold.fileWritten:
            try ledger.write { try $0.liftHolds(why: "the hold file was removed", now: now) }
            return nil
        case (let hold?, false):
            try write()
            return hold
        case (nil, true):
            // A file with any content, or none, is a hold by hand.
            let text = try? HoldFile.read(in: spool.root)?.reason  // Unreadable content does not make it less of a hold.
            return try take(byHand: text ?? "by hand", why: nil, now: now)
        }
    }

    /// What a person has written into the hold file, where it is not the file of `hold` any more: what flowspool writes says since when.
    /// nil where it is, or cannot be read.
    static func reasonByHand(instead hold: HoldRecord, in spool: SpoolFolder) -> String? {
        // Content that cannot be read says nothing.
        guard hold.fileWritten, let file = try? HoldFile.read(in: spool.root), file.since == nil else { return nil }
        return hold.kind == .byHand && hold.reason == file.reason ? nil : file.reason
    }

    /// Notes a hold that a person has taken by a file.
    ///
    /// - Parameter why: what has become of the hold before it; nil where there was none.
    private func take(byHand reason: String, why: String?, now: Int64) throws -> HoldRecord {
        try ledger.write { tx in
            if let why { try tx.liftHolds(why: why, now: now) }
            let counts = try tx.failureCounts()
            var hold = HoldRecord(
                since: now, kind: .byHand, reason: reason, failStreak: counts.streak, failTotal: counts.total, fileWritten: true)
            hold.id = try tx.setHold(hold)
            return hold
        }
    }

    // Within one transaction: no other process writes or removes the file meanwhile, and none of a hold that was lifted is written.

    /// Writes the file of the hold that is in force, and notes that it stood.
    func write() throws {
        try ledger.write { tx in
            guard let hold = try tx.openHold() else { return }
            try write(hold, tx)
        }
    }

    /// Takes a hold, file and all, or not at all.
    func take(_ hold: HoldRecord) throws -> HoldRecord {
        try ledger.write { tx in
            var hold = hold
            hold.id = try tx.setHold(hold)
            try write(hold, tx)
            return hold
        }
    }

    private func write(_ hold: HoldRecord, _ tx: LedgerTransaction) throws {
        try HoldFile(hold).write(in: spool.root)
        try tx.noteHoldFileWritten()
    }

    /// Lifts the hold. A crash between the two leaves a row whose file is gone, which is a hold that a person has lifted.
    func lift(why: String, now: Int64) throws {
        try ledger.write { tx in
            try HoldFile.remove(in: spool.root)
            try tx.liftHolds(why: why, now: now)
        }
    }
}
