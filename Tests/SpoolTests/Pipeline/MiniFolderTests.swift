import Foundation
import Testing

@testable import Spool

@Suite struct MiniFolderTests {
    private func filled() throws -> ContractFolder {
        let folder = try ContractFolder()
        for path in ["prompts/b.md", "prompts/a.md", "prompts/README.md", "prompts/.hidden", "canary/c.md"] {
            let url = URL(fileURLWithPath: folder.path + "/" + path)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(path.utf8).write(to: url)
        }
        return folder
    }

    @Test func fill_copiesAPhasesPromptsInOrder() throws {
        let folder = try filled()
        let mini = try MiniFolder(path: folder.path)
        let spool = try mini.directory.makeFolder(MiniFolder.spoolName)
        #expect(try mini.fill(spool, for: .production) == ["a.md", "b.md"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: mini.spoolPath).sorted() == ["a.md", "b.md"])
        #expect(try String(contentsOfFile: mini.spoolPath + "/a.md", encoding: .utf8) == "prompts/a.md")
        #expect(try mini.fill(spool, for: .canary) == ["c.md"])
    }

    @Test func wipe_removesSpoolAndArtefactsAlone() throws {
        let folder = try filled()
        let mini = try MiniFolder(path: folder.path)
        let spool = try mini.directory.makeFolder(MiniFolder.spoolName)
        _ = try mini.fill(spool, for: .poc)
        _ = try mini.directory.makeFolder(MiniFolder.artefactsName).create("phase1.txt")
        try mini.wipe()
        #expect(try folder.names == ["canary", "prompts"])
        try mini.wipe()
    }

    @Test func wipe_spoolThatIsALink_leavesItsTarget() throws {
        let folder = try filled()
        let precious = try ContractFolder()
        _ = try precious.directory.create("precious")
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/spool", withDestinationPath: precious.path)
        try MiniFolder(path: folder.path).wipe()
        #expect(try precious.names == ["precious"])
        #expect(try !folder.names.contains("spool"))
    }

    @Test(arguments: ["", "/prompts/a.md", "/missing"]) func open_whatIsNoMiniExperiment_isInvalidInput(path: String) throws {
        let folder = path.isEmpty ? try ContractFolder() : try filled()
        let error = #expect(throws: FlowspoolError.self) { try MiniFolder(path: folder.path + path) }
        #expect(error?.code == .invalidInput)
    }
}
