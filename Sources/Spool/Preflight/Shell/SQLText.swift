// Reads SQL as far as preflight needs it: statements one by one, comments and string values left out, and of each only what
// it destroys. Also the two clients whose language is not SQL. A word such as `truncate` in a GRANT is no statement.

enum SQLText {
    /// Options whose value is a statement.
    static func codeOptions(of client: String) -> Set<String> {
        switch client {
        case "psql": ["-c", "--command"]
        case "mysql", "cockroach", "cqlsh", "mysqlsh": ["-e", "--execute"]
        case "clickhouse-client": ["-q", "--query"]
        case "mongosh": ["--eval"]
        case "sqlcmd": ["-Q", "-q"]
        case "duckdb", "sqlite3": ["-c", "-cmd"]
        case "influx": ["-execute"]
        default: ["-e", "-c", "-q", "--query", "--execute", "--command"]
        }
    }
    static let fileOptions: Set<String> = ["-f", "--file", "--queries-file", "-i"]

    static func isDestructive(_ texts: [String]) -> Bool {
        texts.contains { text in
            statements(text).contains(where: isDestructiveStatement) || isDestructiveScript(text)
        }
    }

    /// mongosh and redis-cli.
    private static func isDestructiveScript(_ text: String) -> Bool {
        let packed = text.filter { $0 != " " && $0 != "\n" && $0 != "\t" }
        for call in ["dropDatabase(", ".drop()", ".deleteMany({})", ".deleteMany()", ".remove({})", ".dropIndexes(."]
        where packed.contains(call) { return true }
        for line in text.split(separator: "\n") {
            let word = line.split(separator: " ").first?.uppercased() ?? ""
            if word == "FLUSHALL" || word == "FLUSHDB" { return true }
        }
        return false
    }

    /// The words of each statement, upper-cased; `(` and `)` are words, strings are `'`.
    static func statements(_ text: String) -> [[String]] {
        var result: [[String]] = []
        var words: [String] = []
        var word = ""
        let bytes = Array(text)
        var index = 0
        func character(_ offset: Int = 0) -> Character? { index + offset < bytes.count ? bytes[index + offset] : nil }
        func endWord() {
            if !word.isEmpty { words.append(word.uppercased()) }
            word = ""
        }
        while let next = character() {
            switch next {
            case "-" where character(1) == "-", "#" where words.isEmpty && word.isEmpty:
                endWord()
                while let inner = character(), inner != "\n" { _ = inner; index += 1 }
            case "/" where character(1) == "*":
                endWord()
                index += 2
                while index < bytes.count, !(character() == "*" && character(1) == "/") { index += 1 }
                index += 2
            case "'", "\"", "`":
                endWord()
                index += 1
                var inner = ""
                while let part = character() {
                    index += 1
                    if part == "\\", next == "'" {
                        index += 1
                    } else if part == next {
                        if character() == next { index += 1 } else { break }
                    } else {
                        inner.append(part)
                    }
                }
                words.append(next == "'" ? "'" : "\"" + inner)
            case "$":
                if let tag = dollarTag(bytes, index) {
                    endWord()
                    let isAnonymous = words.first == "DO"
                    index += tag.count
                    if !isAnonymous {
                        while index < bytes.count, !bytes[index...].starts(with: tag) { index += 1 }
                        index += tag.count
                        words.append("'")
                    }
                } else {
                    word.append(next)
                    index += 1
                }
            case ";":
                endWord()
                if !words.isEmpty { result.append(words) }
                words = []
                index += 1
            case "(", ")":
                endWord()
                words.append(String(next))
                index += 1
            case let next where next.isWhitespace || next == ",":
                endWord()
                index += 1
            default:
                word.append(next)
                index += 1
            }
        }
        endWord()
        if !words.isEmpty { result.append(words) }
        return result
    }

    /// `$$` or `$name$` at this place.
    private static func dollarTag(_ text: [Character], _ index: Int) -> [Character]? {
        var end = index + 1
        while end < text.count, text[end].isLetter || text[end].isNumber || text[end] == "_" { end += 1 }
        guard end < text.count, text[end] == "$" else { return nil }
        return Array(text[index...end])
    }

    private static let blockWords: Set<String> = ["BEGIN", "THEN", "ELSE", "LOOP", "DO", "GO"]

    private static func isDestructiveStatement(_ words: [String]) -> Bool {
        // `DO $$ BEGIN DROP TABLE …`: a statement may begin behind a block's word.
        if words.first == "DO" || words.first == "BEGIN" || words.first == "IF", words.count > 1,
            let index = words.dropFirst().lastIndex(where: { blockWords.contains($0) }), index + 1 < words.count,
            isDestructiveStatement(Array(words[(index + 1)...]))
        {
            return true
        }
        switch words.first {
        case "DO" where words.count > 1: return isDestructiveStatement(Array(words.dropFirst()))
        case "DROP":
            let kind = words.dropFirst().first ?? ""
            return [
                "TABLE", "DATABASE", "SCHEMA", "KEYSPACE", "TABLESPACE", "OWNED", "COLLECTION", "MEASUREMENT", "SERIES", "USER",
            ]
            .contains(kind) && kind != "USER"
        case "TRUNCATE": return words.count > 1
        case "DELETE":
            return words.contains("FROM") && isUnbounded(words[...])
        case "UPDATE": return words.contains("SET") && isUnbounded(words[...])
        case "ALTER":
            guard let drop = words.firstIndex(of: "DROP") else { return false }
            let next = drop + 1 < words.count ? words[drop + 1] : ""
            let others = [
                "CONSTRAINT", "DEFAULT", "NOT", "INDEX", "KEY", "FOREIGN", "PRIMARY", "CHECK", "IDENTITY", "EXPRESSION",
            ]
            return words.contains("TABLE") && !others.contains(next)
        case "WITH", "EXPLAIN":
            if words.first == "EXPLAIN", !words.contains("ANALYZE") { return false }
            for index in words.indices where words[index] == "DELETE" && index + 1 < words.count && words[index + 1] == "FROM" {
                if isUnbounded(words[index...]) { return true }
            }
            return false
        default: return false
        }
    }

    /// No WHERE, or one that holds for every row, before the statement or the bracket around it ends.
    private static func isUnbounded(_ words: ArraySlice<String>) -> Bool {
        var level = 0
        for index in words.indices {
            switch words[index] {
            case "(": level += 1
            case ")":
                level -= 1
                if level < 0 { return true }
            case "WHERE" where level == 0:
                let rest = words[(index + 1)...].prefix(3).joined(separator: " ")
                return rest == "TRUE" || rest == "1=1" || rest == "1 = 1" || rest == "1"
            case "LIMIT" where level == 0: return false
            default: break
            }
        }
        return true
    }
}
