// What must hold after a prompt's blocks succeeded (`verify` in its front matter). Every check is made, and everything that
// does not hold is told at once. The paths and URLs come from the prompt: they are arguments here, never text of a command.

import Foundation

/// The completion gate.
public struct CompletionGate: Sendable {
    private let probe: any HTTPProbe

    /// - Parameter probe: how URLs are asked.
    public init(probe: any HTTPProbe = CurlProbe()) {
        self.probe = probe
    }

    /// Makes the checks.
    ///
    /// - Parameters:
    ///   - repoRoot: what relative paths begin from.
    ///   - folder: where the probe may leave files, with names of its own.
    ///   - environment: for the probe's child.
    ///   - timeLeftSeconds: of the attempt; no check takes longer, and no URL longer than 10 s.
    ///   - workingDirectory: where `verify.command` runs; nil: in the repo root.
    /// - Returns: one sentence for each check that does not hold; empty: the gate passes.
    func ask(
        _ specification: GateSpecification, repoRoot: String, folder: String, environment: [String: String],
        executor: any Executor, timeLeftSeconds: Double, workingDirectory: String? = nil
    ) async -> [String] {
        var refusal: SystemCallError?
        return await ask(
            specification, repoRoot: repoRoot, folder: folder, environment: environment, executor: executor,
            timeLeftSeconds: timeLeftSeconds, workingDirectory: workingDirectory, refusal: &refusal)
    }

    /// As above.
    ///
    /// - Parameter refusal: what the machine refused, where all else holds and `verify.command` could not be run for that reason.
    func ask(
        _ specification: GateSpecification, repoRoot: String, folder: String, environment: [String: String],
        executor: any Executor, timeLeftSeconds: Double, workingDirectory: String? = nil, refusal: inout SystemCallError?
    ) async -> [String] {
        let begin = MonotonicTime.now
        var problems = specification.filesExist.compactMap { Self.problem(withFile: $0, repoRoot: repoRoot) }
        // One request answers for status and headers of a URL.
        let urls = specification.http200 + specification.headers.keys.sorted().filter { !specification.http200.contains($0) }
        for url in urls {
            let left = timeLeftSeconds - begin.seconds
            guard left > 0, !Task.isCancelled else { return problems + ["\(printable(url)): not asked, the job's time was up"] }
            let request = HTTPProbeRequest(
                url: url, timeoutSeconds: min(10, left), folder: folder, environment: environment)
            switch await probe.get(request, on: executor) {
            case .failure(let failure): problems.append("\(printable(url)): \(failure.text)")
            case .success(let answer):
                if specification.http200.contains(url) && answer.status != 200 {
                    problems.append("\(printable(url)) answered \(answer.status), expected 200")
                }
                for wanted in specification.headers[url] ?? [] where !Self.carries(answer.headers, wanted) {
                    problems.append("\(printable(url)): no header \(printable(wanted))")
                }
            }
        }
        if let command = specification.command, !Task.isCancelled {
            var cause: SystemCallError?
            let problem = await Self.problem(
                withCommand: command, in: workingDirectory ?? repoRoot, folder: folder, environment: environment,
                executor: executor,
                timeLeftSeconds: timeLeftSeconds - begin.seconds, cause: &cause)
            if problems.isEmpty { refusal = cause }
            if let problem { problems.append(problem) }
        }
        return problems
    }

    /// Runs `verify.command`, which preflight has judged like a block, from a file of the run folder.
    private static func problem(
        withCommand command: String, in directory: String, folder: String, environment: [String: String],
        executor: any Executor, timeLeftSeconds: Double, cause: inout SystemCallError?
    ) async -> String? {
        guard timeLeftSeconds > 0 else { return "verify.command was not run, the job's time was up" }
        do throws(SystemCallError) {
            try RunFolder(path: folder).write("verify.sh", Data((command + "\n").utf8))
        } catch {
            cause = error
            return "verify.command: \(error)"
        }
        let result = await executor.run(
            Command(
                executable: "bash", arguments: ["-euo", "pipefail", folder + "/verify.sh"], environment: environment,
                workingDirectory: directory, outputPath: folder + "/verify.log", timeoutSeconds: timeLeftSeconds))
        cause = result.cause
        switch result.ending {
        case .exited(0): return nil
        case .exited(let code): return "verify.command exited \(code) (verify.log)"
        case .signalled(let signal): return "verify.command was ended by signal \(signal)"
        case .timedOut: return "verify.command was ended: the job's time was up"
        case .cancelled: return "verify.command was cancelled"
        case .notStarted(let why): return "verify.command could not start: \(why)"
        }
    }

    private static func problem(withFile name: String, repoRoot: String) -> String? {
        let path = name.hasPrefix("/") ? name : repoRoot + "/" + name
        var info = stat()
        guard stat(path, &info) == 0 else {
            return errno == ENOENT || errno == ENOTDIR
                ? "\(printable(name)) does not exist" : "\(printable(name)): \(String(cString: strerror(errno)))"
        }
        switch info.st_mode & S_IFMT {
        case S_IFREG: return info.st_size > 0 ? nil : "\(printable(name)) is empty"
        case S_IFDIR: return isEmptyFolder(path) ? "\(printable(name)) is an empty folder" : nil
        default: return nil
        }
    }

    private static func isEmptyFolder(_ path: String) -> Bool {
        var isEmpty = true
        // A folder that cannot be listed exists, which is what was asked.
        guard let folder = try? Directory(path: path) else { return false }
        try? folder.forEachEntry { _, _ in
            isEmpty = false
            return false
        }
        return isEmpty
    }

    /// `wanted` is `Name: value` or `Name`. Names know no case (RFC 9110, 5.1); values are compared without outer blanks.
    private static func carries(_ headers: [(name: String, value: String)], _ wanted: String) -> Bool {
        let parts = wanted.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0].trimmingCharacters(in: .whitespaces).lowercased()
        let value = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : nil
        return headers.contains { $0.name.lowercased() == name && (value == nil || $0.value == value) }
    }
}
