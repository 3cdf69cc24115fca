// What blocks hand on to the blocks after them: lines `NAME=value` in the file `$FLOWSPOOL_ENV`. A line that is none is left out
// and named by its number, never by its text, which may be a secret. The names that flowspool itself sets cannot be changed.

import Foundation

/// The variables that earlier blocks handed on.
struct HandedEnvironment: Sendable {
    private(set) var values: [String: String]
    /// Bytes of the file that were read so far.
    private var taken = 0

    init(_ values: [String: String] = [:]) {
        self.values = values
    }

    /// The values as lines of the file, in order of their names.
    var file: Data {
        var lines = ""
        for (name, value) in values.sorted(by: { $0.key < $1.key }) { lines += "\(name)=\(value)\n" }
        return Data(lines.utf8)
    }

    /// The values as the ledger has them: a JSON object in order of their names.
    static func json(_ values: [String: String]) -> String {
        JSON.object(values.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }).compact
    }

    /// Names that children get from flowspool.
    static func isReserved(_ name: some StringProtocol) -> Bool {
        name.hasPrefix("FLOWSPOOL_") || name == "REPO_ROOT" || name == "PROMPT_DIR"
    }

    /// Takes what was added to the file since the last call; of a file that became shorter, all. The last of several lines of
    /// one name counts.
    ///
    /// - Returns: what was left out, as sentences.
    mutating func take(_ file: Data) -> [String] {
        if file.count < taken { taken = 0 }
        let lines = file.dropFirst(taken).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var number = file.prefix(taken).count { $0 == UInt8(ascii: "\n") }
        taken = file.count
        var problems: [String] = []
        for line in lines {
            number += 1
            guard !line.isEmpty else { continue }
            if let problem = takeLine(line) { problems.append("$FLOWSPOOL_ENV line \(number) was left out: \(problem)") }
        }
        return problems
    }

    private mutating func takeLine(_ line: Data) -> String? {
        guard let text = String(validatingUTF8Bytes: line), !text.utf8.contains(0) else { return "it is not text" }
        guard let equals = text.firstIndex(of: "="), Self.isName(text[..<equals]) else { return "it is not NAME=value" }
        let name = String(text[..<equals])
        guard !Self.isReserved(name) else { return "\(name) is set by flowspool" }
        values[name] = String(text[text.index(after: equals)...])
        return nil
    }

    /// Letters, digits and underscores, no digit first (POSIX, "Name").
    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}

extension String {
    /// nil where `bytes` are not valid UTF-8.
    fileprivate init?(validatingUTF8Bytes bytes: Data) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        self = text
    }
}
