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
    func reconcile(now: Int64) throws -> HoldRecord? {
        let isThere = Self.isFileThere(spool)
        let record = try ledger.read { try $0.openHold() }
        switch (record, isThere) {
        case (nil, false): return nil
        case (let hold?, true):
            if !hold.fileWritten { try ledger.write { try $0.noteHoldFileWritten() } }
            return hold
        case (let hold?, false) where hold.fileWritten:
            try ledger.write { try $0.liftHolds(why: "the hold file was removed", now: now) }
            return nil
        case (let hold?, false):
            try write(hold)
            return hold
        case (nil, true):
            // A file with any content, or none, is a hold by hand.
            let text = try? HoldFile.read(in: spool.root)?.reason  // Unreadable content does not make it less of a hold.
            var hold = HoldRecord(
                since: now, kind: .byHand, reason: text ?? "by hand", failStreak: 0, failTotal: 0, fileWritten: true)
            hold.id = try ledger.write { tx in
                let counts = try tx.failureCounts()
                hold.failStreak = counts.streak
                hold.failTotal = counts.total
                return try tx.setHold(hold)
            }
            return hold
        }
    }

    /// Writes the hold file and notes that it stood.
    func write(_ hold: HoldRecord) throws {
        try HoldFile(hold).write(in: spool.root)
        try ledger.write { try $0.noteHoldFileWritten() }
    }

    /// Lifts the hold: first the ledger, then the file.
    func lift(why: String, now: Int64) throws {
        try ledger.write { try $0.liftHolds(why: why, now: now) }
        try HoldFile.remove(in: spool.root)
    }
}
