import Foundation
import Testing

@testable import Spool

private let time = Int64(1_771_026_728_900)

@Suite struct EventLogTests {
    @Test func append_writesTheFourKeysInOrder() throws {
        let folder = try ContractFolder()
        let log = try EventLog(in: folder.directory)
        try log.append(.startup, detail: "root=/spool count=2", at: time)
        try log.append(.promptSuccess, prompt: "prompt-01.md", detail: "attempts=1", at: time)
        #expect(
            try folder.text(.log) == """
                {"ts":"2026-02-13T23:52:08Z","event":"startup","prompt":"","detail":"root=/spool count=2"}
                {"ts":"2026-02-13T23:52:08Z","event":"prompt_success","prompt":"prompt-01.md","detail":"attempts=1"}

                """)
    }

    @Test func events_areTheContracts() {
        #expect(
            EventLog.Event.allCases.map(\.rawValue) == [
                "startup", "prompt_start", "prompt_run", "prompt_success", "prompt_failed", "prompt_blocked", "prompt_held",
                "pipeline_hold", "pipeline_done",
            ])
    }

    @Test(arguments: hostileNames) func append_anyName_isOneLineThatGivesItBack(name: String) throws {
        let folder = try ContractFolder()
        try EventLog(in: folder.directory).append(.promptStart, prompt: name, detail: name, at: time)
        let text = try folder.text(.log)
        #expect(text.utf8.filter { $0 < 0x20 }.count == 1)
        let value = try JSON.parse(String(text.dropLast()))
        #expect(value["prompt"]?.stringValue.map { Array($0.utf8) } == Array(name.utf8))
        #expect(value["detail"]?.stringValue.map { Array($0.utf8) } == Array(name.utf8))
    }

    @Test func append_endlessDetail_isCut() throws {
        let folder = try ContractFolder()
        let log = try EventLog(in: folder.directory)
        try log.append(.promptFailed, prompt: "a.md", detail: String(repeating: "ä", count: 1 << 20), at: time)
        #expect(try folder.text(.log).utf8.count < EventLog.lineBytesMax)
        _ = try EventLog(in: folder.directory)
    }

    @Test func open_tornLastLine_isRemovedAndEveryLineIsAnObject() throws {
        let folder = try ContractFolder()
        let whole = #"{"ts":"x","event":"startup","prompt":"","detail":""}"# + "\n"
        try folder.write(whole + #"{"ts":"2026-02-13T23:5"#, to: .log)
        try EventLog(in: folder.directory).append(.pipelineDone, at: time)
        let lines = try folder.text(.log).split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines { #expect(try JSON.parse(String(line)).objectValue != nil) }
    }

    @Test func open_wholeObjectWithoutNewline_isKept() throws {
        let folder = try ContractFolder()
        try folder.write(#"{"mine":1}"#, to: .log)
        try EventLog(in: folder.directory).append(.pipelineDone, at: time)
        #expect(try folder.text(.log).hasPrefix("{\"mine\":1}\n{\"ts\""))
    }

    @Test func open_zeroesAfterPowerLoss_areRemoved() throws {
        let folder = try ContractFolder()
        try folder.write("{\"mine\":1}\n\0\0\0\0", to: .log)
        _ = try EventLog(in: folder.directory)
        #expect(try folder.text(.log) == "{\"mine\":1}\n")
    }

    @Test func open_foreignWholeLines_areKept() throws {
        let folder = try ContractFolder()
        try folder.write("not ours\n", to: .log)
        try EventLog(in: folder.directory).append(.startup, at: time)
        #expect(try folder.text(.log).hasPrefix("not ours\n{"))
    }

    @Test func open_endlessLastLine_isRefusedAndUntouched() throws {
        let folder = try ContractFolder()
        let text = String(repeating: "x", count: EventLog.lineBytesMax + 1)
        try folder.write(text, to: .log)
        #expect(throws: FlowspoolError.self) { try EventLog(in: folder.directory) }
        #expect(try folder.text(.log) == text)
    }

    @Test func append_afterTheLogWasMovedAway_beginsANewOne() throws {
        let folder = try ContractFolder()
        let log = try EventLog(in: folder.directory)
        try log.append(.startup, at: time)
        try FileManager.default.moveItem(atPath: folder.pathOf(.log), toPath: folder.path + "/rotated")
        try log.append(.pipelineDone, at: time)
        #expect(try folder.text(.log).contains("pipeline_done"))
        #expect(try folder.text(.log).contains("startup") == false)
    }

    @Test func append_afterTheLogWasCutShort_writesWholeLines() throws {
        let folder = try ContractFolder()
        let log = try EventLog(in: folder.directory)
        try log.append(.startup, at: time)
        let handle = try #require(FileHandle(forWritingAtPath: folder.pathOf(.log)))
        try handle.truncate(atOffset: 20)
        try handle.close()
        try log.append(.pipelineDone, at: time)
        let text = try folder.text(.log)
        #expect(text.split(separator: "\n").count == 1 && text.contains("pipeline_done"))
    }

    /// A line that another program is still writing was taken for what a power loss leaves, and cut off.
    @Test func append_whileAnotherProgramIsMidLine_keepsItsBytes() throws {
        let folder = try ContractFolder()
        let log = try EventLog(in: folder.directory)
        try log.append(.startup, at: time)
        let handle = try #require(FileHandle(forWritingAtPath: folder.pathOf(.log)))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(#"{"mine":"#.utf8))
        try log.append(.pipelineDone, at: time)
        let lines = try folder.text(.log).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4 && lines[1] == #"{"mine":"# && lines[2].contains("pipeline_done") && lines[3] == "")
    }

    @Test func append_fromManyTasks_keepsLinesWhole() async throws {
        let folder = try ContractFolder()
        let logs = try [EventLog(in: folder.directory), EventLog(in: folder.directory)]
        await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                group.addTask { try logs[index % 2].append(.promptRun, prompt: "p-\(index)", at: time) }
            }
        }
        let lines = try folder.text(.log).split(separator: "\n")
        #expect(Set(try lines.map { try JSON.parse(String($0))["prompt"]?.stringValue }).count == 200)
    }
}
