// Ledger against folders: each job's file is where the ledger says and nowhere else, and no file in a folder of ours is without a
// job. The drop folder belongs to users: a waiting file may go or come at any time, and neither is a violation.

import Foundation

struct FolderCheck {
    let spool: SpoolFolder
    let ledger: Ledger
    let isRunning: Bool

    private static let places: [Place] = [.drop, .active, .held, .done, .failed]

    func violations() throws -> [Violation] {
        // Names first: what the ledger says later than that can only be newer than the folders.
        var names: [Place: Set<ExactText>] = [:]
        var found: [Violation] = []
        for place in Self.places { names[place] = try list(place, &found) }
        var owned: [Place: Set<ExactText>] = [:]
        var after: Int64 = 0
        while true {
            let jobs = try ledger.read { try $0.page(nil, after: after, limit: 10_000) }
            guard let last = jobs.last else { break }
            after = last.id
            for job in jobs {
                owned[job.place, default: []].insert(ExactText(job.file))
                if let from = job.fromPlace, let file = job.fromFile { owned[from, default: []].insert(ExactText(file)) }
                if let violation = try check(job, names) { found.append(violation) }
            }
        }
        for place in [Place.active, .held] {
            for name in (names[place] ?? []).subtracting(owned[place] ?? []) {
                found.append(Violation(.orphan, path: "\(place.rawValue)/\(name.text)", "no job owns this file"))
            }
        }
        return found + (try twins())
    }

    private func list(_ place: Place, _ found: inout [Violation]) throws -> Set<ExactText> {
        guard let folder = spool.directory(place) else { return [] }
        var names = Set<ExactText>()
        var asides: [String] = []
        try folder.forEachEntry { bytes, type in
            let name = String(decoding: bytes, as: UTF8.self)
            if name.hasPrefix(Directory.asidePrefix) {
                if type == UInt8(DT_REG), !Directory.isAsideInUse(name) { asides.append(name) }
            } else if name.first != "." {
                names.insert(ExactText(name))
            }
            return true
        }
        if !isRunning {
            found += asides.map {
                Violation(.halfWritten, path: relative(place, $0), "it was being written when its writer died")
            }
        }
        return names
    }

    private func check(_ job: Job, _ names: [Place: Set<ExactText>]) throws -> Violation? {
        let isHere = names[job.place]?.contains(ExactText(job.file)) ?? false
        if let from = job.fromPlace, let fromFile = job.fromFile, from != job.place, let folder = spool.directory(from) {
            let source = try folder.status(fromFile)
            // Another file may bear the name of the one that left, where names are given out anew before the move is confirmed.
            let isStillThere = source.map { from == .active || from == .held || $0.identity == job.fileSignature } ?? false
            if !isHere, source == nil, job.place != .none, try !isThereNow(job) {
                return isBackInDrop(job, names) ? nil : missing(job)
            }
            if isHere, isStillThere, try isThereNow(job) {
                return Violation(
                    .twoPlaces, job: job.id, path: relative(job.place, job.file), "it is also at \(relative(from, fromFile))")
            }
            return nil
        }
        // Users take waiting files away, and move finished ones back into the drop folder.
        guard !isHere, job.place != .none, job.place != .drop, try !isThereNow(job) else { return nil }
        // Given up by `prune`, which the ledger learns before the file goes.
        if try job.pruned != nil || isPrunedNow(job) { return nil }
        return isBackInDrop(job, names) ? nil : missing(job)
    }

    /// Whether a finished or held job's prompt was moved back, and intake has not seen it yet.
    private func isBackInDrop(_ job: Job, _ names: [Place: Set<ExactText>]) -> Bool {
        (job.state.isTerminal || job.state == .held) && names[.drop]?.contains(ExactText(job.file)) ?? false
    }

    private func isPrunedNow(_ job: Job) throws -> Bool { try ledger.read { try $0.job(job.id) }?.pruned != nil }

    private func isThereNow(_ job: Job) throws -> Bool { try spool.directory(job.place)?.status(job.file) != nil }

    private func missing(_ job: Job) -> Violation {
        Violation(
            .fileMissing, job: job.id, path: relative(job.place, job.file),
            "job \(job.id) (\(job.state.rawValue)) has no file there")
    }

    /// One file under two names within the spool.
    private func twins() throws -> [Violation] {
        var seen: [String: String] = [:]
        var found: [Violation] = []
        for place in Self.places {
            guard let folder = spool.directory(place) else { continue }
            try folder.forEachEntry { bytes, type in
                guard type != UInt8(DT_DIR), let name = PromptName(bytes: Array(bytes)), name.kind != .ignored, name.isText,
                    let status = try folder.status(name.text), status.kind == .regular, status.links > 1
                else { return true }
                let path = relative(place, name.text)
                if let other = seen.updateValue(path, forKey: status.identity), place != .drop {
                    found.append(Violation(.twoPlaces, path: path, "it is the same file as \(other)"))
                }
                return true
            }
        }
        return found
    }

    private func relative(_ place: Place, _ file: String) -> String { place == .drop ? file : "\(place.rawValue)/\(file)" }
}
