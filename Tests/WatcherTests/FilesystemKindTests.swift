// Which filesystems are trusted to announce changes, and which source a folder gets.

import Testing

@testable import Watcher

@Suite struct FilesystemKindTests {
    @Test(arguments: [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997, 0x6573_5546, 0x5346_414F, 0x00C3_6400] as [UInt32])
    func networkAndFUSE_doNotAnnounceChanges(magic: UInt32) {
        #expect(!FilesystemKind(magic: magic).announcesChanges)
    }

    @Test(arguments: [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x1234_5678] as [UInt32])
    func localAndUnknown_announceChanges(magic: UInt32) {
        #expect(FilesystemKind(magic: magic).announcesChanges)
    }

    @Test func proc_isRecognizedOnTheRealSystem() throws {
        let kind = try FilesystemKind(ofFolder: "/proc")
        #expect(kind.name == "proc")
        #expect(!kind.announcesChanges)
    }

    @Test func source_ofAFolderThatAnnouncesNothing_polls() async throws {
        let source = try makeEventSource(folder: "/proc/self/fdinfo")
        #expect(source is PollingEventSource)
        await source.stop()
    }

    @Test func source_ofAFolder_pollsWhenTold() async throws {
        let folder = try TemporaryFolder()
        let source = try makeEventSource(folder: folder.path, poll: true)
        #expect(source is PollingEventSource)
        await source.stop()
    }

    @Test func source_ofAMissingFolder_saysSo() throws {
        let error = #expect(throws: WatcherError.self) { try makeEventSource(folder: "/nowhere/at/all") }
        #expect(error?.code == .folderMissing)
    }
}

extension Inotify {
    @Suite struct Factory {
        @Test func source_ofALocalFolder_usesInotify() async throws {
            let folder = try TemporaryFolder()
            let source = try makeEventSource(folder: folder.path, poll: false)
            #expect(source is InotifyEventSource)
            await source.stop()
        }
    }
}
