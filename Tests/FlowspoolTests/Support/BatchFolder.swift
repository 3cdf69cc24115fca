// A folder that is wiped and refilled for batches, as cron's users have it: a repository with a configuration, and in it the
// root that the prompts stand in. Each prompt notes its start in the repository's file `ran`, so that a test sees what ran.

import Foundation
import Spool
import Testing

struct BatchFolder {
    let folder: TemporaryFolder
    /// Name of the root in the folder.
    static let root = "work"

    /// One block that notes its start, then runs `body`.
    static func prompt(_ name: String, _ body: String = "true", frontMatter: String = "") -> String {
        let head = frontMatter.isEmpty ? "" : "---\n\(frontMatter)\n---\n"
        return "\(head)# \(name)\n\n```bash\necho '\(name)' >> \"$REPO_ROOT/ran\"\n\(body)\n```\n"
    }

    /// - Parameter prompts: file names, with the body of each one's block.
    init(_ prompts: KeyValuePairs<String, String> = [:]) throws {
        folder = try TemporaryFolder()
        try folder.write(Self.configuration, to: "scripts/codex-sprint/prompt_flow.config.json")
        try FileManager.default.createDirectory(at: folder.url.appending(path: Self.root), withIntermediateDirectories: true)
        for (name, body) in prompts { try drop(name, body) }
    }

    func drop(_ name: String, _ body: String = "true", frontMatter: String = "") throws {
        try folder.write(Self.prompt(name, body, frontMatter: frontMatter), to: "\(Self.root)/\(name)")
    }

    /// `steady` never halts in these tests; `brittle` halts at the first failure.
    static let configuration = """
        {
          "version": 1, "active_profile": "steady",
          "top5_toggles": ["warn_mode", "warn_gate", "retry_max", "pipeline_fail_fast_threshold",
                           "pipeline_max_total_failures"],
          "profiles": {
            "steady": {"warn_mode": "halt", "warn_gate": "yes", "retry_max": 0, "pipeline_fail_fast_threshold": 50,
                       "pipeline_max_total_failures": 90},
            "brittle": {"warn_mode": "halt", "warn_gate": "yes", "retry_max": 0, "pipeline_fail_fast_threshold": 1,
                        "pipeline_max_total_failures": 90}
          }
        }
        """

    var rootURL: URL { folder.url.appending(path: Self.root) }

    private func fullArguments(_ arguments: [String]) -> [String] {
        ["pipeline", "--root", Self.root, "--repo-root", "."] + arguments
    }

    /// A batch, to its end.
    func batch(_ arguments: String..., environment: [String: String] = [:]) async throws -> Binary.Result {
        try await Binary.run(fullArguments(arguments), environment: environment, cwd: folder.url)
    }

    /// A batch that goes on while the test does.
    func startBatch(_ arguments: String...) throws -> RunningBinary {
        try RunningBinary(fullArguments(arguments), cwd: folder.url)
    }

    func run(_ arguments: String...) async throws -> Binary.Result {
        try await Binary.run(arguments, cwd: folder.url)
    }

    // MARK: - What is there

    /// Names of the prompts that ran, in order.
    var ran: [String] {
        // No file: none ran.
        let text = (try? String(contentsOf: folder.url.appending(path: "ran"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: rootURL.appending(path: path).path) }

    func text(_ path: String) throws -> String { try String(contentsOf: rootURL.appending(path: path), encoding: .utf8) }

    func contract(_ file: ContractFile) throws -> String { try text(file.name) }

    func lines(_ file: ContractFile) throws -> [String] { try contract(file).split(separator: "\n").map(String.init) }

    func summary() throws -> JSON { try JSON.parse(try contract(.summary)) }

    /// The absolute paths of these prompts.
    func paths(_ names: String...) -> [String] { names.map { rootURL.path + "/" + $0 } }

    /// The log's events, in order, each with its prompt.
    func events() throws -> [String] {
        try lines(.log).map { line in
            let event = try JSON.parse(line)
            let prompt = event["prompt"]?.stringValue ?? ""
            return (event["event"]?.stringValue ?? "?") + (prompt.isEmpty ? "" : " \(prompt)")
        }
    }

    /// Every file and folder of the repository with kind, size, mode, inode and times: two equal ones mean that nothing changed.
    func listing() throws -> [String] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.url.path).sorted()
        return ([""] + paths).map { path in
            var info = stat()
            guard lstat(folder.url.appending(path: path).path, &info) == 0 else { return "\(path) gone" }
            return "\(path) \(info.st_mode) \(info.st_size) \(info.st_ino) "
                + "\(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec) \(info.st_ctim.tv_sec).\(info.st_ctim.tv_nsec)"
        }
    }

    func remove() { folder.remove() }

    /// Runs `body` with a folder that is removed afterwards.
    static func with(_ prompts: KeyValuePairs<String, String> = [:], _ body: (BatchFolder) async throws -> Void) async throws {
        let folder = try BatchFolder(prompts)
        defer { folder.remove() }
        try await body(folder)
    }
}
