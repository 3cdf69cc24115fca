// Ways through a block: which parts of a list, of an `if` or `case` and of a loop may run, in which state each begins, and what may hold
// behind them.

extension ShellEvaluator {
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
    func chain(_ statement: ShellStatement) -> [ShellValue] {
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

    /// Runs the condition of an `if` or a loop: in a function that it calls, an error ends nothing either. Where it is a `cd`, that has
    /// been tested.
    func runCondition(_ condition: [ShellStatement]) -> [ShellValue] {
        var output = [ShellValue()]
        for statement in condition where !budget.isSpent {
            add(Self.isFolderChange(statement) ? run(statement) : runWhereErrorsEndNothing(statement), to: &output)
        }
        return output
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
    func choose(
        _ condition: [ShellStatement], _ then: [ShellStatement], _ otherwise: [ShellStatement]
    ) -> [ShellValue] {
        let start = environment
        let output = runCondition(condition)
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
    func loop(_ body: () -> [ShellValue]) -> [ShellValue] {
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

    func iterate(
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

    func choose(_ subject: ShellWord, _ items: [ShellCaseItem]) -> [ShellValue] {
        _ = expandWhole(subject)
        var bodies = items.map(\.body)
        for item in items { for pattern in item.patterns { _ = expandWhole(pattern) } }
        let hasDefault = items.contains { $0.patterns.contains { $0.plainText == "*" } }
        if !hasDefault { bodies.append([]) }
        return branches(bodies, from: bodies.map { _ in environment })
    }
}
