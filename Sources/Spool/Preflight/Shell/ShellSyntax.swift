// The syntax tree of a shell program, as far as preflight needs it. Two parsers make it: `ShfmtTree` from shfmt's JSON (a
// prompt's block) and `NestedShellParser` (a string that the block runs). A tree holds text only, never anything that could
// be run. Depth is bounded by both parsers, so walking it by recursion is safe on the analyser's thread.

/// Where a piece of shell text stands in the block, counted from 1; columns count bytes.
struct ShellPosition: Sendable, Hashable {
    var line: Int
    var column: Int
    static let start = ShellPosition(line: 1, column: 1)
}

/// One command with its redirections.
struct ShellStatement: Sendable {
    var command: ShellCommand?
    var redirects: [ShellRedirect] = []
    var isBackground = false
    var isNegated = false
    var position: ShellPosition
}

indirect enum ShellCommand: Sendable {
    case call(assignments: [ShellAssignment], words: [ShellWord])
    case subshell([ShellStatement])
    case group([ShellStatement])
    /// `if`; an `elif` is a single nested conditional in `otherwise`. No `else`: nil.
    case conditional(condition: [ShellStatement], then: [ShellStatement], otherwise: [ShellStatement]?)
    /// `while` and `until`.
    case loop(condition: [ShellStatement], body: [ShellStatement])
    /// `for NAME in …` and `select NAME in …`; without `in`: nil, the positional parameters.
    case iteration(name: String, items: [ShellWord]?, body: [ShellStatement], isSelect: Bool)
    /// `for ((…))`; the words are those inside the arithmetic.
    case countedLoop(words: [ShellWord], body: [ShellStatement])
    case choice(subject: ShellWord, items: [ShellCaseItem])
    /// `&&` and `||`.
    case sequence(ShellStatement, ShellStatement, isOr: Bool)
    case pipe(ShellStatement, ShellStatement)
    case function(name: String, body: ShellStatement)
    /// `declare`, `local`, `export`, `readonly`, `typeset`, `nameref`.
    case declaration(variant: String, arguments: [ShellAssignment])
    /// `[[ … ]]`, `((…))`, `let`: only what their words expand is of interest.
    case evaluation(words: [ShellWord])
    case timed(ShellStatement?)
    case coprocess(name: String?, ShellStatement)
}

struct ShellCaseItem: Sendable {
    var patterns: [ShellWord]
    var body: [ShellStatement]
}

struct ShellAssignment: Sendable {
    /// nil for a word of a declaration that is no assignment (`-r`, `$names`).
    var name: String?
    var index: ShellWord?
    var isAppend = false
    /// A name without `=`.
    var isNaked = false
    var value: ShellWord?
    var elements: [ShellArrayElement]?
    var position: ShellPosition
}

struct ShellArrayElement: Sendable {
    var index: ShellWord?
    var value: ShellWord?
}

struct ShellRedirect: Sendable {
    enum Operation: String, Sendable, CaseIterable {
        case output = ">"
        case append = ">>"
        case input = "<"
        case inputOutput = "<>"
        case duplicateInput = "<&"
        case duplicateOutput = ">&"
        case clobber = ">|"
        case hereDocument = "<<"
        case hereDocumentTabs = "<<-"
        case hereString = "<<<"
        case outputAll = "&>"
        case appendAll = "&>>"

        var isWriting: Bool {
            switch self {
            case .output, .append, .inputOutput, .duplicateOutput, .clobber, .outputAll, .appendAll: true
            default: false
            }
        }
        var isHereDocument: Bool { self == .hereDocument || self == .hereDocumentTabs }
    }
    var operation: Operation
    /// `2` of `2>`, `{fd}` of `{fd}>`.
    var descriptor: String?
    var word: ShellWord
    var document: ShellWord?
    var position: ShellPosition
}

struct ShellWord: Sendable {
    var parts: [ShellWordPart]
    var position: ShellPosition
    /// First byte after the word.
    var end: ShellPosition

    /// The text of a word that is one plain, unquoted literal.
    var plainText: String? {
        guard parts.count == 1, case .literal(let text) = parts[0] else { return nil }
        return text
    }
}

indirect enum ShellWordPart: Sendable {
    /// Unquoted text, its backslashes still in it.
    case literal(String)
    /// `'…'`; `isANSI` for `$'…'`, its escapes still in it.
    case singleQuoted(String, isANSI: Bool)
    case doubleQuoted([ShellWordPart])
    case parameter(ShellParameter)
    case command([ShellStatement])
    /// `<(…)` and, with `isOutput`, `>(…)`.
    case process([ShellStatement], isOutput: Bool)
    case arithmetic([ShellWord])
    case extendedGlob(String)
}

/// `$name`, `${name…}`.
struct ShellParameter: Sendable {
    enum Operation: String, Sendable, CaseIterable {
        case alternate = "+"
        case alternateNull = ":+"
        case fallback = "-"
        case fallbackNull = ":-"
        case error = "?"
        case errorNull = ":?"
        case assign = "="
        case assignNull = ":="
        case shortSuffix = "%"
        case longSuffix = "%%"
        case shortPrefix = "#"
        case longPrefix = "##"
        case upperFirst = "^"
        case upperAll = "^^"
        case lowerFirst = ","
        case lowerAll = ",,"
        case transform = "@"
    }
    var name: String
    var isIndirect = false
    var isLength = false
    /// `${!prefix*}`: names of variables.
    var isNames = false
    var index: ShellWord?
    var operation: Operation?
    var operand: ShellWord?
    var slice: (offset: ShellWord?, length: ShellWord?)?
    var replacement: (all: Bool, pattern: ShellWord?, with: ShellWord?)?
}
