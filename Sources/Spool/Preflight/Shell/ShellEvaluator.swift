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
    var traps: [[ShellValue]] = []
    /// Assignments since the first trap, for code that runs when the block ends.
    var assignedLater: [String: ShellVariable] = [:]
    var descriptors = 0
    /// Strings that were run, and the one that is: 0 for the block itself.
    var texts = 0
    var text = 0
    /// The innermost function's variables before `local` hid them.
    var locals: [[String: ShellVariable?]] = []

    /// - Parameter folder: where the block runs; nil: the root of the repository.
    init(rules: RuleBook, budget: ShellBudget = ShellBudget(), folder: ShellValue? = nil) {
        self.rules = rules
        self.budget = budget
        startFolder = folder
        environment.folder = folder
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
            budget.extend(&all, by: output, countMax: 8) { $0.append($1) }
        }
    }

    private func joined(_ left: [ShellValue], _ right: [ShellValue]) -> [ShellValue] {
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
        case .loop(let condition, let body)?: return loop { joined(run(condition), run(body)) }
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
            return [ShellValue()]
        case .declaration(let variant, let arguments)?: return declare(variant, arguments)
        case .evaluation(let words)?:
            for word in words { _ = expandWhole(word) }
            return [ShellValue()]
        case .timed(let inner)?: return inner.map { run($0) } ?? [ShellValue()]
        case .coprocess(_, let inner)?: return inSubshell { run(inner) }
        }
    }

    /// Whether what follows a statement is not reached behind it, also where it is a function that ends so (`die`).
    private func leaves(_ statement: ShellStatement, depth: Int = 0) -> Bool {
        switch statement.command {
        case .call(_, let words)?:
            guard let name = words.first?.plainText else { return false }
            if let functions = environment.functions[name] {
                return depth < 4 && !functions.mayBeProgram
                    && functions.definitions.allSatisfy { leaves($0.body, depth: depth + 1) && Self.exits($0.body) }
            }
            return ["exit", "return", "continue", "break"].contains(name)
        case .group(let body)?: return body.last.map { leaves($0, depth: depth) } ?? false
        default: return false
        }
    }

    /// A function's `return` ends no more than the function.
    private static func exits(_ body: ShellStatement) -> Bool {
        guard case .group(let statements)? = body.command, case .call(_, let words)? = statements.last?.command else {
            return false
        }
        return words.first?.plainText != "return"
    }

    /// `a && b || c`: each part is run in the state that the parts before it leave. What the later parts set is only possible
    /// when the first is a test or when they follow `||`; after `cd x && …` the successful way counts, but for the folder and
    /// for functions: what a part that failed has left out does not end the block.
    private func chain(_ statement: ShellStatement) -> [ShellValue] {
        var parts: [(statement: ShellStatement, isOr: Bool)] = []
        var first = statement
        while case .sequence(let left, let right, let isOr)? = first.command, first.redirects.isEmpty {
            parts.append((right, isOr))
            first = left
        }
        let start = environment
        var output = runWhereErrorsEndNothing(first)
        var isConditional = Self.isTest(first)
        var mayFail = !isSure(first)
        for (index, part) in parts.reversed().enumerated() {
            let before = environment
            // What is on the left has failed, its `cd` too.
            if part.isOr { environment.enter(start.allFolders) }
            let isLast = index == parts.count - 1
            add(isLast ? run(part.statement) : runWhereErrorsEndNothing(part.statement), to: &output)
            isConditional = isConditional || part.isOr
            if !isLast || environment.goesOnAfterErrors { mayFail = mayFail || !isSure(part.statement) }
            if leaves(part.statement) {
                environment = before
                // `cd x || exit`: here it has not failed.
                if part.isOr { mayFail = false }
            } else if isConditional {
                pay(for: before)
                environment.merge(before, preferring: part.isOr ? before.folder : environment.folder)
            } else {
                environment.mergeFunctions(before)
            }
        }
        if mayFail, environment.folder != start.folder { environment.addFolders(of: start) }
        return output
    }

    /// Runs a part that `&&` or `||` follows: `set -e` does not hold inside of it.
    private func runWhereErrorsEndNothing(_ statement: ShellStatement) -> [ShellValue] {
        if case .call(_, let words)? = statement.command, words.first?.plainText == "set" { return run(statement) }
        let outer = environment.goesOnAfterErrors
        environment.goesOnAfterErrors = true
        let output = run(statement)
        environment.goesOnAfterErrors = outer
        return output
    }

    private static func isFolderChange(_ statement: ShellStatement) -> Bool {
        guard case .call(_, let words)? = statement.command, let name = words.first?.plainText else { return false }
        return name == "cd" || name == "pushd" || name == "popd"
    }

    /// Whether a part of `a && b` hardly ever fails, so that what stands behind it is what happens.
    private func isSure(_ statement: ShellStatement) -> Bool {
        guard case .call(_, let words)? = statement.command, let name = words.first?.plainText else { return false }
        // `cd` into a folder of the block's own: it has run already.
        if name == "cd" { return environment.folder.map { made.contains(ShellPath($0).key) } ?? false }
        return ["mkdir", "echo", "printf", ":", "true", "export", "set", "umask"].contains(name)
    }

    private static func isTest(_ statement: ShellStatement) -> Bool {
        switch statement.command {
        case .call(_, let words)?: return ["[", "test", "grep", "command", "type", "hash"].contains(words.first?.plainText ?? "")
        case .evaluation?: return true
        default: return statement.isNegated
        }
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
        path.isDisposable(made: made) && (links.isEmpty || !path.parents.contains(where: links.contains))
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

    /// Takes each way from the present state, and joins what the ways print and the states that they end in.
    func inEachWay<Ways: Sequence>(_ ways: Ways, _ take: (Ways.Element) -> [ShellValue]) -> [ShellValue] {
        let before = environment
        var after: ShellEnvironment?
        var outputs: [ShellValue] = []
        for way in ways {
            if after != nil { environment = before }
            for output in take(way) where outputs.count < 8 && !outputs.contains(output) { outputs.append(output) }
            merge(environment, into: &after)
        }
        environment = after ?? before
        return outputs.isEmpty ? [ShellValue()] : outputs
    }

    /// `if`: where the condition is a `cd`, the other branch is taken in the folder that it did not leave.
    private func choose(
        _ condition: [ShellStatement], _ then: [ShellStatement], _ otherwise: [ShellStatement]
    ) -> [ShellValue] {
        let start = environment
        let output = run(condition)
        let passed = environment
        var failed = environment
        failed.enter(start.allFolders)
        var isNegated = false
        if let last = condition.last, case .call? = last.command {
            isNegated = last.isNegated
        } else {
            failed.addFolders(of: passed)
        }
        return joined(output, branches([then, otherwise], from: isNegated ? [failed, passed] : [passed, failed]))
    }

    /// - Parameter states: what each of the bodies begins with.
    private func branches(_ bodies: [[ShellStatement]], from states: [ShellEnvironment]) -> [ShellValue] {
        let before = environment
        var after: ShellEnvironment?
        var outputs: [ShellValue] = []
        for (body, state) in zip(bodies, states) {
            environment = state
            for output in run(body) where outputs.count < 8 && !outputs.contains(output) { outputs.append(output) }
            if let last = body.last, leaves(last), bodies.count > 1 { continue }
            merge(environment, into: &after)
        }
        environment = after ?? before
        return outputs.isEmpty ? [ShellValue()] : outputs
    }

    /// Joins the state with the one after another way through the same statements.
    func merge(_ other: ShellEnvironment) {
        pay(for: other)
        environment.merge(other)
    }

    private func pay(for state: ShellEnvironment) {
        budget.spend(bytes: (state.variables.count + state.functions.count) * ShellBudget.valueOverhead / 4)
    }

    func merge(_ other: ShellEnvironment, into all: inout ShellEnvironment?) {
        pay(for: other)
        if all == nil { all = other } else { all?.merge(other) }
    }

    /// Runs a body twice, so that what its end sets is known at its start.
    private func loop(_ body: () -> [ShellValue]) -> [ShellValue] {
        let before = environment
        var output = body()
        merge(before)
        if environment.variables != before.variables {
            let between = environment
            output = body()
            merge(between)
        }
        return output
    }

    private func iterate(
        _ name: String, _ items: [ShellWord]?, _ body: [ShellStatement], isSelect: Bool, at position: ShellPosition
    ) -> [ShellValue] {
        var values: [ShellValue] = []
        if let items {
            for item in items {
                for alternative in expand(item) { values += alternative }
                checkPlaceholders(in: [item])
            }
        } else {
            values = environment.positional ?? [.unknown("$1")]
        }
        if isSelect, streams.input.isTerminal {
            hit(rules.select, at: position, excerpt: "select \(name)")
            values.append(.unknown("$\(name)"))
        }
        var distinct: [ShellValue] = []
        for value in values where distinct.count <= ShellVariable.alternativesMax && !distinct.contains(value) {
            distinct.append(value)
        }
        guard !distinct.isEmpty else { return [ShellValue()] }
        // Few items are taken one by one, so that what one of them causes is not lost among the others.
        if distinct.count <= 4 {
            var output = [ShellValue()]
            let before = environment
            for value in distinct {
                assign(name, .scalar([value]))
                add(run(body), to: &output)
            }
            merge(before)
            return output
        }
        assign(name, .scalar(Array(distinct.prefix(ShellVariable.alternativesMax))))
        return loop { run(body) }
    }

    private func choose(_ subject: ShellWord, _ items: [ShellCaseItem]) -> [ShellValue] {
        _ = expandWhole(subject)
        var bodies = items.map(\.body)
        for item in items { for pattern in item.patterns { _ = expandWhole(pattern) } }
        let hasDefault = items.contains { $0.patterns.contains { $0.plainText == "*" } }
        if !hasDefault { bodies.append([]) }
        return branches(bodies, from: bodies.map { _ in environment })
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
