// Finds what an author meant to fill in and did not: `<YOUR_API_KEY>`, `{{name}}`, `CHANGEME`. Which texts are looked at is
// decided by the evaluator (executed words, assignments, code); here is only what a placeholder looks like.

public enum PlaceholderPatterns {
    /// The first placeholder in a text, as it is written; nil if there is none.
    public static func find(in text: String) -> String? {
        find(in: text, braces: true)
    }

    /// - Parameter braces: whether `{{name}}` counts; not where the text is a program or a template.
    static func find(in text: String, braces: Bool) -> String? {
        // Most words have none of these characters.
        var hasAngle = false
        var hasBrace = false
        var hasCapital = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "<"): hasAngle = true
            case UInt8(ascii: "{"): hasBrace = true
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "c"): hasCapital = true
            default: break
            }
        }
        if hasAngle, let found = angle(text) { return found }
        if hasBrace, braces, let found = brace(text) { return found }
        return hasCapital ? word(text) : nil
    }

    private static func angle(_ text: String) -> String? {
        var rest = Substring(text)
        while let start = rest.firstIndex(of: "<") {
            let behind = rest[rest.index(after: start)...]
            if let end = behind.prefix(48).firstIndex(of: ">"), isName(String(behind[..<end])),
                !text.contains("</\(behind[..<end])>")
            {
                return String(rest[start...end])
            }
            rest = behind
        }
        return nil
    }

    private static let markup: Set<String> = [
        "div", "span", "html", "head", "body", "title", "table", "tr", "td", "th", "ul", "ol", "li", "br", "hr", "pre", "code",
        "script", "style", "link", "meta", "img", "input", "form", "button", "svg", "path", "h1", "h2", "h3", "h4", "em",
        "strong",
        "section", "header", "footer", "nav", "main", "details", "summary", "string", "dict", "array", "integer", "true", "false",
        "xml", "project", "version", "dependency", "int", "char", "float", "double", "bool", "void", "vector", "stdio",
        "iostream",
    ]
    private static let common: Set<String> = [
        "name", "host", "hostname", "user", "username", "password", "passwd", "token", "key", "id", "url", "domain", "file",
        "filename", "tag", "branch", "region", "namespace", "pod", "service", "bucket", "ip", "port", "email", "env", "repo",
        "org",
        "secret", "container", "image", "cluster", "instance", "arn", "account", "sha", "commit", "date", "value", "server",
        "address", "directory", "dir", "folder", "owner", "release", "environment", "database", "db", "role", "zone", "vm", "app",
        "application", "placeholder", "something", "number", "pid", "device", "node", "deployment", "component", "feature",
    ]

    /// Whether what stands between `<` and `>` names something to fill in.
    private static func isName(_ inner: String) -> Bool {
        guard let first = inner.first, first.isLetter, first.isASCII, inner.count >= 2,
            let last = inner.last, last.isLetter || last.isNumber || last == "."
        else { return false }
        let isPlain = inner.allSatisfy { $0.isLetter || $0.isNumber || "_- ./'".contains($0) }
        guard isPlain else { return false }
        let lower = inner.lowercased()
        if lower.hasPrefix("path/") || lower.hasPrefix("your") { return true }
        if inner.contains("/") || inner.contains(".") && !inner.hasSuffix("...") { return false }
        if inner.allSatisfy({ $0.isUppercase || $0.isNumber || $0 == "_" || $0 == "-" || $0 == " " }) {
            return !markup.contains(lower)
        }
        if markup.contains(lower) { return false }
        return common.contains(lower) || inner.contains("-") || inner.contains("_") || inner.contains(" ")
    }

    private static func brace(_ text: String) -> String? {
        var rest = Substring(text)
        while let range = rest.firstRange(of: "{{") {
            let behind = rest[range.upperBound...]
            if let end = behind.prefix(80).firstRange(of: "}}") {
                let inner = behind[..<end.lowerBound].trimmingPrefix { $0 == " " }
                if let first = inner.first, first.isLetter || first == "_" || first == ".",
                    inner.allSatisfy({ $0.isLetter || $0.isNumber || "_-. |$()'\"".contains($0) })
                {
                    return String(rest[range.lowerBound..<end.upperBound])
                }
            }
            rest = behind
        }
        return nil
    }

    private static let words: Set<String> = [
        "TODO", "FIXME", "TBD", "XXX", "CHANGEME", "CHANGE_ME", "CHANGE-ME", "REPLACEME", "REPLACE_ME", "REPLACE-ME", "FILLME",
        "FILL_ME_IN", "FILL_ME", "FILL-ME-IN", "PLACEHOLDER", "INSERT_HERE", "TO_BE_DEFINED", "TO_BE_FILLED",
    ]

    /// A run of letters, digits, `_` and `-` that says it is to be replaced.
    private static func word(_ text: String) -> String? {
        var current = ""
        var result: String?
        func check(_ token: String, next: Character?) {
            guard result == nil, token.count >= 3 else { return }
            let upper = token.uppercased()
            // TODO.md, XXX.txt: names of files.
            let isFile = next == "."
            let isShouting = token == upper
            if words.contains(upper), !isFile, isShouting || upper.hasPrefix("CHANGE") || upper.hasPrefix("REPLACE") {
                result = token
            } else if isShouting, token.count > 5,
                token.hasPrefix("YOUR_") || token.hasPrefix("YOUR-") || token.hasSuffix("_HERE") && token.contains("_")
                    || token.hasPrefix("REPLACE_") || token.hasPrefix("INSERT_") || token.hasPrefix("CHANGE_ME")
                    || token.hasPrefix("TODO_") || token.hasPrefix("TODO-")
            {
                result = token
            } else if token.hasPrefix("your-") || token.hasPrefix("your_")
                || token.hasPrefix("YOUR") && isShouting && token.count > 6
            {
                result = token
            } else if upper.hasPrefix("YOUR-"), token.hasPrefix("Your-") {
                result = token
            }
        }
        for character in text {
            if character.isLetter || character.isNumber || character == "_" || character == "-" {
                current.append(character)
            } else {
                check(current, next: character)
                current = ""
            }
        }
        check(current, next: nil)
        return result
    }
}
