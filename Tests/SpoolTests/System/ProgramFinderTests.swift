import Foundation
import Testing

@testable import Spool

@Suite struct ProgramFinderTests {
    private func program(_ folder: TestFolder, _ name: String) throws -> String {
        let path = try folder.write("#!/bin/sh\n", to: name)
        chmod(path, 0o755)
        return path
    }

    @Test func find_takesTheFirstFolderThatHasAProgram() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        _ = try folder.makeFolder("a/tool")
        try folder.write("not executable", to: "b/tool")
        let found = try program(folder, "c/tool")
        _ = try program(folder, "d/tool")
        let path = ["a", "b", "c", "d"].map { folder.path + "/" + $0 }.joined(separator: ":")
        #expect(ProgramFinder().find("tool", in: path) == found)
        #expect(ProgramFinder().find("other", in: path) == nil)
        #expect(ProgramFinder().find(found, in: nil) == found)
        #expect(ProgramFinder().find(folder.path + "/a/tool", in: path) == nil)
    }

    @Test func find_neverLooksInTheWorkingFolder() {
        #expect(ProgramFinder.search("sh", in: ":.:../bin:bin") == nil)
        #expect(ProgramFinder.search("sh", in: ":/bin") == "/bin/sh")
    }

    @Test func find_looksAgainWhenWhatItRemembersIsGone() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let (first, second) = (try program(folder, "b/tool"), try program(folder, "c/tool"))
        let path = ["a", "b", "c"].map { folder.path + "/" + $0 }.joined(separator: ":")
        let finder = ProgramFinder()
        #expect(finder.find("tool", in: path) == first)
        // As a shell does: what comes earlier in the path is not noticed while the remembered one stands.
        let earlier = try program(folder, "a/tool")
        #expect(finder.find("tool", in: path) == first)
        try FileManager.default.removeItem(atPath: first)
        #expect(finder.find("tool", in: path) == earlier)
        try FileManager.default.removeItem(atPath: earlier)
        #expect(finder.find("tool", in: path) == second)
    }
}
