// `.prompt-pipeline.state` and `.failed`: which prompts are done, which failed. The file is the truth and may be edited or
// deleted by anybody at any time; the set in memory follows it. What always holds: at every instant the file is whole lines.
// An id is appended as one line with one write(2), so that a batch of a million prompts does not rewrite a million lines for
// each; only taking an id out rewrites the file (aside, then renamed). A line that another program is still writing is waited
// for, and never cut off once the list is open. What can go wrong: foreign lines, which are refused.

import Foundation
import Synchronization

/// A set of prompt ids in a file of lines. Safe to use from several threads.
public final class IDList: Sendable {
    private struct State: ~Copyable {
        var file: AppendFile
        var ids: Set<TextKey>
        /// Another program's line at the end has no newline yet.
        var isMidLine = false
    }

    /// The ids at one moment.
    public struct Snapshot: Sendable {
        let ids: Set<TextKey>
        /// The file names in the ids.
        let names: Set<TextKey>

        public func contains(_ id: String) -> Bool { ids.contains(TextKey(id)) }
        func holds(name: String) -> Bool { names.contains(TextKey(name)) }
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

    /// Puts ids in without the runner's lock. Below the beginning of a line, which only a runner's start may take away, nothing is put
    /// in: that piece would become a line that is no id. The ledger has them.
    static func add(_ ids: [String], to file: ContractFile, besideRunnerIn directory: Directory) throws {
        var open = try AppendFile(file.name, in: directory)
        let (known, repair) = try settled(&open)
        if case .cut = repair { return }
        let text =
            (repair.isNeeded ? "\n" : "")
            + ids.filter { !known.contains(TextKey($0)) }.map { LineText.encode($0) + "\n" }.joined()
        try open.append(Array(text.utf8), durably: false)
    }

    /// What the list says, without making or mending anything.
    ///
    /// - Throws: as `init`.
    public static func look(_ file: ContractFile, in directory: Directory) throws -> Snapshot {
        guard try directory.contractStatus(file.name) != nil else { return Snapshot(ids: [], names: []) }
        return try snapshot(of: try AppendFile(file.name, in: directory))
    }

    /// How many ids there are.
    public var count: Int { state.withLock { $0.ids.count } }

    /// Whether `id` is in the list, as of the last `refresh`, `add` or `remove`.
    public func contains(_ id: String) -> Bool {
        state.withLock { $0.ids.contains(TextKey(id)) }
    }

    /// The ids and their file names as of now. Reads the file.
    public func snapshot() throws -> Snapshot {
        try state.withLock { state in
            try Self.refresh(&state)
            return try Self.snapshot(of: state.file)
        }
    }

    private static func snapshot(of file: borrowing AppendFile) throws -> Snapshot {
        var (ids, names) = (emptySet(for: file), emptySet(for: file))
        _ = try forEachID(in: file) { id in
            ids.insert(key(id))
            names.insert(key(id.dropLast(14)))
        }
        return Snapshot(ids: ids, names: names)
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
        precondition(Self.isID(LineText.encode(id).utf8), "not a prompt id: \(printable(id))")
        return try state.withLock { state in
            try Self.refresh(&state)
            guard !state.ids.contains(TextKey(id)) else { return false }
            // Below a line that its writer has left unfinished, never behind it.
            let start = state.isMidLine ? "\n" : ""
            try state.file.append(Array((start + LineText.encode(id) + "\n").utf8), durably: durably)
            state.isMidLine = false
            state.ids.insert(TextKey(id))
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
            guard state.ids.contains(TextKey(id)) else { return false }
            let line = LineText.encode(id)
            let kept = try state.file.readAll(bytesMax: Self.bytesMax)
                .split(separator: UInt8(ascii: "\n"))
                .filter { !($0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0).elementsEqual(line.utf8) }
            var text = ""
            for line in kept { text += String(decoding: line, as: UTF8.self) + "\n" }
            try directory.replaceContract(state.file.name, with: text)
            try state.file.reopen()
            state.ids.remove(TextKey(id))
            return true
        }
    }

    @discardableResult
    private static func refresh(_ state: inout State) throws -> Bool {
        guard try state.file.isChanged() else { return false }
        guard try state.file.reopen() else {
            state.ids = try load(&state.file)
            state.isMidLine = false
            return true
        }
        // It has only grown: another program appends, and may be in the middle of a line.
        let (ids, repair) = try settled(&state.file)
        state.ids = ids
        state.isMidLine = repair.isNeeded
        return true
    }

    // MARK: - Reading

    /// Throws where the file would be refused; changes nothing, and makes nothing that is missing.
    static func check(_ file: ContractFile, in directory: Directory) throws {
        guard try directory.contractStatus(file.name) != nil else { return }
        _ = try forEachID(in: try AppendFile(file.name, in: directory)) { _ in }
    }

    /// Milliseconds that another program gets to end its line.
    private static let settleTurnsMax = 30

    /// The ids, once whoever writes the last line is done with it, or has had its time. The kernel shows the first page of a
    /// write before the rest, so a line without its newline is mostly one that is being written this very moment.
    private static func settled(_ file: inout AppendFile) throws -> (Set<TextKey>, Repair) {
        var result = try parse(file)
        for _ in 0..<settleTurnsMax {
            guard result.1.isNeeded else { break }
            usleep(1000)
            guard try file.isChanged() else { continue }
            try file.reopen()
            result = try parse(file)
        }
        return result
    }

    /// What a last line without its newline needs.
    private enum Repair {
        case none, endLine, cut(Int)

        var isNeeded: Bool { if case .none = self { false } else { true } }
    }

    private static func load(_ file: inout AppendFile) throws -> Set<TextKey> {
        let (ids, repair) = try settled(&file)
        // Only after every line was judged: a file that is refused is not touched.
        switch repair {
        case .none: break
        case .endLine: try file.append([UInt8(ascii: "\n")], durably: true)
        case .cut(let count): try file.cut(count)
        }
        return ids
    }

    private static func parse(_ file: borrowing AppendFile) throws -> (Set<TextKey>, Repair) {
        var ids = emptySet(for: file)
        let repair = try forEachID(in: file) { ids.insert(key($0)) }
        return (ids, repair)
    }

    /// - Returns: what the last line needs.
    private static func forEachID(in file: borrowing AppendFile, _ body: (ArraySlice<UInt8>) -> Void) throws -> Repair {
        var repair = Repair.none
        var number = 0
        let (path, size) = (file.path, file.size)
        try file.forEachLine(bytesMax: bytesMax) { line, offset, isEnded in
            number += 1
            let content = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if let id = id(content) {
                body(id)
                if !isEnded { repair = .endLine }
            } else if !isEnded, mayBeTorn(content) {
                repair = .cut(size - offset)
            } else if !isEnded || !content.isEmpty {
                throw foreign(path, number, content)
            }
        }
        return repair
    }

    /// With room for what such a file mostly holds: growing step by step costs as much as reading.
    private static func emptySet(for file: borrowing AppendFile) -> Set<TextKey> {
        Set(minimumCapacity: file.size / idBytesUsual)
    }

    /// A short name, its digest and the newline.
    private static let idBytesUsual = 32

    private static func key(_ id: ArraySlice<UInt8>) -> TextKey { id.withUnsafeBytes { TextKey(utf8: $0) } }

    private static func foreign(_ path: String, _ line: Int, _ content: ArraySlice<UInt8>) -> FlowspoolError {
        let shown = printable(String(decoding: content.prefix(80), as: UTF8.self))
        return FlowspoolError(
            .invalidInput, "\(printable(path)), line \(line): “\(shown)” is not a prompt id (<file name>--<12 hex digits>)",
            hint: path.hasSuffix(ContractFile.state.name)
                ? "take that line out, or delete the file to run every prompt again" : "take that line out, or delete the file")
    }

    /// The bytes of the id that a line stands for.
    private static func id(_ content: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard isID(content) else { return nil }
        // Most are printable ASCII and stand for themselves.
        if content.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }) { return content }
        guard let text = String(validating: content, as: UTF8.self), let id = LineText.decode(text) else { return nil }
        return Array(id.utf8)[...]
    }

    /// `<name>--<12 lower-case hex digits>`, with a name.
    private static func isID(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
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
