// `flowspool init [DIR]`: makes a spool where there is none, and completes one that lacks something. Never touches what is there.

import ArgumentParser
import Spool

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a spool; safe to repeat.",
        discussion: """
            EXAMPLE
              flowspool init
              flowspool init ~/prompts
            """)

    @OptionGroup var spoolOptions: SpoolOptions

    @Argument(
        help: ArgumentHelp(
            "The folder; made where it does not exist (default: the spool that the other commands find).", valueName: "dir"))
    var folder: String?

    @Flag(help: "Accept a folder that others may write to: whoever can drop a prompt runs commands as you.")
    var allowShared = false

    func validate() throws { try SpoolOptions.refuseEmpty(folder, "the folder") }

    func run() async throws {
        try await reportingErrors {
            let path = folder.map { absolutePath($0) } ?? spoolOptions.path
            let spool = try SpoolFolder.make(at: path, allowsShared: allowShared)
            _ = try Ledger(path: spool.ledgerPath)
            try StandardOutput.write("\(printable(spool.path)) is a spool: drop prompts there, run them with `flowspool watch`\n")
        }
    }
}
