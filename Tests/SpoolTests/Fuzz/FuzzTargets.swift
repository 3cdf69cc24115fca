// What must hold for every input of each reader: one function per reader that takes bytes and throws where something does not. Used by
// the test suite beside this file (the kept corpus, and seeded mutations) and by the fuzzer in Tests/Fuzz, so without Testing.

import Foundation

@testable import Spool

/// A property that did not hold.
struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One reader under test.
enum FuzzTarget: String, CaseIterable, Sendable {
    case frontMatter = "front-matter"
    case fences, stamp, lists, log, hold, json, text
    case resume, plan
    case policyConfig = "policy-config"
    case spoolConfig = "spool-config"

    /// Tries one input. Trapping is a failure as well, and so is taking long (the caller's limit).
    func check(_ bytes: [UInt8]) throws {
        switch self {
        case .frontMatter: try Self.frontMatter(bytes)
        case .fences: try Self.fences(bytes)
        case .stamp: try Self.stamp(bytes)
        case .lists: try Self.lists(bytes)
        case .log: try Self.log(bytes)
        case .hold: try Self.hold(bytes)
        case .json: try Self.json(bytes)
        case .text: try Self.text(bytes)
        case .resume: try Self.resume(bytes)
        case .plan: try Self.plan(bytes)
        case .policyConfig: try Self.configuration { _ = try PolicyConfiguration(contents: Data(bytes), path: "/c.json") }
        case .spoolConfig: try Self.configuration { _ = try SpoolConfiguration(contents: Data(bytes), path: "/spool.yaml") }
        }
    }

    private static func require(_ holds: Bool, _ what: @autoclosure () -> String) throws {
        if !holds { throw Broken(what()) }
    }

    // MARK: - Prompts

    /// The ranges lie in the file, in order and without gaps; settings do not depend on anything but the bytes.
    private static func frontMatter(_ bytes: [UInt8]) throws {
        if case .present(let front) = FrontMatter.scan(bytes) {
            let edges = [
                front.markLength, front.opening.lowerBound, front.opening.upperBound, front.yaml.lowerBound,
                front.yaml.upperBound,
                front.closing.lowerBound, front.closing.upperBound,
            ]
            try require(edges == edges.sorted() && edges.last ?? 0 <= bytes.count, "ranges \(edges) of \(bytes.count) bytes")
            try require(front.opening.upperBound == front.yaml.lowerBound, "a gap after the opening")
            try require(front.yaml.upperBound == front.closing.lowerBound, "a gap before the closing")
        }
        let file = PromptFile.read(name: "x.md", bytes: Data(bytes))
        try require(file.sha.utf8.count == 64 && file.id.hasPrefix("x.md--"), "identity \(file.id)")
        let codes = file.findings.map(\.code)
        let reasons: [Finding.Code] = [.notUTF8, .frontMatterInvalid, .frontMatterUnclosed]
        try require(file.canCarryStamp || codes.contains(where: reasons.contains), "no stamp, and no finding says why: \(codes)")
        let isBroken =
            codes.contains(.notUTF8) && file.blocks.isEmpty && file.body.isEmpty || codes.contains(.frontMatterUnclosed)
        try require(!file.canCarryStamp || !isBroken, "a stamp in spite of \(codes)")
        try require(file.findings.allSatisfy { ($0.line ?? 1) >= 1 }, "a finding above the first line")
        let again = PromptFile.read(name: "x.md", bytes: Data(bytes))
        try require(again.settings == file.settings && again.findings == file.findings, "read twice, two answers")
    }

    /// Each block is text of the file, whole lines of it, at the line that it says.
    private static func fences(_ bytes: [UInt8]) throws {
        let file = PromptFile.read(name: "x.md", bytes: Data(bytes))
        try require(file.blocks.map(\.number) == Array(1..<(file.blocks.count + 1)), "numbers")
        guard !file.blocks.isEmpty else { return }
        let lines = lines(of: [UInt8](file.authorBytes))
        var last = 0
        for block in file.blocks {
            try require(block.text.isEmpty || block.text.hasSuffix("\n"), "block \(block.number) does not end in a newline")
            try require(block.firstLine > last, "block \(block.number) at line \(block.firstLine), after line \(last)")
            last = block.firstLine
            let text = block.text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map(Array.init)
            try require(block.firstLine - 1 + text.count <= lines.count, "block \(block.number) ends below the file")
            for (offset, line) in text.enumerated() {
                // Indentation and quote marks are taken off at the front, nothing is at the end; a tab may have become blanks.
                let source = lines[block.firstLine - 1 + offset]
                let wanted = line.drop { $0 == 0x20 || $0 == 0x09 }
                try require(
                    source.suffix(wanted.count).elementsEqual(wanted), "block \(block.number), line \(offset + 1): other text")
            }
        }
    }

    private static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = [[]]
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == 0x0A, previous == 0x0D {
                // The second half of a CRLF.
            } else if byte == 0x0A || byte == 0x0D {
                result.append([])
            } else {
                result[result.count - 1].append(byte)
            }
            previous = byte
        }
        return result
    }

    /// Bytes come back, stamping twice is stamping once, identity and behaviour stay.
    private static func stamp(_ bytes: [UInt8]) throws {
        let data = Data(bytes)
        let file = PromptFile.read(name: "x.md", bytes: data)
        guard file.canCarryStamp else {
            do {
                _ = try StampWriter.apply(stamp(of: file), to: data)
            } catch is FlowspoolError { return }
            throw Broken("stamped what cannot carry a stamp")
        }
        let once = try StampWriter.apply(stamp(of: file), to: file)
        let again = PromptFile.read(name: "x.md", bytes: once)
        try require(again.authorBytes == file.authorBytes, "other bytes after stamp and removal")
        try require(StampWriter.remove(from: file.authorBytes) == file.authorBytes, "the author's bytes hold a stamp still")
        try require(try StampWriter.apply(stamp(of: file), to: once) == once, "stamped twice, two results")
        try require(again.id == file.id && again.sha == file.sha, "another identity")
        try require(again.settings == file.settings && again.blocks == file.blocks, "another behaviour")
        try require(again.findings == file.findings && again.body == file.body, "other findings or body")
        try require(ExistingStamp(in: once)?.promptID == file.id, "the stamp does not read back")
    }

    private static func stamp(of file: PromptFile) -> Stamp {
        let preflight = Stamp.Preflight(
            source: "watch", status: .ready, isReady: true, reason: "no findings", revision: 1,
            resolved: ResolvedPolicy(
                policy: .builtin, sources: Dictionary(uniqueKeysWithValues: Toggle.allCases.map { ($0, .profile) }),
                profile: "poc", configSHA: String(repeating: "1", count: 64)),
            findings: [], updated: Date(timeIntervalSince1970: 1_767_323_045))
        return Stamp(promptID: file.id, promptSHA: file.sha, preflight: preflight)
    }

    // MARK: - Contract files

    private static func inFolder<R>(_ file: ContractFile, _ bytes: [UInt8], _ body: (Directory, String) throws -> R) throws -> R {
        // In memory where the machine has such a file system: thousands of files a second.
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : FileManager.default.temporaryDirectory.path
        let folder = base + "/flowspool-fuzz-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Best effort: what stays behind fails nothing.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = file.path(in: folder)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try body(try Directory(path: folder), path)
    }

    private static func contents(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    /// A list is refused and left as it is, or from then on whole lines; what was in it stays in it.
    private static func lists(_ bytes: [UInt8]) throws {
        try inFolder(.state, bytes) { directory, path in
            let list: IDList
            do {
                list = try IDList(.state, in: directory)
            } catch is FlowspoolError {
                return try require(contents(path) == bytes, "a refused list was changed")
            }
            let opened = try contents(path)
            try require(opened.isEmpty || opened.last == 0x0A, "the last line is not whole")
            try require(
                bytes.starts(with: opened) || opened == bytes + [0x0A], "opening changed more than the end of the last line")
            let id = "new\n \u{e9}.md--0123456789ab"
            let isNew = try list.add(id, durably: false)
            let count = list.count
            let names = try list.snapshot().names
            let again = try IDList(.state, in: directory)
            let namesAgain = try again.snapshot().names
            try require(again.count == count && again.contains(id) && namesAgain == names, "read back, another list")
            if isNew {
                try require(try again.remove(id), "what was added cannot be taken out")
                let rest = try IDList(.state, in: directory)
                try require(!rest.contains(id) && rest.count == count - 1, "taking one out took another")
            }
        }
    }

    /// The log is refused and left as it is, or appended to; whole lines that others wrote stay.
    private static func log(_ bytes: [UInt8]) throws {
        try inFolder(.log, bytes) { directory, path in
            let log: EventLog
            do {
                log = try EventLog(in: directory)
            } catch is FlowspoolError {
                return try require(contents(path) == bytes, "a refused log was changed")
            }
            let whole = bytes.lastIndex(of: 0x0A).map { Array(bytes[...$0]) } ?? []
            let before = try EventLog.read(in: directory)
            try log.append(.promptFailed, prompt: "a\n\u{7}.md", detail: String(decoding: bytes, as: UTF8.self), at: 1)
            let after = try contents(path)
            try require(after.starts(with: whole) && after.last == 0x0A, "lines of others are gone")
            let entries = try EventLog.read(in: directory)
            try require(
                entries.count == before.count + 1 && entries.starts(with: before),
                "\(before.count) entries, then \(entries.count)")
            try require(entries.last?.prompt == "a\n\u{7}.md", "the line that was written does not read back")
            try require(try EventLog.read(in: directory, last: 1) == entries.suffix(1), "the last entry is another")
        }
    }

    /// Whatever is in it, it is a hold; written again it says the same.
    private static func hold(_ bytes: [UInt8]) throws {
        let hold = HoldFile(reading: Data(bytes))
        let text = hold.text(root: "/a b")
        let again = HoldFile(reading: Data(text.utf8))
        try require(again == hold, "written again: \(again), was \(hold)")
        try require(again.text(root: "/a b") == text, "the text changes")
        let unsafe = text.utf8.contains { ($0 < 0x20 && $0 != 0x0A) || $0 == 0x7F }
        try require(!unsafe, "control characters in the text")
    }

    /// Written out, a value is the same value.
    private static func json(_ bytes: [UInt8]) throws {
        let value: JSON
        do {
            value = try JSON.parse(bytes)
        } catch {
            return try require(error.position.line >= 1 && error.position.column >= 1, "no position: \(error)")
        }
        try require(try JSON.parse(value.compact) == value, "compact text is another value")
        try require(try JSON.parse(value.pretty) == value, "pretty text is another value")
        try require(!value.compact.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "control characters in the text")
    }

    /// Line text and shell text give back what went in.
    private static func text(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let line = LineText.encode(text)
        try require(LineText.isOneLine(line) && LineText.decode(line).map(ExactText.init) == ExactText(text), "line text")
        if let decoded = LineText.decode(text) {
            try require(LineText.decode(LineText.encode(decoded)).map(ExactText.init) == ExactText(decoded), "decoded line text")
        }
        try require(
            !printable(text).unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F || $0.value == 0x1B }, "printable")
        var handed = HandedEnvironment()
        _ = handed.take(Data(bytes))
        var again = HandedEnvironment()
        try require(again.take(handed.file).isEmpty && again.values == handed.values, "handed environment")
    }

    /// A shell that reads the file assigns five variables, whose values are the bytes that went in.
    private static func resume(_ bytes: [UInt8]) throws {
        let parts = bytes.filter { $0 != 0 }.split(separator: 0x0A, maxSplits: 4, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        func part(_ index: Int) -> String { index < parts.count ? parts[index] : "" }
        let resume = ResumeEnvironment(
            runID: part(0), nextPrompt: parts.count > 1 ? part(1) : nil, root: part(2), profile: parts.count > 3 ? part(3) : nil,
            reason: part(4))
        let read = try shellAssignments(resume.text)
        let wanted = [
            ("RUN_ID", part(0)), ("NEXT_PROMPT", part(1)), ("ROOT", part(2)), ("PROFILE", part(3)), ("REASON", part(4)),
        ]
        try require(read.count == wanted.count, "\(read.count) assignments")
        for (one, other) in zip(read, wanted) {
            try require(one.0 == "PROMPT_PIPELINE_" + other.0 && one.1 == Array(other.1.utf8), "\(other.0) reads back as another")
        }
    }

    /// POSIX 2.2 as far as such a file may use it: comments, and assignments of single-quoted text and `\'`. Anything else throws.
    private static func shellAssignments(_ text: String) throws -> [(String, [UInt8])] {
        var result: [(String, [UInt8])] = []
        var rest = Array(text.utf8)[...]
        while let first = rest.first {
            if first == UInt8(ascii: "#") {
                rest = rest.drop { $0 != 0x0A }.dropFirst()
                continue
            }
            let name = rest.prefix { $0 != UInt8(ascii: "=") }
            try require(name.allSatisfy { (65...90).contains($0) || $0 == UInt8(ascii: "_") }, "not a name")
            rest = rest.dropFirst(name.count + 1)
            var value: [UInt8] = []
            while let byte = rest.popFirst(), byte != 0x0A {
                if byte == UInt8(ascii: "\\") {
                    try require(rest.popFirst() == UInt8(ascii: "'"), "an escape outside of quotes")
                    value.append(UInt8(ascii: "'"))
                } else {
                    try require(byte == UInt8(ascii: "'"), "text outside of quotes")
                    value += rest.prefix { $0 != UInt8(ascii: "'") }
                    rest = rest.drop { $0 != UInt8(ascii: "'") }
                    try require(rest.popFirst() != nil, "an open quote")
                }
            }
            result.append((String(decoding: name, as: UTF8.self), value))
        }
        return result
    }

    /// A prompts file selects names of the root, each once, in byte order, or is refused.
    private static func plan(_ bytes: [UInt8]) throws {
        let names = ["a.md", "b c.md", "-x.md", "n\nl.md", "\u{e9}.md", "e\u{301}.md", "#h.md", "\\n.md"]
        let file = BatchPlan.PromptsFile(path: "/list", text: String(decoding: bytes, as: UTF8.self))
        do {
            let plan = try BatchPlan(names: names, roots: ["/r/s"], selection: .init(promptsFile: file))
            let sorted = plan.names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            try require(plan.names.map(ExactText.init) == sorted.map(ExactText.init), "not in order")
            let exact = Set(plan.names.map(ExactText.init))
            try require(exact.count == plan.names.count && exact.isSubset(of: names.map(ExactText.init)), "not names of the root")
        } catch let error as FlowspoolError {
            try require(error.code == .invalidInput, "\(error)")
        }
    }

    /// Valid, or refused with a message that is safe to print.
    private static func configuration(_ read: () throws -> Void) throws {
        do {
            try read()
        } catch let error as FlowspoolError {
            try require(error.code == .invalidInput && !error.message.isEmpty, "\(error)")
            let unsafe = (error.message + (error.hint ?? "")).unicodeScalars.contains {
                ($0.value < 0x20 && $0 != "\n") || $0.value == 0x7F || (0x80..<0xA0).contains($0.value)
            }
            try require(!unsafe, "a message with control characters")
        }
    }
}
