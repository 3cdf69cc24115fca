// Faults of a configuration file, collected so that a person can mend all of them at once. Each names the key by its JSON
// path, where it stands, what is wrong and what is allowed.

import Foundation

/// One thing that is wrong with a configuration file.
public struct ConfigurationFault: Sendable, Hashable {
    /// The key, as in `$.profiles.poc.retry_max` (RFC 9535); `$` is the whole file.
    public var jsonPath: String
    /// nil where the file could not be read at all.
    public var position: TextPosition?
    /// What is wrong and what is allowed, without a full stop.
    public var message: String
}

/// The faults found so far, in the order of the file.
struct ConfigurationFaults {
    private(set) var all: [ConfigurationFault] = []
    var isEmpty: Bool { all.isEmpty }

    mutating func add(_ jsonPath: String, at position: TextPosition?, _ message: String) {
        all.append(ConfigurationFault(jsonPath: jsonPath, position: position, message: message))
    }

    /// `value` is not among what is allowed.
    mutating func add(_ jsonPath: String, _ value: ConfigurationNode, allowed: String) {
        add(jsonPath, at: value.position, "\(value.shown) is not allowed; allowed: \(allowed)")
    }

    /// The error that lists every fault in the order of the file, one a line.
    func error(file: String, hint: String) -> FlowspoolError {
        let lines = all.sorted { ($0.position ?? .start) < ($1.position ?? .start) }.map { fault in
            let place = fault.position.map { "line \($0.line), column \($0.column): " } ?? ""
            return "\(place)\(fault.jsonPath): \(fault.message)"
        }
        let message =
            lines.count == 1
            ? "\(printable(file)): \(lines[0])"
            : "\(printable(file)) has \(lines.count) faults\n" + lines.map { "  " + $0 }.joined(separator: "\n")
        return FlowspoolError(.invalidInput, message, hint: hint)
    }

    /// The JSON path of `key` below `parent`.
    static func path(_ parent: String, _ key: String) -> String {
        let isPlain = !key.isEmpty && key.utf8.allSatisfy { $0 == UInt8(ascii: "_") || $0.isASCIILetterOrDigit }
        return isPlain ? "\(parent).\(key)" : "\(parent)[\(JSON.string(key).compact)]"
    }
}

extension TextPosition {
    static let start = TextPosition(line: 1, column: 1)
}

extension UInt8 {
    var isASCIILetterOrDigit: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }
}

/// Reads configuration files.
enum ConfigurationFile {
    /// No configuration that a person writes comes near this, in bytes.
    static let bytesMax = 256 << 10

    /// The whole file. Links are followed: the path is the user's own. A FIFO or a device is refused, not waited for.
    ///
    /// - Throws: `invalidInput`: missing, a folder or no regular file, unreadable, too large.
    static func read(_ path: String, calls: SystemCalls = .live) throws(FlowspoolError) -> Data {
        do {
            let descriptor = try calls.run(.open, path) { open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
            let file = OpenFile(descriptor: descriptor, path: path, calls: calls)
            let status = try file.status()
            guard status.kind == .regular else {
                throw FlowspoolError(
                    .invalidInput, "\(printable(path)): not a regular file", hint: "a configuration is a text file")
            }
            let data = try file.readAll(bytesMax: bytesMax + 1)
            guard data.count <= bytesMax else {
                throw FlowspoolError(
                    .invalidInput, "\(printable(path)): larger than \(bytesMax) bytes", hint: "is this the right file?")
            }
            return data
        } catch let error as FlowspoolError {
            throw error
        } catch let error as SystemCallError {
            throw FlowspoolError(.invalidInput, error.description, hint: error.forUser.hint)
        } catch {
            throw FlowspoolError(.bug, "\(printable(path)): \(error)")
        }
    }
}
