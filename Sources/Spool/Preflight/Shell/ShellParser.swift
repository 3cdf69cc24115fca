// Starts shfmt (mvdan.cc/sh) on one block and bounds what it may cost: one child, `timeoutSeconds`, `outputBytesMax`. The
// block reaches it through a socket, never through arguments; nothing of the block is
// ever a word of a command line. A child that hangs is killed with its group, and always waited for.

import Foundation

public struct ShellParser: Sendable {
    public let path: String
    /// Tells this very program from any other, and from itself after an update: path, device, inode, size and times.
    let identity: String
    let operators: ShfmtOperators
    let timeoutSeconds: Double

    static let versionLeast = (3, 6, 0)
    static let outputBytesMax = 48 << 20
    /// A cold start under load; a later call is never given less.
    private static let startSeconds = 15.0

    /// Finds shfmt and learns what its numbers mean, by one start of it.
    ///
    /// - Parameters:
    ///   - path: the program; nil: the first `shfmt` on `searchPath`.
    ///   - searchPath: folders, `:` between them.
    ///   - timeoutSeconds: what one block may take.
    /// - Throws: `FlowspoolError` when it is missing, older than 3.6.0, or answers nonsense.
    public init(path: String? = nil, searchPath: String, timeoutSeconds: Double = 5) throws(FlowspoolError) {
        let hint = "install it (Debian: apt install shfmt), version 3.6.0 or later"
        guard let program = ProgramFinder.search(path ?? "shfmt", in: searchPath) else {
            throw FlowspoolError(
                .unavailable, "shfmt was not found\(path.map { " at \(printable($0))" } ?? " on PATH")", hint: hint)
        }
        self.path = program
        self.timeoutSeconds = timeoutSeconds
        var info = stat()
        guard stat(program, &info) == 0 else {
            throw FlowspoolError(
                .unavailable, "shfmt at \(printable(program)) cannot be looked at: \(String(cString: strerror(errno)))",
                hint: hint)
        }
        identity = "\(program):\(FileStatus(info).signature)"
        let probe = ChildProgram.run(
            program, Self.arguments, input: Array(ShfmtOperators.probe.utf8),
            limits: .init(seconds: Self.startSeconds, outputBytesMax: Self.outputBytesMax))
        if case .success(let tree) = probe, tree.status == 0, let document = try? ShfmtJSONReader.read(tree.bytes),
            let operators = try? ShfmtOperators(probe: document)
        {
            self.operators = operators
            return
        }
        // Something is wrong with it: only now is its version worth another start.
        if let version = try? Self.version(of: program), !Self.isRecent(version) {
            throw FlowspoolError(
                .unavailable,
                "shfmt at \(printable(program)) is version \(printable(String(version.prefix(40)))), older than 3.6.0",
                hint: hint)
        }
        throw FlowspoolError(
            .unavailable, "shfmt at \(printable(program)) does not answer as shfmt does: \(Self.reason(probe))", hint: hint)
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

    private static func isRecent(_ version: String) -> Bool {
        let numbers = version.split { !$0.isNumber }.prefix(3).map { Int($0) ?? 0 } + [0, 0, 0]
        return (numbers[0], numbers[1], numbers[2]) >= versionLeast && version.contains(".")
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
    func parse(_ text: String) -> Outcome {
        var answer = run(text)
        if case .failure(.timeout) = answer { answer = run(text) }
        switch answer {
        case .failure(let failure): return .failed(failure)
        case .success(let output) where output.status == 0:
            do throws(ShellParserFailure) {
                let document = try ShfmtJSONReader.read(output.bytes)
                return .tree(try ShfmtTree(operators: operators).statements(of: document))
            } catch {
                return .failed(error)
            }
        case .success(let output):
            guard output.status == 1, let error = Self.syntaxError(String(decoding: output.errors, as: UTF8.self)) else {
                return .failed(.crashed("exit \(output.status)"))
            }
            return .invalid(error)
        }
    }

    private func run(_ text: String) -> Result<ChildProgram.Output, ShellParserFailure> {
        ChildProgram.run(
            path, Self.arguments, input: Array(text.utf8),
            limits: .init(seconds: timeoutSeconds, outputBytesMax: Self.outputBytesMax))
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
        case .tooDeep: "it is nested too deeply"
        case .tooLong: "what it runs is too deep or too long to follow"
        case .tooLarge: "its syntax tree is too large"
        case .timeout(let seconds): "the shell parser took more than \(seconds.formatted()) s"
        case .crashed(let how): "the shell parser failed (\(how))"
        case .notStarted(let why): "the shell parser could not be started (\(why))"
        }
    }
}
