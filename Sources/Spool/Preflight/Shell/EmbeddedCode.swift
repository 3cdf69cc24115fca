// Programs of other languages inside a block: `python -c`, `perl -e`, `node -e`, their here-documents. They are cut into
// tokens, comments left out, and only the plain dangerous calls are looked for, by the tables below. It is no interpreter:
// a path that is not a string, or a name bound to one, counts as unknown.

struct EmbeddedCode {
    enum Language: String, Sendable {
        case python, perl, ruby, php, node, awk, lua

        init?(command: String) {
            switch command {
            case "python", "ipython": self = .python
            case "deno", "bun", "tsx", "ts-node": self = .node
            default: self.init(rawValue: command)
            }
        }

        /// The interpreter that a script's `#!` line names; nil for a shell or none.
        static func named(in line: String) -> Language? {
            guard line.hasPrefix("#!") else { return nil }
            for language in [Language.python, .perl, .ruby, .php, .node] where line.contains(language.rawValue) {
                return language
            }
            return nil
        }

        var codeOptions: Set<String> {
            switch self {
            case .python: ["-c"]
            case .perl: ["-e", "-E"]
            case .ruby, .lua: ["-e"]
            case .php: ["-r"]
            case .node: ["-e", "-p", "--eval", "--print"]
            case .awk: []
            }
        }
        /// Without a program it prompts for one.
        var hasPrompt: Bool { self == .python || self == .node || self == .lua || self == .php }
        var hasSlashComments: Bool { self == .node || self == .php }
    }

    struct Deletion: Sendable, Hashable {
        /// nil: not known.
        var path: String?
        var isTree: Bool
    }

    var deletes: [Deletion] = []
    /// Files found by a pattern are deleted, and where they are is not known.
    var deletesMany = false
    /// Strings that a shell runs.
    var commands: [String] = []
    /// Programs run with their words.
    var calls: [[String]] = []
    var runsDownload = false
    var reads = false
    var writes: [String] = []
    var statements: [String] = []

    static func excerpt(_ text: String) -> String {
        let line = text.split(separator: "\n").first { !$0.allSatisfy(\.isWhitespace) } ?? ""
        return String(line.unicodeScalars.filter { $0.value < 0xF0000 })
    }

    static func examine(_ text: String, _ language: Language) -> EmbeddedCode {
        var reader = CodeReader(text: text, language: language)
        return reader.examine()
    }
}
