import Foundation
import Testing

@testable import Spool

/// What a shell has in the five variables after it sourced `text`.
private func sourced(_ text: String, by shell: String) throws -> [String] {
    let folder = try ContractFolder()
    try folder.write(text, to: .resume)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: shell)
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.arguments = [
        "-euc",
        """
        . "$1"
        printf '%s\\0' "$PROMPT_PIPELINE_RUN_ID" "$PROMPT_PIPELINE_NEXT_PROMPT" "$PROMPT_PIPELINE_ROOT" \
        "$PROMPT_PIPELINE_PROFILE" "$PROMPT_PIPELINE_REASON"
        """, "sh", folder.pathOf(.resume),
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    // Nothing that a value says was run.
    #expect(try folder.names == [".prompt-pipeline.resume.env"])
    return output.split(separator: 0, omittingEmptySubsequences: false).dropLast().map { String(decoding: $0, as: UTF8.self) }
}

@Suite struct ResumeEnvironmentTests {
    @Test(arguments: ["/bin/bash", "/bin/sh"]) func text_sourced_givesBackEveryValue(shell: String) throws {
        let values = hostileNames + ["'", "''", "\\'", "a\n'b\n", "$HOME", "!!", ";touch pwned;", "\n", "'; touch pwned; '"]
        for value in values {
            let text = ResumeEnvironment(runID: value, nextPrompt: value, root: value, profile: value, reason: value).text
            #expect(try sourced(text, by: shell).map { Array($0.utf8) } == Array(repeating: Array(value.utf8), count: 5))
        }
    }

    @Test func text_random_givesBackEveryValue() throws {
        var random = SplitMix(state: 42)
        let alphabet = Array("'\"\\$`!#&|;<>(){}[]*?~=%^ \n\r\tab-é\u{1F600}").map { $0 }
        for _ in 0..<20 {
            let values = (0..<5).map { _ in
                String((0..<Int(random.next() % 40)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] })
            }
            let text = ResumeEnvironment(
                runID: values[0], nextPrompt: values[1], root: values[2], profile: values[3], reason: values[4]
            ).text
            #expect(try sourced(text, by: "/bin/bash").map { Array($0.utf8) } == values.map { Array($0.utf8) })
        }
    }

    @Test func text_isTheGoldenText() {
        let value = ResumeEnvironment(
            runID: "r1", nextPrompt: "it's.md", root: "/spool", profile: "production", reason: "fail_fast")
        #expect(
            value.text == """
                # Written by flowspool at the end of a batch; read it with `.` in a shell. Go on with:
                #   flowspool resume --spool "$PROMPT_PIPELINE_ROOT"
                #   flowspool pipeline --root "$PROMPT_PIPELINE_ROOT" --from="$PROMPT_PIPELINE_NEXT_PROMPT" \
                --profile "$PROMPT_PIPELINE_PROFILE"
                PROMPT_PIPELINE_RUN_ID='r1'
                PROMPT_PIPELINE_NEXT_PROMPT='it'\\''s.md'
                PROMPT_PIPELINE_ROOT='/spool'
                PROMPT_PIPELINE_PROFILE='production'
                PROMPT_PIPELINE_REASON='fail_fast'

                """)
    }

    @Test func text_nothingLeft_saysSoAndNamesNoCommand() {
        let text = ResumeEnvironment(runID: "r", nextPrompt: nil, root: "/", profile: nil, reason: "done").text
        #expect(text.contains("Nothing of what this batch was asked to run is left.") && !text.contains("flowspool pipeline"))
        #expect(text.contains("PROMPT_PIPELINE_NEXT_PROMPT=''\n"))
    }
}

/// Vigna's SplitMix64: the same numbers in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
