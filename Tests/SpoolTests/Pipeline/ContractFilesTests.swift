import Foundation
import Testing

@testable import Spool

private let time = Int64(1_771_026_728_000)

private func summary(root: String) -> BatchSummary {
    BatchSummary(
        runID: "20260213T235208Z-1", startedMilliseconds: time, root: root, repoRoot: "/repo", runnerMode: .script,
        execModeRequested: nil,
        profile: "production", countRequested: 0, failFastThreshold: 2, totalFailuresMax: 4)
}

@Suite struct ContractFilesTests {
    @Test func writers_leaveTheContractsFilesAndNothingElse() throws {
        let folder = try ContractFolder()
        let files = try ContractFiles(root: folder.directory)
        try files.writePlan(BatchPlan(names: ["b.md", "a.md"], roots: [folder.path]))
        try files.writePreview(["a.md"])
        try files.writeSummary(summary(root: folder.path))
        try files.writeResume(
            ResumeEnvironment(runID: "r", nextPrompt: "a.md", root: folder.path, profile: nil, reason: "fail_fast"))
        try files.log.append(.startup, at: time)
        try HoldFile(byHand: "", at: time).write(in: folder.directory)
        #expect(try Set(folder.names) == Set(ContractFile.allCases.map(\.name)).subtracting([ContractFile.lock.name]))
        #expect(try folder.text(.plan) == "\(folder.path)/a.md\n\(folder.path)/b.md\n")
        #expect(try folder.text(.pendingPreview) == "a.md\n")
        #expect(try JSON.parse(folder.text(.summary))["status"] == "running")
    }

    @Test(arguments: ContractFile.allCases) func open_folderUnderAContractName_isRefused(file: ContractFile) throws {
        let folder = try ContractFolder()
        try FileManager.default.createDirectory(atPath: folder.pathOf(file), withIntermediateDirectories: false)
        let error = #expect(throws: FlowspoolError.self) { try ContractFiles(root: folder.directory) }
        #expect(error?.code == .invalidInput)
        #expect(error?.message.contains(file.name) == true && error?.message.contains("folder") == true)
        #expect(try folder.names == [file.name])
    }

    @Test(arguments: ContractFile.allCases) func open_linkUnderAContractName_isRefusedAndItsTargetUntouched(file: ContractFile)
        throws
    {
        let folder = try ContractFolder()
        let target = folder.path + "/target"
        try Data("x".utf8).write(to: URL(fileURLWithPath: target))
        try FileManager.default.createSymbolicLink(atPath: folder.pathOf(file), withDestinationPath: target)
        let error = #expect(throws: FlowspoolError.self) { try ContractFiles(root: folder.directory) }
        #expect(error?.message.contains("symbolic link") == true)
        #expect(try String(contentsOfFile: target, encoding: .utf8) == "x")
    }

    @Test(arguments: ContractFile.allCases) func open_fifoUnderAContractName_isRefusedWithoutWaiting(file: ContractFile) throws {
        let folder = try ContractFolder()
        #expect(mkfifo(folder.pathOf(file), 0o600) == 0)
        #expect(throws: FlowspoolError.self) { try ContractFiles(root: folder.directory) }
    }

    @Test(arguments: [EROFS, EACCES]) func open_readOnlyRoot_isInvalidInput(code: Int32) throws {
        let faults = Faults()
        let folder = try ContractFolder(calls: faults.calls)
        faults.fail(.faccessat, code)
        let error = #expect(throws: FlowspoolError.self) { try ContractFiles(root: folder.directory) }
        #expect(error?.code == .invalidInput && error?.message.contains("read-only") == true)
        #expect(try folder.names.isEmpty)
    }

    @Test(arguments: [SystemCall.write, .fsync, .renameat2, .openat]) func replace_whenACallFails_keepsTheOldFile(
        call: SystemCall
    ) throws {
        let faults = Faults()
        let folder = try ContractFolder(calls: faults.calls)
        let files = try ContractFiles(root: folder.directory)
        try files.writePreview(["old.md"])
        faults.fail(call, ENOSPC)
        #expect(throws: SystemCallError.self) { try files.writePreview(["new.md"]) }
        faults.stop()
        #expect(try folder.text(.pendingPreview) == "old.md\n")
        try files.writePreview(["new.md"])
        #expect(try folder.text(.pendingPreview) == "new.md\n")
    }

    @Test(arguments: [ContractFile.state, .failed, .log]) func open_oneFileThatIsRefused_changesNone(file: ContractFile) throws {
        let folder = try ContractFolder()
        let torn: [ContractFile: String] = [.state: "a.md--0123", .failed: "b.md--0123", .log: "{\"ts"]
        for (name, text) in torn { try folder.write(text, to: name) }
        let foreign = file == .log ? String(repeating: "x", count: 70_000) : "foreign\n"
        try folder.write(foreign, to: file)
        #expect(throws: FlowspoolError.self) { try ContractFiles(root: folder.directory) }
        #expect(throws: FlowspoolError.self) { try ContractFiles.check(folder.directory) }
        for (name, text) in torn { #expect(try folder.text(name) == (name == file ? foreign : text)) }
    }

    @Test func check_nothingThere_makesNothing() throws {
        let folder = try ContractFolder()
        try ContractFiles.check(folder.directory)
        #expect(try folder.names.isEmpty)
    }

    @Test func summary_asWritten_isTheGoldenText() throws {
        var value = summary(root: "/spool")
        value.status = .hold
        value.reason = BatchSummary.Reason.failFast.rawValue
        value.execModeRequested = .script
        value.ran = 2
        value.failedCount = 2
        value.failStreak = 2
        value.failTotal = 2
        value.lastPrompt = "b.md"
        value.exitCode = 10
        value.finishedMilliseconds = time
        #expect(value.json.pretty == goldenSummary)
    }

    @Test func summary_everyFieldOfTheContractIsThere() throws {
        let keys = try #require(summary(root: "/spool").json.objectValue).map(\.0)
        for key in [
            "run_utc", "status", "pipeline_status", "reason", "root", "repo_root", "runner_mode", "exec_mode_requested",
            "profile",
            "count_requested", "ran", "fail_streak", "fail_total", "thresholds", "state_files",
        ] { #expect(keys.contains(key), "\(key)") }
        #expect(Set(keys).count == keys.count)
    }

    @Test func summary_failedJobsBelowTheThreshold_areAPipelineThatIsDone() {
        var value = summary(root: "/spool")
        value.status = .failed
        #expect(value.json["status"] == "failed" && value.json["pipeline_status"] == "done")
    }
}

private let goldenSummary = """
    {
      "run_utc": "20260213T235208Z",
      "status": "hold",
      "pipeline_status": "hold",
      "reason": "fail_fast",
      "root": "/spool",
      "repo_root": "/repo",
      "runner_mode": "script",
      "exec_mode_requested": "script",
      "profile": "production",
      "count_requested": 0,
      "ran": 2,
      "succeeded": 0,
      "failed": 2,
      "blocked": 0,
      "held": 0,
      "fail_streak": 2,
      "fail_total": 2,
      "thresholds": {
        "fail_fast": 2,
        "max_total_failures": 4
      },
      "state_files": {
        "state": "/spool/.prompt-pipeline.state",
        "failed": "/spool/.prompt-pipeline.failed",
        "plan": "/spool/.prompt-pipeline.plan.txt",
        "pending_preview": "/spool/.prompt-pipeline.pending.preview.txt",
        "log": "/spool/.prompt-pipeline.log.jsonl",
        "summary": "/spool/.prompt-pipeline.summary.json",
        "resume": "/spool/.prompt-pipeline.resume.env",
        "hold": "/spool/.prompt-pipeline.HOLD",
        "lock": "/spool/.prompt-pipeline.lock",
        "go": ""
      },
      "run_id": "20260213T235208Z-1",
      "finished_utc": "2026-02-13T23:52:08Z",
      "last_prompt": "b.md",
      "exit_code": 10,
      "mini_skipped": false
    }

    """
