// Facts into bytes and bytes back into the author's. Always: `remove(from: apply(stamp, to: x)) == remove(from: x)`, which is x itself
// where x has no stamp; `apply` twice with the same facts gives the same bytes. Nothing in a stamp is ever believed: only the
// revision and the stages that are carried over come from it.

import Foundation
import Yams

public enum StampWriter {
    /// Writes `stamp` into `bytes`. A stage that is nil in `stamp` stays as the file has it.
    ///
    /// - Throws: `FlowspoolError.invalidInput` where the file cannot carry a stamp (no text, broken front matter).
    public static func apply(_ stamp: Stamp, to bytes: Data) throws -> Data {
        try apply(stamp, to: PromptFile.read(name: "prompt", bytes: bytes))
    }

    /// The same for a file that has been read already: no second parse.
    public static func apply(_ stamp: Stamp, to file: PromptFile) throws -> Data {
        guard file.canCarryStamp else {
            throw FlowspoolError(
                .invalidInput, "\(printable(file.name)) cannot carry a stamp: \(file.findings.first?.message ?? "unreadable")",
                hint: file.findings.first?.advice)
        }
        guard let layout = file.stampLayout else {
            return try apply(stamp, to: PromptFile.read(name: file.name, bytes: file.bytes))
        }
        let kept: [StampValue.Pair]
        if file.bytes.count == file.authorBytes.count || (stamp.preflight != nil && stamp.exec != nil && stamp.pipeline != nil) {
            kept = []
        } else {
            kept = ExistingStamp.read([UInt8](file.bytes))?.stages ?? []
        }
        let new = stamp.stages
        let stages = StampLayout.ownStages.compactMap { name in
            new.first { $0.key == name } ?? kept.first { $0.key == name }
        }
        return Data(insert(stamp, stages: stages, into: [UInt8](file.authorBytes), layout: layout))
    }

    /// The author's bytes: `bytes` without any stamp. Bytes that hold none come back as they are.
    public static func remove(from bytes: Data) -> Data {
        PromptFile.read(name: "prompt", bytes: bytes).authorBytes
    }

    // MARK: Insertion

    private struct Insertion {
        var offset: Int
        var text: [UInt8]
    }

    private static func insert(_ stamp: Stamp, stages: [StampValue.Pair], into bytes: [UInt8], layout: StampLayout) -> [UInt8] {
        let lineEnd = lineEnd(of: bytes)
        var entries: [StampValue.Pair] = [
            .init("version", .text("v1")), .init("prompt_id", .text(stamp.promptID)), .init("prompt_sha", .text(stamp.promptSHA)),
        ]
        var insertions: [Insertion] = []
        switch layout {
        case .newFrontMatter(let offset):
            entries.append(.init("stages", .map(stages)))
            var text = Array(("---" + lineEnd).utf8)
            StampValue.map(entries).appendLines(
                key: StampLayout.key, indent: 0, comment: StampLayout.commentWhole, lineEnd: lineEnd, to: &text)
            insertions.append(Insertion(offset: offset, text: text + Array(("---" + lineEnd).utf8)))
        case .newKey(let place):
            entries.append(.init("stages", .map(stages)))
            insertions.append(insertion([.init(StampLayout.key, .map(entries))], at: place, bytes, lineEnd))
        case .merge(let place, let stagesPlace, let hasVersion):
            if hasVersion { entries.removeFirst() }
            if let stagesPlace {
                insertions.append(insertion(entries, at: place, bytes, lineEnd))
                if !stages.isEmpty { insertions.append(insertion(stages, at: stagesPlace, bytes, lineEnd)) }
            } else {
                insertions.append(insertion(entries + [.init("stages", .map(stages))], at: place, bytes, lineEnd))
            }
        }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + insertions.reduce(0) { $0 + $1.text.count })
        var position = 0
        for insertion in insertions.sorted(by: { $0.offset < $1.offset }) {
            result += bytes[position..<insertion.offset]
            result += insertion.text
            position = insertion.offset
        }
        return result + bytes[position...]
    }

    private static func insertion(
        _ pairs: [StampValue.Pair], at place: StampLayout.Place, _ bytes: [UInt8], _ lineEnd: String
    ) -> Insertion {
        var text: [UInt8] = []
        switch place {
        case .lines(let offset, let indent):
            for pair in pairs {
                pair.value.appendLines(
                    key: pair.key, indent: indent, comment: StampLayout.comment, lineEnd: lineEnd, to: &text)
            }
            return Insertion(offset: offset, text: text)
        case .brace(let offset):
            let blanks = [UInt8](repeating: UInt8(ascii: " "), count: rootIndent(of: bytes) + 4)
            text += (StampLayout.comment + lineEnd).utf8
            for pair in pairs {
                text += blanks
                StampValue.text(pair.key).appendFlow(quoted: true, to: &text)
                text += ": ".utf8
                pair.value.appendFlow(quoted: true, to: &text)
                text += ("," + StampLayout.comment + lineEnd).utf8
            }
            return Insertion(offset: offset, text: text + blanks)
        }
    }

    private static func rootIndent(of bytes: [UInt8]) -> Int {
        guard case .present(let front) = FrontMatter.scan(bytes) else { return 0 }
        for line in TextLine.all(of: bytes, in: front.yaml) {
            if let byte = line.content(in: bytes).first, byte != UInt8(ascii: "#") { return line.indent(in: bytes) }
        }
        return 0
    }

    /// The line end of the first line, LF where there is none.
    private static func lineEnd(of bytes: [UInt8]) -> String {
        guard let line = TextLine(in: bytes, at: 0), line.end > line.textEnd else { return "\n" }
        return String(decoding: bytes[line.textEnd..<line.end], as: UTF8.self)
    }

    // MARK: Trying out

    /// Whether a stamp put in by `layout` reads back, leaves the author's keys, and comes off again.
    static func works(_ layout: StampLayout, for bytes: [UInt8], root: Node.Mapping?) -> Bool {
        let stages = StampLayout.ownStages.map { StampValue.Pair($0, .map([.init("source", .text("trial"))])) }
        let stamp = Stamp(promptID: "trial", promptSHA: "trial")
        let stamped = insert(stamp, stages: stages, into: bytes, layout: layout)
        guard StampRemoval.remove(from: stamped) == bytes, let read = ExistingStamp.read(stamped) else { return false }
        guard read.stamp.promptID == "trial", read.stages == stages else { return false }
        let names = root?.map(\.key.text) ?? []
        return names.filter { $0 != StampLayout.key } == read.rootKeys.filter { $0 != StampLayout.key }
    }
}
