// `flowspool list`: the jobs of a spool, oldest of the shown ones first. Reads page by page, so a million jobs need no memory.

import ArgumentParser
import Spool

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the jobs, the newest last.",
        discussion: """
            States: queued, deferred, active, held, done, failed, cancelled. Times are UTC.
            A prompt that no runner has seen yet is no job and is not listed.

            EXAMPLE
              flowspool list
              flowspool list --state failed --state held --all
              flowspool list --json | jq -r '.[] | select(.state == "failed") | .path'
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Option(
        name: .customLong("state"),
        help: ArgumentHelp("Only jobs in this state; may be given more than once.", valueName: "state"))
    var states: [String] = []

    @Option(help: ArgumentHelp("How many of the newest jobs.", valueName: "n"))
    var limit: Int = 50

    @Flag(help: "All jobs.")
    var all = false

    @Flag(help: "Print one JSON array.")
    var json = false

    private static let pageSize = 1000

    func run() async throws {
        try await reportingErrors {
            let wanted = try Self.read(states)
            guard limit > 0 else {
                throw FlowspoolError(.usage, "--limit \(limit) is out of range", hint: "give a number from 1, or --all")
            }
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let ledger = try Ledger.look(at: spool)
            let view = JobView(spool: spool)
            if json { try printJSON(view, ledger, wanted) } else { try printTable(ledger, wanted) }
        }
    }

    static func read(_ texts: [String]) throws(FlowspoolError) -> Set<JobState>? {
        guard !texts.isEmpty else { return nil }
        var states: Set<JobState> = []
        for text in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            guard let state = JobState(rawValue: String(text)) else {
                throw FlowspoolError(
                    .usage, "--state: “\(printable(String(text)))” is no state of a job",
                    hint: "use one of: \(JobState.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            states.insert(state)
        }
        return states
    }

    /// Calls `body` with one page after the other.
    private func forEachPage(_ ledger: Ledger, _ wanted: Set<JobState>?, _ body: ([Job]) throws -> Void) throws {
        guard all else { return try body(try ledger.read { try $0.newest(wanted, limit: limit) }) }
        var last: Int64 = 0
        while true {
            let page = try ledger.read { try $0.page(wanted, after: last, limit: Self.pageSize) }
            guard let end = page.last else { return }
            try body(page)
            last = end.id
        }
    }

    private func printJSON(_ view: JobView, _ ledger: Ledger, _ wanted: Set<JobState>?) throws {
        var isFirst = true
        try forEachPage(ledger, wanted) { page in
            var text = ""
            for job in page {
                text += isFirst ? "[\n  " : ",\n  "
                isFirst = false
                text += view.json(job).compact
            }
            try StandardOutput.write(text)
        }
        try StandardOutput.write(isFirst ? "[]\n" : "\n]\n")
    }

    private func printTable(_ ledger: Ledger, _ wanted: Set<JobState>?) throws {
        let width = Terminal.width
        var shown = 0
        try forEachPage(ledger, wanted) { page in
            guard !page.isEmpty else { return }
            var table = TextTable(rows: page.map(JobView.row), numeric: [0, 2, 4])
            if shown == 0 { table.rows.insert(JobView.header, at: 0) }
            shown += page.count
            try StandardOutput.write(table.lines(width: width).map { $0 + "\n" }.joined())
        }
        let counts = try ledger.read { try $0.counts() }
        let total = counts.filter { wanted?.contains($0.key) ?? true }.values.reduce(0, +)
        if shown == 0 { StandardError.write("no jobs\n") }
        if shown > 0, shown < total { StandardError.write("the newest \(shown) of \(total) jobs; --all lists every one\n") }
    }
}
