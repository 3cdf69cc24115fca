// The nested parser's assignments, redirections and here-documents. A document's body is taken from behind the line on which
// its operator stands; that line's newline then jumps over it.

extension NestedShellParser {
    /// `NAME=…`, `NAME+=…`, `NAME[…]=…` or an array at the cursor; nil, and the cursor unmoved, if there is none.
    mutating func assignment() throws(ShellSyntaxError) -> ShellAssignment? {
        let start = at
        guard Self.isName(byte(), first: true) else { return nil }
        while Self.isName(byte()) { at += 1 }
        var assignment = ShellAssignment(name: text(start..<at), position: position(start))
        if byte() == UInt8(ascii: "[") {
            at += 1
            let index = try parts { $0.byte() == UInt8(ascii: "]") || $0.byte() == 0x0A }
            assignment.index = ShellWord(parts: index, position: position(start), end: position())
            guard byte() == UInt8(ascii: "]") else {
                try back(to: start)
                return nil
            }
            at += 1
        }
        if byte() == UInt8(ascii: "+"), byte(1) == UInt8(ascii: "=") {
            assignment.isAppend = true
            at += 1
        }
        guard byte() == UInt8(ascii: "=") else {
            try back(to: start)
            return nil
        }
        at += 1
        if byte() == UInt8(ascii: "(") {
            at += 1
            assignment.elements = try arrayElements()
        } else if !isAtEnd, !Self.isMeta(byte()) || starts(with: "<(") {
            assignment.value = try word()
        }
        return assignment
    }

    private mutating func arrayElements() throws(ShellSyntaxError) -> [ShellArrayElement] {
        var elements: [ShellArrayElement] = []
        while true {
            skipSpace()
            guard !isAtEnd else { throw error("')' expected") }
            if byte() == UInt8(ascii: ")") {
                at += 1
                return elements
            }
            var index: ShellWord?
            if byte() == UInt8(ascii: "[") {
                let start = at
                at += 1
                let parts = try parts { $0.byte() == UInt8(ascii: "]") }
                if byte() == UInt8(ascii: "]"), byte(1) == UInt8(ascii: "=") {
                    index = ShellWord(parts: parts, position: position(start), end: position())
                    at += 2
                } else {
                    try back(to: start)
                }
            }
            let isEmpty = isAtEnd || Self.isMeta(byte()) && !starts(with: "<(")
            elements.append(ShellArrayElement(index: index, value: isEmpty ? nil : try word()))
        }
    }

    /// A redirection at the cursor; nil, and the cursor unmoved, if there is none.
    mutating func redirect() throws(ShellSyntaxError) -> ShellRedirect? {
        skipBlanks()
        let start = at
        var descriptor: String?
        if byte() == UInt8(ascii: "{") {
            var end = at + 1
            while end < bytes.count, Self.isName(bytes[end]) { end += 1 }
            if end < bytes.count - 1, bytes[end] == UInt8(ascii: "}"),
                bytes[end + 1] == UInt8(ascii: "<") || bytes[end + 1] == UInt8(ascii: ">")
            {
                descriptor = text(at..<end + 1)
                at = end + 1
            }
        } else {
            while byte() >= UInt8(ascii: "0"), byte() <= UInt8(ascii: "9") { at += 1 }
            if at > start { descriptor = text(start..<at) }
        }
        let isOperator = byte() == UInt8(ascii: "<") || byte() == UInt8(ascii: ">")
        let isBoth = starts(with: "&>")
        guard isOperator || isBoth, !(byte(1) == UInt8(ascii: "(")) else {
            at = start
            return nil
        }
        let kinds = ShellRedirect.Operation.allCases.sorted { $0.rawValue.utf8.count > $1.rawValue.utf8.count }
        guard let kind = kinds.first(where: { bytes[at...].starts(with: $0.rawValue.utf8) }) else {
            at = start
            return nil
        }
        let operatorPosition = position(start)
        at += kind.rawValue.utf8.count
        skipBlanks()
        let target = try word()
        var redirect = ShellRedirect(
            operation: kind, descriptor: descriptor, word: target, document: nil, position: operatorPosition)
        if kind.isHereDocument { redirect.document = try hereDocument(target, stripsTabs: kind == .hereDocumentTabs) }
        return redirect
    }

    /// Takes the body from behind the current line; the line's newline will jump over it.
    private mutating func hereDocument(_ delimiter: ShellWord, stripsTabs: Bool) throws(ShellSyntaxError) -> ShellWord {
        var isQuoted = false
        var name = ""
        for part in delimiter.parts {
            switch part {
            case .literal(let text):
                isQuoted = isQuoted || text.contains("\\")
                name += text.filter { $0 != "\\" }
            case .singleQuoted(let text, _):
                isQuoted = true
                name += text
            case .doubleQuoted(let parts):
                isQuoted = true
                for case .literal(let text) in parts { name += text }
            default: throw error("a here-document's delimiter cannot be expanded")
            }
        }
        var lineEnd = documentLineEnd ?? at
        if documentLineEnd == nil {
            while lineEnd < bytes.count, bytes[lineEnd] != 0x0A { lineEnd += bytes[lineEnd] == UInt8(ascii: "\\") ? 2 : 1 }
            documentResume = lineEnd + 1
        }
        documentLineEnd = min(lineEnd, bytes.count)
        let bodyStart = min(documentResume, bytes.count)
        var cursor = bodyStart
        while cursor < bytes.count {
            var end = cursor
            while end < bytes.count, bytes[end] != 0x0A { end += 1 }
            var first = cursor
            if stripsTabs { while first < end, bytes[first] == 0x09 { first += 1 } }
            // By byte, as the shell does it: Swift's strings are equal where Unicode calls them so.
            if bytes[first..<end].elementsEqual(name.utf8) {
                documentResume = min(end + 1, bytes.count)
                return try document(bodyStart..<cursor, isQuoted: isQuoted)
            }
            cursor = end + 1
        }
        documentResume = bytes.count
        // bash takes a document without its delimiter to the end of the text, with a warning.
        return try document(bodyStart..<bytes.count, isQuoted: isQuoted)
    }

    private func document(_ range: Range<Int>, isQuoted: Bool) throws(ShellSyntaxError) -> ShellWord {
        let start = position(range.lowerBound)
        let body = text(range)
        var word = ShellWord(parts: [], position: start, end: position(range.upperBound))
        if isQuoted {
            word.parts = [.literal(body)]
            return word
        }
        var parser = NestedShellParser(bytes: Array(body.utf8), depth: depth + 1, base: start)
        word.parts = try parser.quotedParts { _ in false }
        return word
    }
}
