import Foundation
import Testing

@testable import Spool

private func entry(_ event: EventLog.Event, _ prompt: String = "") -> EventLog.Entry {
    EventLog.Entry(time: "", event: event.rawValue, prompt: prompt, detail: "")
}

private func success() -> MiniExperiment.Observation {
    let names = ["prompt-01-mini.md", "prompt-02-mini.md"]
    return MiniExperiment.Observation(
        exitCode: 0, status: "done", isOnHold: false,
        prompts: names.map {
            MiniExperiment.Prompt(
                name: $0, artefacts: ["a/\($0).txt": true], state: .done, preflightStatus: "ready", execStatus: "success",
                pipelineStatus: "success", gate: "pass")
        },
        events: [entry(.startup)]
            + names.flatMap { [entry(.promptStart, $0), entry(.promptRun, $0), entry(.promptSuccess, $0)] } + [
                entry(.pipelineDone)
            ],
        seconds: 0.4149)
}

private func halt() -> MiniExperiment.Observation {
    MiniExperiment.Observation(
        exitCode: 10, status: "hold", isOnHold: true,
        prompts: [
            MiniExperiment.Prompt(
                name: "c1.md", artefacts: ["c1": false], state: .failed, preflightStatus: "ready", execStatus: "failed",
                pipelineStatus: "hold",
                gate: "skipped"),
            MiniExperiment.Prompt(
                name: "c2.md", artefacts: ["c2": false], state: .queued, preflightStatus: nil, execStatus: nil,
                pipelineStatus: nil,
                gate: nil),
        ],
        events: [
            entry(.startup), entry(.promptStart, "c1.md"), entry(.promptRun, "c1.md"), entry(.promptFailed, "c1.md"),
            entry(.pipelineHold),
        ], seconds: 0.2)
}

@Suite struct MiniExperimentTests {
    @Test(arguments: [MiniExperiment.Phase.production, .poc]) func judge_everythingAsExpected_passes(phase: MiniExperiment.Phase)
    {
        let report = MiniExperiment.judge(success(), by: MiniExperiment.expectation(of: phase))
        #expect(report.faults == [])
        #expect(report.prompts == 2)
    }

    @Test func judge_canaryThatHalts_passes() {
        let report = MiniExperiment.judge(halt(), by: MiniExperiment.expectation(of: .canary))
        #expect(report.faults == [] && report.prompts == 1)
    }

    static let faults: [(String, @Sendable (inout MiniExperiment.Observation) -> Void)] = [
        ("exit code is 1", { $0.exitCode = 1 }),
        ("summary status is missing", { $0.status = nil }),
        ("hold is set", { $0.isOnHold = true }),
        ("first event is prompt_start", { $0.events.removeFirst() }),
        ("pipeline_done is missing", { $0.events.removeLast() }),
        ("pipeline_hold is in the log", { $0.events.append(entry(.pipelineHold)) }),
        ("prompt-01-mini.md: events is prompt_start prompt_run, expected", { $0.events.remove(at: 3) }),
        ("a/prompt-01-mini.md.txt is missing", { $0.prompts[0].artefacts["a/prompt-01-mini.md.txt"] = false }),
        ("asks for no artefacts", { $0.prompts[0].artefacts = [:] }),
        ("state is failed", { $0.prompts[1].state = .failed }),
        ("state is waiting", { $0.prompts[1].state = nil }),
        ("preflight stamp is missing", { $0.prompts[1].preflightStatus = nil }),
        ("exec stamp is failed", { $0.prompts[1].execStatus = "failed" }),
        ("pipeline stamp is hold, expected success or done", { $0.prompts[1].pipelineStatus = "hold" }),
        ("completion gate is skipped", { $0.prompts[1].gate = "skipped" }),
        ("prompts/ holds no prompts", { $0.prompts = [] }),
    ]

    @Test(arguments: faults.indices) func judge_oneThingOff_saysWhich(index: Int) {
        var seen = success()
        Self.faults[index].1(&seen)
        let report = MiniExperiment.judge(seen, by: MiniExperiment.expectation(of: .production))
        #expect(report.faults.contains { $0.contains(Self.faults[index].0) }, "\(report.faults)")
        #expect(!report.isPassed)
    }

    @Test func judge_canaryWhoseSecondPromptStarted_fails() {
        var seen = halt()
        seen.events.insert(entry(.promptStart, "c2.md"), at: 4)
        seen.prompts[1].artefacts["c2"] = true
        seen.prompts[1].state = .failed
        let faults = MiniExperiment.judge(seen, by: MiniExperiment.expectation(of: .canary)).faults
        #expect(faults.count == 3, "\(faults)")
    }

    @Test func judge_canaryThatSucceeds_fails() {
        let report = MiniExperiment.judge(success(), by: MiniExperiment.expectation(of: .canary))
        #expect(!report.isPassed)
    }

    @Test func table_isTheGoldenText() {
        var bad = success()
        bad.exitCode = 2
        bad.seconds = 12.3456
        let reports = [
            MiniExperiment.judge(success(), by: MiniExperiment.expectation(of: .production)),
            MiniExperiment.judge(bad, by: MiniExperiment.expectation(of: .poc)),
            MiniExperiment.judge(halt(), by: MiniExperiment.expectation(of: .canary)),
        ]
        #expect(
            MiniExperiment.table(reports) == """
                phase       prompts  result  seconds
                production        2  pass       0.41
                poc               2  FAIL      12.35
                canary            1  pass       0.20
                poc: exit code is 2, expected 0

                """)
        #expect(MiniExperiment.json(reports)["passed"] == false)
        #expect(MiniExperiment.json([reports[0]])["passed"] == false)
    }

    @Test func read_log_leavesOutForeignLines() throws {
        let folder = try ContractFolder()
        #expect(try EventLog.read(in: folder.directory).isEmpty)
        try folder.write("foreign\n{\"mine\":1}\n", to: .log)
        let log = try EventLog(in: folder.directory)
        try log.append(.startup, at: 0)
        try log.append(.promptStart, prompt: "a.md", detail: "d", at: 0)
        let all = try EventLog.read(in: folder.directory)
        #expect(all.map(\.event) == ["startup", "prompt_start"])
        #expect(
            try EventLog.read(in: folder.directory, last: 1) == [
                EventLog.Entry(time: "1970-01-01T00:00:00Z", event: "prompt_start", prompt: "a.md", detail: "d")
            ])
    }
}

@Suite struct MiniRecordTests {
    private let record = MiniRecord(version: "1.0.0", configSHA: "c0ffee", prompts: ["prompts/a.md": "01", "canary/b.md": "02"])

    @Test func read_afterWrite_givesItBackAndIsCurrent() throws {
        let folder = try ContractFolder()
        let reports = [MiniExperiment.judge(success(), by: MiniExperiment.expectation(of: .production))]
        try record.write(in: folder.directory, passedAt: 0, reports: reports)
        let again = try MiniRecord.read(in: folder.directory)
        #expect(again == record)
        try MiniRecord.requireCurrent(again, present: record)
        try MiniRecord.remove(in: folder.directory)
        #expect(try MiniRecord.read(in: folder.directory) == nil)
    }

    static let changes: [(String, @Sendable (inout MiniRecord) -> Void)] = [
        ("version", { $0.version = "1.0.1" }),
        ("configuration", { $0.configSHA = "beef" }),
        ("configuration", { $0.configSHA = nil }),
        ("prompts/a.md has changed", { $0.prompts["prompts/a.md"] = "00" }),
        ("canary/b.md has changed", { $0.prompts["canary/b.md"] = nil }),
        (
            "canary/c.md and 1 more",
            {
                $0.prompts["canary/c.md"] = "03"; $0.prompts["prompts/z.md"] = "04"
            }
        ),
    ]

    @Test(arguments: changes.indices) func requireCurrent_afterAChange_saysWhich(index: Int) {
        var present = record
        Self.changes[index].1(&present)
        let error = #expect(throws: FlowspoolError.self) { try MiniRecord.requireCurrent(record, present: present) }
        #expect(error?.code == .miniNotCurrent)
        #expect(error?.message.contains(Self.changes[index].0) == true, "\(error?.message ?? "")")
        #expect(error?.hint?.contains("flowspool mini") == true)
    }

    @Test(arguments: ["", "{", "[]", "{\"schema\":2}", "{\"schema\":1,\"version\":1,\"prompts\":{}}", "\0\0"])
    func read_whatIsNoRecord_isNone(text: String) throws {
        let folder = try ContractFolder()
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/" + MiniRecord.fileName))
        #expect(try MiniRecord.read(in: folder.directory) == nil)
        #expect(throws: FlowspoolError.self) { try MiniRecord.requireCurrent(nil, present: record) }
    }

    @Test func digests_areThoseOfTheFilesAndNothingHidden() throws {
        let folder = try ContractFolder()
        for path in ["prompts/a.md", "prompts/.hidden", "canary/b.md"] {
            let url = URL(fileURLWithPath: folder.path + "/" + path)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("abc".utf8).write(to: url)
        }
        // SHA-256 of "abc": FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(try MiniRecord.digests(in: folder.directory) == ["prompts/a.md": abc, "canary/b.md": abc])
    }
}
