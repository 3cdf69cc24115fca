// `flowspool pipeline`, also called as `prompt-pipeline`: one batch over a folder, then exit. Checks come before anything is
// written: lock, hold, GO file, mini experiment, plan. Quiet where nobody looks (cron): nothing on success, a short paragraph
// on failure.

import ArgumentParser
import Foundation
import ServiceLifecycle
import Spool

struct PipelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline",
        abstract: "Run one batch over the prompts in a folder, then exit.",
        discussion: """
            Prompts run in the order of their names (bytes, as LC_ALL=C ls) until nothing is left, --count is reached, or a
            threshold is crossed; then the folder is on hold until `flowspool resume`.

            CONTRACT FILES, in the root
              .prompt-pipeline.state                 ids of the prompts that are done
              .prompt-pipeline.failed                ids of the prompts that failed
              .prompt-pipeline.plan.txt              absolute paths of this batch, in order
              .prompt-pipeline.pending.preview.txt   what this batch would start, in order
              .prompt-pipeline.log.jsonl             events, one JSON object a line
              .prompt-pipeline.summary.json          how the batch went, or goes
              .prompt-pipeline.resume.env            what a shell needs to go on
              .prompt-pipeline.HOLD                  stands while the folder is on hold
              .prompt-pipeline.lock                  held while a batch runs

            EXIT STATUS
              0 done, 1 a job failed, 2 invalid input, 10 halted (fail-fast), 11 halted (total failures), 12 on hold,
              13 GO file missing, 14 another runner, 15 mini experiment not current, 75 interrupted or try again later

            EXAMPLE
              flowspool pipeline --root prompts --profile production
              prompt-pipeline --root . --from prompt-02.md --to prompt-03.md --max-retries 0
            """)

    @Option(help: ArgumentHelp("The folder; it becomes a spool in place (default: the nearest spool).", valueName: "dir"))
    var root: String?

    @OptionGroup var spoolOptions: SpoolOptions
    @OptionGroup var profileOptions: ProfileOptions
    @OptionGroup var toggleOptions: ToggleOptions

    @Option(help: ArgumentHelp("Prompts to start at most; 0: all.", valueName: "n"))
    var count = 0

    @Option(help: ArgumentHelp("The first prompt, by file name, inclusive.", valueName: "name"))
    var from: String?

    @Option(help: ArgumentHelp("The last prompt, by file name, inclusive.", valueName: "name"))
    var to: String?

    @Option(
        help: ArgumentHelp(
            "Only the prompts that this file lists (- for standard input): a path a line, # for comments.", valueName: "file"))
    var promptsFile: String?

    @Option(help: ArgumentHelp("Time limit of one attempt, in seconds.", valueName: "n"))
    var timeoutSec: Double?

    @Option(help: ArgumentHelp("How prompts are executed: script, agent, http.", valueName: "mode"))
    var execMode: String?

    @Option(help: ArgumentHelp("Run only if this file exists.", valueName: "file"))
    var requireGo: String?

    @Option(help: ArgumentHelp("Jobs that run at the same time.", valueName: "n"))
    var jobs: Int?

    @Flag(help: "Write the plan and the preview, run nothing.")
    var dryRun = false

    @Flag(help: "Put prompts back where they stood, as if all said move_to_completed: no.")
    var keep = false

    @Flag(help: "Run under production without a current mini experiment; the summary records it.")
    var skipMini = false

    @Flag(help: "Print the summary as JSON.")
    var json = false

    @Flag(help: "Accept a folder that others may write to: whoever can drop a prompt runs commands as you.")
    var allowShared = false

    func validate() throws {
        for (flag, value) in [
            ("--root", root), ("--require-go", requireGo), ("--prompts-file", promptsFile), ("--exec-mode", execMode),
            ("--from", from),
            ("--to", to),
        ] {
            try SpoolOptions.refuseEmpty(value, flag)
        }
    }

    func run() async throws {
        try await reportingErrors {
            let batch = try makeBatch()
            do {
                let code = try await batch.run()
                if code != 0 { throw ExitCode(code) }
            } catch let error as FlowspoolError where error.code == .spoolBusy && isatty(STDERR_FILENO) == 0 {
                // From cron this happens whenever the batch before takes long; it is no news.
                throw ExitCode(error.code.exitStatus)
            }
        }
    }

    private func makeBatch() throws -> Batch {
        let repoRoot = try profileOptions.findRepoRoot()
        if let timeoutSec, !(timeoutSec > 0) || timeoutSec > 31_536_000 {
            throw FlowspoolError(
                .usage, "--timeout-sec \(timeoutSec) is out of range", hint: "give seconds, more than 0 and at most a year")
        }
        let path = root.map(absolutePath) ?? spoolOptions.path
        try Self.checkRoot(path, isGiven: root != nil)
        let facts = RunFacts(
            command: "pipeline", spoolPath: path, repoRoot: repoRoot,
            resolver: try profileOptions.resolver(toggles: toggleOptions, repoRoot: repoRoot), allowsShared: allowShared,
            jobs: try WatchCommand.checkJobs(jobs), execMode: try ExecModeOption.read(execMode), timeoutSeconds: timeoutSec,
            environment: environment)
        if let warning = ConfigurationCopies.runtimeCopyWarning(repoRoot: repoRoot, resolver: facts.resolver) {
            StandardError.warn(warning)
        }
        var selection = BatchPlan.Selection(from: from, to: to, count: count)
        if let promptsFile { selection.promptsFile = try Self.readPromptsFile(promptsFile) }
        return Batch(
            facts: facts, selection: selection, goFile: requireGo.map { absolutePath($0) }, isDryRun: dryRun, keeps: keep,
            skipsMini: skipMini, printsJSON: json)
    }

    /// A root must be there: a batch over a folder that a typo made up would find nothing and say that all is well.
    static func checkRoot(_ path: String, isGiven: Bool) throws(FlowspoolError) {
        var info = stat()
        guard stat(path, &info) == 0 else {
            if !isGiven {
                throw FlowspoolError(
                    .invalidInput, "there is no spool here: \(printable(path)): \(String(cString: strerror(errno)))",
                    hint: "`--root .` runs the prompts of this folder, `--root DIR` those of another")
            }
            throw FlowspoolError(
                .invalidInput, "--root \(printable(path)): \(String(cString: strerror(errno)))", hint: "name an existing folder")
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw FlowspoolError(
                .invalidInput, "--root \(printable(path)) is not a folder", hint: "name the folder that holds the prompts")
        }
    }

    private static func readPromptsFile(_ path: String) throws -> BatchPlan.PromptsFile {
        do {
            // Read as a stream, since it may be a pipe: `--prompts-file <(ls *.md)`, or `-`.
            let file = path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let data = try file.readToEnd() ?? Data()
            guard let text = String(data: data, encoding: .utf8) else {
                throw FlowspoolError(
                    .invalidInput, "--prompts-file \(printable(path)) is not UTF-8 text", hint: "one path a line")
            }
            return BatchPlan.PromptsFile(path: path, text: text)
        } catch let error as FlowspoolError {
            throw error
        } catch {
            throw FlowspoolError(
                .invalidInput, "--prompts-file \(printable(path)) cannot be read",
                hint: "check the name; one path a line, # for comments")
        }
    }
}
