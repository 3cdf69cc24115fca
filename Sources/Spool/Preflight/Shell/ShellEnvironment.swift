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
    var identity: Int
}

struct ShellEnvironment: Sendable {
    var variables: [String: ShellVariable] = [:]
    var functions: [String: ShellFunction] = [:]
    /// Text of each alias; used only after `shopt -s expand_aliases`.
    var aliases: [String: ShellValue] = [:]
    var expandsAliases = false
    /// nil: the folder that the block starts in.
    var folder: ShellValue?
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
        for (name, function) in other.functions where functions[name] == nil { functions[name] = function }
        aliases.merge(other.aliases) { old, _ in old }
        expandsAliases = expandsAliases || other.expandsAliases
        if folder == nil { folder = other.folder }
        if positional == nil { positional = other.positional }
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
