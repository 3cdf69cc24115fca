// Which prompts a batch is about, and in which order. Pure: it gets the names that are in the root and the contents of
// `--prompts-file`. What always holds: an unknown name is an error before anything runs; the order is that of the names' bytes
// (C locale), whatever order they were given in.

/// The prompts of one batch, in order.
public struct BatchPlan: Sendable, Equatable {
    /// What the flags ask for.
    public struct Selection: Sendable, Equatable {
        /// File name of the first prompt, inclusive.
        public var from: String?
        /// File name of the last prompt, inclusive.
        public var to: String?
        public var promptsFile: PromptsFile?
        /// Prompts that may be started, 0: all.
        public var count = 0
        public init(from: String? = nil, to: String? = nil, promptsFile: PromptsFile? = nil, count: Int = 0) {
            self.from = from
            self.to = to
            self.promptsFile = promptsFile
            self.count = count
        }
    }

    /// The content of `--prompts-file`.
    public struct PromptsFile: Sendable, Equatable {
        /// For messages.
        public var path: String
        public var text: String
        public init(path: String, text: String) {
            self.path = path
            self.text = text
        }
    }

    /// File names in the order in which they run.
    public let names: [String]
    /// As selected, 0: all.
    public let count: Int

    /// - Parameters:
    ///   - names: the prompts that stand in the root, in any order.
    ///   - roots: the root's absolute paths, as given and resolved; an absolute line of the prompts file lies below one of them.
    /// - Throws: `FlowspoolError(.invalidInput)` for a name that is not in the root, a range that runs backwards, a path
    ///   outside the root, a negative count.
    public init(names: [String], roots: [String], selection: Selection = Selection()) throws(FlowspoolError) {
        guard selection.count >= 0 else {
            throw FlowspoolError(.invalidInput, "--count \(selection.count) is negative", hint: "0 means all")
        }
        let known = Set(names.map(ExactText.init))
        for (flag, name) in [("--from", selection.from), ("--to", selection.to)] {
            guard let name, !known.contains(ExactText(name)) else { continue }
            throw FlowspoolError(
                .invalidInput, "\(flag) \(printable(name)): no such prompt in \(printable(roots.first ?? "the root"))",
                hint: name.contains("/") ? "give the file name alone, without its folder" : Self.nearest(name, names))
        }
        if let from = selection.from, let to = selection.to, Self.precedes(to, from) {
            throw FlowspoolError(
                .invalidInput, "--from \(printable(from)) comes after --to \(printable(to)), so the range is empty",
                hint: "names are in the order of their bytes (`LC_ALL=C ls`)")
        }
        var chosen = known
        if let file = selection.promptsFile { chosen = try Self.names(in: file, roots: roots, known: known) }
        self.names = chosen.map(\.text).filter { name in
            if let from = selection.from, Self.precedes(name, from) { return false }
            if let to = selection.to, Self.precedes(to, name) { return false }
            return true
        }
        .sorted(by: Self.precedes)
        count = selection.count
    }

    /// What would be started: the names that `isDone` does not know, up to `count`.
    public func pending(isDone: (String) throws -> Bool) rethrows -> [String] {
        var result: [String] = []
        for name in names where try !isDone(name) {
            result.append(name)
            if count > 0, result.count == count { break }
        }
        return result
    }

    /// Byte order, as `LC_ALL=C sort`; Swift's own order of strings is by Unicode normal form.
    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    // MARK: - Prompts file

    private static func names(
        in file: PromptsFile, roots: [String], known: Set<ExactText>
    ) throws(FlowspoolError) -> Set<ExactText> {
        var result: Set<ExactText> = []
        var faults: [String] = []
        var number = 0
        // Not `isNewline`: a name may hold U+2028, and CRLF is one Character.
        for var line in file.text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            if line.last == "\r" { line.removeLast() }
            if number == 1, line.first == "\u{FEFF}" { line.removeFirst() }
            let text = String(line)
            let blank = text.allSatisfy { $0 == " " || $0 == "\t" }
            if blank || text.drop(while: { $0 == " " || $0 == "\t" }).first == "#" { continue }
            switch resolve(text, roots: roots, known: known) {
            case .success(let name): result.insert(ExactText(name))
            case .failure(let fault): faults.append("line \(number): \(printable(text)): \(fault.text)")
            }
        }
        guard faults.isEmpty else {
            let shown = faults.prefix(10).joined(separator: "\n  ")
            let more = faults.count > 10 ? "\n  and \(faults.count - 10) more" : ""
            throw FlowspoolError(
                .invalidInput, "--prompts-file \(printable(file.path)): \(shown)\(more)",
                hint: "each line is the path of a prompt in \(printable(roots.first ?? "the root")), relative to it or absolute")
        }
        return result
    }

    private struct Fault: Error { var text: String }

    /// The name that a line means: as it stands, without spaces around it, or with the plan's escapes undone.
    private static func resolve(_ line: String, roots: [String], known: Set<ExactText>) -> Result<String, Fault> {
        var candidates = [line]
        let trimmed = line.trimmingPrefix { $0 == " " || $0 == "\t" }
        candidates.append(String(String(trimmed.reversed()).trimmingPrefix { $0 == " " || $0 == "\t" }.reversed()))
        if let decoded = LineText.decode(line) { candidates.append(decoded) }
        var isOutside = true
        for candidate in candidates {
            guard let name = name(candidate, roots: roots) else { continue }
            isOutside = false
            if known.contains(ExactText(name)) { return .success(name) }
        }
        return .failure(Fault(text: isOutside ? "lies outside the root" : "no such prompt"))
    }

    /// The file name that `path` has in the root; nil where it lies elsewhere.
    private static func name(_ path: String, roots: [String]) -> String? {
        guard path.utf8.first == UInt8(ascii: "/") else { return components(path).flatMap { $0.count == 1 ? $0[0] : nil } }
        guard let parts = components(path) else { return nil }
        for root in roots {
            if let base = components(root), parts.count == base.count + 1,
                parts.map(ExactText.init).starts(with: base.map(ExactText.init))
            {
                return parts.last
            }
        }
        return nil
    }

    /// Components with `.`, `..` and empty ones resolved by their text; nil where `..` leads above the beginning.
    private static func components(_ path: String) -> [String]? {
        var result: [String] = []
        for part in path.unicodeScalars.split(separator: "/") {
            switch String(part) {
            case ".": continue
            case "..": if result.popLast() == nil { return nil }
            case let name: result.append(name)
            }
        }
        return result
    }

    /// What the user may have meant.
    private static func nearest(_ name: String, _ names: [String]) -> String {
        let wanted = name.lowercased()
        let match = names.sorted(by: precedes).first {
            let other = $0.lowercased()
            return other == wanted || other.hasPrefix(wanted) || wanted.hasPrefix(other)
        }
        return match.map { "did you mean \(printable($0))?" } ?? "`flowspool list --spool DIR` shows what is there"
    }
}
