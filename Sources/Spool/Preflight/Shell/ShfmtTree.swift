// Turns shfmt's typed JSON (mvdan.cc/sh/v3/syntax/typedjson) into a `ShellStatement` tree. Operators are numbers in it, which
// `ShfmtOperators` explains. An unknown kind of node is an error, so a newer shfmt can never make preflight blind.

struct ShfmtTree {
    let operators: ShfmtOperators
    /// Lines that stood before the block; its own are counted from 1.
    var lineOffset = 0

    /// The statements of a document.
    static func nodes(of document: ShfmtNode) throws(ShellParserFailure) -> [ShfmtNode] {
        guard document["Type"]?.text == "File" else { throw .nonsense("the document is no File") }
        return document["Stmts"]?.items ?? []
    }

    func statements(_ nodes: some Collection<ShfmtNode>) throws(ShellParserFailure) -> [ShellStatement] {
        var result: [ShellStatement] = []
        for item in nodes { result.append(try statement(item)) }
        return result
    }

    private func list(_ node: ShfmtNode?) throws(ShellParserFailure) -> [ShellStatement] {
        try statements(node?.items ?? [])
    }

    private func position(_ node: ShfmtNode, _ key: String = "Pos") -> ShellPosition {
        ShellPosition(
            line: max((node[key]?["Line"]?.integer ?? 1) - lineOffset, 1), column: node[key]?["Col"]?.integer ?? 1)
    }

    private func statement(_ node: ShfmtNode) throws(ShellParserFailure) -> ShellStatement {
        var statement = ShellStatement(position: position(node))
        statement.isBackground = node.flag("Background")
        statement.isNegated = node.flag("Negated")
        if let command = node["Cmd"] { statement.command = try self.command(command) }
        for item in node["Redirs"]?.items ?? [] {
            let operation = try operators.redirect(item["Op"]?.integer)
            let target = try required(item, "Word")
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
            let (isPipe, isOr) = try operators.binary(node["Op"]?.integer)
            return isPipe ? .pipe(left, right) : .sequence(left, right, isOr: isOr)
        case "FuncDecl":
            return function(node["Name"]?["Value"]?.text ?? "", try statement(try required(node, "Body")), at: position(node))
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

    /// A function's body is one compound command. shfmt takes what `|`, `&&` and `||` join to it for a part of the body; for bash it
    /// is joined to the definition (`f() { …; } | cat` defines nothing behind it).
    private func function(_ name: String, _ body: ShellStatement, at position: ShellPosition) -> ShellCommand {
        func definition(_ body: ShellStatement) -> ShellStatement {
            ShellStatement(command: function(name, body, at: position), position: position)
        }
        switch body.command {
        case .pipe(let left, let right)?: return .pipe(definition(left), right)
        case .sequence(let left, let right, let isOr)?: return .sequence(definition(left), right, isOr: isOr)
        default: return .function(name: name, body: body)
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
            return .process(try list(node["Stmts"]), isOutput: try operators.isProcessOutput(node["Op"]?.integer))
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
            parameter.operation = try operators.parameter(expansion["Op"]?.integer)
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
