import Foundation
import Testing

@testable import Spool

@Suite struct AnswerFileTests {
    private let scratch = Scratch()
    private var root: String { scratch.file("root") }

    init() {
        for folder in ["root", "outside", "root/.git", "root/spool", "root/spool/.flowspool", "root/spool/done"] {
            mkdir(scratch.file(folder), 0o700)
        }
        symlink(scratch.file("outside"), root + "/link")
        symlink(scratch.file("outside/file"), root + "/file")
    }

    @Test(arguments: ["a.md", "new/deep/a.md", "./a.md", "spool/notes/a.md"])
    func pathBelowTheRoot_isWritten(_ path: String) throws {
        try AnswerFile.write("x", to: path, below: root)
        #expect(scratch.text("root/" + path) == "x")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("outside")).isEmpty)
    }

    @Test(arguments: [
        "../a.md", "/etc/a.md", "a/../../b.md", "link/a.md", ".git/hooks/pre-commit", "sub/.git/config", "spool/a.md",
        "spool/.flowspool/spool.yaml", "spool/done/a.md", "scripts/codex-sprint/prompt_flow.config.json", "a/", "", ".",
        "a\u{0}b", "file",
    ])
    func pathOutsideOfTheRoot_orOfFlowspoolAndGit_isRefused(_ path: String) throws {
        #expect(throws: AnswerFile.Refused.self) { try AnswerFile.write("x", to: path, below: root) }
        for folder in ["outside", "root/.git", "root/spool/done", "root/spool/.flowspool"] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file(folder)).isEmpty)
        }
        #expect(!FileManager.default.fileExists(atPath: root + "/spool/a.md"))
    }

    /// What is known before there is an answer is refused before it is paid for, and nothing is made then.
    @Test(arguments: [
        ("docs", "output: docs is a folder; name a file"), ("./new/docs", nil), ("docs/a.md", nil),
        ("docs/a.md/b.md", "Not a directory"),
        ("spool/a.md", "is in a spool"), ("link/a.md", "link"), ("a.md", nil),
    ])
    func check_refusesWhatCannotBeWritten_andMakesNothing(_ path: String, _ problem: String?) throws {
        mkdir(root + "/docs", 0o700)
        scratch.write("root/docs/a.md", "old")
        let before = try FileManager.default.subpathsOfDirectory(atPath: root).sorted()
        func expect(_ act: () throws -> Void) throws {
            do {
                try act()
                #expect(problem == nil)
            } catch let error as AnswerFile.Refused {
                #expect(problem.map(error.text.contains) == true, "\(error.text)")
            }
        }
        try expect { try AnswerFile.check(path, below: root) }
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root).sorted() == before)
        try expect { try AnswerFile.write("x", to: path, below: root) }
        if problem != nil { #expect(try FileManager.default.subpathsOfDirectory(atPath: root).sorted() == before) }
    }

    @Test func fileThatIsThere_keepsItsMode_andAFolderWithoutRightsIsRefusedBefore() throws {
        scratch.write("root/secret", "old")
        chmod(root + "/secret", 0o600)
        try AnswerFile.write("new", to: "secret", below: root)
        #expect(scratch.mode("root/secret") == 0o600 && scratch.text("root/secret") == "new")
        guard geteuid() != 0 else { return }
        mkdir(root + "/closed", 0o500)
        #expect(throws: AnswerFile.Refused.self) { try AnswerFile.check("closed/a.md", below: root) }
    }
}
