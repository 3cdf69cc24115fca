// Finds credentials written out in a text: keys by their shape, passwords by where they stand. Used on blocks and on the
// prose around them. A variable, a placeholder, a mask or a pattern for such keys is none. The secret itself is never put
// into a message: a finding shows only its first characters.

public enum SecretPatterns {
    public struct Match: Sendable, Hashable {
        /// Byte offset in the text.
        public var offset: Int
        /// Counted from 1 in the text given.
        public var line: Int
        /// Counted from 1, in bytes.
        public var column: Int
        /// What it is: "AWS access key", "password in a URL".
        public var kind: String
        /// The first characters, the rest hidden.
        public var shown: String
    }

    static let matchesMax = 32

    /// Credentials in a text, in the order in which they stand, at most `matchesMax`.
    public static func find(in text: String) -> [Match] {
        var scanner = SecretScanner(bytes: Array(text.utf8))
        scanner.scan()
        var matches: [Match] = []
        var line = 1
        var lineStart = 0
        var at = 0
        for found in scanner.found.sorted(by: { $0.offset < $1.offset }).prefix(matchesMax) {
            while at < found.offset {
                if scanner.bytes[at] == 0x0A {
                    line += 1
                    lineStart = at + 1
                }
                at += 1
            }
            matches.append(
                Match(
                    offset: found.offset, line: line, column: found.offset - lineStart + 1, kind: found.kind, shown: found.shown))
        }
        return matches
    }
}

private struct SecretScanner {
    let bytes: [UInt8]
    var found: [(offset: Int, kind: String, shown: String)] = []

    /// Beginning, kind, least length of the rest, and what the rest is made of.
    private struct Shape {
        let prefix: [UInt8]
        let kind: String
        let least: Int
        let needsDigit: Bool
        let allowsDash: Bool
        init(_ prefix: String, _ kind: String, _ least: Int, needsDigit: Bool = true, allowsDash: Bool = false) {
            self.prefix = Array(prefix.utf8)
            self.kind = kind
            self.least = least
            self.needsDigit = needsDigit
            self.allowsDash = allowsDash
        }
    }

    private static let shapes: [Shape] = [
        Shape("AKIA", "AWS access key", 16, needsDigit: false), Shape("ASIA", "AWS access key", 16),
        Shape("ghp_", "GitHub token", 16, needsDigit: false), Shape("gho_", "GitHub token", 16, needsDigit: false),
        Shape("ghu_", "GitHub token", 16, needsDigit: false), Shape("ghs_", "GitHub token", 16, needsDigit: false),
        Shape("ghr_", "GitHub token", 16, needsDigit: false), Shape("github_pat_", "GitHub token", 16),
        Shape("glpat-", "GitLab token", 16, allowsDash: true), Shape("sk-", "API key", 16, allowsDash: true),
        Shape("sk_live_", "API key", 12), Shape("sk_test_", "API key", 12), Shape("rk_live_", "API key", 12),
        Shape("xoxb-", "Slack token", 12, allowsDash: true), Shape("xoxp-", "Slack token", 12, allowsDash: true),
        Shape("xoxa-", "Slack token", 12, allowsDash: true), Shape("AIza", "Google API key", 30, allowsDash: true),
        Shape("npm_", "npm token", 24), Shape("hf_", "Hugging Face token", 24),
        Shape("pypi-", "PyPI token", 24, allowsDash: true),
        Shape("dop_v1_", "DigitalOcean token", 24), Shape("ya29.", "Google token", 20, allowsDash: true),
    ]

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    func at(_ index: Int) -> UInt8 { index >= 0 && index < bytes.count ? bytes[index] : 0 }
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    mutating func add(_ offset: Int, _ kind: String, _ value: Range<Int>) {
        guard !found.contains(where: { value.contains($0.offset) || $0.offset == offset }) else { return }
        found.append((offset, kind, text(value.lowerBound..<min(value.lowerBound + 4, value.upperBound)) + "…"))
    }

    mutating func scan() {
        var index = 0
        while index < bytes.count, found.count < SecretPatterns.matchesMax {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "A"), UInt8(ascii: "g"), UInt8(ascii: "s"), UInt8(ascii: "x"), UInt8(ascii: "r"), UInt8(ascii: "n"),
                UInt8(ascii: "h"), UInt8(ascii: "p"), UInt8(ascii: "d"), UInt8(ascii: "y"):
                if !Self.isWord(at(index - 1)), at(index - 1) != UInt8(ascii: "-") { shape(index) }
            case UInt8(ascii: ":") where at(index + 1) == UInt8(ascii: "/") && at(index + 2) == UInt8(ascii: "/"): url(index)
            case UInt8(ascii: "="): assignment(index)
            case UInt8(ascii: "-"): option(index)
            case UInt8(ascii: "B"): bearer(index)
            default: break
            }
            index += 1
        }
    }

    private mutating func shape(_ index: Int) {
        for shape in Self.shapes where bytes[index...].starts(with: shape.prefix) {
            var end = index + shape.prefix.count
            var hasDigit = false
            var distinct: Set<UInt8> = []
            while end < bytes.count, Self.isWord(bytes[end]) || shape.allowsDash && bytes[end] == UInt8(ascii: "-") {
                hasDigit = hasDigit || Self.isDigit(bytes[end])
                distinct.insert(bytes[end])
                end += 1
            }
            let count = end - index - shape.prefix.count
            guard count >= shape.least, hasDigit || !shape.needsDigit, distinct.count > 3, !isMasked(index..<end) else {
                continue
            }
            if shape.kind.hasPrefix("AWS"), bytes[index..<end].contains(where: { $0 >= UInt8(ascii: "a") }) { continue }
            add(index, shape.kind, index..<end)
            return
        }
    }

    private func isMasked(_ range: Range<Int>) -> Bool {
        let value = text(range).uppercased()
        return value.contains("XXXX") || value.contains("YOUR") || value.contains("EXAMPLE_KEY") || value.contains("....")
    }

    /// `scheme://user:password@host`, the cursor on `:`.
    private mutating func url(_ index: Int) {
        guard index > 1, Self.isWord(at(index - 1)) else { return }
        let start = index + 3
        var end = start
        var colon: Int?
        var sign: Int?
        scanning: while end < bytes.count, end - start < 300 {
            switch bytes[end] {
            case 0x20, 0x0A, 0x09, UInt8(ascii: "/"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"), UInt8(ascii: "#"),
                UInt8(ascii: "?"), UInt8(ascii: ">"), UInt8(ascii: "<"):
                break scanning
            case UInt8(ascii: ":") where colon == nil: colon = end
            case UInt8(ascii: "@"): sign = end
            default: break
            }
            end += 1
        }
        guard let colon, let sign, colon < sign, isLiteral(colon + 1..<sign, least: 1) else { return }
        // The user may be a variable, but no pattern.
        guard !text(start..<colon).contains(where: { "[](){}*\\^|".contains($0) && $0 != "{" && $0 != "}" }) else { return }
        guard sign + 1 < bytes.count,
            Self.isWord(at(sign + 1)) || at(sign + 1) == UInt8(ascii: "$") || at(sign + 1) == UInt8(ascii: "[")
        else { return }
        add(colon + 1, "password in a URL", colon + 1..<sign)
    }

    /// Text that is a value: no variable, no pattern, no mask, no placeholder.
    private func isLiteral(_ range: Range<Int>, least: Int) -> Bool {
        guard range.count >= least else { return false }
        let value = text(range)
        if value.contains(where: { "$`*<>{}[]()\\|".contains($0) }) { return false }
        if value.contains("...") || value.contains("…") || isMasked(range) { return false }
        let upper = value.uppercased()
        if ["PASSWORD", "PASS", "PASSWD", "PWD", "PW", "SECRET", "TOKEN", "USER_PASSWORD", "DB_PASSWORD", "KEY"].contains(value) {
            return false
        }
        if Set(upper).count == 1, upper.first == "X" { return false }
        return PlaceholderPatterns.find(in: value) == nil
    }

    private static let passwordNames = ["PASSWORD", "PASSWD", "PASSPHRASE", "MYSQL_PWD", "_PWD", "PASSWORT"]
    private static let tokenNames = [
        "SECRET", "TOKEN", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "SECRET_KEY", "AUTH_KEY", "ENCRYPTION_KEY", "_PASS",
    ]

    /// `NAME=value` and `--password=value`, the cursor on `=`.
    private mutating func assignment(_ index: Int) {
        var start = index
        while start > 0, Self.isWord(bytes[start - 1]) || bytes[start - 1] == UInt8(ascii: "-") { start -= 1 }
        guard start < index, at(index + 1) != UInt8(ascii: "=") else { return }
        let name = text(start..<index)
        let upper = name.uppercased().replacing("-", with: "_")
        let isOption = name.hasPrefix("--")
        let isPassword = Self.passwordNames.contains { upper.hasSuffix($0) } || upper == "__PASS"
        let isToken = Self.tokenNames.contains { upper.hasSuffix($0) }
        guard isPassword || isToken else { return }
        guard let (value, isQuoted) = value(from: index + 1) else { return }
        let shown = text(value)
        if shown.hasPrefix("/") || shown.hasPrefix("./") || shown.hasPrefix("@") || shown.hasPrefix("~") { return }
        let hasDigit = bytes[value].contains(where: Self.isDigit)
        let hasLetter = bytes[value].contains { Self.isWord($0) && !Self.isDigit($0) }
        if isPassword {
            guard isLiteral(value, least: 3) else { return }
            // In code of other languages `password=pw` hands on a variable.
            let isShell = isOption || name == name.uppercased()
            if !isShell, !isQuoted, !hasDigit { return }
            if ["true", "false", "none", "null", "prompt", "stdin", "env", "ask", "yes", "no"].contains(shown.lowercased()) {
                return
            }
            if shown.lowercased() == name.lowercased() || shown.hasSuffix(".password") { return }
        } else {
            guard isLiteral(value, least: 16), hasDigit, hasLetter, !shown.contains("://") else { return }
            let lower = shown.lowercased()
            if ["test", "dummy", "fake", "example", "sample", "local"].contains(where: { lower.contains($0) }) { return }
        }
        add(start, isPassword ? "password" : "token", value)
    }

    /// The word behind an option's or variable's `=`.
    private func value(from start: Int) -> (Range<Int>, Bool)? {
        var from = start
        let quote = at(from)
        let isQuoted = quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
        if isQuoted { from += 1 }
        var end = from
        while end < bytes.count, bytes[end] != 0x0A, end - from < 200 {
            let byte = bytes[end]
            if isQuoted ? byte == quote : Self.endsWord(byte) { break }
            end += 1
        }
        guard end > from, bytes[from] != 0x20 else { return nil }
        return (from..<end, isQuoted)
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x09, 0x0A, UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "'"), UInt8(ascii: "\""),
            UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ">"), UInt8(ascii: "`"):
            true
        default: false
        }
    }

    /// `--password TEXT`, `mysql -pTEXT`, `curl -u user:TEXT`, a PEM body; the cursor on `-`.
    private mutating func option(_ index: Int) {
        if bytes[index...].starts(with: Array("-----BEGIN ".utf8)) { return pem(index) }
        let before = at(index - 1)
        guard
            index == 0 || before == 0x20 || before == 0x0A || before == 0x09 || before == UInt8(ascii: "'")
                || before == UInt8(ascii: "\"")
        else { return }
        for name in ["--password ", "--passwd ", "--passphrase ", "--token "] where bytes[index...].starts(with: Array(name.utf8))
        {
            guard let (value, _) = value(from: index + name.utf8.count), at(value.lowerBound) != UInt8(ascii: "-"),
                isLiteral(value, least: name == "--token " ? 16 : 4)
            else { continue }
            let shown = text(value)
            let hasDigit = bytes[value].contains(where: Self.isDigit)
            if hasDigit || name != "--token " && !shown.hasPrefix("/") && shown.count > 5 && !shown.contains(".") {
                add(index, "password", value)
            }
        }
        let line = lineBefore(index)
        if at(index + 1) == UInt8(ascii: "p"), line.contains("mysql") || line.contains("mariadb") || line.contains("sshpass") {
            let gap = at(index + 2) == 0x20 && line.contains("sshpass")
            guard let (value, _) = value(from: index + (gap ? 3 : 2)), !gap || line.hasSuffix("sshpass "),
                isLiteral(value, least: 3),
                !text(value).hasPrefix("ort"), !text(value).hasPrefix("rotocol")
            else { return }
            add(index, "password", value)
        }
        if at(index + 1) == UInt8(ascii: "u") || bytes[index...].starts(with: Array("--user".utf8)),
            line.contains("curl") || line.contains("http ")
        {
            let skip = at(index + 1) == UInt8(ascii: "u") ? (at(index + 2) == 0x20 ? 3 : 2) : 7
            guard let (word, _) = value(from: index + skip), let colon = bytes[word].firstIndex(of: UInt8(ascii: ":")),
                isLiteral(colon + 1..<word.upperBound, least: 3), !text(word).contains("//")
            else { return }
            add(index, "password", colon + 1..<word.upperBound)
        }
        if bytes[index...].starts(with: Array("-a ".utf8)), line.contains("redis-cli"),
            let (value, _) = value(from: index + 3), isLiteral(value, least: 4)
        {
            add(index, "password", value)
        }
    }

    private func lineBefore(_ index: Int) -> String {
        var start = index
        while start > 0, bytes[start - 1] != 0x0A, bytes[start - 1] != UInt8(ascii: ";"), bytes[start - 1] != UInt8(ascii: "|") {
            start -= 1
        }
        return text(start..<index)
    }

    /// A private key: its header and at least one line of its body.
    private mutating func pem(_ index: Int) {
        let header = bytes[index...].prefix(60)
        guard let end = header.dropFirst(11).firstIndex(of: UInt8(ascii: "-")), text(index..<end).contains("PRIVATE KEY") else {
            return
        }
        var from = end
        while at(from) == UInt8(ascii: "-") { from += 1 }
        // The body may follow a newline, an escaped one, or blanks of an indented document.
        while at(from) == 0x0A || at(from) == 0x0D || at(from) == 0x20 || at(from) == 0x09
            || at(from) == UInt8(ascii: "\\") && at(from + 1) == UInt8(ascii: "n")
        {
            from += at(from) == UInt8(ascii: "\\") ? 2 : 1
        }
        var stop = from
        while Self.isWord(at(stop)) && at(stop) != UInt8(ascii: "_") || at(stop) == UInt8(ascii: "+")
            || at(stop) == UInt8(ascii: "/")
            || at(stop) == UInt8(ascii: "=")
        {
            stop += 1
        }
        if stop - from >= 16 { add(index, "private key", from..<stop) }
    }

    /// `Bearer TEXT`, `Basic TEXT` of an authorization header.
    private mutating func bearer(_ index: Int) {
        for scheme in ["Bearer ", "Basic "] where bytes[index...].starts(with: Array(scheme.utf8)) {
            let from = index + scheme.utf8.count
            var end = from
            while end < bytes.count, Self.isWord(bytes[end]) || "-._~+/=".utf8.contains(bytes[end]) { end += 1 }
            guard isLiteral(from..<end, least: 16), bytes[from..<end].contains(where: Self.isDigit) else { continue }
            add(index, "token", from..<end)
        }
    }
}
