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

    /// A spool that its user has made and filled with the experiment's own prompts, as the files of one that was run show.
    private func usersSpool(_ mini: MiniFolder) throws -> SpoolFolder {
        let spool = try SpoolFolder.make(at: mini.spoolPath)
        _ = try Ledger(path: spool.ledgerPath)
        _ = try mini.fill(spool.root, for: .production)
        try FileManager.default.moveItem(atPath: mini.spoolPath + "/a.md", toPath: mini.spoolPath + "/done/a.md")
        try spool.failed.replace("x.md.why.txt", with: Data("x".utf8))
        try spool.root.replace(".prompt-pipeline.state", with: Data())
        return spool
    }

    @Test func wipe_usersSpoolWithNothingButTheExperimentsPrompts_isWiped() throws {
        let folder = try filled()
        let mini = try MiniFolder(path: folder.path)
        _ = try usersSpool(mini)
        try mini.wipe()
        #expect(try folder.names == ["canary", "prompts"])
    }

    @Test(arguments: [
        ("mine.md", "x"), ("b.md", "mine"), ("done/a.md", "mine"), (".hidden", "x"), ("README.md", "x"), ("notes/plan.md", "x"),
        (".flowspool/spool.yaml", "jobs: 2\n"), ("held/c.md", "mine"),
    ])
    func wipe_whatIsSomebodys_isLeft(_ path: String, _ text: String) throws {
        let folder = try filled()
        let mini = try MiniFolder(path: folder.path)
        _ = try usersSpool(mini)
        let url = URL(fileURLWithPath: mini.spoolPath + "/" + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
        let error = #expect(throws: FlowspoolError.self) { try mini.wipe() }
        #expect(error?.message.contains(path == "notes/plan.md" ? "holds notes," : "holds \(path),") == true)
        #expect(try String(contentsOf: url, encoding: .utf8) == text && folder.names.contains("spool"))
    }

    /// Even in a spool that was made here: it is somebody's word. The experiment's own hold, which a threshold has caused, is wiped.
    @Test func wipe_holdByHand_isLeft() throws {
        let folder = try filled()
        let mini = try MiniFolder(path: folder.path)
        let spool = try mini.makeSpool()
        try HoldFile(byHand: "mine", at: 1).write(in: spool.root)
        #expect(throws: FlowspoolError.self) { try mini.wipe() }
        #expect(try HoldFile.exists(in: spool.root))
        let own = Data("kind: fail_fast\nreason: 1 failed in a row\n".utf8)
        try spool.root.replace(ContractFile.hold.name, with: own, mode: 0o644)
        try mini.wipe()
        #expect(try !folder.names.contains("spool"))
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
