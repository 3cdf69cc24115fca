// `.prompt-pipeline.state` and `.failed`: which prompts are done, which failed. The file is the truth and may be edited or
// deleted by anybody at any time; the set in memory follows it. What always holds: at every instant the file is whole lines.
// An id is appended as one line with one write(2), so that a batch of a million prompts does not rewrite a million lines for
// each; only taking an id out rewrites the file (aside, then renamed). What can go wrong: foreign lines, which are refused.

import Foundation
import Synchronization

/// A set of prompt ids in a file of lines. Safe to use from several threads.
public final class IDList: Sendable {
    private struct State: ~Copyable {
        var file: AppendFile
        var ids: Set<ExactText>
    }

    /// 256 MiB hold some five million ids.
    static let bytesMax = 256 << 20

    private let directory: Directory
    private let state: Mutex<State>

    /// Opens or makes the list, and repairs a last line that a crash cut off.
    ///
    /// A last line without its newline is ended where it is an id, and removed where it is the beginning of one.
    /// - Throws: `FlowspoolError(.invalidInput)` where a line is no prompt id; then nothing was changed.
    init(_ file: ContractFile, in directory: Directory) throws {
        self.directory = directory
        var open = try AppendFile(file.name, in: directory)
        let ids = try Self.load(&open)
        state = Mutex(State(file: open, ids: ids))
    }

    /// How many ids there are.
    public var count: Int { state.withLock { $0.ids.count } }

    /// Whether `id` is in the list, as of the last `refresh`, `add` or `remove`.
    public func contains(_ id: String) -> Bool {
        state.withLock { $0.ids.contains(ExactText(id)) }
    }

    /// The file names in the ids.
    var names: Set<ExactText> {
        // `--` and twelve digits.
        state.withLock { Set($0.ids.map { ExactText(String($0.text.unicodeScalars.dropLast(14))) }) }
    }

    /// Reads the file again if somebody else changed, replaced or deleted it. Costs one fstatat(2) where nobody did.
    ///
    /// - Returns: whether it was read again.
    @discardableResult
    public func refresh() throws -> Bool {
        try state.withLock { try Self.refresh(&$0) }
    }

    /// Puts `id` in.
    ///
    /// - Parameter durably: whether it must survive a power loss on return.
    /// - Returns: false where it was there already.
    @discardableResult
    public func add(_ id: String, durably: Bool = true) throws -> Bool {
        precondition(Self.isID(LineText.encode(id)), "not a prompt id: \(printable(id))")
        return try state.withLock { state in
            try Self.refresh(&state)
            guard !state.ids.contains(ExactText(id)) else { return false }
            try state.file.append(Array((LineText.encode(id) + "\n").utf8), durably: durably)
            state.ids.insert(ExactText(id))
            return true
        }
    }

    /// Takes `id` out, by rewriting the file: for the rare case, such as a retry that succeeds.
    ///
    /// - Returns: false where it was not there.
    @discardableResult
    public func remove(_ id: String) throws -> Bool {
        try state.withLock { state in
            try Self.refresh(&state)
            guard state.ids.contains(ExactText(id)) else { return false }
            let line = LineText.encode(id)
            let kept = try state.file.readAll(bytesMax: Self.bytesMax)
                .split(separator: UInt8(ascii: "\n"))
                .filter { !($0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0).elementsEqual(line.utf8) }
            var text = ""
            for line in kept { text += String(decoding: line, as: UTF8.self) + "\n" }
            try directory.replaceContract(state.file.name, with: text)
            try state.file.reopen()
            state.ids.remove(ExactText(id))
            return true
        }
    }

    @discardableResult
    private static func refresh(_ state: inout State) throws -> Bool {
        guard try state.file.isChanged() else { return false }
        try state.file.reopen()
        state.ids = try load(&state.file)
        return true
    }

    // MARK: - Reading

    /// Throws where the file would be refused; changes nothing, and makes nothing that is missing.
    static func check(_ file: ContractFile, in directory: Directory) throws {
        guard try directory.contractStatus(file.name) != nil else { return }
        let open = try AppendFile(file.name, in: directory)
        _ = try parse(try open.readAll(bytesMax: bytesMax), open.path)
    }

    /// What a last line without its newline needs.
    private enum Repair { case none, endLine, cut(Int) }

    private static func load(_ file: inout AppendFile) throws -> Set<ExactText> {
        let (ids, repair) = try parse(try file.readAll(bytesMax: bytesMax), file.path)
        // Only after every line was judged: a file that is refused is not touched.
        switch repair {
        case .none: break
        case .endLine: try file.append([UInt8(ascii: "\n")], durably: true)
        case .cut(let count): try file.cut(count)
        }
        return ids
    }

    private static func parse(_ bytes: [UInt8], _ path: String) throws(FlowspoolError) -> (Set<ExactText>, Repair) {
        var ids: Set<ExactText> = []
        var repair = Repair.none
        var line = 1
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            var content = bytes[start..<(newline ?? bytes.endIndex)]
            if content.last == UInt8(ascii: "\r") { content.removeLast() }
            if let id = id(content) {
                ids.insert(ExactText(id))
                if newline == nil { repair = .endLine }
            } else if newline == nil, mayBeTorn(content) {
                repair = .cut(bytes.endIndex - start)
            } else if newline == nil || !content.isEmpty {
                throw foreign(path, line, content)
            }
            line += 1
            start = (newline ?? bytes.endIndex - 1) + 1
        }
        return (ids, repair)
    }

    private static func foreign(_ path: String, _ line: Int, _ content: ArraySlice<UInt8>) -> FlowspoolError {
        let shown = printable(String(decoding: content.prefix(80), as: UTF8.self))
        return FlowspoolError(
            .invalidInput, "\(printable(path)), line \(line): “\(shown)” is not a prompt id (<file name>--<12 hex digits>)",
            hint: "take that line out, or delete the file to run every prompt again")
    }

    private static func id(_ content: ArraySlice<UInt8>) -> String? {
        guard let text = String(validating: content, as: UTF8.self), isID(text) else { return nil }
        return LineText.decode(text)
    }

    /// `<name>--<12 lower-case hex digits>`, with a name.
    private static func isID(_ line: String) -> Bool {
        let bytes = line.utf8
        guard bytes.count > 14 else { return false }
        let tail = bytes.suffix(14)
        return tail.starts(with: "--".utf8)
            && tail.dropFirst(2).allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// Whether a last line without newline can be what a power loss left of an id: at most a name's 255 bytes, escaped.
    private static func mayBeTorn(_ content: ArraySlice<UInt8>) -> Bool {
        content.count <= 4 * 255 + 14
    }
}
