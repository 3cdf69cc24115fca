// The spool's own folders, lock and ledger, while somebody may move or remove them.

import Foundation

extension Dispatcher {
    /// At most so often, in milliseconds; each look is eight fstatat(2).
    private static let foldersEvery: Int64 = 10

    /// Somebody may have moved one of the spool's own folders away, or removed its lock or its ledger, while it is run.
    func lookAtFolders() {
        let now = clock.monotonicMilliseconds()
        guard !isReplaced, now >= foldersAt else { return }
        foldersAt = now + Self.foldersEvery
        note {
            if let gone = try spool.changed(since: anchors) {
                isReplaced = true
                observe(
                    .trouble(
                        FlowspoolError(
                            .unavailable, "\(printable(spool.root.pathOf(gone))) was removed or exchanged while the spool is run",
                            hint: "what runs is ended; `flowspool fsck` says what is left to do")))
                return
            }
            for name in try spool.refreshPlaces() { try tookAnother(name) }
            try tellWhereItHasGone()
        }
    }

    /// Says once that the spool does not stand under its path any more: prompts that are dropped there would go elsewhere.
    private func tellWhereItHasGone() throws {
        let isGone = try !spool.isStillThere()
        defer { isMissing = isGone }
        guard isGone, !isMissing, !settings.drains else { return }
        observe(
            .trouble(
                FlowspoolError(
                    .unavailable, "\(printable(spool.path)) was moved or removed while it is watched",
                    hint: "it is waited for; move it back, or stop this and watch it where it is")))
    }

    /// One of the places is another folder than before.
    private func tookAnother(_ name: String) throws {
        observe(
            .trouble(
                FlowspoolError(
                    .unavailable, "\(printable(spool.root.pathOf(name))) is another folder than it was",
                    hint: "work goes on in this one")))
        // Names of files that are not in it.
        if name == "active" { preparer.swap.removeSpares() }
        guard name == "runs" else { return }
        preparer.spareRuns.removeAll()
        for index in ready.indices {
            ready[index].ready?.endBegun()
            ready[index].ready = nil
        }
        preparedElsewhere.formUnion(preparing.keys)
        // Without a record every attempt counts as begun; one of another time would say of some that they have not.
        begun = nil
        if try spool.runs.status(BegunRecord.name) != nil { try spool.runs.remove(BegunRecord.name) }
    }
}
