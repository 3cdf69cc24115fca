// Starts shfmt (mvdan.cc/sh) on one block and bounds what it may cost: one child, `timeoutSeconds`, `outputBytesMax`,
// and the memory that `ChildProgram` allows. The block reaches it through a socket, never through arguments; nothing of the block
// is ever a word of a command line. A child that hangs is killed with its group, and always waited for.

import Foundation
import Synchronization

public struct ShellParser: Sendable {
    public let path: String
    /// Tells this very program from any other, and from itself after an update: path, device, inode, size and times.
    let identity: String
    let timeoutSeconds: Double
    private let learnt = Learnt()

    /// What the program's answers have taught; copies of a parser share it.
    private final class Learnt: Sendable {
        struct State {
            var operators = ShfmtOperators()
            /// It has answered as shfmt does.
            var isProven = false
            var fault: FlowspoolError?
        }
        let state = Mutex(State())
        /// A child that was started before its block was known.
        let ahead = Mutex<ChildProgram.Started?>(nil)
    }

    static let versionLeast = (3, 6, 0)
    static let outputBytesMax = 24 << 20
    /// Words and lines of a text that shfmt is asked about first: it prints about a kilobyte for each.
    private static let wordsMax = 20_000
    /// Brackets inside one another of such a text: shfmt indents what it prints, which grows with the square of the depth.
    private static let bracketsMax = 400
    /// Of the time for a block, what the first child has. The second, which is asked where the first was too slow, has the rest.
    private static let firstShare = 0.4
    /// A cold start under load; a later call is never given less.
    private static let startSeconds = 15.0

    private static let hint = "install it (Debian: apt install shfmt), version 3.6.0 or later"

    /// Finds shfmt, and starts nothing yet: the first block proves it, or `prove()`.
    ///
    /// - Parameters:
    ///   - path: the program; nil: the first `shfmt` on `searchPath`.
    ///   - searchPath: folders, `:` between them.
    ///   - timeoutSeconds: what one block may take, with both children.
    /// - Throws: `FlowspoolError` when it is missing.
    public init(path: String? = nil, searchPath: String, timeoutSeconds: Double = 5) throws(FlowspoolError) {
        guard let program = ProgramFinder.search(path ?? "shfmt", in: searchPath) else {
            throw FlowspoolError(
                .unavailable, "shfmt was not found\(path.map { " at \(printable($0))" } ?? " on PATH")", hint: Self.hint)
        }
        self.path = program
        self.timeoutSeconds = timeoutSeconds
        var info = stat()
        guard stat(program, &info) == 0 else {
            throw FlowspoolError(
                .unavailable, "shfmt at \(printable(program)) cannot be looked at: \(String(cString: strerror(errno)))",
                hint: Self.hint)
        }
        identity = "\(program):\(FileStatus(info).signature)"
    }

    /// What was wrong with the program when it was last proven; nil while nothing is known against it.
    var fault: FlowspoolError? { learnt.state.withLock(\.fault) }

    /// Starts the program once and learns what all of its numbers mean; does nothing where that is known.
    ///
    /// - Parameter meanwhile: done once the child runs and before it is waited for.
    /// - Throws: `FlowspoolError` when it is older than 3.6.0, or answers nonsense. `fault` says the same from then on.
    func prove(meanwhile: () -> Void = {}) throws(FlowspoolError) {
        let operators = learnt.state.withLock(\.operators)
        let missing = ShfmtOperator.all.filter { !operators.knows($0) }
        guard !missing.isEmpty else { return }
        let probe = ShfmtProbe(missing)
        let answer = Self.tellingRefusal(
            ChildProgram.run(
                path, Self.arguments, input: Array(probe.text.utf8),
                limits: .init(seconds: Self.startSeconds, outputBytesMax: Self.outputBytesMax), meanwhile: meanwhile))
        if case .success(let output) = answer, output.status == 0, (try? learn(probe, output.bytes)) != nil { return }
        if case .failure(.notStarted(let refusal)) = answer, refusal.isOfMachine { throw refusal.forUser }
        // Something is wrong with it: only now is its version worth another start.
        let error: FlowspoolError
        if let version = try? Self.version(of: path), Self.isOld(version) {
            error = FlowspoolError(
                .unavailable, "shfmt at \(printable(path)) is version \(printable(String(version.prefix(40)))), older than 3.6.0",
                hint: Self.hint)
        } else {
            error = FlowspoolError(
                .unavailable, "shfmt at \(printable(path)) does not answer as shfmt does: \(Self.reason(answer))", hint: Self.hint
            )
        }
        learnt.state.withLock { $0.fault = error }
        throw error
    }

    /// Learns from an answer; the nodes of the block behind the probe.
    private func learn(_ probe: ShfmtProbe, _ bytes: [UInt8]) throws(ShellParserFailure) -> ArraySlice<ShfmtNode> {
        let nodes = try ShfmtTree.nodes(of: try ShfmtJSONReader.read(bytes))
        var failure: ShellParserFailure?
        learnt.state.withLock { state in
            do throws(ShellParserFailure) {
                try state.operators.learn(probe.kinds, from: nodes.prefix(probe.kinds.count))
                state.isProven = true
            } catch { failure = error }
        }
        if let failure { throw failure }
        return nodes.dropFirst(probe.kinds.count)
    }

    /// What `shfmt --version` says, without a leading `v`.
    ///
    /// - Throws: `FlowspoolError.unavailable` where it does not run.
    static func version(of program: String) throws(FlowspoolError) -> String {
        let answer = ChildProgram.run(
            program, ["--version"], input: [], limits: .init(seconds: startSeconds, outputBytesMax: 4096))
        guard case .success(let output) = answer, output.status == 0 else {
            throw FlowspoolError(.unavailable, "shfmt at \(printable(program)) does not run: \(reason(answer))")
        }
        let text = String(decoding: output.bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.hasPrefix("v") ? String(text.dropFirst()) : text
    }

    /// Whether a text is a version, and one from before `versionLeast`.
    private static func isOld(_ version: String) -> Bool {
        guard version.first?.isNumber == true, version.contains(".") else { return false }
        let numbers = version.split { !$0.isNumber }.prefix(3).map { Int($0) ?? 0 } + [0, 0, 0]
        return (numbers[0], numbers[1], numbers[2]) < versionLeast
    }

    private static let arguments = ["-ln", "bash", "-tojson"]

    private static func reason(_ answer: Result<ChildProgram.Output, ShellParserFailure>) -> String {
        switch answer {
        case .failure(let failure): failure.explanation
        case .success(let output):
            output.status == 0
                ? "unexpected output"
                : "exit \(output.status), \(printable(String(decoding: output.errors.prefix(120), as: UTF8.self)))"
        }
    }

    enum Outcome {
        case tree([ShellStatement])
        /// Not a program of the shell.
        case invalid(ShellSyntaxError)
        case failed(ShellParserFailure)
    }

    /// Parses one block with one child; with a second one where the first ran out of time. The time is the machine's: a runner that
    /// was stopped meanwhile (SIGSTOP, a paused virtual machine) finds it over however quick the parser was.
    ///
    /// - Parameter meanwhile: done once the child runs and before it is waited for.
    func parse(_ text: String, meanwhile: () -> Void = {}) -> Outcome {
        if Self.isLarge(text) {
            // The nested parser takes a thousandth of shfmt's memory for it, and stops where a text is too deep.
            do throws(ShellSyntaxError) {
                return .tree(try NestedShellParser.parse(text))
            } catch {
                if error.isTooDeep { return .failed(.tooDeep) }
            }
        }
        let probe = ShfmtProbe(for: text, beside: learnt.state.withLock(\.operators))
        let first = timeoutSeconds * Self.firstShare
        var answer = run(probe.text + text, seconds: first, meanwhile)
        if case .failure(.timeout) = answer { answer = run(probe.text + text, seconds: timeoutSeconds - first) {} }
        if case .failure(.timeout) = answer { answer = .failure(.timeout(seconds: timeoutSeconds)) }
        let outcome = outcome(answer, probe)
        // A program that has never answered well is no shell parser that failed on a block: `fault` says so.
        if case .failed = outcome, !learnt.state.withLock(\.isProven) { try? prove() }
        return outcome
    }

    /// Whether shfmt would take too much for it.
    private static func isLarge(_ text: String) -> Bool {
        var words = 0
        var brackets = 0
        var isInWord = false
        for byte in text.utf8 {
            switch byte {
            case 0x0A:
                words += 1
                isInWord = false
            case 0x20, 0x09: isInWord = false
            case UInt8(ascii: "("), UInt8(ascii: "{"): brackets += 1
            case UInt8(ascii: ")"), UInt8(ascii: "}"): brackets = max(brackets - 1, 0)
            default:
                if !isInWord { words += 1 }
                isInWord = true
            }
            if words > wordsMax || brackets > bracketsMax { return true }
        }
        return false
    }

    private func outcome(_ answer: Result<ChildProgram.Output, ShellParserFailure>, _ probe: ShfmtProbe) -> Outcome {
        switch answer {
        case .failure(let failure): return .failed(failure)
        case .success(let output) where output.status == 0:
            do throws(ShellParserFailure) {
                return .tree(try statements(of: try learn(probe, output.bytes), lineOffset: probe.lineCount))
            } catch {
                return .failed(error)
            }
        case .success(let output):
            let errors = String(decoding: output.errors, as: UTF8.self)
            if output.status != 1, errors.contains("memory") { return .failed(.tooLarge) }
            guard output.status == 1, let error = Self.syntaxError(errors),
                error.position.line > probe.lineCount
            else { return .failed(.crashed("exit \(output.status)")) }
            return .invalid(
                ShellSyntaxError(
                    message: error.message,
                    position: ShellPosition(line: error.position.line - probe.lineCount, column: error.position.column)))
        }
    }

    private func statements(
        of nodes: ArraySlice<ShfmtNode>, lineOffset: Int
    ) throws(ShellParserFailure) -> [ShellStatement] {
        let tree = ShfmtTree(operators: learnt.state.withLock(\.operators), lineOffset: lineOffset)
        do throws(ShellParserFailure) {
            return try tree.statements(nodes)
        } catch .unknownOperator {
            // The probe did not guess one that the block has: now all are asked for, and the same tree is read again.
            guard (try? prove()) != nil else { throw .unknownOperator }
            return try ShfmtTree(operators: learnt.state.withLock(\.operators), lineOffset: lineOffset).statements(nodes)
        }
    }

    /// Starts the child for the next block, which takes about as long to be ready for it as a prompt takes to be read. Where it
    /// cannot be started, the block says so.
    func startAhead() { learnt.ahead.withLock { $0 = try? ChildProgram.start(path, Self.arguments) } }

    /// Ends a child that no block came for.
    func endAhead() { learnt.ahead.withLock { $0 = nil } }

    private func run(
        _ text: String, seconds: Double, _ meanwhile: () -> Void
    ) -> Result<ChildProgram.Output, ShellParserFailure> {
        let input = Array(text.utf8)
        let limits = ChildProgram.Limits(seconds: seconds, outputBytesMax: Self.outputBytesMax)
        if var child = learnt.ahead.withLock({ $0.take() }) {
            return Self.tellingRefusal(child.run(input: input, limits: limits, meanwhile: meanwhile))
        }
        return Self.tellingRefusal(
            ChildProgram.run(path, Self.arguments, input: input, limits: limits, meanwhile: meanwhile))
    }

    /// The same, but where the machine refused the parser a thread (what the Go runtime says then, newosproc in runtime/os_linux.go), that
    /// is what failed, and neither the parser nor the block. Of other failures, a text of the block may be a part.
    private static func tellingRefusal(
        _ answer: Result<ChildProgram.Output, ShellParserFailure>
    ) -> Result<ChildProgram.Output, ShellParserFailure> {
        guard case .success(let output) = answer, output.status == 2,
            output.errors.starts(with: "runtime: failed to create new OS thread".utf8)
        else { return answer }
        return .failure(.notStarted(SystemCallError(call: .clone, path: "a thread of the shell parser", errno: EAGAIN)))
    }

    /// `<standard input>:3:7: reached EOF without closing quote "`.
    private static func syntaxError(_ text: String) -> ShellSyntaxError? {
        let line = text.split(separator: "\n").first.map(String.init) ?? ""
        let rest = line.hasPrefix("<standard input>:") ? line.dropFirst("<standard input>:".count) : line[...]
        let parts = rest.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let row = Int(parts[0]), let column = Int(parts[1]) else { return nil }
        let message = parts[2].trimmingCharacters(in: .whitespaces)
        return ShellSyntaxError(message: printable(message), position: ShellPosition(line: max(row, 1), column: max(column, 1)))
    }
}

extension ShellParserFailure {
    var explanation: String {
        switch self {
        case .nonsense(let what): "the shell parser printed nonsense (\(what))"
        case .unknownOperator: "the shell parser knows an operator that nothing here does"
        case .tooDeep: "it is nested too deeply"
        case .tooDeepToFollow: "what it runs is nested too deeply to follow"
        case .tooManySteps(let count): "what it runs takes more than \(count.formatted()) steps to follow"
        case .tooManyValues(let bytes): "the values that it makes take more than \(bytes >> 20) MiB"
        case .tooSlow(let seconds): "to judge it took more than \(seconds.formatted()) s"
        case .tooLarge: "its syntax tree is too large"
        case .timeout(let seconds): "the shell parser took more than \(seconds.formatted()) s"
        case .crashed(let how): "the shell parser failed (\(how))"
        case .notStarted(let why):
            "the shell parser could not be started (\(why.call.rawValue): \(String(cString: strerror(why.errno))))"
        }
    }
}
