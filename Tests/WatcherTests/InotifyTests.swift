// Real inotify, through the real library, on real folders. All of it in one serialized suite: the library has one state per
// process. `Inotify+….swift` add to it.

import Foundation
import Glibc
import Synchronization
import Testing

@testable import Watcher

@Suite(.serialized, .timeLimit(.minutes(1)))
enum Inotify {}

extension Inotify {
    @Suite struct Hints {
        let folder: TemporaryFolder
        let spool: String

        init() throws {
            folder = try TemporaryFolder()
            spool = try folder.make("spool")
        }

        /// Watches the spool while `act` runs; returns the hints that followed the first one, up to `last`.
        func hints(upTo last: FolderEvent, _ act: () throws -> Void) async throws -> [FolderEvent] {
            let source = try InotifyEventSource(folder: spool)
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            do {
                try act()
                let seen = try #require(await reader.upTo(last))
                await source.stop()
                return seen
            } catch {
                await source.stop()
                throw error
            }
        }

        @Test func rename_intoTheFolder_announcesTheName() async throws {
            try write("a.md", in: folder.path)
            let seen = try await hints(upTo: .appeared(bytes("b.md"))) { try move(folder.path + "/a.md", spool + "/b.md") }
            #expect(seen == [.appeared(bytes("b.md"))])
        }

        @Test func receiver_getsHintsOnTheSourcesOwnThread_fromTheFirstOn() async throws {
            let (threads, told) = AsyncStream.makeStream(of: String.self)
            let seen = Mutex<[FolderEvent]>([])
            let source = try InotifyEventSource(folder: spool) { event in
                seen.withLock { $0.append(event) }
                told.yield((try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? "none")
            }
            #expect(seen.withLock { $0 } == [.rescan(.start)])
            try write("a.md", in: folder.path)
            try move(folder.path + "/a.md", spool + "/b.md")
            var thread = threads.makeAsyncIterator()
            #expect(await thread.next() == "folder-watcher\n")
            #expect(await thread.next() == "folder-watcher\n")
            #expect(seen.withLock { $0 } == [.rescan(.start), .appeared(bytes("b.md"))])
            await source.stop()
            for await _ in source.events { Issue.record("what a receiver got must not wait for a reader too") }
        }

        @Test func write_announcesTheNameAgainWhenTheWriterCloses() async throws {
            let path = spool + "/a.md"
            let source = try InotifyEventSource(folder: spool)
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
            #expect(await reader.next() == .appeared(bytes("a.md")))
            close(descriptor)
            #expect(await reader.next() == .appeared(bytes("a.md")))
            await source.stop()
        }

        @Test func hardLink_whichOnlyGivesCreate_announcesTheName() async throws {
            try write("a.md", in: folder.path)
            let seen = try await hints(upTo: .appeared(bytes("b.md"))) {
                try TemporaryFolder.check("link", link(folder.path + "/a.md", spool + "/b.md"))
            }
            #expect(seen == [.appeared(bytes("b.md"))])
        }

        @Test func deleteAndRenameOut_announceThatTheNameIsGone() async throws {
            try write("a.md", in: spool)
            try write("b.md", in: spool)
            let seen = try await hints(upTo: .vanished(bytes("b.md"))) {
                try TemporaryFolder.check("unlink", unlink(spool + "/a.md"))
                try move(spool + "/b.md", folder.path + "/b.md")
            }
            #expect(seen == [.vanished(bytes("a.md")), .vanished(bytes("b.md"))])
        }

        /// That one has gone is, to who may have used it.
        @Test func foldersInsideTheFolder_areNotAnnounced() async throws {
            try write("a.md", in: folder.path)
            let seen = try await hints(upTo: .appeared(bytes("a.md"))) {
                try makeFolder(spool + "/done")
                try remove(spool + "/done")
                try move(folder.path + "/a.md", spool + "/a.md")
            }
            #expect(seen == [.vanished(bytes("done")), .appeared(bytes("a.md"))])
        }

        @Test(arguments: [
            Array("two\nlines.md".utf8), [0xFF, 0xFE, 0x80, 0x2E], Array(repeating: UInt8(ascii: "n"), count: 255),
            [0x1B, 0x5B, 0x32, 0x4A], Array(" .md ".utf8), [UInt8(ascii: ".")] + Array("hidden".utf8), [0x61],
            Array("ünï✓.md".utf8),
        ])
        func name_ofAnyBytes_isPassedAsItIs(name: [UInt8]) async throws {
            _ = try await hints(upTo: .appeared(name)) { try write(name, in: spool) }
        }

        @Test(arguments: ["/", "//", "/.", "/./"])
        func folder_givenWithTrailingSlashes_isWatched(ending: String) async throws {
            let source = try InotifyEventSource(folder: spool + ending)
            var reader = Reader(source)
            try write("a.md", in: spool)
            #expect(await reader.upTo(.appeared(bytes("a.md"))) != nil)
            await source.stop()
        }

        @Test func folder_thatIsASymbolicLink_isWatched() async throws {
            try TemporaryFolder.check("symlink", symlink(spool, folder.path + "/link"))
            let source = try InotifyEventSource(folder: folder.path + "/link")
            var reader = Reader(source)
            try write("a.md", in: spool)
            #expect(await reader.upTo(.appeared(bytes("a.md"))) != nil)
            await source.stop()
        }

        @Test func everyFile_ofManyDroppedAtOnce_isAnnounced() async throws {
            let source = try InotifyEventSource(folder: spool)
            var reader = Reader(source)
            let names = (0..<1000).map { "\($0).md" }
            for name in names { try write(name, in: spool) }
            let seen = try #require(await reader.upTo(.appeared(bytes("999.md"))))
            #expect(Set(seen) == Set(names.map { .appeared(bytes($0)) } + [.rescan(.start)]))
            await source.stop()
        }
    }
}
