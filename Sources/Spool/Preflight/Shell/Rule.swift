// The rule engine's language. A rule is data: which command, what must hold of its words, what excuses it, and what to say.
// `RuleTable` holds the rows; this file says what each condition means. Conditions see one call at a time, resolved.

struct Rule: Sendable {
    let id: String
    let code: Finding.Code
    /// Names of the command and, behind blanks, its verbs; `|` between alternatives: `git push`, `systemctl stop|restart`.
    let command: String
    let condition: RuleCondition
    let excuse: RuleCondition
    let message: String
    let advice: String

    init(
        _ id: String, _ code: Finding.Code, _ command: String, when condition: RuleCondition = .always,
        unless excuse: RuleCondition = .never, _ message: String, advice: String
    ) {
        self.id = id
        self.code = code
        self.command = command
        self.condition = condition
        self.excuse = excuse
        self.message = message
        self.advice = advice
    }
}

/// What may hold of a call. Option and word lists are written with blanks between their members.
indirect enum RuleCondition: Sendable {
    case always
    case never
    /// One of these options is given.
    case option(String)
    /// One of these options is given with such a value.
    case optionValue(String, ValueTest)
    /// This option is given twice: `-q -q`.
    case optionTwice(String)
    /// Words behind `--`.
    case dashedOperands
    /// Some operand behind the verbs.
    case operand(ValueTest)
    case firstOperand(ValueTest)
    case lastOperand(ValueTest)
    /// At least so many operands behind the verbs.
    case operands(Int)
    /// Standard input is the terminal.
    case terminalInput
    case terminalOutput
    /// An environment variable of this name is set, by the block or for this command, to such a value.
    case variable(String, ValueTest)
    /// A statement among the SQL that the call hands on destroys data.
    case destructiveSQL
    /// A call of this name is made by the block's own `find -exec` or `xargs`.
    case handedOn
    case all([RuleCondition])
    case any([RuleCondition])
    case not(RuleCondition)
}

/// What may hold of one word.
indirect enum ValueTest: Sendable {
    case anything
    /// One of these words, `*` and `?` as wildcards.
    case like(String)
    /// A path whose deletion needs a warning.
    case undisposable
    /// A path below a folder of the system.
    case system
    /// A path that must not be written without a warning.
    case sensitive
    /// A path of another host, and what must hold of it there: `host:/etc/hosts`.
    case remote(ValueTest)
    /// A file or folder that the spool itself is run by.
    case spoolControl
    /// A block device, or an unknown that is named as one.
    case device
    /// Neither below /dev nor unknown: an image file.
    case plainFile
    case wildcard
    case unknown
    /// The known text in front of `=`, and what must hold of the rest: `of=/dev/sda`.
    case keyed(String, ValueTest)
    case tainted(ShellTaint)
    /// The name of a container that the block started.
    case ownContainer
    case not(ValueTest)
    case all([ValueTest])
}

/// Evaluates conditions for one call.
struct RuleMatcher {
    let call: ShellCall
    /// Operands behind the rule's verbs.
    let operands: [ShellValue]
    let evaluator: ShellEvaluator
    let isHandedOn: Bool

    /// Bytes of the longest word that is held against a pattern: those that the rules name are short.
    private static let patternedMax = 4 << 10

    func holds(_ condition: RuleCondition) -> Bool {
        switch condition {
        case .always: true
        case .never: false
        case .option(let names): call.has(Self.set(names))
        case .optionValue(let names, let test):
            call.options.contains { Self.set(names).contains($0.name) && ($0.value.map { holds(test, $0) } ?? false) }
        case .optionTwice(let name): call.options.filter { $0.name == name }.count >= 2
        case .dashedOperands: call.dashed > 0
        case .operand(let test): operands.contains { holds(test, $0) }
        case .firstOperand(let test): operands.first.map { holds(test, $0) } ?? false
        case .lastOperand(let test): operands.last.map { holds(test, $0) } ?? false
        case .operands(let count): operands.count >= count
        case .terminalInput: evaluator.streams.input.isTerminal
        case .terminalOutput: evaluator.streams.outputIsTerminal
        case .variable(let name, let test): evaluator.variableValues(name).contains { holds(test, $0) }
        case .destructiveSQL: SQLText.isDestructive(evaluator.sql(of: call))
        case .handedOn: isHandedOn
        case .all(let parts): parts.allSatisfy(holds)
        case .any(let parts): parts.contains(where: holds)
        case .not(let part): !holds(part)
        }
    }

    func holds(_ test: ValueTest, _ value: ShellValue) -> Bool {
        switch test {
        case .anything: return true
        case .like(let patterns):
            let text = value.text
            return Self.set(patterns).contains {
                $0 == text
                    || text.utf8.count <= Self.patternedMax && ($0.contains("*") || $0.contains("?"))
                        && GlobPattern.matches($0, text)
            }
        case .undisposable:
            return !value.isEmpty && !evaluator.isDisposable(path(value))
        case .system:
            return path(value).isSystem
        case .sensitive: return path(value).isSensitive
        case .remote(let test): return value.remotePath.map { holds(test, $0) } ?? false
        case .spoolControl: return path(value).isSpoolControl
        case .device: return path(value).isDevice || value.beginsAsDevice
        case .plainFile:
            let path = path(value)
            return !path.isDevice && !path.startsUnknown
        case .wildcard: return value.hasGlob
        case .unknown: return value.hasUnknown
        case .keyed(let key, let test):
            guard value.text.hasPrefix(key + "="), let rest = value.dropping(key.count + 1) else { return false }
            return holds(test, rest)
        case .tainted(let taints): return !value.taints.isDisjoint(with: taints)
        case .ownContainer:
            return value.taints.contains(.own) || evaluator.ownContainers.contains(value.text)
        case .not(let part): return !holds(part, value)
        case .all(let parts): return parts.allSatisfy { holds($0, value) }
        }
    }

    private func path(_ value: ShellValue) -> ShellPath { ShellPath(value, in: evaluator.environment.folder) }

    private static func set(_ text: String) -> Set<String> { RuleBook.words(text) }
}

/// The rules by command name, and those that belong to no command.
struct RuleBook: Sendable {
    private struct Entry: Sendable {
        let rule: Rule
        let verbs: [Set<String>]
    }
    let rules: [Rule]
    /// Indices in `rules`.
    private let places: [String: [Int]]
    /// Entries of the commands that have been asked for: a block needs few of them, and a command that starts should not make all.
    private let entries = Memo<[Entry]>()

    init(_ rules: [Rule]) {
        self.rules = rules
        var places: [String: [Int]] = [:]
        for (index, rule) in rules.enumerated() {
            let names = rule.command.utf8.prefix { $0 != UInt8(ascii: " ") }
            for name in names.split(separator: UInt8(ascii: "|")) { places[String(Substring(name)), default: []].append(index) }
        }
        self.places = places
    }

    static let standard = RuleBook(RuleTable.rows)

    static func words(_ text: String) -> Set<String> { Set(text.asciiSplit(" ")) }

    private func entries(for name: String) -> [Entry] {
        guard let indices = places[name] else { return [] }
        return entries.value(for: name) {
            indices.map { index in
                let verbs = rules[index].command.asciiSplit(" ").dropFirst()
                return Entry(rule: rules[index], verbs: verbs.map { Set($0.asciiSplit("|")) })
            }
        }
    }

    /// Rules that this call breaks.
    func broken(by call: ShellCall, _ evaluator: ShellEvaluator, isHandedOn: Bool) -> [Rule] {
        var result: [Rule] = []
        for entry in entries(for: call.name) {
            guard call.operands.count >= entry.verbs.count,
                zip(entry.verbs, call.operands).allSatisfy({ $0.contains($1.text) })
            else { continue }
            let matcher = RuleMatcher(
                call: call, operands: Array(call.operands.dropFirst(entry.verbs.count)), evaluator: evaluator,
                isHandedOn: isHandedOn)
            if matcher.holds(entry.rule.condition), !matcher.holds(entry.rule.excuse) { result.append(entry.rule) }
        }
        return result
    }

    let select = Rule(
        "select", .interactive, "select", "waits for a choice at the terminal",
        advice: "Take the choice from a variable, or feed the menu from a file")
    let readFromTerminal = Rule(
        "read", .interactive, "read", "waits for input at the terminal",
        advice: "Take the value from a variable or a file; a job has no terminal")
    let sensitiveRedirect = Rule(
        "redirect-sensitive", .sensitivePathWrite, ">", "writes to a file of the system or of someone's login",
        advice: "Write inside the repository, or waive this with a reason if the change is meant")
    let deviceRedirect = Rule(
        "redirect-device", .destructiveDisk, ">", "writes to a block device",
        advice: "Write to an image file, or waive this with a reason")
    let downloadRun = Rule(
        "download-run", .pipeToShell, "sh", "runs code that it has just downloaded",
        advice:
            "Keep a copy that somebody has read in the repository and run that, or install a package; or waive this with a reason"
    )
    let generatedRun = Rule(
        "generated-run", .pipeToShell, "sh", "runs code that a program has just printed",
        advice: "Print it to a file, look at it, and run that; or write the commands out")
    let unreadable = Rule(
        "unreadable", .parserFailed, "sh", "runs text that could not be judged",
        advice: "Correct it, or write it as commands of the block; it counts as a warning that no waiver lifts")
    let forkBomb = Rule(
        "fork-bomb", .serviceDown, "", "starts itself twice each time, until the machine stands still",
        advice: "Take it out")
    let embeddedSQL = Rule(
        "embedded-sql", .destructiveDB, "", "a program on the command line drops, empties or overwrites tables",
        advice: "Take a dump first, narrow the statement with WHERE, or waive this with a reason")
    let placeholder = Rule(
        "placeholder", .placeholderLeft, "", "a placeholder is still in the command",
        advice: "Put the real value in, or take it from a variable")
    let embeddedDeletion = Rule(
        "embedded-deletion", .destructiveFS, "", "a program on the command line deletes files",
        advice: "Delete only what the block made itself (mktemp -d), or a literal build folder")
    let handedDeletion = Rule(
        "handed-deletion", .destructiveFS, "find", "deletes every file that find lists",
        advice: "Print the list first, or search only a build folder or a folder from mktemp -d")
}
