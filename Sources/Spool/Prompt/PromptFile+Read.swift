// Bytes into a `PromptFile`. Never throws and never reads the stamp: the stamp comes off first, and identity, settings, body and blocks
// are all of the author's bytes, so equal `sha` means equal behaviour. What is wrong with a file is said by findings.

import Foundation
import Yams

extension PromptFile {
    /// Reads a prompt named `name` (without folder) from `bytes`. Time and memory are linear in `bytes.count`.
    public static func read(name: String, bytes: Data) -> PromptFile {
        var file = PromptFile(
            name: name, bytes: bytes, authorBytes: bytes, sha: "", id: "", hasFrontMatter: false, settings: PromptSettings(),
            body: "", bodyFirstLine: 1, blocks: [], findings: [], canCarryStamp: false)
        let raw = [UInt8](bytes)
        if let finding = textProblem(raw) {
            file.findings.append(finding)
        } else {
            let author = StampRemoval.remove(from: raw) ?? raw
            let final = file.readText(author)
            if final.count != raw.count {
                file.authorBytes = Data(final)
                file.bodyLineShift = lineCount(raw) - lineCount(final)
            }
        }
        file.sha = SHA256.hex(file.authorBytes)
        file.id = "\(name)--\(file.sha.prefix(12))"
        return file
    }

    /// Reads the author's text; gives it back, without a foreign stamp if it had one.
    private mutating func readText(_ bytes: [UInt8], pass: Int = 1) -> [UInt8] {
        switch FrontMatter.scan(bytes) {
        case .absent(let start):
            canCarryStamp = true
            stampLayout = .newFrontMatter(offset: start)
            readBody(bytes, from: start)
        case .unclosed:
            findings.append(
                Finding(
                    .frontMatterUnclosed, line: 1, message: "the front matter that opens here is never closed",
                    advice: "End it with a line `---`"))
            let line = TextLine(in: bytes, at: 0)
            readBody(bytes, from: line?.end ?? 0)
        case .present(let front):
            hasFrontMatter = true
            do {
                let root = try Self.compose(bytes, front)
                if let root, pass < StampRemoval.passesMax,
                    let stripped = try ForeignStamp.remove(from: bytes, front, root: root.mapping)
                {
                    hasFrontMatter = false
                    return readText(StampRemoval.remove(from: stripped) ?? stripped, pass: pass + 1)
                }
                try readFrontMatter(root, bytes, front)
            } catch {
                findings.append(
                    Finding(
                        .frontMatterInvalid, line: error.line.map { $0 + 1 } ?? 1, column: error.column, message: error.message,
                        advice: error.advice))
            }
            readBody(bytes, from: front.closing.upperBound)
        }
        return bytes
    }

    private static func compose(_ bytes: [UInt8], _ front: FrontMatter) throws(FrontMatterProblem) -> (
        mapping: Node.Mapping, mark: Mark?
    )? {
        let text = String(decoding: bytes[front.yaml], as: UTF8.self)
        guard let node = try FrontMatterYAML.compose(text) else { return nil }
        guard case .mapping(let mapping) = node else {
            throw FrontMatterProblem(
                line: node.mark?.line, message: "the front matter is not a mapping of keys to values",
                advice: "Write `key: value` lines between the `---` lines, or start the file with an empty line")
        }
        return (mapping, node.mark)
    }

    private mutating func readFrontMatter(
        _ root: (mapping: Node.Mapping, mark: Mark?)?, _ bytes: [UInt8], _ front: FrontMatter
    ) throws(FrontMatterProblem) {
        if let root {
            let reader = SettingsReader(root.mapping, linesBefore: 1)
            settings = reader.settings
            findings += reader.findings
        }
        let layout = try StampLayout.find(bytes, front, root: root?.mapping, rootMark: root?.mark)
        guard layout.isPlain || StampWriter.works(layout, for: bytes, root: root?.mapping) else {
            throw FrontMatterProblem(
                line: root?.mark?.line, message: "the front matter is written in a way that the stamp cannot be added to",
                advice: "Write `key: value` lines, and `prompt_flow:` as a plain mapping")
        }
        canCarryStamp = true
        stampLayout = layout
    }

    private mutating func readBody(_ bytes: [UInt8], from start: Int) {
        let content = Array(bytes[start...])
        bodyFirstLine = Self.lineCount(Array(bytes[..<start])) + 1
        body = String(decoding: content, as: UTF8.self)
        let isEmpty = !hasFrontMatter && content.allSatisfy { isBlank($0) || $0 == 0x0A || $0 == 0x0D }
        if isEmpty {
            findings.append(Finding(.empty, message: "the file is empty", advice: "Write the prompt, or delete the file"))
        }
        blocks = BlockReader.blocks(in: content, firstLine: bodyFirstLine, findings: &findings)
    }

    /// Number of line ends.
    private static func lineCount(_ bytes: [UInt8]) -> Int {
        var count = 0
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == 0x0D || (byte == 0x0A && previous != 0x0D) { count += 1 }
            previous = byte
        }
        return count
    }

    private static func textProblem(_ bytes: [UInt8]) -> Finding? {
        let advice = "Save it as UTF-8"
        if bytes.contains(0) {
            return Finding(
                .notUTF8, message: "the file holds NUL bytes, so it is no text (or it is UTF-16)", advice: advice)
        }
        guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
        var line = 1
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        scan: while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): if scalar == "\n" { line += 1 }
            case .emptyInput, .error: break scan
            }
        }
        return Finding(.notUTF8, line: line, message: "the file is not UTF-8 text", advice: advice)
    }
}
