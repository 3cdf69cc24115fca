import Foundation
import Testing

@testable import Spool

@Suite struct SpoolFolderTests {
    @Test(arguments: [
        ("/", "/"), ("/..", "/"), ("//a//b/", "/a/b"), ("/a/./b/../c", "/a/c"), ("/a/../../b", "/b"),
        ("/é/\u{301}/x y", "/é/\u{301}/x y"),
    ])
    func absolutePath_isResolvedAsText(_ path: String, _ absolute: String) {
        #expect(absolutePath(path).utf8.elementsEqual(absolute.utf8))
    }

    @Test func relativePath_beginsAtTheWorkingFolder() {
        let folder = FileManager.default.currentDirectoryPath
        #expect(absolutePath("a/../b") == (folder == "/" ? "" : folder) + "/b")
        #expect(absolutePath(".") == folder)
    }
}
