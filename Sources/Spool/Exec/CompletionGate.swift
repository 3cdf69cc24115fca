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

    /// What the checks came to.
    struct Answer {
        /// One sentence for each check that does not hold; empty: the gate passes.
        var problems: [String] = []
        /// System calls of flowspool's own that failed, each for one of `problems`.
        fileprivate var causes: [SystemCallError] = []

        /// What was refused, where all that does not hold could not be asked for such a reason.
        var refusal: SystemCallError? { causes.count == problems.count ? causes.first : nil }

        fileprivate mutating func add(_ problem: String, cause: SystemCallError? = nil) {
            problems.append(problem)
            if let cause { causes.append(cause) }
        }
    }

    /// Makes the checks.
    ///
    /// - Parameters:
    ///   - repoRoot: what relative paths begin from.
    ///   - folder: where the probe may leave files, with names of its own.
    ///   - environment: for the probe's child.
    ///   - timeLeftSeconds: of the attempt; no check takes longer, and no URL longer than 10 s.
    ///   - workingDirectory: where `verify.command` runs; nil: in the repo root.
    func ask(
        _ specification: GateSpecification, repoRoot: String, folder: String, environment: [String: String],
        executor: any Executor, timeLeftSeconds: Double, workingDirectory: String? = nil
    ) async -> Answer {
        let begin = MonotonicTime.now
        var answer = Answer()
        for file in specification.filesExist {
            if let problem = Self.problem(withFile: file, repoRoot: repoRoot) { answer.add(problem) }
        }
        // One request answers for status and headers of a URL.
        let urls = specification.http200 + specification.headers.keys.sorted().filter { !specification.http200.contains($0) }
        for url in urls {
            let left = timeLeftSeconds - begin.seconds
            guard left > 0, !Task.isCancelled else {
                answer.add("\(printable(url)): not asked, the job's time was up")
                return answer
            }
            let request = HTTPProbeRequest(
                url: url, timeoutSeconds: min(10, left), folder: folder, environment: environment)
            switch await probe.get(request, on: executor) {
            case .failure(let failure): answer.add("\(printable(url)): \(failure.text)", cause: failure.cause)
            case .success(let response):
                if specification.http200.contains(url) && response.status != 200 {
                    answer.add("\(printable(url)) answered \(response.status), expected 200")
                }
                for wanted in specification.headers[url] ?? [] where !Self.carries(response.headers, wanted) {
                    answer.add("\(printable(url)): no header \(printable(wanted))")
                }
            }
        }
        if let command = specification.command, !Task.isCancelled {
            await Self.run(
                command, in: workingDirectory ?? repoRoot, folder: folder, environment: environment, executor: executor,
                timeLeftSeconds: timeLeftSeconds - begin.seconds, &answer)
        }
        return answer
    }

    /// Runs `verify.command`, which preflight has judged like a block, from a file of the run folder.
    private static func run(
        _ command: String, in directory: String, folder: String, environment: [String: String], executor: any Executor,
        timeLeftSeconds: Double, _ answer: inout Answer
    ) async {
        guard timeLeftSeconds > 0 else { return answer.add("verify.command was not run, the job's time was up") }
        do throws(SystemCallError) {
            try RunFolder(path: folder).write("verify.sh", Data((command + "\n").utf8))
        } catch {
            return answer.add("verify.command: \(error)", cause: error)
        }
        let result = await executor.run(
            Command(
                executable: "bash", arguments: ["-euo", "pipefail", folder + "/verify.sh"], environment: environment,
                workingDirectory: directory, outputPath: folder + "/verify.log", timeoutSeconds: timeLeftSeconds))
        switch result.ending {
        case .exited(0): break
        case .exited(let code): answer.add("verify.command exited \(code) (verify.log)")
        case .signalled(let signal): answer.add("verify.command was ended by signal \(signal)")
        case .timedOut: answer.add("verify.command was ended: the job's time was up")
        case .cancelled: answer.add("verify.command was cancelled")
        case .notStarted(let why): answer.add("verify.command could not start: \(why)", cause: result.cause)
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
