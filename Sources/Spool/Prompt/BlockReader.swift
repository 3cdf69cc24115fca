// The fenced blocks of a prompt, exactly as CommonMark sees them: libcmark parses, this file walks its tree. libcmark closes an
// open fence silently at the end of its container, which would swallow the rest of a script: `fence_unclosed` tells.

import CCommonMark
import Foundation

enum BlockReader {
    /// Most findings about one file's blocks; the first of them stops the prompt anyway.
    private static let findingsMax = 100

    /// Reads the blocks of `body`, whose first line is line `firstLine` of the file, and appends what is wrong to `findings`.
    static func blocks(in body: [UInt8], firstLine: Int, findings: inout [Finding]) -> [Block] {
        // Without a run of three there is no fence, and libcmark need not look.
        guard holdsRun(body) else { return [] }
        let depth = depthBound(body)
        guard depth * body.count <= workMax else {
            findings.append(
                Finding(
                    .tooLarge, message: "lists and quotes are nested up to \(depth) deep, too deep for a file of this size",
                    advice: "Nest them less deeply"))
            return []
        }
        guard let stand = standIn(for: body) else {
            findings.append(
                Finding(
                    .notUTF8, message: "the file holds control characters of every kind, so it is no text",
                    advice: "Remove the control characters"))
            return []
        }
        var text = body.map { $0 == bracket ? stand : $0 }
        if stand != bracket { keepCharacterData(of: body, in: &text) }
        let document = text.withUnsafeBytes { bytes in
            cmark_parse_document(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, CMARK_OPT_DEFAULT)
        }
        guard let document else { return [] }
        defer { cmark_node_free(document) }

        let lines = TextLine.all(of: body, in: 0..<body.count)
        let fences = fences(of: document, lines: lines, body: body, standIn: stand)
        let openings = Set(fences.map(\.startLine))
        var blocks: [Block] = []
        for fence in fences {
            let line = firstLine + fence.startLine - 1
            if findings.count < findingsMax, !fence.isClosed(lines: lines, body: body, openings: openings) {
                findings.append(
                    Finding(
                        .fenceUnclosed, line: line, message: "the code fence that opens here is never closed",
                        advice: "End the block with a line of \(fence.length) `\(Character(Unicode.Scalar(fence.mark)))`"))
            }
            guard let shell = Block.Shell(infoWord: fence.infoWord) else { continue }
            let text = normalized(fence.literal)
            let marks = Block.Marks.read(from: text, firstLine: line + 1, findings: &findings)
            blocks.append(
                Block(
                    number: blocks.count + 1, shell: shell, text: text, firstLine: line + 1, indent: fence.column - 1,
                    marks: marks))
        }
        return blocks
    }

    /// Walks without recursion: nesting is as deep as the author likes. Only containers are entered.
    private static func fences(of document: OpaquePointer, lines: [TextLine], body: [UInt8], standIn: UInt8) -> [Fence] {
        var result: [Fence] = []
        var node = cmark_node_first_child(document)
        while let current = node {
            let type = cmark_node_get_type(current)
            if type == CMARK_NODE_CODE_BLOCK, let fence = Fence(current, lines: lines, body: body, standIn: standIn) {
                result.append(fence)
            }
            let isContainer = type == CMARK_NODE_BLOCK_QUOTE || type == CMARK_NODE_LIST || type == CMARK_NODE_ITEM
            if isContainer, let child = cmark_node_first_child(current) {
                node = child
                continue
            }
            var upward: OpaquePointer? = current
            node = nil
            while let place = upward, place != document {
                if let next = cmark_node_next(place) {
                    node = next
                    break
                }
                upward = cmark_node_parent(place)
            }
        }
        return result
    }

    // MARK: Bounds

    static let bracket = UInt8(ascii: "[")
    /// Most steps that nesting may cost: libcmark passes all open lists at every empty line, and all ancestors at every inline
    /// node, so its work grows with depth times length. Measured: about a second.
    private static let workMax = 300_000_000

    /// An upper bound of how deep lists and quotes are nested: the markers that one line opens with, and two columns of indent for
    /// each list that it may continue.
    private static func depthBound(_ body: [UInt8]) -> Int {
        var bound = 1
        var position = 0
        while position < body.count {
            var columns = 0
            var markers = 0
            var index = position
            scan: while index < body.count {
                switch body[index] {
                case UInt8(ascii: " "): columns += 1
                case UInt8(ascii: "\t"): columns += 4
                case UInt8(ascii: ">"): markers += 1
                case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "*"):
                    guard endsMarker(body, index + 1) else { break scan }
                    markers += 1
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    var end = index + 1
                    while end < body.count, end < index + 9, (48...57).contains(body[end]) { end += 1 }
                    guard end < body.count, body[end] == UInt8(ascii: ".") || body[end] == UInt8(ascii: ")"),
                        endsMarker(body, end + 1)
                    else { break scan }
                    markers += 1
                    index = end
                default: break scan
                }
                index += 1
            }
            if markers > 0 { bound = max(bound, markers + columns / 2) }
            while index < body.count, body[index] != 0x0A, body[index] != 0x0D { index += 1 }
            position = index + 1
        }
        return bound
    }

    private static func endsMarker(_ body: [UInt8], _ index: Int) -> Bool {
        index >= body.count || isBlank(body[index]) || body[index] == 0x0A || body[index] == 0x0D
    }

    /// A byte that stands for `[` while libcmark reads: 0.30.2 takes quadratic time over `![[]()` (CVE-2023-22486), and
    /// links cannot open or close a block. nil where the text uses every control character itself.
    private static func standIn(for body: [UInt8]) -> UInt8? {
        var isUsed = [Bool](repeating: false, count: 256)
        for byte in body { isUsed[Int(byte)] = true }
        return isUsed[Int(bracket)] ? (Array(1...8) + Array(14...31)).first { !isUsed[Int($0)] } : bracket
    }

    /// `<![CDATA[` begins HTML, in which no fence is one (CommonMark 0.31, 4.6): where a line begins so, its brackets stay.
    private static func keepCharacterData(of body: [UInt8], in text: inout [UInt8]) {
        let opening = Array("<![CDATA[".utf8)
        var isAtStart = true
        for index in body.indices {
            switch body[index] {
            case 0x0A, 0x0D: isAtStart = true
            case UInt8(ascii: "<") where isAtStart && body[index...].starts(with: opening):
                for offset in index..<(index + opening.count) { text[offset] = body[offset] }
                isAtStart = false
            // Behind the markers of lists and quotes, too.
            case 0x20, 0x09, UInt8(ascii: ">"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "*"), UInt8(ascii: "."),
                UInt8(ascii: ")"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                continue
            default: isAtStart = false
            }
        }
    }

    private static func holdsRun(_ body: [UInt8]) -> Bool {
        var run = 0
        var previous: UInt8 = 0
        for byte in body {
            run = byte == previous ? run + 1 : 1
            previous = byte
            if run == 3, byte == UInt8(ascii: "`") || byte == UInt8(ascii: "~") { return true }
        }
        return false
    }

    /// Line ends as the shell wants them: CRLF and CR become LF, and the last line has one.
    private static func normalized(_ literal: [UInt8]) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(literal.count + 1)
        var index = 0
        while index < literal.count {
            if literal[index] == 0x0D {
                bytes.append(0x0A)
                if index + 1 < literal.count, literal[index + 1] == 0x0A { index += 1 }
            } else {
                bytes.append(literal[index])
            }
            index += 1
        }
        if let last = bytes.last, last != 0x0A { bytes.append(0x0A) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Block.Shell {
    /// The shell that an info word asks for: `bash`, `sh`, `zsh`, or `shell` for bash; in lower case, nothing else.
    init?(infoWord: String) {
        self.init(rawValue: infoWord == "shell" ? "bash" : infoWord)
    }
}

/// One fenced code block, with what libcmark does not tell: the fence itself.
private struct Fence {
    var startLine: Int
    var endLine: Int
    /// Counted from 1, in bytes.
    var column: Int
    var mark: UInt8
    var length: Int
    var infoWord: String
    var literal: [UInt8]

    /// nil for an indented code block.
    init?(_ node: OpaquePointer, lines: [TextLine], body: [UInt8], standIn: UInt8) {
        startLine = Int(cmark_node_get_start_line(node))
        endLine = Int(cmark_node_get_end_line(node))
        column = max(1, Int(cmark_node_get_start_column(node)))
        guard startLine >= 1, startLine <= lines.count else { return nil }
        literal =
            cmark_node_get_literal(node).map { pointer in
                UnsafeRawBufferPointer(start: pointer, count: strlen(pointer)).map { $0 == standIn ? BlockReader.bracket : $0 }
            } ?? []
        let info = cmark_node_get_fence_info(node).map { String(cString: $0) } ?? ""
        infoWord = String(info.prefix { $0 != " " && $0 != "\t" })

        let line = lines[startLine - 1]
        let first = line.start + column - 1
        guard first < line.textEnd, body[first] == UInt8(ascii: "`") || body[first] == UInt8(ascii: "~") else { return nil }
        mark = body[first]
        var end = first
        while end < line.textEnd, body[end] == mark { end += 1 }
        length = end - first
        guard length >= 3 else { return nil }
        // An indented block that shows a fence: its info would be in the text, or its text begins with a fence that would have
        // closed a real one.
        if info.isEmpty {
            guard body[end..<line.textEnd].allSatisfy(isBlank) else { return nil }
            let run = literal.prefix { $0 == mark }.count
            let rest = literal.dropFirst(run).prefix { $0 != 0x0A && $0 != 0x0D }
            if run >= length, rest.allSatisfy(isBlank) { return nil }
        }
    }

    /// Whether the block ends in a fence of its own. libcmark gives the closing fence's line as the end, the file's last line where
    /// the file ends first, and the line after the container where that ends first.
    func isClosed(lines: [TextLine], body: [UInt8], openings: Set<Int>) -> Bool {
        guard endLine > startLine, endLine <= lines.count, !openings.contains(endLine) else { return false }
        let literalLines = literal.reduce(into: 0) { if $1 == 0x0A || $1 == 0x0D { $0 += 1 } }  // CRLF is taken back below
        let pairs = zip(literal, literal.dropFirst()).reduce(into: 0) { if $1.0 == 0x0D, $1.1 == 0x0A { $0 += 1 } }
        guard literalLines - pairs == endLine - startLine - 1 else { return false }
        var text = lines[endLine - 1].content(in: body)
        while let byte = text.first, byte == UInt8(ascii: ">") || isBlank(byte) { text.removeFirst() }
        return text.count >= length && text.allSatisfy { $0 == mark }
    }
}
