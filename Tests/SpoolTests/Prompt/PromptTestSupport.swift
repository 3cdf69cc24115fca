// Shared by the suites of Prompt: short ways to make files and facts, a seeded generator, and the folder of real prompt files.

import Foundation
import Testing

@testable import Spool

func read(_ text: String, name: String = "a.md") -> PromptFile { PromptFile.read(name: name, bytes: Data(text.utf8)) }

extension PromptFile {
    var codes: [Finding.Code] { findings.map(\.code) }
}

extension Data {
    var text: String { String(decoding: self, as: UTF8.self) }
}

enum Facts {
    static let date = Date(timeIntervalSince1970: 1_767_323_045)  // 2026-01-02T03:04:05Z

    static func preflight(reason: String = "no findings", revision: Int = 1, findings: [Stamp.Preflight.Mark] = [])
        -> Stamp.Preflight
    {
        let sources = Dictionary(uniqueKeysWithValues: Toggle.allCases.map { ($0, PolicyLayer.profile) })
        return Stamp.Preflight(
            source: "watch", status: .ready, isReady: true, reason: reason, revision: revision,
            resolved: ResolvedPolicy(
                policy: .builtin, sources: sources, profile: "poc", configSHA: String(repeating: "1", count: 64)),
            findings: findings, updated: date)
    }

    static func exec() -> Stamp.Exec {
        var exec = Stamp.Exec(
            source: "watch", status: .failed, runRef: "runs/2026-01-02/7/attempt-1", promptSHA: String(repeating: "0", count: 64),
            gate: .skipped, failedBlock: 2, failureClass: .exit, lastOKBlock: 1, warningCount: 0, attempts: 1, exitCode: 3,
            durationMilliseconds: 42, updated: date)
        exec.extra = [.init("runner", "script")]
        return exec
    }

    static func pipeline() -> Stamp.Pipeline {
        Stamp.Pipeline(
            source: "pipeline", status: .hold, runID: "20260102T030405Z", attempt: 1, failStreak: 2, failTotal: 2,
            profile: "production", failFastThreshold: 2, totalFailuresMax: 4, lastEvent: "pipeline_hold", updated: date)
    }

    static func stamp(
        for file: PromptFile, preflight: Stamp.Preflight? = Facts.preflight(), exec: Stamp.Exec? = nil,
        pipeline: Stamp.Pipeline? = nil
    ) -> Stamp {
        Stamp(promptID: file.id, promptSHA: file.sha, preflight: preflight, exec: exec, pipeline: pipeline)
    }
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

enum Corpus {
    /// Folder of prompt files from other projects, kept outside this repository; nil where it is not there.
    static let folder: URL? = {
        let environment = ProcessInfo.processInfo.environment["FLOWSPOOL_SHARED"].map { URL(fileURLWithPath: $0) }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let shared = environment ?? root.deletingLastPathComponent().appendingPathComponent("shared")
        let corpus = shared.appendingPathComponent("corpus")
        return FileManager.default.fileExists(atPath: corpus.path) ? corpus : nil
    }()

    static func files() -> [URL] {
        guard let folder, let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else {
            return []
        }
        return walk.compactMap { $0 as? URL }
            .filter { PromptName($0.lastPathComponent)?.kind == .prompt }.sorted { $0.path < $1.path }
    }
}

/// What must hold for every file that can carry a stamp: bytes come back, stamping twice is stamping once, identity stays, and the
/// stamp reads back to its facts.
func checkStamping(_ bytes: Data, _ label: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Bool {
    let comment = Comment(rawValue: label)
    let file = PromptFile.read(name: "x.md", bytes: bytes)
    guard file.canCarryStamp else {
        #expect(throws: FlowspoolError.self, comment, sourceLocation: sourceLocation) {
            try StampWriter.apply(Facts.stamp(for: file), to: bytes)
        }
        return false
    }
    let once = try StampWriter.apply(Facts.stamp(for: file), to: file)
    #expect(StampWriter.remove(from: once) == file.authorBytes, comment, sourceLocation: sourceLocation)
    #expect(try StampWriter.apply(Facts.stamp(for: file), to: once) == once, comment, sourceLocation: sourceLocation)
    let again = PromptFile.read(name: "x.md", bytes: once)
    #expect(again.id == file.id && again.sha == file.sha, comment, sourceLocation: sourceLocation)
    #expect(again.settings == file.settings && again.blocks == file.blocks, comment, sourceLocation: sourceLocation)
    #expect(again.findings == file.findings && again.body == file.body, comment, sourceLocation: sourceLocation)

    let later = Facts.stamp(for: file, preflight: nil, exec: Facts.exec(), pipeline: Facts.pipeline())
    let twice = try StampWriter.apply(later, to: again)
    let all = Facts.stamp(for: file, exec: Facts.exec(), pipeline: Facts.pipeline())
    #expect(try StampWriter.apply(all, to: bytes) == twice, comment, sourceLocation: sourceLocation)
    #expect(StampWriter.remove(from: twice) == file.authorBytes, comment, sourceLocation: sourceLocation)
    let existing = ExistingStamp(in: twice)
    #expect(existing?.promptID == file.id && existing?.promptSHA == file.sha, comment, sourceLocation: sourceLocation)
    #expect(
        existing?.preflightStatus == "ready" && existing?.execStatus == "failed" && existing?.pipelineStatus == "hold", comment,
        sourceLocation: sourceLocation)
    return true
}
