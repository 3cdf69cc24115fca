// Whether a spool keeps the promises of DESIGN "What is guaranteed": reads ledger and folders, changes nothing, and names each
// broken promise by its number. While a runner lives, files are on the move: whatever looks wrong is looked at again and is
// reported only where neither the job nor its file has changed meanwhile. Memory is bounded by the number of file names.

import Foundation
import GRDB

/// A promise that a spool does not keep.
public struct Violation: Sendable, Hashable {
    public enum Code: String, Sendable, CaseIterable {
        case fileMissing = "file_missing"
        case twoPlaces = "two_places"
        case twoJobs = "two_jobs"
        case orphan
        case moveUnfinished = "move_unfinished"
        case doneWithoutSuccess = "done_without_success"
        case attemptWithoutClaim = "attempt_without_claim"
        case historyBroken = "history_broken"
        case ledgerDamaged = "ledger_damaged"
        case attemptRunning = "attempt_running"
        case activeWithoutRunner = "active_without_runner"
        case attemptsMismatch = "attempts_mismatch"
        case overBudget = "over_budget"
        case countsWrong = "counts_wrong"
        case failuresWrong = "failures_wrong"
        case halfWritten = "half_written"

        /// Number of the promise, 1 to 6.
        public var promise: Int {
            switch self {
            case .fileMissing, .twoPlaces, .twoJobs, .orphan: 1
            case .moveUnfinished, .doneWithoutSuccess, .attemptWithoutClaim, .historyBroken, .ledgerDamaged: 2
            case .attemptRunning, .activeWithoutRunner, .attemptsMismatch, .overBudget: 3
            case .countsWrong, .failuresWrong: 5
            case .halfWritten: 6
            }
        }

        /// Whether a runner's death leaves this behind, to be mended by the next start.
        public var isLeftByCrash: Bool {
            switch self {
            case .moveUnfinished, .attemptRunning, .activeWithoutRunner, .halfWritten: true
            default: false
            }
        }
    }

    public var code: Code
    public var job: Int64?
    /// Relative to the spool.
    public var path: String?
    public var message: String

    init(_ code: Code, job: Int64? = nil, path: String? = nil, _ message: String) {
        self.code = code
        self.job = job
        self.path = path
        self.message = message
    }
}

/// Checks one spool.
public struct SpoolCheck: Sendable {
    let spool: SpoolFolder
    let ledger: Ledger

    public init(spool: SpoolFolder, ledger: Ledger) {
        self.spool = spool
        self.ledger = ledger
    }

    /// Violations that are listed at most; a spool with more is broken beyond a list.
    public static let violationsMax = 10_000
    /// Turns of looking again at what a living runner may be moving.
    private static let turnsMax = 5

    /// Every violation that stands now, ordered by promise, then job, then path.
    ///
    /// - Throws: `FlowspoolError.unavailable` where ledger or folders cannot be read.
    public func violations() throws -> [Violation] {
        do {
            guard try RunnerLock.holder(spool) != nil else { return try stillViolations() }
            // What a runner is about to do looks the same twice only where nothing is about to be done.
            var standing = Set(try look(isRunning: true))
            for _ in 0..<Self.turnsMax where !standing.isEmpty {
                usleep(50_000)
                standing.formIntersection(try look(isRunning: true))
            }
            return Self.ordered(Array(standing))
        } catch let error as SystemCallError {
            throw error.forUser
        }
    }

    /// As `violations`, where the caller knows that no runner lives.
    func stillViolations() throws -> [Violation] { Self.ordered(try look(isRunning: false)) }

    private func look(isRunning: Bool) throws -> [Violation] {
        var found = try ledger.read { try LedgerCheck(tx: $0, isRunning: isRunning).violations() }
        found += try FolderCheck(spool: spool, ledger: ledger, isRunning: isRunning).violations()
        return Array(found.prefix(Self.violationsMax))
    }

    private static func ordered(_ found: [Violation]) -> [Violation] {
        found.sorted {
            ($0.code.promise, $0.job ?? 0, $0.path ?? "", $0.code.rawValue) < (
                $1.code.promise, $1.job ?? 0, $1.path ?? "", $1.code.rawValue
            )
        }
    }
}
