import Foundation
import Synchronization

@testable import Spool

/// A new folder for one test, removed when the test lets go of it.
final class ContractFolder {
    let path: String
    let directory: Directory

    init(calls: SystemCalls = .live) throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("flowspool-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        directory = try Directory(path: path, calls: calls)
    }

    deinit {
        // A test that made the folder read-only has made it writable again.
        try? FileManager.default.removeItem(atPath: path)
    }

    func pathOf(_ file: ContractFile) -> String { file.path(in: path) }

    func write(_ text: String, to file: ContractFile) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: pathOf(file)))
    }

    func text(_ file: ContractFile) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: pathOf(file))), as: UTF8.self)
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }
}

/// Fails the calls that a test chooses; switched on once the setting is made.
final class Faults: Sendable {
    private let chosen = Mutex<[(call: SystemCall, errno: Int32)]>([])

    var calls: SystemCalls {
        SystemCalls { call, _ in self.chosen.withLock { $0.first { $0.call == call }?.errno } }
    }

    func fail(_ call: SystemCall, _ errno: Int32) { chosen.withLock { $0.append((call, errno)) } }
    func stop() { chosen.withLock { $0.removeAll() } }
}

/// Names that have broken shell scripts before.
let hostileNames = [
    "plain.md", "with space.md", "new\nline.md", "tab\there.md", "quote'd.md", "double\"quoted.md", "$(touch pwned).md",
    "`id`.md", "back\\slash.md", "-rf.md", "--from.md", "#comment.md", "%percent.md", "é.md", "e\u{301}.md", "\u{1B}[31mred.md",
    "\r.md", "a\u{2028}b.md", "\u{202E}dm.exe.md", " lead.md", "trail .md ", "*.md", "~.md", "\u{1F600}.md", "\u{7F}.md",
    // An accent after it makes a quote another Character, and still a quote for the shell.
    "'\u{301}; touch pwned; '\u{301}.md", "%\u{301}.md", "\n\u{301}.md", "\"\u{301}.md",
]
