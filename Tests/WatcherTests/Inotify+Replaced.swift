// A folder that is deleted, moved or replaced under the source, in every way that the kernel announces differently.

import Foundation
import Glibc
import Synchronization
import Testing

@testable import Watcher

extension Inotify {
    @Suite struct Replaced {
        let folder: TemporaryFolder
        let home: String
        let spool: String

        init() throws {
            folder = try TemporaryFolder()
            home = try folder.make("home")
            spool = try folder.make("home/spool")
        }

        /// Watches the spool, lets `act` replace it, and checks that the new one is announced and watched.
        func expectReplaced(retryInterval: Duration = .seconds(3600), _ act: () throws -> Void) async throws {
            // Retries and reconciling are an hour away: only events can bring this about.
            let options = WatchOptions(reconcileInterval: .seconds(3600), retryInterval: retryInterval)
            let source = try InotifyEventSource(folder: spool, options: options)
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            do {
                try act()
                #expect(await reader.upTo(.rescan(.replaced)) != nil)
                try write("after.md", in: spool)
                #expect(await reader.upTo(.appeared(bytes("after.md"))) != nil)
            } catch {
                await source.stop()
                throw error
            }
            #expect(source.statistics.replacements >= 1)
            #expect(source.statistics.trouble == nil)
            await source.stop()
        }

        @Test func folder_deletedAndMadeAgain_isWatchedAgain() async throws {
            try await expectReplaced {
                try remove(spool)
                try makeFolder(spool)
            }
        }

        /// The kernel says IN_DELETE_SELF only when the last descriptor is closed.
        @Test func folder_deletedWhileSomebodyHoldsItOpen_isWatchedAgain() async throws {
            let held = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { close(held) }
            try await expectReplaced {
                try remove(spool)
                try makeFolder(spool)
            }
        }

        @Test func folder_movedAwayAndMadeAgain_isWatchedAgain() async throws {
            try await expectReplaced {
                try move(spool, folder.path + "/elsewhere")
                try makeFolder(spool)
            }
        }

        @Test func folder_movedAwayAndBack_isWatchedAgain() async throws {
            try await expectReplaced {
                try move(spool, folder.path + "/elsewhere")
                try move(folder.path + "/elsewhere", spool)
            }
        }

        @Test func folder_thatAnotherIsRenamedOver_isWatchedAgain() async throws {
            let other = try folder.make("other")
            try await expectReplaced { try move(other, spool) }
        }

        @Test func folder_deletedWithTheOneAbove_isWatchedAgain() async throws {
            try await expectReplaced {
                try remove(home)
                try makeFolder(home)
                try makeFolder(spool)
            }
        }

        @Test func folder_whoseFolderAboveIsMovedAway_isWatchedAgain() async throws {
            try await expectReplaced {
                try move(home, folder.path + "/elsewhere")
                try makeFolder(home)
                try makeFolder(spool)
            }
        }

        @Test func folder_replacedByAFileAndThenAFolder_isWatchedAgain() async throws {
            try await expectReplaced {
                try remove(spool)
                try write("spool", in: home)
                try TemporaryFolder.check("unlink", unlink(spool))
                try makeFolder(spool)
            }
        }

        @Test func fileInAFolderThatWasMovedAway_isNotAnnounced() async throws {
            let source = try InotifyEventSource(folder: spool)
            var reader = Reader(source)
            try move(spool, folder.path + "/elsewhere")
            try makeFolder(spool)
            #expect(await reader.upTo(.rescan(.replaced)) != nil)
            try write("old.md", in: folder.path + "/elsewhere")
            try write("new.md", in: spool)
            let seen = try #require(await reader.upTo(.appeared(bytes("new.md"))))
            #expect(!seen.contains(.appeared(bytes("old.md"))))
            await source.stop()
        }

        /// A folder two above was renamed: no event tells.
        @Test func folder_replacedWithoutAnyEvent_isNoticedWhenReconciling() async throws {
            let clock = HandClock()
            let options = WatchOptions(retryInterval: .seconds(3600))
            let deep = home + "/one/two"
            try makeFolder(home + "/one")
            try makeFolder(deep)
            let source = try InotifyEventSource(folder: deep, options: options, hooks: InotifyHooks(now: { clock.now }))
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            try move(home, folder.path + "/elsewhere")
            for path in [home, home + "/one", deep] { try makeFolder(path) }
            clock.advance(by: .seconds(30))
            source.wake()
            #expect(await reader.upTo(.rescan(.replaced)) != nil)
            try write("after.md", in: deep)
            #expect(await reader.upTo(.appeared(bytes("after.md"))) != nil)
            await source.stop()
        }

        /// Root may read any folder, so there is nothing to test as root.
        @Test(.enabled(if: geteuid() != 0))
        func folder_replacedByOneThatMayNotBeRead_isLookedAtByPollingUntilItMay() async throws {
            let source = try InotifyEventSource(folder: spool, options: WatchOptions(retryInterval: .seconds(1)))
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            try remove(spool)
            try TemporaryFolder.check("mkdir", mkdir(spool, 0))
            #expect(await reader.upTo(.rescan(.poll)) != nil)
            #expect(source.statistics.trouble?.code == .notPermitted)
            chmod(spool, 0o755)
            #expect(await reader.upTo(.rescan(.replaced)) != nil)
            #expect(source.statistics.trouble == nil)
            try write("after.md", in: spool)
            #expect(await reader.upTo(.appeared(bytes("after.md"))) != nil)
            await source.stop()
        }

        @Test(.enabled(if: geteuid() != 0))
        func start_onAFolderThatMayNotBeRead_saysSo() throws {
            chmod(spool, 0)
            let error = #expect(throws: WatcherError.self) { try InotifyEventSource(folder: spool) }
            #expect(error?.code == .notPermitted)
        }

        /// The folder above may be searched but not read, so there is no watch on it.
        @Test(.enabled(if: geteuid() != 0))
        func folder_belowOneThatMayNotBeRead_isWatchedAgainAllTheSame() async throws {
            chmod(home, 0o311)
            try await expectReplaced(retryInterval: .seconds(1)) {
                try TemporaryFolder.check("rmdir", rmdir(spool))
                try makeFolder(spool)
            }
            chmod(home, 0o755)
        }

        @Test func watchingAgainAHundredTimes_leavesNoWatchBehindAndPrintsNothing() async throws {
            let source = try InotifyEventSource(folder: spool)
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            let kernel = try kernelWatches()
            let books = source.statistics.watches
            #expect(kernel == 3)
            #expect(books == 3)
            let errors = folder.path + "/stderr"
            let former = dup(2)
            let file = open(errors, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
            dup2(file, 2)
            for _ in 0..<100 {
                try remove(spool)
                try makeFolder(spool)
                #expect(await reader.upTo(.rescan(.replaced)) != nil)
            }
            // A last change that is not followed by another: when it is announced, the thread has done all before it.
            try write("after.md", in: spool)
            #expect(await reader.upTo(.appeared(bytes("after.md"))) != nil)
            dup2(former, 2)
            close(former)
            close(file)
            #expect(try kernelWatches() == kernel)
            #expect(source.statistics.watches == books)
            #expect(try inotifyDescriptors().count == 1)
            await source.stop()
            #expect(try !String(contentsOfFile: errors, encoding: .utf8).contains("watch"))
        }
    }
}
