// `flowspool unstamp FILE…`: takes flowspool's stamp off, which gives back the author's bytes.

import ArgumentParser
import Spool

struct UnstampCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unstamp",
        abstract: "Take the stamp off prompts: the author's bytes again.",
        discussion: """
            A file without a stamp is left as it is.

            EXAMPLE
              flowspool unstamp done/*.md
            """)

    @Argument(help: ArgumentHelp("Prompt files.", valueName: "file"))
    var files: [String]

    /// Whatever its size, a prompt that was stamped may be unstamped; this is a bound on memory only.
    private static let sizeMax = 64 << 20

    func run() async throws {
        try await reportingErrors {
            var code: Int32 = 0
            for file in files {
                do {
                    var place = try PromptInPlace(path: file, sizeMax: Self.sizeMax)
                    guard place.bytes.count <= Self.sizeMax else {
                        throw FlowspoolError(
                            .invalidInput, "\(printable(file)) has more than \(Self.sizeMax) bytes",
                            hint: "no prompt is that large")
                    }
                    let author = StampWriter.remove(from: place.bytes)
                    let hadStamp = author != place.bytes
                    try place.write(author)
                    try StandardOutput.write("\(printable(file)): \(hadStamp ? "unstamped" : "has no stamp")\n")
                } catch let error as FlowspoolError {
                    // The other files are done all the same.
                    _ = report(error)
                    code = max(code, error.code.exitStatus)
                }
            }
            if code != 0 { throw ExitCode(code) }
        }
    }
}
