// Measures preflight on a labelled file: one JSON object a line with `id`, `block`, `expect` (the exact set of codes) and
// `why`. Prints precision, recall and F1 per code and in all, and every miss. What it measures is docs/preflight.md's subject.

import Foundation

@testable import Spool

/// Precision and recall of the shell analysis on a labelled file.
struct RiskReport: Sendable {
    struct Miss: Sendable, Hashable {
        var id: String
        var expected: [String]
        var got: [String]
        var why: String
        /// What was said beyond what was expected.
        var messages: [String]
    }

    struct Count: Sendable, Hashable {
        var right = 0
        var tooMuch = 0
        var tooLittle = 0

        /// Of what was reported, how much was right; 1 where nothing was reported.
        var precision: Double { right + tooMuch == 0 ? 1 : Double(right) / Double(right + tooMuch) }
        /// Of what should have been reported, how much was; 1 where there was nothing.
        var recall: Double { right + tooLittle == 0 ? 1 : Double(right) / Double(right + tooLittle) }
        var f1: Double { precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall) }
    }

    private(set) var blocks = 0
    private(set) var counts: [String: Count] = [:]
    private(set) var misses: [Miss] = []
    /// Seconds that each block took, unsorted.
    private(set) var seconds: [Double] = []

    var total: Count {
        counts.values.reduce(into: Count()) {
            $0.right += $1.right
            $0.tooMuch += $1.tooMuch
            $0.tooLittle += $1.tooLittle
        }
    }

    private struct Row: Decodable {
        var id: String
        var block: String
        var expect: [String]
        var why: String?
    }

    /// Runs the analysis over a labelled file.
    ///
    /// - Throws: `FlowspoolError` when a line is no labelled block.
    static func measure(_ labelled: Data, name: String, with checker: any ShellChecking) async throws -> RiskReport {
        var report = RiskReport()
        let clock = ContinuousClock()
        for (index, line) in labelled.split(separator: UInt8(ascii: "\n")).enumerated() {
            let row: Row
            do {
                row = try JSONDecoder().decode(Row.self, from: Data(line))
            } catch {
                throw FlowspoolError(
                    .invalidInput, "\(printable(name)): line \(index + 1) is no labelled block",
                    hint: "each line is an object with id, block, expect and why")
            }
            let block = Block(number: 1, shell: .bash, text: row.block + "\n", firstLine: 1)
            let start = clock.now
            let findings = await checker.check(block).findings
            let took = start.duration(to: clock.now).components
            report.seconds.append(Double(took.seconds) + Double(took.attoseconds) / 1e18)
            report.add(row, findings)
        }
        return report
    }

    private mutating func add(_ row: Row, _ findings: [Finding]) {
        blocks += 1
        let expected = Set(row.expect)
        let got = Set(findings.filter { $0.severity != .info }.map(\.code.rawValue))
        for code in expected.union(got) {
            switch (expected.contains(code), got.contains(code)) {
            case (true, true): counts[code, default: Count()].right += 1
            case (false, true): counts[code, default: Count()].tooMuch += 1
            default: counts[code, default: Count()].tooLittle += 1
            }
        }
        guard expected != got else { return }
        let extra = findings.filter { !expected.contains($0.code.rawValue) && $0.severity != .info }
        misses.append(
            Miss(
                id: row.id, expected: expected.sorted(), got: got.sorted(), why: row.why ?? "",
                messages: extra.map { "\($0.line ?? 0):\($0.column ?? 0) \($0.code.rawValue): \($0.message)" }))
    }

    /// The table, the misses, and the time.
    var text: String {
        func percent(_ value: Double) -> String {
            let scaled = Int((value * 1000).rounded())
            return "\(scaled / 1000).\(String(scaled % 1000 + 1000).dropFirst())"
        }
        func column(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(width - text.count, 0)) + text }
        func row(_ name: String, _ count: Count) -> String {
            let padded = name + String(repeating: " ", count: max(22 - name.count, 1))
            let cells = [
                percent(count.precision), percent(count.recall), percent(count.f1), "\(count.right)", "\(count.tooMuch)",
                "\(count.tooLittle)",
            ]
            return padded + cells.map { column($0, 11) }.joined() + "\n"
        }
        var out = "code                    precision     recall         f1      right  too much     missed\n"
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { out += row(name, count) }
        out += row("all", total)
        out += "\(blocks) blocks, \(misses.count) judged otherwise than labelled\n"
        let sorted = seconds.sorted()
        if !sorted.isEmpty {
            func milliseconds(_ value: Double) -> String {
                "\(Int((value * 10_000).rounded()) / 10).\(Int((value * 10_000).rounded()) % 10) ms"
            }
            let p99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
            out += "time per block: median \(milliseconds(sorted[sorted.count / 2])), "
            out += "p99 \(milliseconds(p99)), worst \(milliseconds(sorted[sorted.count - 1]))\n"
        }
        for miss in misses {
            out += "\n\(printable(miss.id)): expected \(list(miss.expected)), got \(list(miss.got))\n"
            if !miss.why.isEmpty { out += "  why: \(printable(miss.why))\n" }
            for message in miss.messages { out += "  too much: \(printable(message))\n" }
        }
        return out
    }

    private func list(_ codes: [String]) -> String { "[" + codes.map { printable($0) }.joined(separator: ", ") + "]" }
}
