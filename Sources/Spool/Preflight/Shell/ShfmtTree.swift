// Turns shfmt's typed JSON (mvdan.cc/sh/v3/syntax/typedjson) into a `ShellStatement` tree. shfmt writes operators as numbers
// of its token list, which may shift between versions: `ShfmtOperators` learns them from a probe at start instead of
// believing a copy of that list. An unknown kind of node is an error, so a newer shfmt can never make preflight blind.

/// What the numbers in shfmt's JSON mean, learnt from its tree of `probe`.
struct ShfmtOperators: Sendable {
    var redirects: [Int: ShellRedirect.Operation] = [:]
    var parameters: [Int: ShellParameter.Operation] = [:]
    enum Binary { case pipe, and, or }
    var binary: [Int: Binary] = [:]
    var processOutput = 0

    /// A script in which every operator occurs once, in a known order.
    static let probe: String = {
        var text = "a | b\na |& b\na && b\na || b\na >(b)\n"
        for operation in ShellRedirect.Operation.allCases {
            text += operation.isHereDocument ? "a \(operation.rawValue)E\nE\n" : "a \(operation.rawValue)1\n"
        }
        for operation in ShellParameter.Operation.allCases { text += "a ${b\(operation.rawValue)Q}\n" }
        return text
    }()

    init() {}

    init(probe document: ShfmtNode) throws(ShellParserFailure) {
        let statements = document["Stmts"]?.items ?? []
        let redirectKinds = ShellRedirect.Operation.allCases
        let parameterKinds = ShellParameter.Operation.allCases
        guard statements.count == 5 + redirectKinds.count + parameterKinds.count else { throw .nonsense("a wrong probe tree") }
        for (index, kind) in [Binary.pipe, .pipe, .and, .or].enumerated() {
            guard let number = statements[index]["Cmd"]?["Op"]?.integer else { throw .nonsense("a wrong probe tree") }
            binary[number] = kind
        }
        guard
            let number = statements[4]["Cmd"]?["Args"]?.items.last?["Parts"]?.items.first?["Op"]?.integer
        else { throw .nonsense("a wrong probe tree") }
        processOutput = number
        for (index, kind) in redirectKinds.enumerated() {
            guard let number = statements[5 + index]["Redirs"]?.items.first?["Op"]?.integer else {
                throw .nonsense("a wrong probe tree")
            }
            redirects[number] = kind
        }
        for (index, kind) in parameterKinds.enumerated() {
            let word = statements[5 + redirectKinds.count + index]["Cmd"]?["Args"]?.items.last
            guard let number = word?["Parts"]?.items.first?["Exp"]?["Op"]?.integer else {
                throw .nonsense("a wrong probe tree")
            }
            parameters[number] = kind
        }
        guard binary.count == 4, redirects.count == redirectKinds.count, parameters.count == parameterKinds.count else {
            throw .nonsense("a wrong probe tree")
        }
    }
}

struct ShfmtTree {
    let operators: ShfmtOperators

    func statements(of document: ShfmtNode) throws(ShellParserFailure) -> [ShellStatement] {
        guard document["Type"]?.text == "File" else { throw .nonsense("the document is no File") }
        return try list(document["Stmts"])
    }

    private func list(_ node: ShfmtNode?) throws(ShellParserFailure) -> [ShellStatement] {
        var result: [ShellStatement] = []
        for item in node?.items ?? [] { result.append(try statement(item)) }
        return result
    }

    private func position(_ node: ShfmtNode, _ key: String = "Pos") -> ShellPosition {
        ShellPosition(line: node[key]?["Line"]?.integer ?? 1, column: node[key]?["Col"]?.integer ?? 1)
    }

    private func statement(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellStatement {
        var statement = ShellStatement(position: position(node))
        statement.isBackground = node.flag("Background")
        statement.isNegated = node.flag("Negated")
        if let command = node["Cmd"] { statement.command = try self.command(command) }
        for item in node["Redirs"]?.items ?? [] {
            guard let number = item["Op"]?.integer, let operation = operators.redirects[number], let target = item["Word"]
            else { throw .nonsense("an unknown redirection") }
            statement.redirects.append(
                ShellRedirect(
                    operation: operation, descriptor: item["N"]?["Value"]?.text, word: try word(target),
                    document: try item["Hdoc"].map(word), position: position(item)))
        }
        return statement
    }

    private func required(_ node: ShfmtNode, _ key: String) throws(ShellParserFailure) -> ShfmtNode {
        guard let value = node[key] else { throw .nonsense("a node without \(key)") }
        return value
    }

    private func command(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellCommand {
        switch node["Type"]?.text ?? "" {
        case "CallExpr":
            return .call(assignments: try assignments(node["Assigns"]), words: try words(node["Args"]))
        case "Subshell": return .subshell(try list(node["Stmts"]))
        case "Block": return .group(try list(node["Stmts"]))
        case "IfClause": return try conditional(node)
        case "WhileClause": return .loop(condition: try list(node["Cond"]), body: try list(node["Do"]))
        case "ForClause": return try forClause(node)
        case "CaseClause":
            var items: [ShellCaseItem] = []
            for item in node["Items"]?.items ?? [] {
                items.append(ShellCaseItem(patterns: try words(item["Patterns"]), body: try list(item["Stmts"])))
            }
            return .choice(subject: try word(try required(node, "Word")), items: items)
        case "BinaryCmd":
            let left = try statement(try required(node, "X"))
            let right = try statement(try required(node, "Y"))
            guard let number = node["Op"]?.integer, let kind = operators.binary[number] else {
                throw .nonsense("an unknown operator")
            }
            return kind == .pipe ? .pipe(left, right) : .sequence(left, right, isOr: kind == .or)
        case "FuncDecl":
            return .function(
                name: node["Name"]?["Value"]?.text ?? "", body: try statement(try required(node, "Body")))
        case "DeclClause":
            return .declaration(variant: node["Variant"]?["Value"]?.text ?? "", arguments: try assignments(node["Args"]))
        case "TestClause", "ArithmCmd": return .evaluation(words: try expressionWords(node["X"]))
        case "LetClause":
            var words: [ShellWord] = []
            for item in node["Exprs"]?.items ?? [] { words += try expressionWords(item) }
            return .evaluation(words: words)
        case "TimeClause": return .timed(try node["Stmt"].map(statement))
        case "CoprocClause":
            let name = try node["Name"].map(word)?.plainText
            return .coprocess(name: name, try statement(try required(node, "Stmt")))
        case let type: throw .nonsense("an unknown command node \(type)")
        }
    }

    /// `else` is an IfClause without a condition, `elif` one with it.
    private func conditional(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellCommand {
        var otherwise: [ShellStatement]?
        if let clause = node["Else"] {
            if clause["Cond"] == nil {
                otherwise = try list(clause["Then"])
            } else {
                otherwise = [ShellStatement(command: try conditional(clause), position: position(clause))]
            }
        }
        return .conditional(condition: try list(node["Cond"]), then: try list(node["Then"]), otherwise: otherwise)
    }

    private func forClause(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellCommand {
        let loop = try required(node, "Loop")
        let body = try list(node["Do"])
        guard loop["Type"]?.text == "WordIter" else {
            var words: [ShellWord] = []
            for key in ["Init", "Cond", "Post"] { words += try expressionWords(loop[key]) }
            return .countedLoop(words: words, body: body)
        }
        return .iteration(
            name: loop["Name"]?["Value"]?.text ?? "", items: try loop["Items"].map(words), body: body,
            isSelect: node.flag("Select"))
    }

    /// The words in an arithmetic or test expression, in order.
    private func expressionWords(_ node: ShfmtNode?) throws(ShellParserFailure) -> [ShellWord] {
        guard let node else { return [] }
        if node["Parts"] != nil { return [try word(node)] }
        return try expressionWords(node["X"]) + expressionWords(node["Y"])
    }

    private func assignments(_ node: ShfmtNode?) throws(ShellParserFailure) -> [ShellAssignment] {
        var result: [ShellAssignment] = []
        for item in node?.items ?? [] {
            var assignment = ShellAssignment(name: item["Name"]?["Value"]?.text, position: position(item))
            assignment.isAppend = item.flag("Append")
            assignment.isNaked = item.flag("Naked")
            assignment.value = try item["Value"].map(word)
            assignment.index = try expressionWords(item["Index"]).first
            if let array = item["Array"] {
                var elements: [ShellArrayElement] = []
                for element in array["Elems"]?.items ?? [] {
                    elements.append(
                        ShellArrayElement(
                            index: try expressionWords(element["Index"]).first, value: try element["Value"].map(word)))
                }
                assignment.elements = elements
            }
            result.append(assignment)
        }
        return result
    }

    private func words(_ node: ShfmtNode?) throws(ShellParserFailure) -> [ShellWord] {
        var result: [ShellWord] = []
        for item in node?.items ?? [] { result.append(try word(item)) }
        return result
    }

    private func word(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellWord {
        ShellWord(parts: try parts(node["Parts"]), position: position(node), end: position(node, "End"))
    }

    private func parts(_ node: ShfmtNode?) throws(ShellParserFailure) -> [ShellWordPart] {
        var result: [ShellWordPart] = []
        for item in node?.items ?? [] { result.append(try part(item)) }
        return result
    }

    private func part(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellWordPart {
        switch node["Type"]?.text ?? "" {
        case "Lit": return .literal(node["Value"]?.text ?? "")
        case "SglQuoted": return .singleQuoted(node["Value"]?.text ?? "", isANSI: node.flag("Dollar"))
        case "DblQuoted": return .doubleQuoted(try parts(node["Parts"]))
        case "ParamExp": return .parameter(try parameter(node))
        case "CmdSubst": return .command(try list(node["Stmts"]))
        case "ProcSubst":
            return .process(try list(node["Stmts"]), isOutput: node["Op"]?.integer == operators.processOutput)
        case "ArithmExp": return .arithmetic(try expressionWords(node["X"]))
        case "ExtGlob": return .extendedGlob(node["Pattern"]?["Value"]?.text ?? "")
        case let type: throw .nonsense("an unknown word node \(type)")
        }
    }

    private func parameter(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellParameter {
        var parameter = ShellParameter(name: node["Param"]?["Value"]?.text ?? "")
        parameter.isIndirect = node.flag("Excl")
        parameter.isLength = node.flag("Length")
        parameter.isNames = node["Names"] != nil
        parameter.index = try expressionWords(node["Index"]).first
        if let expansion = node["Exp"] {
            guard let number = expansion["Op"]?.integer, let operation = operators.parameters[number] else {
                throw .nonsense("an unknown expansion")
            }
            parameter.operation = operation
            parameter.operand = try expansion["Word"].map(word)
        }
        if let slice = node["Slice"] {
            parameter.slice = (try expressionWords(slice["Offset"]).first, try expressionWords(slice["Length"]).first)
        }
        if let replacement = node["Repl"] {
            parameter.replacement = (
                replacement.flag("All"), try replacement["Orig"].map(word), try replacement["With"].map(word)
            )
        }
        return parameter
    }
}
