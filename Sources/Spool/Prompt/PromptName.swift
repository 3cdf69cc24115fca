// What a file's name says about it, and the names that flowspool makes from it. A name is bytes: on Linux anything but `/` and NUL is
// allowed, so it may be no UTF-8 and may hold newlines. Made names fit in 255 bytes (NAME_MAX) and are always valid UTF-8.

/// The name of a file in the spool, without folder.
///
/// Compare names by `bytes`: Swift compares strings by canonical equivalence, so two names that differ on disk can be equal as text.
public struct PromptName: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// Hidden, a backup or unfinished (`*~`, `*.tmp`, `*.part`, `*.swp`), or a `README.md`: left alone.
        case ignored
        case prompt
        /// Filed under `failed/`, never run.
        case notAPrompt
    }

    /// Longest file name, in bytes (`NAME_MAX`, limits.h).
    public static let bytesMax = 255
    private static let extensions = [".md", ".markdown", ".prompt", ".prompty", ".txt"]

    /// The name as `readdir` gives it.
    public let bytes: [UInt8]

    /// nil for what is no file name: empty, `.`, `..`, or with `/` or NUL in it.
    public init?(bytes: [UInt8]) {
        guard !bytes.isEmpty, bytes != [46], bytes != [46, 46], !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else {
            return nil
        }
        self.bytes = bytes
    }

    public init?(_ text: String) { self.init(bytes: Array(text.utf8)) }

    /// Decided by the name alone; upper and lower case are the same.
    public var kind: Kind {
        let name = bytes.map { (65...90).contains($0) ? $0 + 32 : $0 }
        func ends(_ suffix: String) -> Bool {
            name.count >= suffix.utf8.count && name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        }
        if name.first == UInt8(ascii: ".") || ends("~") || ends(".tmp") || ends(".part") || ends(".swp") { return .ignored }
        if name.elementsEqual("readme.md".utf8) { return .ignored }
        return Self.extensions.contains(where: ends) ? .prompt : .notAPrompt
    }

    /// The name under which the file is kept once it is claimed: the name itself where that is valid UTF-8. Otherwise each byte that is
    /// not is written `%XX`, and `%` is written `%25`, so that the name can be stored as text and nothing of it is lost (cut to 255
    /// bytes where the escapes make it longer).
    public var text: String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var result = ""
        for part in Self.parts(bytes) {
            switch part {
            case .scalar("%"): result += "%25"
            case .scalar(let scalar): result.unicodeScalars.append(scalar)
            case .invalid(let byte):
                let hex = String(byte, radix: 16, uppercase: true)
                result += hex.utf8.count == 1 ? "%0\(hex)" : "%\(hex)"
            }
        }
        let (stem, ext) = Self.split(result)
        return Self.joined(stem, ext)
    }

    /// Whether `text` is the name as it stands on disk.
    public var isText: Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// `<stem>.<job><ext>`: the name for a file whose own name is taken.
    public func numbered(_ job: Int64) -> String {
        let (stem, ext) = Self.split(text)
        return Self.joined(stem, ".\(job)\(ext)")
    }

    /// `<name>.why.txt`: the name of the file that says why this one could not be stamped.
    public var why: String { Self.joined(text, ".why.txt") }

    private enum Part: Equatable {
        case scalar(Unicode.Scalar)
        case invalid(UInt8)
    }

    /// The scalars of `bytes`, and single bytes where there is none.
    private static func parts(_ bytes: [UInt8]) -> [Part] {
        var result: [Part] = []
        var index = 0
        while index < bytes.count {
            let lengths = 1...min(4, bytes.count - index)
            let text = lengths.lazy.compactMap { String(validating: bytes[index..<(index + $0)], as: UTF8.self) }.first
            if let text, let scalar = text.unicodeScalars.first {
                result.append(.scalar(scalar))
                index += text.utf8.count
            } else {
                result.append(.invalid(bytes[index]))
                index += 1
            }
        }
        return result
    }

    /// Stem and extension; no extension where the dot comes first or more than 32 bytes follow it.
    private static func split(_ name: String) -> (stem: String, ext: String) {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex, name[dot...].utf8.count <= 33 else {
            return (name, "")
        }
        return (String(name[..<dot]), String(name[dot...]))
    }

    /// `stem` cut at a scalar so that it and `suffix` fit.
    private static func joined(_ stem: String, _ suffix: String) -> String {
        let room = bytesMax - suffix.utf8.count
        guard stem.utf8.count > room else { return stem + suffix }
        var scalars = stem.unicodeScalars
        while scalars.count > 0, String(scalars).utf8.count > room { scalars.removeLast() }
        return String(scalars) + suffix
    }
}
