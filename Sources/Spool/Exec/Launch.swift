// A command made ready: its program found, its files open, its strings checked. What can be refused is refused here, before
// anything runs, with a text that names the file or the folder.

import CSystemCalls
import Foundation

/// Why a command was not started, for a person to read.
struct NotStarted: Error, Sendable {
    let text: String
    /// The system call that failed, where one of flowspool's own did; nil: the command cannot be started on any machine like this.
    var cause: SystemCallError?
}

/// A command that is ready to start. The thread that runs it owns the streams.
struct Launch: @unchecked Sendable {
    // Invariant behind @unchecked: `streams` are made here, handed to one thread, and looked at by nobody else afterwards.
    let path: String
    /// The first is `path`, not the name that was looked for.
    let arguments: [String]
    let environment: [String: String]
    /// Both, as execve(2) takes them.
    private let argumentVector: CStrings
    private let environmentVector: CStrings
    let directory: String
    let input: Descriptor
    /// Output, and errors where they go elsewhere.
    let streams: [OutputPipe]
    /// The attempt's mark on its processes.
    let runDirectory: String?

    init(_ command: Command, outputBytesMax: Int, programs: ProgramFinder) throws(NotStarted) {
        func nul() -> NotStarted {
            NotStarted(
                text:
                    "a NUL byte in an argument, a path or the environment, or a variable without a name, of \(printable(command.executable))"
            )
        }
        guard let environment = CStrings(command.environment),
            ![command.executable, command.workingDirectory, command.inputPath ?? ""].contains(where: \.hasNUL)
        else { throw nul() }
        environmentVector = environment
        var info = stat()
        guard stat(command.workingDirectory, &info) == 0 else {
            throw Self.failed("working folder \(printable(command.workingDirectory))", errno)
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw Self.failed("working folder \(printable(command.workingDirectory))", ENOTDIR)
        }
        path = try Self.find(command.executable, searchPath: command.environment["PATH"], programs)
        // With its path as its name bash does not look for itself in each folder of `PATH`.
        arguments = [path] + command.arguments
        guard let vector = CStrings(arguments) else { throw nul() }
        argumentVector = vector
        self.environment = command.environment
        directory = command.workingDirectory
        runDirectory = command.environment[ProcessTable.mark]
        do throws(SystemCallError) {
            let inputPath = command.inputPath ?? "/dev/null"
            input = Descriptor(
                try SystemCalls.live.run(.open, inputPath) { open(inputPath, O_RDONLY | O_CLOEXEC | O_NOCTTY) })
            let bytesMax = command.outputBytesMax ?? outputBytesMax
            let output = try OutputPipe(path: command.outputPath, bytesMax: bytesMax)
            streams =
                if let errorPath = command.errorPath {
                    [output, try OutputPipe(path: errorPath, bytesMax: bytesMax)]
                } else {
                    [output]
                }
        } catch {
            throw NotStarted(text: error.description, cause: error)
        }
    }

    /// Starts the child on this thread; see `flowspool_start`.
    func start() throws(NotStarted) -> (pid: pid_t, pidfd: Int32) {
        // Whatever comes of it.
        defer { for stream in streams { stream.closeWriteEnd() } }
        var pidfd: Int32 = -1
        let pid = try OwnChildren.start { () throws(NotStarted) in try start(&pidfd) }
        return (pid, pidfd)
    }

    private func start(_ pidfd: inout Int32) throws(NotStarted) -> pid_t {
        var pid: pid_t = 0
        var step = flowspool_step_clone
        let code = path.withCString { path in
            directory.withCString { directory in
                var child = flowspool_child(
                    path: path, arguments: argumentVector.pointers, environment: environmentVector.pointers,
                    directory: directory, input: input.value, output: streams[0].writeDescriptor,
                    error: streams[streams.count - 1].writeDescriptor)
                return withExtendedLifetime(self) { flowspool_start(&child, &pid, &pidfd, &step) }
            }
        }
        switch (code, step) {
        case (0, _): return pid
        case (let code, flowspool_step_directory): throw Self.failed("working folder \(printable(directory))", code)
        case (let code, flowspool_step_exec): throw Self.failed(printable(path), code)
        case (let code, _):
            throw NotStarted(
                text: "could not start \(printable(path)): \(String(cString: strerror(code)))",
                cause: SystemCallError(call: .clone, path: path, errno: code))
        }
    }

    private static func failed(_ what: String, _ code: Int32) -> NotStarted {
        NotStarted(text: "\(what): \(String(cString: strerror(code)))")
    }

    private static func find(_ name: String, searchPath: String?, _ programs: ProgramFinder) throws(NotStarted) -> String {
        // A path is left to execve(2), whose error says what is wrong with it.
        if name.utf8.contains(UInt8(ascii: "/")) { return name }
        guard let path = programs.find(name, in: searchPath) else {
            throw NotStarted(text: "\(printable(name)): command not found in PATH")
        }
        return path
    }
}

/// A descriptor that is closed with its last holder.
final class Descriptor: Sendable {
    let value: Int32
    init(_ value: Int32) { self.value = value }
    deinit { close(value) }
}

/// A NULL-terminated array of C strings, for as long as somebody holds this.
private final class CStrings: @unchecked Sendable {
    // Invariant behind @unchecked: nothing is written after `init`.
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    /// One block for all the text.
    private let text: UnsafeMutableRawBufferPointer
    private var count = 0
    private var end = 0

    private init(count: Int, bytes: Int) {
        text = .allocate(byteCount: bytes, alignment: 1)
        pointers = .allocate(capacity: count + 1)
        pointers.initialize(repeating: nil, count: count + 1)
    }

    /// nil where one of the strings has a NUL.
    convenience init?(_ strings: [String]) {
        self.init(count: strings.count, bytes: strings.reduce(0) { $0 + $1.utf8.count + 1 })
        for string in strings {
            begin()
            guard append(string) else { return nil }
            append(0)
        }
    }

    /// As execve(2) takes them, NAME=VALUE; nil where a name or a value has a NUL, or a name is empty.
    convenience init?(_ environment: [String: String]) {
        let bytes = environment.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 2 }
        self.init(count: environment.count, bytes: bytes)
        for (name, value) in environment {
            begin()
            guard !name.isEmpty, append(name) else { return nil }
            append(UInt8(ascii: "="))
            guard append(value) else { return nil }
            append(0)
        }
    }

    private func begin() {
        pointers[count] = text.baseAddress?.advanced(by: end).assumingMemoryBound(to: CChar.self)
        count += 1
    }

    private func append(_ byte: UInt8) {
        text[end] = byte
        end += 1
    }

    /// Returns false where it has a NUL.
    private func append(_ string: String) -> Bool {
        var string = string
        return string.withUTF8 { bytes in
            UnsafeMutableRawBufferPointer(rebasing: text[end...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
            end += bytes.count
            return !bytes.hasNUL
        }
    }

    deinit {
        pointers.deallocate()
        text.deallocate()
    }
}

extension String {
    fileprivate var hasNUL: Bool {
        var string = self
        return string.withUTF8(\.hasNUL)
    }
}

extension UnsafeBufferPointer<UInt8> {
    fileprivate var hasNUL: Bool { baseAddress.map { memchr($0, 0, count) != nil } ?? false }
}
