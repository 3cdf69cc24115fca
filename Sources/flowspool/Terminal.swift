// What the command line knows of the terminal that it may be talking to: whether there is one, how wide it is, what it may be
// sent. Data that came from outside reaches a terminal only through here or through `printable`.

import Foundation
import Spool

enum Terminal {
    static var isInput: Bool { isatty(STDIN_FILENO) == 1 }
    static var isOutput: Bool { isatty(STDOUT_FILENO) == 1 }
    static var isError: Bool { isatty(STDERR_FILENO) == 1 }

    /// Whether standard output may be sent colours (https://no-color.org).
    static var outputHasColour: Bool { isOutput && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb" }

    /// Columns of standard output; nil where it is no terminal (ioctl(2), TIOCGWINSZ).
    static var width: Int? {
        guard isOutput else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
        return Int(size.ws_col)
    }

    /// `text` cut to the width of the terminal, whole where standard output is none.
    static func fit(_ text: String, width: Int?) -> String {
        guard let width, text.count > width else { return text }
        return text.prefix(width - 1) + "…"
    }

    /// Asks on standard error and reads one line; anything but y or yes is a no. Only where both are a terminal.
    static func asks(_ question: String) -> Bool {
        StandardError.write(question)
        let answer = readLine()?.lowercased()
        return answer == "y" || answer == "yes"
    }

    static var canAsk: Bool { isInput && isError }
}

/// Rows of text in columns that line up; the last column is not padded.
struct TextTable {
    var rows: [[String]] = []
    /// Columns that line up on the right.
    var numeric: Set<Int> = []

    func lines(width: Int?) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let pad = String(repeating: " ", count: max(0, widths[column] - cell.count))
                if numeric.contains(column) { return pad + cell }
                return column == row.count - 1 ? cell : cell + pad
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return Terminal.fit(line, width: width)
        }
    }
}

/// Takes from a stream of bytes what could steer a terminal: all control characters but newline, tab and carriage return, and all
/// escape sequences but colours (ECMA-48 SGR). Characters that turn the order of a text around (UAX #9) are written out.
struct TerminalFilter {
    private enum State { case text, escape, sequence([UInt8]), wide, long([UInt8]) }
    private var state = State.text

    /// Text that is to be printed to the byte, as far as standard output is no terminal.
    static func output(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard Terminal.isOutput else { return bytes }
        var filter = TerminalFilter()
        return filter.clean(bytes[...])
    }

    mutating func clean(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        for byte in bytes {
            switch state {
            case .text: take(byte, &out)
            case .wide:
                // U+0080 to U+009F are control characters, too; U+009B begins a sequence.
                state = byte == 0x9B ? .sequence([]) : .text
                guard !(0x80...0x9F).contains(byte) else { continue }
                out.append(Self.wideLead)
                take(byte, &out)
            case .long(let lead) where lead.count == 1:
                state = .text
                if byte == 0x80 || byte == 0x81 {
                    state = .long(lead + [byte])
                } else {
                    out += lead
                    take(byte, &out)
                }
            case .long(let lead):
                state = .text
                let scalar = (lead[1] == 0x80 ? 0x2000 : 0x2040) + Int(byte & 0x3F)
                // What turns the order of the text behind it around would show another text than stands there.
                let turns = (0x202A...0x202E).contains(scalar) || (0x2066...0x2069).contains(scalar)
                out += turns ? Array("\\u{\(String(scalar, radix: 16, uppercase: true))}".utf8) : lead + [byte]
            case .escape:
                state = byte == UInt8(ascii: "[") ? .sequence([]) : .text
            case .sequence(let parameters):
                if (0x20...0x3F).contains(byte), parameters.count < 32 {
                    state = .sequence(parameters + [byte])
                } else {
                    let isColour = byte == UInt8(ascii: "m") && parameters.allSatisfy { (0x30...0x3B).contains($0) }
                    if isColour { out += [0x1B, UInt8(ascii: "[")] + parameters + [byte] }
                    state = .text
                }
            }
        }
        return out
    }

    /// First byte of U+0080 to U+00BF in UTF-8.
    private static let wideLead: UInt8 = 0xC2

    /// First byte of U+2000 to U+2FFF.
    private static let longLead: UInt8 = 0xE2

    private mutating func take(_ byte: UInt8, _ out: inout [UInt8]) {
        if byte == 0x1B {
            state = .escape
        } else if byte == Self.wideLead {
            state = .wide
        } else if byte == Self.longLead {
            state = .long([byte])
        } else if byte >= 0x20 && byte != 0x7F || byte == 0x0A || byte == 0x09 || byte == 0x0D {
            out.append(byte)
        }
    }
}
