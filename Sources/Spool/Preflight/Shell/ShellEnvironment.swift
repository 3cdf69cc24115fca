// What a block's own statements have set so far: variables with every value they may hold, functions, the working folder.
// It is a value: a branch or a subshell works on a copy, and `merge` joins the ways that a block may have taken.

/// A variable's possible values. A scalar is a list of one.
struct ShellVariable: Sendable, Hashable {
    /// Each alternative is one possible content: one element for a scalar, all elements for an array.
    var alternatives: [[ShellValue]]
    /// Some way through the block leaves the variable as it came from outside.
    var mayBeOuter = false

    static let alternativesMax = 12

    static func scalar(_ values: [ShellValue]) -> ShellVariable { ShellVariable(alternatives: values.map { [$0] }) }

    mutating func add(_ other: ShellVariable) {
        for alternative in other.alternatives where alternatives.count < Self.alternativesMax {
            if !alternatives.contains(alternative) { alternatives.append(alternative) }
        }
        mayBeOuter = mayBeOuter || other.mayBeOuter
    }
}

struct ShellFunction: Sendable {
    var body: ShellStatement
    var identity: ShellFunctionIdentity
}

/// Where a function is defined: a loop defines the same one again.
struct ShellFunctionIdentity: Sendable, Hashable {
    /// Which string that is run; 0: the block itself.
    var text: Int
    var position: ShellPosition
}

/// What a name may mean once functions of that name were defined.
struct ShellFunctions: Sendable {
    var definitions: [ShellFunction]
    /// Some way through the block defines none.
    var mayBeProgram = false
    /// `export -f`: a bash that is started knows them.
    var isExported = false

    static let definitionsMax = 8

    mutating func add(_ other: ShellFunctions) {
        for definition in other.definitions where definitions.count < Self.definitionsMax {
            if !definitions.contains(where: { $0.identity == definition.identity }) { definitions.append(definition) }
        }
        mayBeProgram = mayBeProgram || other.mayBeProgram
        isExported = isExported || other.isExported
    }
}

struct ShellEnvironment: Sendable {
    var variables: [String: ShellVariable] = [:]
    var functions: [String: ShellFunctions] = [:]
    /// Text of each alias; bash uses them only after `shopt -s expand_aliases`, other shells at once.
    var aliases: [String: ShellValue] = [:]
    var expandsAliases = false
    /// nil: the folder that the block starts in.
    var folder: ShellValue?
    /// Where the block may be as well, after a `cd` that may not have happened: what it deletes is excused in all or in none.
    private(set) var otherFolders: [ShellValue?] = []
    /// `set +e`: a `cd` that fails does not end the block.
    var goesOnAfterErrors = false
    var folders: [ShellValue?] = []
    /// `$1` and on; nil: those of the block itself, of which nothing is known.
    var positional: [ShellValue]?
    /// `$0` as `sh -c CODE NAME …` sets it.
    var scriptName: ShellValue?

    /// Joins the state after another way through the same statements.
    mutating func merge(_ other: ShellEnvironment) {
        for (name, variable) in other.variables {
            if variables[name] == nil {
                var variable = variable
                variable.mayBeOuter = true
                variables[name] = variable
            } else if variables[name] != variable {
                variables[name]?.add(variable)
            }
        }
        for name in variables.keys where other.variables[name] == nil { variables[name]?.mayBeOuter = true }
        mergeFunctions(other)
        aliases.merge(other.aliases) { old, _ in old }
        expandsAliases = expandsAliases || other.expandsAliases
        let preferred = folder ?? other.folder
        addFolders(of: other)
        prefer(preferred)
        goesOnAfterErrors = goesOnAfterErrors || other.goesOnAfterErrors
        if positional == nil { positional = other.positional }
    }

    mutating func mergeFunctions(_ other: ShellEnvironment) {
        for name in functions.keys where other.functions[name] == nil { functions[name]?.mayBeProgram = true }
        for (name, functions) in other.functions {
            if self.functions[name] == nil {
                self.functions[name] = functions
                self.functions[name]?.mayBeProgram = true
            } else {
                self.functions[name]?.add(functions)
            }
        }
    }

    // MARK: folders

    private static let foldersMax = 6

    /// Every folder that the block may be in; `folder` first.
    var allFolders: [ShellValue?] { [folder] + otherFolders }

    mutating func enter(_ folders: [ShellValue?]) {
        var distinct: [ShellValue?] = []
        for folder in folders where !distinct.contains(folder) { distinct.append(folder) }
        // Beyond the bound it may be anywhere.
        if distinct.count > Self.foldersMax { distinct = distinct.prefix(Self.foldersMax) + [.unknown("$PWD")] }
        folder = distinct.first ?? nil
        otherFolders = Array(distinct.dropFirst())
    }

    mutating func addFolders(of other: ShellEnvironment) { enter(allFolders + other.allFolders) }

    /// Makes one of the folders the first.
    private mutating func prefer(_ folder: ShellValue?) { enter([folder] + allFolders) }

    /// Joins the state after `cd A || B` as if `cd A` were what happens.
    mutating func merge(_ other: ShellEnvironment, preferring folder: ShellValue?) {
        merge(other)
        prefer(folder)
    }
}

/// Where a command reads from.
enum ShellInput: Sendable, Hashable {
    /// Whatever the block itself reads from: a terminal, when a person runs it.
    case terminal
    /// Nothing to read.
    case closed
    /// A file, a pipe or a here-document, with each text that it may be.
    case text([ShellValue])

    var isTerminal: Bool { self == .terminal }
    var texts: [ShellValue] {
        if case .text(let values) = self { return values }
        return []
    }
    var taints: ShellTaint { texts.reduce(into: []) { $0.formUnion($1.taints) } }
}

struct ShellStreams: Sendable {
    var input = ShellInput.terminal
    var outputIsTerminal = true
    /// Descriptors other than 0 that a redirection opened for reading.
    var opened: Set<String> = []
}
