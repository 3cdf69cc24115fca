// The checks that need no shell analysis: what a prompt lacks, and secrets of well-known shape anywhere in its text.

import Foundation

enum PromptChecks {
    /// The information findings.
    static func notes(_ prompt: PromptFile, mode: ExecMode) -> [Finding] {
        var findings: [Finding] = []
        if !prompt.hasFrontMatter {
            findings.append(
                Finding(
                    .noFrontMatter, line: 1, message: "the prompt has no front matter",
                    advice: "nothing to do; toggles come from the profile"))
        }
        if prompt.settings.gate.isEmpty {
            findings.append(
                Finding(
                    .noGate, message: "no completion gate: exit codes alone decide",
                    advice: "name what must exist afterwards under verify.files_exist"))
        }
        if !hasHeading(prompt.body) {
            findings.append(
                Finding(
                    .sectionMissing, message: "no heading says what the prompt is for",
                    advice: "begin with a line such as “# What this does”"))
        }
        if let line = firstLine(of: prompt, holding: ["/home/", "/Users/", "C:\\Users\\"]) {
            findings.append(
                Finding(
                    .hostPath, line: line, message: "a path of one person's machine",
                    advice: "use $HOME or $REPO_ROOT, so that it runs elsewhere too"))
        }
        return findings
    }

    /// Secrets outside the blocks that run, which the shell analysis looks at itself.
    static func secrets(_ prompt: PromptFile, mode: ExecMode) -> [Finding] {
        guard let text = String(data: prompt.authorBytes, encoding: .utf8) else { return [] }
        let found = SecretPatterns.find(in: text)
        if found.isEmpty { return [] }
        var inBlocks = IndexSet()
        for block in prompt.blocks where mode == .script && !block.marks.isSkipped {
            let lines = block.text.utf8.count { $0 == UInt8(ascii: "\n") }
            inBlocks.insert(integersIn: block.firstLine..<(block.firstLine + max(1, lines)))
        }
        return found.compactMap { found in
            if inBlocks.contains(found.line) { return nil }
            return Finding(
                .secretInPrompt, line: found.line, column: found.column,
                message: "this looks like a secret: \(found.kind) \(found.shown)",
                advice: "take it out, revoke it if it is real, and pass it in the environment")
        }
    }

    private static func hasHeading(_ body: String) -> Bool {
        body.utf8.first == UInt8(ascii: "#") || find(Array("\n#".utf8), in: Array(body.utf8)[...]) != nil
    }

    private static func firstLine(of prompt: PromptFile, holding needles: [String]) -> Int? {
        let body = Array(prompt.body.utf8)
        guard let first = needles.compactMap({ find(Array($0.utf8), in: body[...]) }).min() else { return nil }
        return prompt.bodyFirstLine + body[..<first].count { $0 == UInt8(ascii: "\n") }
    }

    /// Where `needle`, which is not empty, begins first. By byte: a search among characters takes a hundred times as long.
    private static func find(_ needle: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        var rest = bytes
        while let start = rest.firstIndex(of: needle[0]) {
            if bytes[start...].starts(with: needle) { return start }
            rest = bytes[(start + 1)...]
        }
        return nil
    }
}
