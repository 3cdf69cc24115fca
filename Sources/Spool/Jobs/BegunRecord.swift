// Which of the attempts that the ledger has as running have really begun, written down beside the runs. The start of a short job
// is committed together with its claim, ahead of its turn; a runner that is killed before the turn came leaves an attempt
// that never was. The record tells it from one that was cut off. No fsync: the page cache outlives the runner. After a power
// loss the record says nothing, and every attempt that was to start counts as begun.

import Foundation
import Synchronization

/// The file `runs/.begun`. What must hold: while it exists, an attempt is in it before anything of that attempt is started.
///
/// First a line with the boot and the mark that the ledger has as well, by which a ledger that was restored from an older copy is told
/// from the one that the last runner wrote; then one slot for each attempt that is being made, written over once that has ended. Safe to use from
/// several threads.
final class BegunRecord: Sendable {
    static let name = ".begun"
    /// Bytes of a slot, and of the line before them: two numbers, or the boot id, filled up with blanks.
    static let slotBytes = 64

    private struct Slots {
        var taken: [Int64: Int] = [:]
        var free: [Int] = []
        var used = 0
    }

    private let file: OpenFile
    private let slots = Mutex(Slots())

    /// Begins a new record in the place of an earlier runner's. Call it after recovery has read that one.
    ///
    /// - Throws: `SystemCallError` where the old one cannot be removed: it must not be taken for this run's.
    /// - Returns: nil where the file cannot be made; then every attempt counts as begun.
    static func begin(_ runs: Directory, mark: Int64) throws(SystemCallError) -> BegunRecord? {
        if let old = try runs.status(name) {
            // Somebody's, and no record; nothing is read from it either.
            if old.kind == .folder { return nil }
            try runs.remove(name)
        }
        do throws(SystemCallError) {
            let file = try runs.create(name)
            try file.setMode(0o600)
            try file.write(line("\(ProcessTable.bootIdentifier()) \(mark)"), at: 0)
            return BegunRecord(file: file)
        } catch {
            // What was made of it tells nothing, but would be in the way of nothing either: see `read`.
            return nil
        }
    }

    private init(file: consuming OpenFile) { self.file = file }

    /// Writes down that an attempt begins now.
    func note(_ job: Int64, attempt: Int) throws(SystemCallError) {
        try slots.withLock { slots throws(SystemCallError) in
            let slot = slots.taken[job] ?? slots.free.last ?? slots.used
            try file.write(Self.line("\(job) \(attempt)"), at: (slot + 1) * Self.slotBytes)
            guard slots.taken.updateValue(slot, forKey: job) == nil else { return }
            if slots.free.last == slot { slots.free.removeLast() } else { slots.used += 1 }
        }
    }

    /// The job's last attempt has ended, and the ledger has it.
    func forget(_ job: Int64) {
        slots.withLock { slots in
            if let slot = slots.taken.removeValue(forKey: job) { slots.free.append(slot) }
        }
    }

    /// The attempt has not begun after all.
    ///
    /// - Throws: `SystemCallError`; it then still counts as begun.
    func takeBack(_ job: Int64) throws(SystemCallError) {
        try slots.withLock { slots throws(SystemCallError) in
            guard let slot = slots.taken[job] else { return }
            // Of no job.
            try file.write(Self.line("0 0"), at: (slot + 1) * Self.slotBytes)
            slots.taken[job] = nil
            slots.free.append(slot)
        }
    }

    private static func line(_ text: String) -> Data {
        let bytes = Data(text.utf8.prefix(slotBytes - 1))
        return bytes + Data(repeating: UInt8(ascii: " "), count: slotBytes - 1 - bytes.count) + [UInt8(ascii: "\n")]
    }

    /// One attempt of one job.
    struct Entry: Hashable {
        var job: Int64
        var attempt: Int
    }

    /// What the last runner has begun.
    ///
    /// - Parameter mark: the ledger's.
    /// - Returns: nil where that cannot be told: no record, another boot's, or that of another ledger.
    static func read(_ runs: Directory, mark: Int64) -> Set<Entry>? {
        guard var lines = lines(runs), !lines.isEmpty, lines.removeFirst() == [ProcessTable.bootIdentifier(), "\(mark)"] else {
            return nil
        }
        var entries: Set<Entry> = []
        for words in lines {
            // A slot of another form was not written by us; then nothing here can be relied on.
            guard words.count == 2, let job = Int64(words[0]), let attempt = Int(words[1]) else { return nil }
            entries.insert(Entry(job: job, attempt: attempt))
        }
        return entries
    }

    /// Whether the last runner here wrote another ledger: an older copy stands in its place.
    static func isOfAnotherLedger(_ runs: Directory, mark: Int64) -> Bool {
        guard let first = lines(runs)?.first, first.count == 2, let found = Int64(first[1]) else { return false }
        return found != mark
    }

    private static func lines(_ runs: Directory) -> [[String]]? {
        guard let file = try? runs.openForReading(name), let status = try? file.status(), status.kind == .regular,
            status.size <= bytesMax, let bytes = try? file.readAll(bytesMax: bytesMax)
        else { return nil }
        return bytes.split(separator: UInt8(ascii: "\n")).map { line in
            String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
        }
    }

    /// More attempts at one time than any `--jobs`.
    private static let bytesMax = slotBytes * (1 << 16)
}

extension SpoolFolder {
    /// Whether the attempt that the ledger has as a job's last one has begun, as far as that was written down.
    public func hasBegun(_ job: Job, _ tx: LedgerTransaction) throws -> Bool {
        BegunRecord.read(runs, mark: try tx.fact(.begunMark))?.contains(BegunRecord.Entry(job: job.id, attempt: job.attempts))
            ?? true
    }
}
