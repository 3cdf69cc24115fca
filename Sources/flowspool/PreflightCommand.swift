// `flowspool preflight FILE…`, also called as `prompt-preflight`: checks prompts where they stand and stamps what was found.

import ArgumentParser
import Spool

struct PreflightCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preflight",
        abstract: "Check prompts and stamp them; run nothing.",
        discussion: """
            Under warn_mode=ask a person at the terminal is asked; where there is none, a prompt with warnings is held.
            Exit status: 0 every prompt may run; 2 one is blocked or held, or could not be read.

            EXAMPLE
              flowspool preflight prompts/*.md
              flowspool preflight --check --json nightly.md | jq '.[0].findings'
              flowspool preflight --check --sarif prompts/*.md > preflight.sarif
            """)

    @OptionGroup var options: InPlaceOptions

    @Argument(help: ArgumentHelp("Prompt files.", valueName: "file"))
    var files: [String]

    @Flag(help: "Check only: no file is changed, nobody is asked.")
    var check = false

    @Flag(help: "Print one JSON array.")
    var json = false

    @Flag(help: "Print one SARIF 2.1.0 document, for code-scanning tools.")
    var sarif = false

    @Flag(name: .shortAndLong, help: "Show information findings too.")
    var verbose = false

    var work: PreflightRun {
        PreflightRun(
            choice: options.choice, files: files, check: check, json: json, sarif: sarif, verbose: verbose)
    }

    func run() async throws { try await work.run() }
}

/// What the command does, once its arguments are read.
struct PreflightRun: Hashable {
    var choice = InPlaceChoice()
    var files: [String] = []
    var check = false
    var json = false
    var sarif = false
    var verbose = false

    init(
        choice: InPlaceChoice, files: [String], check: Bool, json: Bool, sarif: Bool, verbose: Bool
    ) {
        self.choice = choice
        self.files = files
        self.check = check
        self.json = json
        self.sarif = sarif
        self.verbose = verbose
    }

    /// Reads arguments that are only files and whole flags, as the parser does, without building it: an editor or a hook
    /// that checks each saved file waits for it. nil: anything else, which is the parser's to read, or to refuse.
    init?(plain arguments: some Sequence<String>) {
        for argument in arguments {
            switch argument {
            case "--check" where !check: check = true
            case "--json" where !json: json = true
            case "--sarif" where !sarif: sarif = true
            case "--verbose" where !verbose, "-v" where !verbose: verbose = true
            case _ where argument.isEmpty || argument.hasPrefix("-"): return nil
            default: files.append(argument)
            }
        }
        if files.isEmpty { return nil }
    }

    /// Begins to analyze the first file.
    func begin() -> BegunAnalysis { files.first.map(PreflightSetup.begin) ?? BegunAnalysis() }

    /// - Parameter begun: by `begin`; nil: it begins here.
    func run(_ begun: BegunAnalysis? = nil) async throws {
        let begun = begun ?? begin()
        try await reportingErrors {
            let setup = try choice.setup(command: "preflight", begun: begun)
            // Here, and not by the thread that started shfmt: the kernel would let those two share a processor.
            ShellAnalyzer.warmUp()
            var elements: [JSON] = []
            var entries: [SARIFReport.Entry] = []
            var code: Int32 = 0
            for file in files {
                do {
                    var checked = try await setup.check(file, asks: !check && !json && !sarif)
                    if !check { try setup.stamp(&checked) }
                    if !checked.verdict.isReady { code = max(code, 2) }
                    if sarif {
                        entries.append(SARIFReport.Entry(path: file, findings: checked.report.findings))
                    } else if json {
                        elements.append(checked.json)
                    } else {
                        try StandardOutput.write(checked.text(file, showsInfo: verbose))
                    }
                } catch let error as FlowspoolError {
                    // The other files are checked all the same.
                    _ = report(error)
                    code = max(code, error.code.exitStatus)
                }
            }
            if sarif {
                try StandardOutput.write(SARIFReport(version: FlowspoolVersion.text).document(entries))
            } else if json {
                try StandardOutput.write(JSON.array(elements))
            }
            if code != 0 { throw ExitCode(code) }
        }
    }
}
