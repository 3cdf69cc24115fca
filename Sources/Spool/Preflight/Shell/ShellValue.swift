// What a word may be when it is run, as far as the block's constants tell: known text, wildcards, the home folder, and
// unknowns that remember where they came from. Values are data; nothing here looks at the machine.

/// Where an unknown came from, when that decides what may be done with it.
struct ShellTaint: OptionSet, Sendable, Hashable {
    let rawValue: UInt8
    /// The path that mktemp made.
    static let scratch = ShellTaint(rawValue: 1)
    /// What a download printed.
    static let download = ShellTaint(rawValue: 2)
    /// A process number found by a pattern (pgrep, ps, lsof).
    static let lookup = ShellTaint(rawValue: 4)
    /// A process or container that the block started itself.
    static let own = ShellTaint(rawValue: 8)
    /// An item that find or xargs hands on.
    static let item = ShellTaint(rawValue: 16)
    /// A text that grew beyond `ShellValue.sizeMax`: nothing of it was kept, and nothing that it does is known.
    static let cut = ShellTaint(rawValue: 32)
}

enum ShellPiece: Sendable, Hashable {
    case text(String)
    /// An unquoted `*`, `?` or `[…]`.
    case glob(String)
    /// `~`, `$HOME`.
    case home
    case unknown(String, ShellTaint)
}

extension ShellPiece {
    /// Bytes that the piece takes, about.
    fileprivate var size: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .glob, .home: 32
        case .unknown(let name, _): 32 + name.utf8.count
        }
    }
}

/// One word, or one text, in one of the forms that it may have. It never grows beyond `sizeMax`.
struct ShellValue: Sendable, Hashable {
    private(set) var pieces: [ShellPiece] = []
    /// Bytes that the pieces take, about.
    private(set) var size = 0

    /// Twice the largest block: `a=$a$a` has to end somewhere.
    static let sizeMax = 2 << 20

    init(_ pieces: [ShellPiece] = []) {
        for piece in pieces { append(piece) }
    }
    init(_ text: String) { append(.text(text)) }
    static func unknown(_ name: String, _ taints: ShellTaint = []) -> ShellValue { ShellValue([.unknown(name, taints)]) }
    /// Stands for a text that is too large to be kept.
    static func cut(_ taints: ShellTaint = []) -> ShellValue { .unknown("$(…)", taints.union(.cut)) }

    mutating func append(_ piece: ShellPiece) {
        let added = piece.size
        guard size + added <= Self.sizeMax else {
            self = .cut(taints)
            return
        }
        if case .text(let new) = piece {
            if new.isEmpty { return }
            if case .text(var old)? = pieces.last {
                // The text is taken out of its place, so that it grows where it is: copied each time, it would cost its square.
                pieces[pieces.count - 1] = .home
                old += new
                pieces[pieces.count - 1] = .text(old)
                size += added
                return
            }
        }
        pieces.append(piece)
        size += added
    }
    mutating func append(_ other: ShellValue) { for piece in other.pieces { append(piece) } }
    static func + (left: ShellValue, right: ShellValue) -> ShellValue {
        var result = left
        result.append(right)
        return result
    }

    var isEmpty: Bool { pieces.isEmpty }

    /// The text, if every piece of it is known.
    var literal: String? {
        switch pieces.count {
        case 0: return ""
        case 1:
            if case .text(let text) = pieces[0] { return text }
            return nil
        default: return nil
        }
    }

    /// Stands for an unknown piece in `text`; no shell word holds it.
    static let hole: Character = "\u{1}"

    /// The text with wildcards as they are, `~` for the home folder, and `hole` for each unknown.
    var text: String {
        if case .text(let text)? = pieces.first, pieces.count == 1 { return text }
        var result = ""
        for piece in pieces {
            switch piece {
            case .text(let text), .glob(let text): result += text
            case .home: result += "~"
            case .unknown: result.append(Self.hole)
            }
        }
        return result
    }

    /// The text as a reader would write it: `$NAME` for an unknown.
    var shown: String {
        var result = ""
        for piece in pieces {
            switch piece {
            case .text(let text), .glob(let text): result += text
            case .home: result += "~"
            case .unknown(let name, _): result += name
            }
        }
        return result
    }

    var taints: ShellTaint {
        pieces.reduce(into: []) { if case .unknown(_, let taints) = $1 { $0.formUnion(taints) } }
    }
    var hasUnknown: Bool { pieces.contains { if case .unknown = $0 { true } else { false } } }
    var hasGlob: Bool { pieces.contains { if case .glob = $0 { true } else { false } } }

    /// The value without its first `count` characters of known text; nil if they are not all known.
    func dropping(_ count: Int) -> ShellValue? {
        if count == 0 { return self }
        guard case .text(let text)? = pieces.first, text.count >= count else { return nil }
        return ShellValue([.text(String(text.dropFirst(count)))] + pieces.dropFirst())
    }

    /// The value as unquoted expansion gives it: split at blanks, wildcards live.
    func fields() -> [ShellValue] {
        var result: [ShellValue] = []
        var current: ShellValue?
        var plain = ""
        func keep(_ piece: ShellPiece? = nil) {
            if !plain.isEmpty { current = current ?? ShellValue() }
            current?.append(.text(plain))
            plain = ""
            guard let piece else { return }
            current = current ?? ShellValue()
            current?.append(piece)
        }
        for piece in pieces {
            guard case .text(let text) = piece else {
                keep(piece)
                continue
            }
            for character in text {
                switch character {
                case " ", "\t", "\n":
                    keep()
                    if let done = current { result.append(done) }
                    current = nil
                case "*", "?", "[": keep(.glob(String(character)))
                default: plain.append(character)
                }
            }
        }
        keep()
        if let done = current { result.append(done) }
        return result
    }

    /// The path behind `HOST:`, as scp and rsync read it: a relative one begins in the home folder there. nil: none of another host.
    var remotePath: ShellValue? {
        var rest = pieces[...]
        while let piece = rest.popFirst() {
            guard case .text(let text) = piece else { continue }
            guard let end = text.firstIndex(where: { $0 == ":" || $0 == "/" }) else { continue }
            let path = text[text.index(after: end)...]
            guard text[end] == ":", !path.hasPrefix(":"), !path.hasPrefix("//") else { return nil }
            let isHost = end != text.startIndex || rest.count + 1 < pieces.count
            guard isHost else { return nil }
            let value = ShellValue([.text(String(path))] + rest)
            if path.hasPrefix("/") { return value }
            return path.hasPrefix("~/")
                ? ShellValue([.home, .text(String(path.dropFirst()))] + rest) : ShellValue([.home, .text("/")]) + value
        }
        return nil
    }

    /// Without the newlines at the end, as command substitution takes them off.
    func trimmingNewlines() -> ShellValue {
        guard case .text(let text)? = pieces.last, text.last == "\n" else { return self }
        var kept = text
        while kept.last == "\n" { kept.removeLast() }
        return ShellValue(Array(pieces.dropLast()) + [.text(kept)])
    }

    /// The value cut at newlines; a last empty line is left out.
    func lines() -> [ShellValue] {
        var result: [ShellValue] = []
        var current = ShellValue()
        for piece in pieces {
            guard case .text(let text) = piece else {
                current.append(piece)
                continue
            }
            let parts = text.split(separator: "\n", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if index > 0 {
                    result.append(current)
                    current = ShellValue()
                }
                current.append(.text(String(part)))
            }
        }
        if !current.isEmpty { result.append(current) }
        return result
    }
}

extension ShellValue {
    /// `$DEV`, `$DISK`, `$target_device`: it begins with an unknown whose name says that it is a device.
    var beginsAsDevice: Bool {
        guard case .unknown(let name, _)? = pieces.first else { return false }
        let upper = name.uppercased()
        if upper.contains("DEVICE") || upper.contains("DISK") || upper.contains("DRIVE") { return true }
        return upper.split { !$0.isLetter }.contains { ["DEV", "USB", "SDCARD", "PARTITION", "BLOCKDEV"].contains($0) }
    }

    /// It is nothing but such an unknown: `> "$DISK"`, and neither `$DISK.log` nor `$DISK_REPORT`.
    var isNamedAsDevice: Bool {
        guard case .unknown(let name, _)? = pieces.first, pieces.count == 1 else { return false }
        let last = name.uppercased().split { !$0.isLetter }.last ?? ""
        return ["DEV", "DEVICE", "DISK", "DRIVE", "USB", "SDCARD", "PARTITION", "BLOCKDEV"].contains(last)
    }
}

extension ShellValue {
    /// Whether it ends in what a program has printed, or in a file's content.
    var endsAsPrinted: Bool {
        guard case .unknown(let name, _)? = pieces.last else { return false }
        return name.hasPrefix("$(") || name.hasPrefix("content of ")
    }
}
