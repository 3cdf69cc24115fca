// `.prompt-pipeline.HOLD`: while it exists, nothing starts. Written for a person first (`cat` it), with `key: value` lines for
// programs. What always holds: any regular file of that name is a hold, whatever is in it; an empty one was made by hand.
// What can go wrong: a folder or link has the name, which stops a run with an error rather than being taken for either.

import Foundation

/// Why the spool is on hold.
public struct HoldFile: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case failFast = "fail_fast"
        case totalFailures = "total_failures"
        /// `flowspool hold`, or a file that somebody made.
        case byHand = "by_hand"
    }

    public var kind: Kind
    /// One sentence without a full stop.
    public var reason: String
    public var runID: String?
    public var failStreak: Int?
    public var failTotal: Int?
    /// The limit that was reached.
    public var threshold: Int?
    public var lastPrompt: String?
    public var profile: String?
    /// nil where the file does not say.
    public var since: String?

    /// More than this is not read.
    static let bytesMax = 64 << 10

    /// A hold for a threshold.
    public init(
        _ crossing: Thresholds.Crossing, _ thresholds: Thresholds, runID: String, lastPrompt: String, profile: String?,
        at milliseconds: Int64
    ) {
        kind = crossing == .failFast ? .failFast : .totalFailures
        let limit = thresholds.limit(of: crossing)
        threshold = limit
        failStreak = thresholds.failStreak
        failTotal = thresholds.failTotal
        reason =
            crossing == .failFast
            ? "\(thresholds.failStreak) failed in a row (threshold \(limit))"
            : "\(thresholds.failTotal) failed in all (threshold \(limit))"
        self.runID = runID
        self.lastPrompt = lastPrompt
        self.profile = profile
        since = utcText(milliseconds, fraction: false)
    }

    /// A hold that a person asked for.
    public init(byHand reason: String, at milliseconds: Int64) {
        kind = .byHand
        self.reason = reason.isEmpty ? Self.reasonByHand : reason
        since = utcText(milliseconds, fraction: false)
    }

    /// The hold that the ledger has.
    init(_ hold: HoldRecord) {
        kind = Kind(rawValue: hold.kind.rawValue) ?? .byHand
        reason = hold.reason
        runID = hold.runID
        failStreak = hold.failStreak
        failTotal = hold.failTotal
        threshold = hold.threshold
        lastPrompt = hold.lastPrompt
        since = utcText(hold.since, fraction: false)
    }

    private static let reasonByHand = "set by hand"

    // MARK: - On disk

    /// Puts the spool on hold; a hold that stands is replaced. On return it survives a power loss.
    public func write(in root: Directory) throws {
        try root.replaceContract(ContractFile.hold.name, with: text(root: root.path))
    }

    /// The hold of `root`, or nil where there is none.
    public static func read(in root: Directory) throws -> HoldFile? {
        try root.readContract(ContractFile.hold.name, bytesMax: bytesMax).map(HoldFile.init(reading:))
    }

    /// Whether `root` is on hold. Costs one fstatat(2), so that it can be asked before every start.
    public static func exists(in root: Directory) throws -> Bool {
        try root.contractStatus(ContractFile.hold.name) != nil
    }

    /// Lifts the hold durably; that there is none is no error.
    public static func remove(in root: Directory) throws {
        _ = try exists(in: root)
        try root.remove(ContractFile.hold.name)
        try root.sync()
    }

    // MARK: - Text

    /// The file's content.
    func text(root: String) -> String {
        var lines = [
            "This spool is on hold: nothing new starts until someone resumes it.",
            "Why: \(printable(reason))",
            "Go on with: flowspool resume --spool \(ShellText.quote(root)) (or delete this file; both set the counts to 0)",
            "",
        ]
        let facts: [(String, String?)] = [
            ("kind", kind.rawValue), ("reason", reason), ("run", runID), ("fail_streak", failStreak.map(String.init)),
            ("fail_total", failTotal.map(String.init)), ("threshold", threshold.map(String.init)),
            ("last_prompt", lastPrompt), ("profile", profile), ("since_utc", since),
        ]
        for case (let key, let value?) in facts {
            let line = LineText.encode(value)
            // Blanks after the colon are no part of a value, so one that begins with a blank says it by its escape.
            let isBlank = line.utf8.first == UInt8(ascii: " ")
            lines.append("\(key): \(isBlank ? "\\x20" + String(line.unicodeScalars.dropFirst()) : line)")
        }
        return lines.map { LineText.isOneLine($0) ? $0 : LineText.encode($0) }.joined(separator: "\n") + "\n"
    }

    /// Reads whatever is there. Lines that are no known `key: value` are a person's words: the first is the reason where no
    /// `reason:` is.
    init(reading data: Data) {
        var facts: [String: String] = [:]
        var words: String?
        // By scalar: a name may hold U+2028, which is no end of line here, CRLF would be one Character, and so would a blank or a colon
        // with an accent after it.
        for var scalars in String(decoding: data, as: UTF8.self).unicodeScalars.split(separator: "\n") {
            if scalars.last == "\r" { scalars.removeLast() }
            let line = String(scalars)
            if let colon = scalars.firstIndex(of: ":"), Self.keys.contains(String(scalars[..<colon])) {
                let value = String(scalars[scalars.index(after: colon)...].drop { $0 == " " })
                facts[String(scalars[..<colon])] = LineText.decode(value) ?? value
            } else if words == nil {
                let text = line.trimmingCharacters(in: .whitespaces)
                if !text.isEmpty { words = String(text.prefix(200)) }
            }
        }
        kind = facts["kind"].flatMap(Kind.init) ?? .byHand
        reason = facts["reason"] ?? words ?? Self.reasonByHand
        runID = facts["run"]
        failStreak = facts["fail_streak"].flatMap { Int($0) }
        failTotal = facts["fail_total"].flatMap { Int($0) }
        threshold = facts["threshold"].flatMap { Int($0) }
        lastPrompt = facts["last_prompt"]
        profile = facts["profile"]
        since = facts["since_utc"]
    }

    private static let keys: Set<String> = [
        "kind", "reason", "run", "fail_streak", "fail_total", "threshold", "last_prompt", "profile", "since_utc",
    ]
}
