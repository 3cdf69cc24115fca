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

    func run() async throws {
        try await reportingErrors {
            let setup = try options.setup(command: "preflight")
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
