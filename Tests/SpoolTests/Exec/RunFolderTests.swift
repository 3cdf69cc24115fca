import Foundation
import Testing

@testable import Spool

@Suite struct RunFolderTests {
    private func inode(_ path: String) throws -> UInt64 {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64)
    }

    @Test func write_keepsAFileThatHoldsTheSame_andReplacesAnyOther() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let run = try RunFolder(path: folder.path)
        try run.write("f", Data("one".utf8))
        let first = try inode(folder.path + "/f")
        try run.write("f", Data("one".utf8))
        #expect(try inode(folder.path + "/f") == first)
        try run.write("f", Data("two".utf8))
        #expect(try String(contentsOfFile: folder.path + "/f", encoding: .utf8) == "two")
        // Somebody else's name for it, or another mode: it is not ours alone any more.
        link(folder.path + "/f", folder.path + "/g")
        try run.write("f", Data("two".utf8))
        #expect(try inode(folder.path + "/f") != inode(folder.path + "/g"))
        chmod(folder.path + "/f", 0o644)
        try run.write("f", Data("two".utf8))
        #expect(try run.directory.status("f")?.mode == 0o600)
    }

    @Test func write_neverFollowsALink() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let outside = try folder.write("mine", to: "outside")
        let path = try folder.makeFolder("run")
        let run = try RunFolder(path: path)
        symlink(outside, path + "/f")
        try run.write("f", Data("mine".utf8))
        try run.write("f", Data("else".utf8))
        #expect(try String(contentsOfFile: outside, encoding: .utf8) == "mine")
        #expect(try run.directory.status("f")?.kind == .regular)
    }
}
