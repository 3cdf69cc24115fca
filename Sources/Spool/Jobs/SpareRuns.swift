// Run folders that are made while nothing else is to be done, for prompts that are dropped later: making two folders and a file or
// two is a good part of the time from the drop to the start, and a file made while an fsync is under way waits for it. A spare has
// a hidden name beside the days of `runs/` and becomes a job's folder by one rename.

import Foundation
import Synchronization

/// Spare run folders of one spool, for first attempts of scripts. Safe to use from several threads.
final class SpareRuns: Sendable {
    private let runs: Directory
    private let state = Mutex(State())

    private struct State {
        var names: [String] = []
        var made = 0
    }

    /// Kept ready: one for each of a few prompts dropped one after the other.
    static let count = 2
    /// Name of the folder in a spare, which is that of a job's first attempt.
    private static let attemptName = "attempt-1"

    /// Leftovers of an earlier process are removed by `Recovery`.
    init(_ runs: Directory) { self.runs = runs }

    /// Makes spares as far as they are missing. Trouble leaves them missing; a start makes its folder itself then.
    func fill() {
        // Their journal entries are written now, and not with the stamp of the next prompt.
        defer { try? runs.sync() }
        while let name = nextName() {
            do {
                let attempt = try runs.makeFolder(name).makeFolder(Self.attemptName)
                try ScriptAttempt.prefill(RunFolder(attempt))
            } catch {
                try? runs.removeTree(name)
                return
            }
            state.withLock { $0.names.append(name) }
        }
    }

    var areMissing: Bool { state.withLock { $0.names.count < Self.count } }

    private func nextName() -> String? {
        state.withLock { state in
            guard state.names.count < Self.count else { return nil }
            state.made += 1
            return "\(Directory.asidePrefix)\(getpid())-\(state.made)"
        }
    }

    /// Makes a spare the run folder at `relativePath` (`RunPath`).
    ///
    /// - Returns: nil where there is none, or that folder is not a first attempt's, or something stands there already.
    func take(for relativePath: String) -> Directory? {
        let parts = relativePath.split(separator: "/").map(String.init)
        guard parts.count == 4, parts[3] == Self.attemptName, let name = state.withLock({ $0.names.popLast() }) else {
            return nil
        }
        do {
            let day = try runs.makeFolder(parts[1])
            try runs.moveWithoutReplacing(name, to: day, as: parts[2])
            return try day.folder(parts[2]).folder(parts[3])
        } catch {
            // Nothing is lost by a spare that stays: the next start removes it.
            try? runs.removeTree(name)
            return nil
        }
    }

    /// Removes the spares of a process that died.
    static func removeLeftovers(_ runs: Directory) throws {
        var names: [String] = []
        try runs.forEachEntry { bytes, _ in
            let name = String(decoding: bytes, as: UTF8.self)
            if name.hasPrefix(Directory.asidePrefix) { names.append(name) }
            return true
        }
        for name in names { try runs.removeTree(name) }
    }

    /// Removes all spares; for the end of a run.
    func removeAll() {
        let names = state.withLock { state in
            defer { state.names = [] }
            return state.names
        }
        for name in names { try? runs.removeTree(name) }
    }
}
