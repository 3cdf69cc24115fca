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

    @Test(arguments: ["a.md", "new/deep/a.md", "./a.md", "spool/notes/a.md", "file"])
    func pathBelowTheRoot_isWritten(_ path: String) throws {
        try AnswerFile.write("x", to: path, below: root)
        #expect(scratch.text("root/" + path) == "x")
        // A link is replaced, never followed.
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("outside")).isEmpty)
    }

    @Test(arguments: [
        "../a.md", "/etc/a.md", "a/../../b.md", "link/a.md", ".git/hooks/pre-commit", "sub/.git/config", "spool/a.md",
        "spool/.flowspool/spool.yaml", "spool/done/a.md", "scripts/codex-sprint/prompt_flow.config.json", "a/", "", ".",
        "a\u{0}b",
    ])
    func pathOutsideOfTheRoot_orOfFlowspoolAndGit_isRefused(_ path: String) throws {
        #expect(throws: AnswerFile.Refused.self) { try AnswerFile.write("x", to: path, below: root) }
        for folder in ["outside", "root/.git", "root/spool/done", "root/spool/.flowspool"] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file(folder)).isEmpty)
        }
        #expect(!FileManager.default.fileExists(atPath: root + "/spool/a.md"))
    }
}
