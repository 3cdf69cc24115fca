// The record of a mini experiment that passed, and whether it still speaks for the present. It is bound to what could change
// the outcome: the configuration, the prompts, the version. What can go wrong: the record is missing, foreign or out of date,
// which all mean the same: run `flowspool mini`.

import Foundation

/// What a mini experiment was made with.
public struct MiniRecord: Sendable, Equatable {
    /// The record's file in `deployment_pipeline/`; not for version control, since it speaks for one machine.
    public static let fileName = ".mini-record.json"
    /// The folder in a repository whose presence makes the record necessary under `production`.
    public static let folderName = "deployment_pipeline"
    static let schema = 1
    static let bytesMax = 1 << 20

    /// flowspool's version.
    public var version: String
    /// SHA-256 of the configuration file, 64 hex digits; nil where there was none.
    public var configSHA: String?
    /// SHA-256 by path below `deployment_pipeline/` (`prompts/prompt-01-mini.md`).
    public var prompts: [String: String]

    public init(version: String, configSHA: String?, prompts: [String: String]) {
        self.version = version
        self.configSHA = configSHA
        self.prompts = prompts
    }

    /// The prompts' digests in `folder`, which is a `deployment_pipeline/`.
    ///
    /// - Throws: `SystemCallError`, `FlowspoolError(.invalidInput)` for a prompt of more than 1 MiB.
    public static func digests(in folder: Directory) throws -> [String: String] {
        var result: [String: String] = [:]
        for name in ["prompts", "canary"] {
            guard try folder.status(name)?.kind == .folder else { continue }
            let source = try folder.folder(name)
            var files: [String] = []
            try source.forEachEntry { bytes, _ in
                let file = String(decoding: bytes, as: UTF8.self)
                // Whatever is hidden is no prompt: contract files of a batch that somebody ran here, editors' leftovers.
                if !file.hasPrefix(".") { files.append(file) }
                return true
            }
            for file in files where try source.status(file)?.kind == .regular {
                guard let data = try source.readContract(file, bytesMax: bytesMax) else { continue }
                result["\(name)/\(file)"] = SHA256.hex(data)
            }
        }
        return result
    }

    // MARK: - On disk

    /// Writes the record into `folder`. On return it survives a power loss.
    public func write(in folder: Directory, passedAt milliseconds: Int64, reports: [MiniExperiment.Report]) throws {
        let document: JSON = [
            "schema": .int(Self.schema), "version": .string(version), "config_sha": JSON(configSHA),
            "prompts": .object(prompts.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }),
            "passed_utc": .string(utcText(milliseconds, fraction: false)), "report": MiniExperiment.json(reports),
        ]
        try folder.replaceContract(Self.fileName, with: document.pretty)
    }

    /// Takes the record away, which a new experiment does first: a run that is cut off must not leave an old pass standing.
    public static func remove(in folder: Directory) throws {
        try folder.remove(fileName)
        try folder.sync()
    }

    /// The record in `folder`; nil where there is none or what is there is no record.
    public static func read(in folder: Directory) throws -> MiniRecord? {
        guard let data = try folder.readContract(fileName, bytesMax: bytesMax) else { return nil }
        // What cannot be read proves nothing, exactly like a record that is missing.
        guard let value = try? JSON.parse(data), value["schema"]?.intValue == schema,
            let version = value["version"]?.stringValue, let prompts = value["prompts"]?.objectValue
        else { return nil }
        var digests: [String: String] = [:]
        for (name, digest) in prompts { digests[name] = digest.stringValue }
        return MiniRecord(version: version, configSHA: value["config_sha"]?.stringValue, prompts: digests)
    }

    // MARK: - Judgement

    /// Why this record does not speak for `present`; nil where it does.
    func staleness(against present: MiniRecord) -> String? {
        if version != present.version {
            return "it was made with version \(printable(version)), and this is \(printable(present.version))"
        }
        if configSHA != present.configSHA { return "the configuration has changed since" }
        let names = Set(prompts.keys).union(present.prompts.keys)
        let changed = names.filter { prompts[$0] != present.prompts[$0] }.sorted()
        guard let first = changed.first else { return nil }
        let more = changed.count > 1 ? " and \(changed.count - 1) more" : ""
        return "\(printable(first))\(more) has changed since"
    }

    /// Throws unless `record` speaks for `present`.
    ///
    /// - Throws: `FlowspoolError(.miniNotCurrent)`, exit 15.
    public static func requireCurrent(_ record: MiniRecord?, present: MiniRecord) throws(FlowspoolError) {
        let hint = "run `flowspool mini`; `--skip-mini` goes on without it, and the summary says so"
        guard let record else {
            throw FlowspoolError(.miniNotCurrent, "no mini experiment has passed here", hint: hint)
        }
        if let reason = record.staleness(against: present) {
            throw FlowspoolError(.miniNotCurrent, "the mini experiment's record is not current: \(reason)", hint: hint)
        }
    }
}
