// The source for filesystems that announce nothing, moved by hand.

import Glibc
import Testing

@testable import Watcher

@Suite(.timeLimit(.minutes(1)))
struct PollingTests {
    let folder: TemporaryFolder
    let spool: String
    let clock = ManualClock()

    init() throws {
        folder = try TemporaryFolder()
        spool = try folder.make("spool")
    }

    @Test func change_isNoticedAtTheNextLook() async throws {
        let source = try PollingEventSource(folder: spool, clock: clock)
        var reader = Reader(source)
        #expect(await reader.next() == .rescan(.start))
        try write("a.md", in: spool)
        await clock.advance(by: .seconds(2))
        #expect(await reader.next() == .rescan(.poll))
        await source.stop()
        #expect(await reader.next() == nil)
    }

    @Test func fileThatGrows_isNoticedAlthoughTheFolderItselfDoesNotChange() async throws {
        try write("a.md", in: spool)
        let source = try PollingEventSource(folder: spool, clock: clock)
        var reader = Reader(source)
        #expect(await reader.next() == .rescan(.start))
        let descriptor = open(spool + "/a.md", O_WRONLY | O_APPEND | O_CLOEXEC)
        try TemporaryFolder.check("write", Int32(Glibc.write(descriptor, "more", 4)))
        close(descriptor)
        await clock.advance(by: .seconds(2))
        #expect(await reader.next() == .rescan(.poll))
        await source.stop()
    }

    /// Six looks at two seconds see nothing; the next hint is the one that comes anyway.
    @Test func nothingChanged_saysNothingUntilReconciling() async throws {
        let source = try PollingEventSource(folder: spool, options: WatchOptions(reconcileInterval: .seconds(12)), clock: clock)
        var reader = Reader(source)
        #expect(await reader.next() == .rescan(.start))
        for _ in 0..<6 { await clock.advance(by: .seconds(2)) }
        #expect(await reader.next() == .rescan(.reconcile))
        #expect(source.statistics.wakeups == 6)
        await source.stop()
    }

    @Test func folder_deletedAndMadeAgain_isReplaced() async throws {
        let source = try PollingEventSource(folder: spool, clock: clock)
        var reader = Reader(source)
        #expect(await reader.next() == .rescan(.start))
        // Moved and not deleted: a deleted folder's inode number may be given to the next one.
        try move(spool, folder.path + "/elsewhere")
        await clock.advance(by: .seconds(2))
        #expect(await reader.next() == .rescan(.poll))
        try makeFolder(spool)
        await clock.advance(by: .seconds(2))
        #expect(await reader.next() == .rescan(.replaced))
        await source.stop()
    }

    @Test func start_onAMissingFolderOrAFile_isRefused() throws {
        try write("file", in: folder.path)
        #expect(throws: WatcherError.self) { try PollingEventSource(folder: folder.path + "/none") }
        let error = #expect(throws: WatcherError.self) { try PollingEventSource(folder: folder.path + "/file") }
        #expect(error?.code == .notAFolder)
    }

    @Test func signature_doesNotDependOnTheOrderOfTheListing_butOnEveryName() throws {
        for name in ["a", "b", "c"] { try write(name, in: spool) }
        let path = try FolderPath(spool)
        let before = FolderSignature(of: path)
        #expect(before == FolderSignature(of: path))
        try move(spool + "/c", spool + "/d")
        #expect(before != FolderSignature(of: path))
    }
}
