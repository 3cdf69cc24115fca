import Foundation
import Testing

@testable import Spool

@Suite struct RepoRootTests {
    @Test func find_goesFlagVariableGitWorkingFolder() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let deep = try folder.makeFolder("repo/a/b")
        let other = try folder.makeFolder("other")
        func find(flag: String? = nil, _ environment: [String: String] = [:], in cwd: String) throws -> String {
            try RepoRoot.find(flag: flag, environment: environment, workingDirectory: cwd)
        }
        #expect(try find(in: deep) == deep)
        _ = try folder.makeFolder("repo/.git")
        #expect(try find(in: deep) == folder.path + "/repo")
        // A worktree's .git is a file.
        try folder.write("gitdir: elsewhere\n", to: "repo/a/.git")
        #expect(try find(in: deep) == folder.path + "/repo/a")
        #expect(try find(["REPO_ROOT": other], in: deep) == other)
        #expect(try find(flag: "../../../other/.", ["REPO_ROOT": "/none"], in: deep) == other)
        #expect(try find(flag: deep, in: other) == deep)
    }

    @Test func find_passesByALinkThatIsCalledGit() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let deep = try folder.makeFolder("repo/a")
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/repo/.git", withDestinationPath: "/tmp")
        #expect(try RepoRoot.find(flag: nil, environment: [:], workingDirectory: deep) == deep)
    }

    @Test func find_namesTheFlagOrVariableThatLeadsNowhere() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let file = try folder.write("", to: "file")
        for (flag, environment, message) in [
            ("none", [:], "--repo-root: \(folder.path)/none: no such folder"),
            (file, [:], "--repo-root: \(file): no such folder"),
            ("", [:], "--repo-root is empty"),
            (nil, ["REPO_ROOT": "/no\u{1B}ne"], "REPO_ROOT: /no\\u{1B}ne: no such folder"),
            (nil, ["REPO_ROOT": ""], "REPO_ROOT is empty"),
        ] as [(String?, [String: String], String)] {
            let error = #expect(throws: FlowspoolError.self) {
                try RepoRoot.find(flag: flag, environment: environment, workingDirectory: folder.path)
            }
            #expect(error?.code == .invalidInput)
            #expect(error?.message == message)
        }
    }
}
