// The two copies of the profile configuration: the canonical file, which people edit, and the runtime copy, which tools read
// where the repository is not theirs to change. Only the runtime copy is ever written, and that whole or not at all.

import Foundation

/// The canonical configuration and its runtime copy.
public struct ConfigurationCopies: Sendable {
    public let repoRoot: String
    /// `--config`, else the canonical file.
    public let sourcePath: String
    public let runtimePath: String
    private let calls: SystemCalls

    public init(repoRoot: String, configFlag: String?, calls: SystemCalls = .live) {
        self.repoRoot = repoRoot
        self.calls = calls
        sourcePath = configFlag ?? PolicyConfiguration.canonicalPath(repoRoot: repoRoot)
        runtimePath = PolicyConfiguration.runtimePath(repoRoot: repoRoot)
    }

    /// Makes the runtime copy the same as the source: written aside, fsynced, renamed.
    ///
    /// - Throws: `invalidInput`: no source, or a faulty one, which is never copied; `unavailable`: the disk refused.
    public func sync() throws(FlowspoolError) -> JSON {
        let bytes = try ConfigurationFile.read(sourcePath, calls: calls)
        let configuration = try PolicyConfiguration(contents: bytes, path: sourcePath)
        let isChanged = try runtimeBytes() != bytes
        if isChanged {
            do throws(SystemCallError) {
                var folder = try Directory(path: repoRoot, calls: calls)
                for name in PolicyConfiguration.runtimeFolder.split(separator: "/") {
                    folder = try folder.makeFolder(String(name), mode: 0o755)
                }
                try folder.replace(PolicyConfiguration.fileName, with: bytes, mode: 0o644)
            } catch {
                throw error.forUser
            }
        }
        return [
            "ok": true,
            "repo_root": .string(repoRoot),
            "config_path": .string(sourcePath),
            "runtime_path": .string(runtimePath),
            "config_sha": JSON(configuration.sha256),
            "changed": .bool(isChanged),
        ]
    }

    /// How the runtime copy differs from the source.
    public struct Difference: Sendable, Equatable {
        public var isSame: Bool
        /// In the manner of `diff -u`, each line with its line end; empty where the two are the same.
        public var text: String
        public var json: JSON
    }

    /// Compares the two byte by byte; neither needs to be valid.
    ///
    /// - Throws: `invalidInput` where the source is missing or one of the two cannot be read. A missing runtime copy is a
    ///   difference, not an error.
    public func compare() throws(FlowspoolError) -> Difference {
        let source = try ConfigurationFile.read(sourcePath, calls: calls)
        let runtime = try runtimeBytes()
        let isSame = source == runtime
        var text = ""
        if !isSame {
            text = "--- \(printable(sourcePath))\n+++ \(printable(runtimePath))\(runtime == nil ? " (missing)" : "")\n"
            text += Self.lineDifference(source, runtime ?? Data())
        }
        return Difference(
            isSame: isSame, text: text,
            json: [
                "same": .bool(isSame),
                "repo_root": .string(repoRoot),
                "config_path": .string(sourcePath),
                "runtime_path": .string(runtimePath),
                "config_sha": .string(SHA256.hex(source)),
                "runtime_sha": JSON(runtime.map(SHA256.hex)),
            ])
    }

    /// What a run under `production` says when both copies exist and are not the same; nil where all is well.
    ///
    /// - Parameter resolver: the policy of the run.
    public static func runtimeCopyWarning(repoRoot: String, resolver: PolicyResolver) -> String? {
        let copies = ConfigurationCopies(repoRoot: repoRoot, configFlag: nil)
        guard resolver.profile.name == "production", resolver.configuration.path == copies.sourcePath else { return nil }
        let sha: String?
        do {
            sha = try copies.runtimeBytes().map(SHA256.hex)
        } catch {
            return "the runtime copy of the configuration cannot be read: \(error.message)"
        }
        guard let sha, sha != resolver.configuration.sha256 else { return nil }
        return "\(printable(copies.runtimePath)) differs from \(printable(copies.sourcePath)), which applies; "
            + "see: flowspool profile diff; mend: flowspool profile sync"
    }

    /// nil where there is no runtime copy.
    private func runtimeBytes() throws(FlowspoolError) -> Data? {
        var info = stat()
        if lstat(runtimePath, &info) != 0, errno == ENOENT || errno == ENOTDIR { return nil }
        return try ConfigurationFile.read(runtimePath, calls: calls)
    }

    /// Every line once, marked as in a unified diff. The comparison is quadratic at worst, so it is bounded.
    private static func lineDifference(_ left: Data, _ right: Data) -> String {
        func lines(_ data: Data) -> [String] {
            String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map {
                printable(String($0))
            }
        }
        let (old, new) = (lines(left), lines(right))
        guard max(old.count, new.count) <= 2000 else { return "too many lines to compare one by one\n" }
        let change = new.difference(from: old)
        let removed = Set(change.removals.map(\.offset))
        let inserted = Set(change.insertions.map(\.offset))
        var result = ""
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if removed.contains(i) {
                result += "-\(old[i])\n"
                i += 1
            } else if inserted.contains(j) {
                result += "+\(new[j])\n"
                j += 1
            } else {
                // The last "line" after a final newline is empty and no line.
                if i < old.count, !(old[i].isEmpty && i == old.count - 1) { result += " \(old[i])\n" }
                i += 1
                j += 1
            }
        }
        return result
    }
}

extension CollectionDifference.Change {
    fileprivate var offset: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}
