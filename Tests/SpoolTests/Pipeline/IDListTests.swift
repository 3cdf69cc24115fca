import Foundation
import Testing

@testable import Spool

private let a = "a.md--0123456789ab"
private let b = "b.md--ba9876543210"

@Suite struct IDListTests {
    @Test func add_appendsOneLineAndIsReadBack() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        #expect(try list.add(a))
        #expect(try list.add(b))
        #expect(try !list.add(a))
        #expect(try folder.text(.state) == "\(a)\n\(b)\n")
        let again = try IDList(.state, in: folder.directory)
        #expect(again.count == 2 && again.contains(a) && again.contains(b))
    }

    @Test func add_keepsTheFileItself_soThatItsCostDoesNotGrow() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        let before = try folder.directory.status(ContractFile.state.name)
        try list.add(a)
        #expect(try folder.directory.status(ContractFile.state.name)?.inode == before?.inode)
    }

    @Test(arguments: hostileNames) func add_anyName_isOneLineAndComesBack(name: String) throws {
        let folder = try ContractFolder()
        let id = "\(name)--0123456789ab"
        try IDList(.failed, in: folder.directory).add(id)
        let text = try folder.text(.failed)
        #expect(text.utf8.filter { $0 == 0x0A }.count == 1 && text.hasSuffix("\n"))
        #expect(try IDList(.failed, in: folder.directory).contains(id))
    }

    @Test func add_namesThatDifferOnlyInUnicodeForm_areTwo() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        try list.add("\u{E9}.md--0123456789ab")
        #expect(!list.contains("e\u{301}.md--0123456789ab"))
    }

    @Test func remove_takesOutOneIDAndKeepsAppending() throws {
        let folder = try ContractFolder()
        let list = try IDList(.failed, in: folder.directory)
        try list.add(a)
        try list.add(b)
        #expect(try list.remove(a))
        #expect(try !list.remove(a))
        try list.add(a)
        #expect(try folder.text(.failed) == "\(b)\n\(a)\n")
        #expect(try folder.names == [".prompt-pipeline.failed"])
    }

    @Test func refresh_afterTheFileWasDeleted_forgetsEveryID() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        try list.add(a)
        #expect(try !list.refresh())
        try FileManager.default.removeItem(atPath: folder.pathOf(.state))
        #expect(try list.refresh())
        #expect(!list.contains(a))
        try list.add(b)
        #expect(try folder.text(.state) == "\(b)\n")
    }

    @Test func add_afterAnotherProcessAppended_seesItsLines() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        try IDList(.state, in: folder.directory).add(a)
        #expect(try !list.add(a))
        #expect(try folder.text(.state) == "\(a)\n")
    }

    @Test func open_completeIDWithoutNewline_endsTheLine() throws {
        let folder = try ContractFolder()
        try folder.write("\(a)\n\(b)", to: .state)
        let list = try IDList(.state, in: folder.directory)
        #expect(list.contains(a) && list.contains(b))
        #expect(try folder.text(.state) == "\(a)\n\(b)\n")
    }

    @Test func open_tornID_isRemovedSoThatLaterLinesStayWhole() throws {
        let folder = try ContractFolder()
        try folder.write("\(a)\nb.md--ba98", to: .state)
        let list = try IDList(.state, in: folder.directory)
        try list.add(b)
        #expect(try folder.text(.state) == "\(a)\n\(b)\n")
    }

    @Test(arguments: ["", "\n\n", "\r\n"]) func open_emptyOrBlank_hasNoIDs(text: String) throws {
        let folder = try ContractFolder()
        try folder.write(text, to: .state)
        #expect(try IDList(.state, in: folder.directory).count == 0)
    }

    @Test func open_carriageReturns_areTolerated() throws {
        let folder = try ContractFolder()
        try folder.write("\(a)\r\n\(b)\r\n", to: .state)
        #expect(try IDList(.state, in: folder.directory).count == 2)
    }

    @Test(arguments: [
        "hello\n", "prompt-01.md\n", "a.md--0123456789AB\n", "--0123456789ab\n", "a.md--0123456789abc\n", "{\"json\": 1}\n",
        "bad\\escape--0123456789ab\n", "\u{0}\u{0}\u{0}\n",
    ]) func open_foreignLine_isRefusedByNumberAndNothingChanges(line: String) throws {
        let folder = try ContractFolder()
        let text = "\(a)\n\(line)\(b)"
        try folder.write(text, to: .state)
        let error = #expect(throws: FlowspoolError.self) { try IDList(.state, in: folder.directory) }
        #expect(error?.code == .invalidInput)
        #expect(error?.message.contains("line 2") == true)
        #expect(try folder.text(.state) == text)
    }

    @Test func open_noUTF8_isRefused() throws {
        let folder = try ContractFolder()
        try Data([0xFF, 0xFE, 0x0A]).write(to: URL(fileURLWithPath: folder.pathOf(.state)))
        #expect(throws: FlowspoolError.self) { try IDList(.state, in: folder.directory) }
    }

    /// A program that writes a line in two pieces, or died between them: its piece is never cut off, ours goes below it.
    @Test func add_whileAnotherProgramIsMidLine_cutsNothingOff() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        try list.add(a)
        let other = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.pathOf(.state)))
        try other.seekToEnd()
        try other.write(contentsOf: Data("c.md--0123".utf8))
        try list.refresh()
        #expect(list.contains(a) && list.count == 1)
        #expect(try folder.text(.state) == "\(a)\nc.md--0123")
        try other.write(contentsOf: Data("456789ab\n".utf8))
        try list.refresh()
        #expect(list.contains("c.md--0123456789ab"))
        try other.write(contentsOf: Data("d.md--".utf8))
        try list.add(b)
        #expect(try folder.text(.state) == "\(a)\nc.md--0123456789ab\nd.md--\n\(b)\n")
    }

    @Test func look_mendsNothingAndMakesNothing() throws {
        let folder = try ContractFolder()
        #expect(try !IDList.look(.state, in: folder.directory).contains(a))
        #expect(try folder.names == [])
        try folder.write("\(a)\n\(b.dropLast())", to: .state)
        #expect(try IDList.look(.state, in: folder.directory).contains(a))
        #expect(try folder.text(.state) == "\(a)\n\(b.dropLast())")
    }

    @Test(arguments: [SystemCall.write, .fdatasync]) func add_whenTheDiskRefuses_throwsAndLeavesWholeLines(call: SystemCall)
        throws
    {
        let faults = Faults()
        let folder = try ContractFolder(calls: faults.calls)
        let list = try IDList(.state, in: folder.directory)
        try list.add(a)
        faults.fail(call, ENOSPC)
        #expect(throws: SystemCallError(call: call, path: folder.pathOf(.state), errno: ENOSPC)) { try list.add(b) }
        faults.stop()
        #expect(try folder.text(.state).hasSuffix("\n"))
        try list.add(b)
        #expect(try IDList(.state, in: folder.directory).count == 2)
    }

    @Test func remove_whenTheFsyncFails_keepsTheOldFile() throws {
        let faults = Faults()
        let folder = try ContractFolder(calls: faults.calls)
        let list = try IDList(.failed, in: folder.directory)
        try list.add(a)
        faults.fail(.fsync, EIO)
        #expect(throws: SystemCallError.self) { try list.remove(a) }
        faults.stop()
        #expect(try folder.text(.failed) == "\(a)\n")
        #expect(list.contains(a))
    }

    /// The file is read in pieces of 256 KiB: with lines of 64 bytes each piece ends with one, with 61 in the middle of one.
    @Test(arguments: [64, 61]) func init_fileOfManyPieces_hasEachIDOnce(lineBytes: Int) throws {
        let folder = try ContractFolder()
        let count = 20_000
        let ids = (0..<count).map { number in
            let digits = String(number)
            let name = String(repeating: "0", count: lineBytes - 15 - 3 - digits.count) + digits + ".md"
            return name + "--0123456789ab"
        }
        // The last has no newline yet.
        try folder.write(ids.joined(separator: "\n"), to: .state)
        #expect(try folder.text(.state).utf8.count == count * lineBytes - 1)
        let list = try IDList(.state, in: folder.directory)
        #expect(list.count == count)
        #expect(ids.allSatisfy { list.contains($0) })
        #expect(try folder.text(.state).hasSuffix("\n"))
        let snapshot = try list.snapshot()
        #expect(snapshot.ids.count == count && snapshot.names.count == count)
        #expect(snapshot.holds(name: String(ids[count - 1].dropLast(14))) && !snapshot.holds(name: ids[0]))
        #expect(try !list.add(ids[4096]))
    }

    @Test func init_lineOfSeveralPieces_isRefusedByItsNumber() throws {
        let folder = try ContractFolder()
        try folder.write(a + "\n" + String(repeating: "x", count: 1 << 20) + "\n", to: .state)
        let error = #expect(throws: FlowspoolError.self) { try IDList(.state, in: folder.directory) }
        #expect(error?.message.contains("line 2") == true)
    }

    @Test func snapshot_namesWithEscapes_areThoseOfTheFiles() throws {
        let folder = try ContractFolder()
        let list = try IDList(.state, in: folder.directory)
        try list.add("new\nline \\ é.md--0123456789ab")
        let snapshot = try list.snapshot()
        #expect(snapshot.holds(name: "new\nline \\ é.md") && snapshot.contains("new\nline \\ é.md--0123456789ab"))
    }
}

@Suite struct LineTextTests {
    @Test(arguments: hostileNames) func encode_isOneLineAndDecodesToTheSameBytes(name: String) {
        let line = LineText.encode(name)
        #expect(LineText.isOneLine(line))
        #expect(LineText.decode(line).map { Array($0.utf8) } == Array(name.utf8))
    }

    @Test func encode_ordinaryName_isItself() {
        #expect(LineText.encode("prompt 01 – “ä”.md") == "prompt 01 – “ä”.md")
    }

    @Test(arguments: ["\\", "\\q", "\\x1", "\\xzz"]) func decode_whatEncodeNeverWrites_isNothing(line: String) {
        #expect(LineText.decode(line) == nil)
    }
}
