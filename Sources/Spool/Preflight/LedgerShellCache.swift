// The analysis of shell blocks, kept in the ledger: a block that was judged once is never parsed again, also after a restart.
// An entry that cannot be read or kept only costs time.

import GRDB
import Synchronization

/// Reports by digest: in memory for this process, in the ledger for the next ones.
public final class LedgerShellCache: ShellReportCache {
    /// Entries kept in the ledger; when there are more, all go.
    static let entriesMax = 100_000

    private let ledger: Ledger
    private let memory = InMemoryShellReportCache()

    public init(ledger: Ledger) {
        self.ledger = ledger
    }

    public func lookup(_ digest: String) -> CachedReport? {
        if let known = memory.lookup(digest) { return known }
        // A ledger that cannot be read will say so where it matters.
        guard let text = try? ledger.read({ try $0.shellReport(digest) }), let report = CachedReport(json: text) else {
            return nil
        }
        memory.store(report, for: digest)
        return report
    }

    public func store(_ report: CachedReport, for digest: String, isLasting: Bool) {
        // A runner looks again, for months.
        guard isLasting else { return }
        memory.store(report, for: digest)
        // As above: losing an entry is no harm, so that no sync is waited for.
        try? ledger.writeUnsynced(isOwed: false) { try $0.keepShellReport(report.json, digest, entriesMax: Self.entriesMax) }
    }
}

extension LedgerTransaction {
    func shellReport(_ digest: String) throws -> String? {
        try row("SELECT report FROM shell_reports WHERE digest = ?", [digest])?[0]
    }

    func keepShellReport(_ report: String, _ digest: String, entriesMax: Int) throws {
        // The number of rows is not kept anywhere; asking now and then is enough for a bound.
        if digest.hasPrefix("00"), let count: Int = try row("SELECT count(*) FROM shell_reports")?[0], count >= entriesMax {
            try execute("DELETE FROM shell_reports")
        }
        try execute("INSERT OR REPLACE INTO shell_reports VALUES (?, ?)", [digest, report])
    }
}

extension CachedReport {
    var json: String {
        JSON.object([
            (
                "findings",
                .array(
                    findings.map { finding in
                        [
                            .string(finding.code.rawValue), .int(finding.line), .int(finding.column), .string(finding.message),
                            .string(finding.advice),
                        ]
                    })
            ),
            ("commands", .array(commands.map { .string($0) })),
        ]).compact
    }

    /// nil where the text is no report, such as one of another version.
    init?(json text: String) {
        guard let json = try? JSON.parse(text), let rows = json["findings"]?.arrayValue, let names = json["commands"]?.arrayValue
        else {
            return nil
        }
        var findings: [CachedFinding] = []
        for row in rows {
            guard let cells = row.arrayValue, cells.count == 5, let word = cells[0].stringValue,
                let code = Finding.Code(rawValue: word),
                let line = cells[1].intValue, let column = cells[2].intValue, let message = cells[3].stringValue,
                let advice = cells[4].stringValue
            else { return nil }
            findings.append(CachedFinding(code: code, line: line, column: column, message: message, advice: advice))
        }
        self.init(findings: findings, commands: names.compactMap(\.stringValue))
    }
}
