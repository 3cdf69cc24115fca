// Walks a block's syntax tree as a shell would, taking every branch and doing nothing: it keeps track of what each variable
// may hold and hands every command that may run, with its words resolved as far as constants go, to the rules. Work is
// bounded by a `ShellBudget`; a block that needs more is reported as not judged, never passed. Not Sendable: one thread owns it.

/// Something that a rule found, in the block's own lines and columns.
struct ShellHit: Hashable {
    var code: Finding.Code
    var rule: String
    var position: ShellPosition
    var excerpt: String
    var message: String
    var advice: String
}

final class ShellEvaluator {
    static let nestingMax = 60
    /// Statements inside one another, over all strings that are run: what the thread's stack holds with room to spare.
    static let depthMax = 2_000

    /// Findings that are kept: more of a kind tell nobody more, and each is shown with its line.
    static let hitsMax = 500

    let rules: RuleBook
    let budget: ShellBudget
    let startFolder: ShellValue?
    var environment = ShellEnvironment()
    var streams = ShellStreams()
    /// Content of files that the block wrote or downloaded, by normalised path.
    var files: [String: [ShellValue]] = [:]
    /// Literal folders below /tmp that the block made.
    var made: Set<String> = []
    /// Links that the block made to what it did not make.
    var links: Set<String> = []
    /// The block has unpacked what it had downloaded: nobody knows what it has put where.
    var hasUnpackedDownload = false
    /// Containers that the block started itself, by name.
    var ownContainers: Set<String> = []
    private(set) var hits: [ShellHit] = []
    private var hitPlaces: Set<HitPlace> = []
    /// Names of the programs that the block calls and does not define.
    var commands: Set<String> = []
    var nesting = 0
    private var depth = 0
    /// Set while a string is run whose place in the block is not known: hits are placed at the command that runs it.
    var pinned: ShellPosition?
    /// Words and here-documents of the calls being run, innermost last: where a string that is run stands in the block.
    var sources: [(words: [ShellWord], document: ShellWord?)] = []
    /// What the private-use characters in a string of code stand for, and where each stands in it.
    var holes: [ShellPiece] = []
    var holeIndices: [ShellPiece: Int] = [:]
    var calls: [String] = []
    /// Functions whose code was printed.
    var printedFunctions: [ShellFunction] = []
    /// Aliases whose text is being run.
    var aliasesUsed: Set<String> = []
    var traps: [[ShellValue]] = []
    /// Assignments since the first trap, for code that runs when the block ends.
    var assignedLater: [String: ShellVariable] = [:]
    var descriptors = 0
    /// Strings that were run, and the one that is: 0 for the block itself.
    var texts = 0
    var text = 0
    /// The innermost function's variables before `local` hid them.
    var locals: [[String: ShellVariable?]] = []

    /// - Parameters:
    ///   - shell: what runs the block.
    ///   - folder: where the block runs; nil: the root of the repository.
    init(rules: RuleBook, budget: ShellBudget = ShellBudget(), shell: Block.Shell = .bash, folder: ShellValue? = nil) {
        self.rules = rules
        self.budget = budget
        startFolder = folder
        environment.folder = folder
        environment.expandsAliases = Self.expandsAliases(shell.rawValue)
    }

    /// Judges a whole block.
    func evaluate(_ statements: [ShellStatement]) {
        run(statements)
        runTraps()
    }

    private func runTraps() {
        let pending = traps
        traps = []
        for (name, variable) in assignedLater { environment.variables[name] = variable }
        streams = ShellStreams()
        for codes in pending { runCode(codes, as: "trap") }
    }

    // MARK: statements

    /// Runs a list and returns what it prints.
    @discardableResult
    func run(_ statements: [ShellStatement]) -> [ShellValue] {
        var output = [ShellValue()]
        for statement in statements where !budget.isSpent {
            let start = environment.goesOnAfterErrors && Self.isFolderChange(statement) ? environment : nil
            add(run(statement), to: &output)
            if let start { environment.addFolders(of: start) }
        }
        return output
    }

    /// Adds what one more command prints to what was printed before.
    func add(_ output: [ShellValue], to all: inout [ShellValue]) {
        if output.count == 1, output[0].isEmpty { return }
        if all.isEmpty || all.count == 1 && all[0].isEmpty {
            all = output
        } else {
            budget.extend(&all, by: output, countMax: 8) { all, more in
                // What a program prints ends its line; glued to it, the code behind it would be a part of its last word.
                if all.endsAsPrinted { all.append(.text("\n")) }
                all.append(more)
            }
        }
    }

    func joined(_ left: [ShellValue], _ right: [ShellValue]) -> [ShellValue] {
        var result = left
        add(right, to: &result)
        return result
    }

    @discardableResult
    func run(_ statement: ShellStatement) -> [ShellValue] {
        guard budget.spendStep() else { return [ShellValue()] }
        guard depth < Self.depthMax else {
            budget.end(.depth)
            return [ShellValue()]
        }
        depth += 1
        defer { depth -= 1 }
        let outer = streams
        let targets = redirect(statement)
        let output =
            statement.isBackground
            ? inSubshell { run(statement.command, statement) } : run(statement.command, statement)
        if !Self.isBareExec(statement) { streams = outer }
        guard !targets.isEmpty else { return output }
        for target in targets { write(output, to: target.path, appending: target.isAppending) }
        return [ShellValue()]
    }

    /// `exec 2>>log`: its redirections stay.
    private static func isBareExec(_ statement: ShellStatement) -> Bool {
        guard case .call(_, let words)? = statement.command else { return false }
        return words.count == 1 && words[0].plainText == "exec"
    }

    private func run(_ command: ShellCommand?, _ statement: ShellStatement) -> [ShellValue] {
        switch command {
        case nil: return streams.input.texts.isEmpty ? [ShellValue()] : streams.input.texts
        case .call(let assignments, let words)?: return call(assignments, words, statement)
        case .subshell(let body)?: return inSubshell { run(body) }
        case .group(let body)?: return run(body)
        case .conditional(let condition, let then, let otherwise)?:
            return choose(condition, then, otherwise ?? [])
        case .loop(let condition, let body)?: return loop { joined(runCondition(condition), run(body)) }
        case .iteration(let name, let items, let body, let isSelect)?:
            return iterate(name, items, body, isSelect: isSelect, at: statement.position)
        case .countedLoop(let words, let body)?:
            for word in words { _ = expandWhole(word) }
            return loop { run(body) }
        case .choice(let subject, let items)?: return choose(subject, items)
        case .sequence?: return chain(statement)
        case .pipe(let left, let right)?: return pipe(left, right)
        case .function(let name, let body)?:
            let identity = ShellFunctionIdentity(text: text, position: statement.position)
            environment.functions[name] = ShellFunctions(definitions: [ShellFunction(body: body, identity: identity)])
            if Self.isForkBomb(name, body) {
                hit(rules.forkBomb, at: statement.position, excerpt: "\(name)() { \(name) | \(name) & }")
            }
            return [ShellValue()]
        case .declaration(let variant, let arguments)?: return declare(variant, arguments)
        case .evaluation(let words)?:
            for word in words { _ = expandWhole(word) }
            return [ShellValue()]
        case .timed(let inner)?: return inner.map { run($0) } ?? [ShellValue()]
        case .coprocess(_, let inner)?: return inSubshell { run(inner) }
        }
    }

    /// `f() { f | f & }`
    private static func isForkBomb(_ name: String, _ body: ShellStatement) -> Bool {
        func calls(_ statement: ShellStatement) -> Bool {
            guard case .call(_, let words)? = statement.command else { return false }
            return words.first?.plainText == name
        }
        guard case .group(let statements)? = body.command else { return false }
        return statements.contains { statement in
            guard case .pipe(let left, let right)? = statement.command else { return false }
            return calls(left) && calls(right)
        }
    }

    static func isFolderChange(_ statement: ShellStatement) -> Bool {
        guard case .call(_, let words)? = statement.command, let name = words.first?.plainText else { return false }
        return name == "cd" || name == "pushd" || name == "popd"
    }

    func inSubshell<R>(_ body: () -> R) -> R {
        let saved = environment
        defer { environment = saved }
        return body()
    }

    /// A process of its own: nothing that it sets comes back, and of the block's functions it knows those that were exported. They
    /// are known to bash alone, so that the name may mean the program, too.
    /// - Parameter isElsewhere: another machine, which knows none.
    func inOtherProcess<R>(isElsewhere: Bool = false, _ body: () -> R) -> R {
        inSubshell {
            environment.functions = isElsewhere ? [:] : environment.functions.filter(\.value.isExported)
            for name in environment.functions.keys { environment.functions[name]?.mayBeProgram = true }
            environment.aliases = [:]
            environment.goesOnAfterErrors = true
            return body()
        }
    }

    /// Whether what is at a path may be deleted without a warning.
    func isDisposable(_ path: ShellPath) -> Bool {
        guard path.isDisposable(made: made) else { return false }
        if links.isEmpty { return true }
        // `rm -rf link` takes the link away; `rm -rf link/` what is behind it.
        if path.leadsThroughItself, path.hasWildcard || links.contains(path.text) { return false }
        return !path.parents.contains(where: links.contains)
    }

    /// Does it for each folder that the block may be in.
    func inEachFolder(_ body: () -> Void) {
        let folder = environment.folder
        defer { environment.folder = folder }
        for other in environment.allFolders {
            environment.folder = other
            body()
        }
    }

    private func pipe(_ left: ShellStatement, _ right: ShellStatement) -> [ShellValue] {
        let outer = streams
        streams.outputIsTerminal = false
        let text = inSubshell { run(left) }
        streams = outer
        streams.input = .text(text)
        defer { streams = outer }
        // bash runs the last stage in a subshell too; `lastpipe` and zsh do not, so what it sets is kept.
        let before = environment
        let output = run(right)
        environment.enter(before.allFolders + environment.allFolders)
        environment.mergeFunctions(before)
        return output
    }

    // MARK: findings

    func hit(_ rule: Rule, at position: ShellPosition, excerpt: String) {
        let place = pinned ?? position
        let shown = printable(excerpt.count > 90 ? excerpt.prefix(87) + "..." : excerpt)
        let hit = ShellHit(
            code: rule.code, rule: rule.id, position: place, excerpt: shown, message: rule.message, advice: rule.advice)
        guard hits.count < Self.hitsMax || !hits.contains(where: { $0.code == hit.code }) else { return }
        if hitPlaces.insert(HitPlace(code: hit.code, position: place)).inserted { hits.append(hit) }
    }

    /// One finding of a kind is enough in one place.
    private struct HitPlace: Hashable {
        var code: Finding.Code
        var position: ShellPosition
    }
}
