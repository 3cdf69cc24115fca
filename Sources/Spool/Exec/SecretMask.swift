// Keys that flowspool itself hands to a program or sends to an endpoint, kept out of what it writes and says: programs and servers
// repeat them ("Incorrect API key provided: sk-…"). What a program prints into its own files stays as it is.

/// Puts `***` in the place of secret values.
struct SecretMask: Sendable {
    /// Shorter values are words that stand in any text.
    static let charactersMin = 8
    private static let mask = "***"

    private let values: [[Character]]

    init(_ values: some Sequence<String>) {
        // The longest first: one may begin like another.
        self.values = Set(values).filter { $0.count >= Self.charactersMin }.map(Array.init).sorted { $0.count > $1.count }
    }

    /// Also where a line was wrapped within the value, and where a text was cut short within it (`…`).
    func callAsFunction(_ text: String) -> String {
        guard !values.isEmpty else { return text }
        let firsts = Set(values.map { $0[0] })
        let characters = Array(text)
        var result = ""
        var index = 0
        while index < characters.count {
            if firsts.contains(characters[index]),
                let end = values.lazy.compactMap({ Self.end(of: $0, at: index, characters) }).first
            {
                result += Self.mask
                index = end
            } else {
                result.append(characters[index])
                index += 1
            }
        }
        return result
    }

    /// Where `value` ends that begins at `start`; nil: it does not stand there.
    private static func end(of value: [Character], at start: Int, _ text: [Character]) -> Int? {
        var index = start
        for (count, character) in value.enumerated() {
            // A wrapped line begins with blanks, or is joined to the one before with one.
            var next = index
            while next < text.count, text[next].isWhitespace, next - index < 80, count > 0, character != text[next] { next += 1 }
            guard next < text.count else { return nil }
            if text[next] == "…", count >= charactersMin { return next }
            guard text[next] == character else { return nil }
            index = next + 1
        }
        return index
    }
}

extension AttemptResult {
    /// What is made of a program's words, without secrets.
    mutating func hide(_ secrets: SecretMask) {
        message = secrets(message)
        guard let told = usage else { return }
        usage?.model = told.model.map { secrets($0) }
        usage?.session = told.session.map { secrets($0) }
    }
}
