// What the numbers in shfmt's JSON mean. shfmt writes operators as numbers of its token list, which may shift between
// versions, so nobody here believes a copy of that list: lines that hold one operator each stand before the block in the same
// input, and the process that parses the block says itself what its numbers mean. A line costs shfmt 0.2 ms; so only those
// operators are asked for that the block seems to have. Guessing wrong is safe: a number nobody has explained is an error.

/// An operator that shfmt writes as a number.
enum ShfmtOperator: Sendable, Hashable {
    case pipe, pipeAll, and, or
    /// `>(`; every other process substitution is `<(`.
    case processOutput
    case redirect(ShellRedirect.Operation)
    case parameter(ShellParameter.Operation)

    static let all: [ShfmtOperator] =
        [.pipe, .pipeAll, .and, .or, .processOutput] + ShellRedirect.Operation.allCases.map { .redirect($0) }
        + ShellParameter.Operation.allCases.map { .parameter($0) }

    /// A statement with this operator and no other; whole lines.
    var sample: String {
        switch self {
        case .pipe: "a | b\n"
        case .pipeAll: "a |& b\n"
        case .and: "a && b\n"
        case .or: "a || b\n"
        case .processOutput: "a >(b)\n"
        case .redirect(let operation): operation.isHereDocument ? "a \(operation.rawValue)E\nE\n" : "a \(operation.rawValue)1\n"
        case .parameter(let operation): "a ${b\(operation.rawValue)Q}\n"
        }
    }

    /// The number in the tree of `sample`.
    func number(in statement: ShfmtNode) -> Int? {
        switch self {
        case .pipe, .pipeAll, .and, .or:
            statement["Cmd"]?["Type"]?.text == "BinaryCmd" ? statement["Cmd"]?["Op"]?.integer : nil
        case .processOutput: statement["Cmd"]?["Args"]?.items.last?["Parts"]?.items.first?["Op"]?.integer
        case .redirect: statement["Redirs"]?.items.first?["Op"]?.integer
        case .parameter: statement["Cmd"]?["Args"]?.items.last?["Parts"]?.items.first?["Exp"]?["Op"]?.integer
        }
    }

    /// Numbers of one space are told apart from one another, never from those of another space.
    fileprivate var space: Int {
        switch self {
        case .pipe, .pipeAll, .and, .or: 0
        case .processOutput: 1
        case .redirect: 2
        case .parameter: 3
        }
    }
}

/// The numbers that are understood so far.
struct ShfmtOperators: Sendable {
    private var known: [(number: Int, kind: ShfmtOperator)] = []

    func knows(_ kind: ShfmtOperator) -> Bool { known.contains { $0.kind == kind } }

    /// Learns from the first statements of a document, which are the trees of `kinds`, in that order.
    ///
    /// - Throws: `nonsense` where a tree is not that of its sample, or two operators have one number.
    mutating func learn(_ kinds: [ShfmtOperator], from statements: ArraySlice<ShfmtNode>) throws(ShellParserFailure) {
        guard statements.count >= kinds.count else { throw .nonsense("a wrong probe tree") }
        for (index, kind) in kinds.enumerated() {
            let statement = statements[statements.startIndex + index]
            guard let number = kind.number(in: statement) else { throw .nonsense("a wrong probe tree") }
            let others = known.filter { $0.kind.space == kind.space && ($0.number == number || $0.kind == kind) }
            guard others.allSatisfy({ $0.number == number && $0.kind == kind }) else { throw .nonsense("a wrong probe tree") }
            if others.isEmpty { known.append((number, kind)) }
        }
    }

    private func kind(of number: Int?, like sample: ShfmtOperator) throws(ShellParserFailure) -> ShfmtOperator {
        guard let found = known.first(where: { $0.number == number && $0.kind.space == sample.space }) else {
            throw .unknownOperator
        }
        return found.kind
    }

    /// Whether a BinaryCmd is a pipe, and whether it is an `||`.
    func binary(_ number: Int?) throws(ShellParserFailure) -> (isPipe: Bool, isOr: Bool) {
        let kind = try kind(of: number, like: .pipe)
        return (kind == .pipe || kind == .pipeAll, kind == .or)
    }

    func redirect(_ number: Int?) throws(ShellParserFailure) -> ShellRedirect.Operation {
        guard case .redirect(let operation) = try kind(of: number, like: .redirect(.output)) else { throw .unknownOperator }
        return operation
    }

    func parameter(_ number: Int?) throws(ShellParserFailure) -> ShellParameter.Operation {
        guard case .parameter(let operation) = try kind(of: number, like: .parameter(.error)) else { throw .unknownOperator }
        return operation
    }

    func isProcessOutput(_ number: Int?) throws(ShellParserFailure) -> Bool {
        guard let output = known.first(where: { $0.kind == .processOutput }) else { throw .unknownOperator }
        return number == output.number
    }
}

/// Sample lines to stand before a block.
struct ShfmtProbe: Sendable {
    let kinds: [ShfmtOperator]
    let text: String
    let lineCount: Int

    init(_ kinds: [ShfmtOperator]) {
        self.kinds = kinds
        // Not `joined`, for which conformances are looked up by name: 0.2 ms of a command's start.
        text = kinds.reduce(into: "") { $0.append($1.sample) }
        lineCount = text.utf8.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 }
    }

    /// What `block` seems to need and nobody has explained yet. Never empty before the first answer: by the pipe it is seen
    /// that the program answers about what it was given.
    init(for block: String, beside known: ShfmtOperators) {
        var kinds: [ShfmtOperator] = known.knows(.pipe) ? [] : [.pipe]
        for kind in Self.operators(in: block) where !known.knows(kind) && !kinds.contains(kind) { kinds.append(kind) }
        self.init(kinds)
    }

    /// The operators that stand in a text, quoted or not, with repetitions. Two that overlap count as the longer one.
    static func operators(in block: String) -> [ShfmtOperator] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(block.utf8.count)
        for byte in block.utf8 {
            // A line that goes on behind `\` may go on within an operator.
            if byte == 0x0A, bytes.last == UInt8(ascii: "\\") { bytes.removeLast() } else { bytes.append(byte) }
        }
        var found: [ShfmtOperator] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "$"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "{") {
                at = afterName(bytes, at + 2)
                longest(parameters, bytes, &at, &found)
            } else if !longest(commands, bytes, &at, &found) {
                at += 1
            }
        }
        return found
    }

    @discardableResult
    private static func longest(
        _ table: [(text: [UInt8], kind: ShfmtOperator)], _ bytes: [UInt8], _ at: inout Int, _ found: inout [ShfmtOperator]
    ) -> Bool {
        guard at < bytes.count else { return false }
        for (text, kind) in table where bytes[at] == text[0] && bytes[at...].starts(with: text) {
            if !found.contains(kind) { found.append(kind) }
            at += text.count
            return true
        }
        return false
    }

    /// Behind the name and the index of `${…`.
    private static func afterName(_ bytes: [UInt8], _ start: Int) -> Int {
        var at = start
        if at < bytes.count, bytes[at] == UInt8(ascii: "!") { at += 1 }
        if at < bytes.count, !NestedShellParser.isName(bytes[at]) { at += 1 }
        while at < bytes.count, NestedShellParser.isName(bytes[at]) { at += 1 }
        guard at < bytes.count, bytes[at] == UInt8(ascii: "["),
            let end = bytes[at...].prefix(256).firstIndex(of: UInt8(ascii: "]"))
        else {
            return at
        }
        return end + 1
    }

    /// Longest first.
    private static let commands = table(
        [("||", .or), ("|&", .pipeAll), ("|", .pipe), ("&&", .and), (">(", .processOutput), ("<(", .processOutput)]
            + ShellRedirect.Operation.allCases.map { ($0.rawValue, .redirect($0)) })
    private static let parameters = table(ShellParameter.Operation.allCases.map { ($0.rawValue, .parameter($0)) })

    private static func table(_ rows: [(String, ShfmtOperator)]) -> [(text: [UInt8], kind: ShfmtOperator)] {
        rows.map { (Array($0.0.utf8), $0.1) }.sorted { $0.text.count > $1.text.count }
    }
}
