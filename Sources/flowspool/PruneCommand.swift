// `flowspool prune`: what retention gives up goes, after a question at a terminal. Without a terminal only `--yes` says yes.

import ArgumentParser
import Spool

struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove files and logs of jobs that finished long ago.",
        discussion: """
            A job goes if it is older than --older-than and not among the --keep newest; with one of the two, that one decides.
            Without both, `retention:` in spool.yaml does. Gone are its file in done/ or failed/ and its run folders; the job and
            its history stay (`show`). Jobs that wait, are held or run are never touched, nor prompts that keep their place.
            Asks first; without a terminal --yes must say so. Exit status: 0 done; 1 the answer was no.

            EXAMPLE
              flowspool prune --older-than 30d --keep 1000
              flowspool prune --older-than 8w --yes
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Option(help: ArgumentHelp("Only jobs that finished longer ago than this: 12h, 30d, 8w.", valueName: "age"))
    var olderThan: String?

    @Option(help: ArgumentHelp("Keep so many of the newest finished jobs, however old.", valueName: "n"))
    var keep: Int?

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Say what would go, and remove nothing.")
    var dryRun = false

    @Flag(help: "Print one JSON document.")
    var json = false

    func validate() throws {
        if let keep, keep < 0 { throw ValidationError("--keep \(keep): give 0 or more") }
    }

    func run() async throws {
        try await reportingErrors {
            let spool = try SpoolFolder.open(at: spoolOptions.path)
            let retention = try rule(spool)
            let pruning = Pruning(spool: spool, ledger: try dryRun ? Ledger.look(at: spool) : Ledger(existingIn: spool))
            let jobs = try pruning.candidates(retention)
            if dryRun {
                return try tell(spool, jobs, Pruning.Report())
            }
            if !jobs.isEmpty, !yes { try ask(jobs.count, spool) }
            // Also where nothing is chosen: an earlier prune may have been cut off.
            let report = try pruning.remove(jobs)
            try tell(spool, report.jobs, report)
        }
    }

    private func rule(_ spool: SpoolFolder) throws -> Retention {
        let age: Int64?
        do throws(FlowspoolError) {
            age = try olderThan.map { text throws(FlowspoolError) in try Retention.parseAge(text) }
        } catch {
            throw FlowspoolError(.usage, "--older-than: \(error.message)", hint: error.hint)
        }
        if age != nil || keep != nil { return Retention(olderThanMilliseconds: age, keep: keep) }
        let retention = try SpoolConfiguration.load(spool: spool.path).retention
        guard retention.olderThanMilliseconds != nil || retention.keep != nil else {
            throw FlowspoolError(
                .usage, "nothing says what may go",
                hint:
                    "give --older-than 30d or --keep 1000, or set `retention:` in \(printable(spool.path))/.flowspool/spool.yaml")
        }
        return retention
    }

    private func ask(_ count: Int, _ spool: SpoolFolder) throws {
        guard Terminal.canAsk else {
            throw FlowspoolError(
                .usage, "files and logs of \(counted(count, "job")) would be removed, and nobody is at a terminal to say yes",
                hint: "--yes says it; --dry-run lists the jobs")
        }
        guard Terminal.asks("Remove the files and logs of \(counted(count, "job")) in \(printable(spool.path))? [y/N] ") else {
            StandardError.write("nothing was removed\n")
            throw ExitCode(1)
        }
    }

    private func tell(_ spool: SpoolFolder, _ jobs: [Int64], _ report: Pruning.Report) throws {
        if json {
            return try StandardOutput.write([
                "spool": .string(spool.path), "dry_run": .bool(dryRun), "jobs": .array(jobs.map { .int(Int($0)) }),
                "files": .int(report.files), "run_folders": .int(report.runFolders),
            ])
        }
        if jobs.isEmpty { return try StandardOutput.write("nothing to prune\n") }
        let what = counted(jobs.count, "job")
        if dryRun {
            let list = jobs.prefix(1000).map { "job \($0)\n" }.joined()
            return try StandardOutput.write("\(list)would be pruned: \(what)\n")
        }
        try StandardOutput.write(
            "pruned \(what): \(counted(report.files, "file")), \(counted(report.runFolders, "run folder"))\n")
    }
}
