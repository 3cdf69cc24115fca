import Foundation
import Testing

@testable import Spool

@Suite struct DirectoryTreeTests {
    @Test func removeTree_removesFoldersFilesAndLinks_andNothingThatTheyLeadTo() throws {
        let folder = try ContractFolder()
        let outside = folder.path + "/outside"
        for path in ["/outside", "/tree/a/b", "/tree/.hidden"] {
            try FileManager.default.createDirectory(atPath: folder.path + path, withIntermediateDirectories: true)
        }
        try Data("keep".utf8).write(to: URL(fileURLWithPath: outside + "/file"))
        try Data("go".utf8).write(to: URL(fileURLWithPath: folder.path + "/tree/a/b/file"))
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/tree/link", withDestinationPath: outside)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/tree/dangling", withDestinationPath: "/nowhere")
        #expect(mkfifo(folder.path + "/tree/fifo", 0o600) == 0)
        try folder.directory.removeTree("tree")
        #expect(try folder.names == ["outside"])
        #expect(try String(contentsOfFile: outside + "/file", encoding: .utf8) == "keep")
    }

    @Test func removeTree_ofALink_removesTheLinkAlone() throws {
        let folder = try ContractFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/target/x", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: folder.path + "/target")
        try folder.directory.removeTree("link")
        #expect(try folder.names == ["target"])
        #expect(FileManager.default.fileExists(atPath: folder.path + "/target/x"))
    }

    @Test func removeTree_nothingThere_isNoError() throws {
        let folder = try ContractFolder()
        try folder.directory.removeTree("nothing")
    }

    @Test func removeTree_deeperThanAnyPath_goesWithFewDescriptors() throws {
        let folder = try ContractFolder()
        let name = String(repeating: "d", count: 100)
        var here = try folder.directory.makeFolder("tree")
        // 300 × 101 bytes: far beyond PATH_MAX.
        for _ in 0..<300 {
            _ = try here.create("file")
            here = try here.makeFolder(name)
        }
        try folder.directory.removeTree("tree")
        #expect(try folder.names.isEmpty)
    }

    @Test func removeTree_namesThatAreNoText_go() throws {
        let folder = try ContractFolder()
        let tree = try folder.directory.makeFolder("tree")
        for name: [UInt8] in [[0xFF], [0xFE, 0xFF, 0x2F &- 1], [0x0A]] {
            let opened = (name + [0]).withUnsafeBufferPointer { buffer in
                buffer.withMemoryRebound(to: CChar.self) { pointer in
                    pointer.baseAddress.map { mkdirat(tree.descriptor, $0, 0o700) } ?? -1
                }
            }
            #expect(opened == 0)
        }
        try folder.directory.removeTree("tree")
        #expect(try folder.names.isEmpty)
    }

    @Test func removeTree_moreThanOneBatch_goes() throws {
        let folder = try ContractFolder()
        let tree = try folder.directory.makeFolder("tree")
        for index in 0..<1100 { _ = try tree.create("f\(index)") }
        try folder.directory.removeTree("tree")
        #expect(try folder.names.isEmpty)
    }

    @Test func removeTree_foldersWithoutPermissions_go() throws {
        let folder = try ContractFolder()
        var here = try folder.directory.makeFolder("tree")
        for _ in 0..<40 { here = try here.makeFolder("d") }
        here = try folder.directory.folder("tree")
        for _ in 0..<40 {
            let next = try here.folder("d")
            #expect(fchmod(here.descriptor, 0) == 0)
            here = next
        }
        try folder.directory.removeTree("tree")
        #expect(try folder.names.isEmpty)
    }

    @Test func removeTree_whenTheDiskRefuses_namesThePath() throws {
        let faults = Faults()
        let folder = try ContractFolder(calls: faults.calls)
        _ = try folder.directory.makeFolder("tree").makeFolder("a")
        faults.fail(.unlinkat, EIO)
        #expect(throws: SystemCallError(call: .unlinkat, path: folder.path + "/tree", errno: EIO)) {
            try folder.directory.removeTree("tree")
        }
        faults.stop()
        try folder.directory.removeTree("tree")
        #expect(try folder.names.isEmpty)
    }
}
