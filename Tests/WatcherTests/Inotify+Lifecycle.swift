// From start to stop: what is refused, what is left behind, what a child sees.

import Foundation
import Glibc
import Synchronization
import Testing

@testable import Watcher

extension Inotify {
    @Suite struct Lifecycle {
        let folder: TemporaryFolder
        let spool: String

        init() throws {
            folder = try TemporaryFolder()
            spool = try folder.make("spool")
        }

        @Test func start_onAMissingFolder_saysSo() throws {
            let error = #expect(throws: WatcherError.self) { try InotifyEventSource(folder: folder.path + "/none") }
            #expect(error?.code == .folderMissing)
            #expect(error?.message.contains(folder.path + "/none") == true)
            #expect(error?.hint != nil)
        }

        @Test func start_onAFile_saysSo() throws {
            try write("file", in: folder.path)
            let error = #expect(throws: WatcherError.self) { try InotifyEventSource(folder: folder.path + "/file") }
            #expect(error?.code == .notAFolder)
        }

        @Test func start_ofASecondSource_isRefusedUntilTheFirstIsStopped() async throws {
            let first = try InotifyEventSource(folder: spool)
            let error = #expect(throws: WatcherError.self) { try InotifyEventSource(folder: spool) }
            #expect(error?.code == .alreadyRunning)
            await first.stop()
            let second = try InotifyEventSource(folder: spool)
            await second.stop()
        }

        @Test func start_thatFailed_leavesTheLibraryFree() async throws {
            #expect(throws: WatcherError.self) { try InotifyEventSource(folder: folder.path + "/none") }
            #expect(try inotifyDescriptors() == [])
            let source = try InotifyEventSource(folder: spool)
            await source.stop()
        }

        /// The thread sits in a `select` of an hour.
        @Test func stop_whileTheThreadWaits_endsStreamAndThreadAtOnce() async throws {
            let source = try InotifyEventSource(folder: spool, options: WatchOptions(reconcileInterval: .seconds(3600)))
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            #expect(try threadNames().contains("folder-watcher"))
            await source.stop()
            #expect(await reader.next() == nil)
            #expect(try !threadNames().contains("folder-watcher"))
            #expect(try inotifyDescriptors() == [])
            #expect(source.statistics.watches == 0)
            await source.stop()
        }

        @Test func stop_whileTheReaderWaits_endsItsWait() async throws {
            let source = try InotifyEventSource(folder: spool)
            let waiting = Task {
                var seen: [FolderEvent] = []
                for await event in source.events { seen.append(event) }
                return seen
            }
            await source.stop()
            #expect([[], [.rescan(.start)]].contains(await waiting.value))
        }

        @Test func cancellingTheReader_endsTheStream() async throws {
            let source = try InotifyEventSource(folder: spool)
            let waiting = Task { for await _ in source.events {} }
            waiting.cancel()
            await waiting.value
            await source.stop()
        }

        @Test func droppingTheSource_endsItsThread() async throws {
            do { _ = try InotifyEventSource(folder: spool, options: WatchOptions(reconcileInterval: .seconds(3600))) }
            while true {
                do {
                    await (try InotifyEventSource(folder: spool)).stop()
                    break
                } catch WatcherError.alreadyRunning {
                    await Task.yield()
                }
            }
        }

        @Test func child_inheritsNothing() async throws {
            let source = try InotifyEventSource(folder: spool)
            // The same look must find a descriptor that is inherited, or it proves nothing.
            let inherited = inotify_init1(0)
            let withControl = try descriptorsInChild()
            close(inherited)
            let child = try descriptorsInChild()
            await source.stop()
            #expect(withControl.components(separatedBy: "anon_inode:inotify").count == 2)
            #expect(!child.contains("inotify"))
            #expect(!child.contains("flowspool-wake"))
        }

        @Test func reconcile_comesAtItsInterval() async throws {
            let clock = HandClock()
            let source = try InotifyEventSource(folder: spool, options: WatchOptions(), hooks: InotifyHooks(now: { clock.now }))
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            clock.advance(by: .seconds(29))
            source.wake()
            try write("a.md", in: spool)
            #expect(await reader.next() == .appeared(bytes("a.md")))
            clock.advance(by: .seconds(1))
            source.wake()
            #expect(await reader.upTo(.rescan(.reconcile)) != nil)
            #expect(source.statistics.rescans == 2)
            await source.stop()
        }

        @Test func descriptorPastTheSizeOfSelectsSet_isRefusedAndNotWrittenPast() async throws {
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            try #require(limit.rlim_max >= 2048)
            let former = limit
            // Room is left for what other suites open meanwhile.
            limit.rlim_cur = max(limit.rlim_cur, 2048)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var taken: [Int32] = []
            while case let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC), descriptor >= 0 {
                taken.append(descriptor)
                if descriptor >= 1030 { break }
            }
            let error = #expect(throws: WatcherError.self) { try InotifyEventSource(folder: spool) }
            for descriptor in taken { close(descriptor) }
            var restored = former
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &restored)
            #expect(error?.code == .descriptorTooHigh)
            #expect(try inotifyDescriptors() == [])
        }
    }
}
