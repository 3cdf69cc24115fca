// Cuts a program into names, strings and symbols; comments are left out. A formatted string keeps a mark (U+0002) for each
// expression in it. Text that a language's backquotes run is handed on as a command.

extension CodeReader {
    mutating func tokenize() {
        let characters = Array(text)
        var index = 0
        func at(_ offset: Int) -> Character? { index + offset < characters.count ? characters[index + offset] : nil }
        while let next = at(0) {
            if next == "#", language != .node, language != .lua, index == 0 || at(-1) != "$" {
                while let inner = at(0), inner != "\n" { _ = inner; index += 1 }
            } else if language.hasSlashComments, next == "/", at(1) == "/", index == 0 || at(-1) != ":" {
                while let inner = at(0), inner != "\n" { _ = inner; index += 1 }
            } else if language.hasSlashComments, next == "/", at(1) == "*" {
                index += 2
                while index < characters.count, !(at(0) == "*" && at(1) == "/") { index += 1 }
                index += 2
            } else if next == "'" || next == "\"" || next == "`" {
                string(characters, &index, next)
            } else if next.isLetter || next == "_" || next == "$" && language == .node {
                name(characters, &index)
            } else if next == "<", language == .perl, let close = characters[index...].prefix(60).firstIndex(of: ">"),
                !characters[index...close].contains(" ")
            {
                tokens.append(.string(String(characters[index...close])))
                index = close + 1
            } else {
                if !next.isWhitespace || next == "\n" { tokens.append(.symbol(next)) }
                index += 1
            }
        }
    }

    private mutating func string(_ characters: [Character], _ index: inout Int, _ quote: Character) {
        let isTriple =
            language == .python && index + 2 < characters.count && characters[index + 1] == quote
            && characters[index + 2] == quote
        var isFormatted = quote == "`" && language == .node
        if language == .python, case .name(let prefix)? = tokens.last, ["f", "r", "b", "rf", "fr", "F", "R"].contains(prefix) {
            tokens.removeLast()
            isFormatted = prefix.lowercased().contains("f")
        }
        index += isTriple ? 3 : 1
        var value = ""
        while index < characters.count {
            let next = characters[index]
            if next == "\\", index + 1 < characters.count {
                value.append(characters[index + 1])
                index += 2
            } else if next == quote, !isTriple {
                break
            } else if isTriple, next == quote, characters[index...].prefix(3).allSatisfy({ $0 == quote }) {
                index += 2
                break
            } else if isFormatted, next == "{" {
                // An expression in the string: unknown.
                while index < characters.count, characters[index] != "}", characters[index] != quote { index += 1 }
                if index < characters.count, characters[index] == "}" { index += 1 }
                if value.last == "$" { value.removeLast() }
                value.append("\u{2}")
            } else {
                value.append(next)
                index += 1
            }
        }
        index += 1
        // Backquotes run their text in perl, ruby and php.
        if quote == "`", language == .perl || language == .ruby || language == .php {
            result.commands.append(value)
        } else {
            tokens.append(.string(value))
        }
    }

    private mutating func name(_ characters: [Character], _ index: inout Int) {
        var value = ""
        while index < characters.count {
            let next = characters[index]
            if next.isLetter || next.isNumber || next == "_" || next == "$" && value.isEmpty {
                value.append(next)
                index += 1
            } else if next == ".", index + 1 < characters.count, characters[index + 1].isLetter || characters[index + 1] == "_" {
                value.append(".")
                index += 1
            } else if next == ":" || next == "-", index + 2 < characters.count,
                next == ":" && characters[index + 1] == ":" || next == "-" && characters[index + 1] == ">"
            {
                value.append(".")
                index += 2
            } else {
                break
            }
        }
        // `require('fs').rmSync(…)`, `Path("x").unlink()`: a name behind a bracket keeps its dot off.
        tokens.append(.name(value))
        // qx{…}, qx(…): perl's other backquotes.
        if language == .perl, value == "qx", index < characters.count {
            let pairs: [Character: Character] = ["{": "}", "(": ")", "[": "]", "/": "/", "!": "!", "|": "|"]
            if let close = pairs[characters[index]], let end = characters[(index + 1)...].firstIndex(of: close) {
                result.commands.append(String(characters[(index + 1)..<end]))
                index = end + 1
            }
        }
    }
}
