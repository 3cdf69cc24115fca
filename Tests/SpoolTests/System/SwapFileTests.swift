import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite struct SwapFileTests {
    private func inode(_ path: String) -> UInt64 {
        var info = stat()
        return lstat(path, &info) == 0 ? UInt64(info.st_ino) : 0
    }

    @Test func replace_keepsModeAndReusesWhatWentOut() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let path = try folder.write("first", to: "a.md")
        chmod(path, 0o640)
        let swap = SwapFile(try Directory(path: folder.path))
        try swap.replace("a.md", with: Data("a longer second".utf8), mode: 0o640)
        let second = inode(path)
        try swap.syncFolder()
        try swap.replace("a.md", with: Data("3".utf8), mode: 0o640)
        try swap.syncFolder()
        try swap.replace("a.md", with: Data("fourth".utf8), mode: 0o640)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "fourth")
        #expect(inode(path) == second)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.count == 2)
        #expect(try Directory(path: folder.path).status("a.md")?.mode == 0o640)
    }

    /// A power loss undoes an exchange that is not on disk; the spare is then the prompt of an earlier job again.
    @Test func spare_beforeItsExchangeIsOnDisk_isNeverWrittenOver() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let path = try folder.write("the author's bytes", to: "a.md")
        let before = inode(path)
        let swap = SwapFile(try Directory(path: folder.path))
        try swap.replace("a.md", with: Data("stamped".utf8), mode: 0o600)
        try folder.write("another", to: "b.md")
        try swap.replace("b.md", with: Data("another, stamped".utf8), mode: 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let spare = try #require(names.first { inode(folder.path + "/" + $0) == before })
        #expect(try String(contentsOfFile: folder.path + "/" + spare, encoding: .utf8) == "the author's bytes")
        swap.removeSpares()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["a.md", "b.md"])
    }

    /// The spare that a hard link shares with the author's own copy must never be written over.
    @Test func replace_whenTheFileHasAnotherName_leavesThatOneAlone() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let master = try folder.write("mine", to: "outside/master.md")
        let spool = try folder.makeFolder("active")
        link(master, spool + "/a.md")
        let swap = SwapFile(try Directory(path: spool))
        for text in ["one", "two", "three"] { try swap.replace("a.md", with: Data(text.utf8), mode: 0o600) }
        #expect(try String(contentsOfFile: master, encoding: .utf8) == "mine")
        #expect(try String(contentsOfFile: spool + "/a.md", encoding: .utf8) == "three")
    }

    /// setxattr(2), which the module Glibc leaves out.
    private func setAttribute(_ path: String) throws -> Int32 {
        typealias Call = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>, Int, Int32) -> Int32
        let symbol = try #require(dlsym(nil, "setxattr"))
        return unsafeBitCast(symbol, to: Call.self)(path, "user.note", "x", 1, 0)
    }

    /// What went out is removed where the next prompt would get its group or its attributes; where not, it is kept.
    @Test(arguments: ["", "attribute", "group"])
    func keep_takesNothingOverFromAnotherPrompt(_ what: String) throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let path = try folder.write("first", to: "a.md")
        // Only root may give a file to a group of which nobody is.
        if what == "group", chown(path, geteuid(), getegid() + 1) != 0 { return }
        if what == "attribute" { try #require(setAttribute(path) == 0) }
        let swap = SwapFile(try Directory(path: folder.path))
        let spare = try swap.write(Data("stamped".utf8), mode: 0o600)
        try swap.exchange(spare, with: "a.md")
        try swap.keep(spare)
        let count = try FileManager.default.contentsOfDirectory(atPath: folder.path).count
        #expect(count == (what.isEmpty ? 2 : 1))
    }

    /// A file that goes out while the folder it came from is being synced may still have its name there after a power loss.
    @Test func whatGoesOut_whileAnotherFolderIsSynced_isNoSpareYet() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let path = try folder.write("the author's bytes", to: "active/a.md")
        let before = inode(path)
        _ = try folder.makeFolder("drop")
        let swap = SwapFile(try Directory(path: folder.path + "/active"))
        let calls = SystemCalls { call, _ in
            if call == .fsync { try? swap.replace("a.md", with: Data("stamped".utf8), mode: 0o600) }
            return nil
        }
        try swap.syncFolder(after: [try Directory(path: folder.path + "/drop", calls: calls)])
        try folder.write("another", to: "active/b.md")
        try swap.replace("b.md", with: Data("another, stamped".utf8), mode: 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/active")
        let spare = try #require(names.first { inode(folder.path + "/active/" + $0) == before })
        #expect(try String(contentsOfFile: folder.path + "/active/" + spare, encoding: .utf8) == "the author's bytes")
    }

    @Test func replace_whenSomebodyHasTheFileOpen_neverWritesIntoTheirs() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let path = try folder.write("first", to: "a.md")
        let reader = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(reader) }
        let swap = SwapFile(try Directory(path: folder.path))
        for text in ["one", "two", "three"] { try swap.replace("a.md", with: Data(text.utf8), mode: 0o600) }
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(pread(reader, &buffer, 16, 0) == 5)
        #expect(String(decoding: buffer[0..<5], as: UTF8.self) == "first")
    }

    @Test func replace_whenTheWriteFails_leavesTheOldContent() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        try folder.write("old", to: "a.md")
        let calls = SystemCalls { call, _ in call == .fsync ? ENOSPC : nil }
        let swap = SwapFile(try Directory(path: folder.path, calls: calls))
        #expect(throws: SystemCallError.self) { try swap.replace("a.md", with: Data("new".utf8), mode: 0o600) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.md"])
        #expect(try String(contentsOfFile: folder.path + "/a.md", encoding: .utf8) == "old")
    }

    /// Several at the same time, each with its own result.
    @Test func sync_ofSeveral_tellsWhichOneFailed() async throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let synced = Mutex(0)
        let calls = SystemCalls { call, path in
            guard call == .fsync else { return nil }
            synced.withLock { $0 += 1 }
            return path.hasSuffix("-2") ? EIO : nil
        }
        let swap = SwapFile(try Directory(path: folder.path, calls: calls))
        var spares: [SwapFile.Spare?] = []
        for number in 0..<5 { spares.append(try swap.write(Data("\(number)".utf8), mode: 0o600)) }
        spares.insert(nil, at: 3)
        let results = await SwapFile.Spare.sync(spares)
        #expect(results.map { (try? $0.get()) != nil } == [true, false, true, true, true, true])
        #expect(synced.withLock { $0 } == 5)
        for spare in spares { if let spare { swap.discard(spare) } }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
