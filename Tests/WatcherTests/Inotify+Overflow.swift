// More events than the kernel's queue holds, while the reading thread is kept from reading.

import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing

@testable import Watcher

extension Inotify {
    @Suite struct Overflow {
        /// Keeps the thread from reading while it is shut.
        final class Gate: Sendable {
            private let isShut = Mutex(false)
            private let arrived = DispatchSemaphore(value: 0)
            private let opened = DispatchSemaphore(value: 0)

            func pass() {
                guard isShut.withLock({ $0 }) else { return }
                arrived.signal()
                opened.wait()
            }

            /// Shuts the gate and makes the thread come to it.
            func shut(_ source: InotifyEventSource) {
                isShut.withLock { $0 = true }
                source.wake()
                arrived.wait()
            }

            func open() {
                isShut.withLock { $0 = false }
                opened.signal()
            }
        }

        static func queueMax() throws -> Int {
            let text = try String(contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
            return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }

        func overflow(_ source: InotifyEventSource, _ gate: Gate, in spool: String, finally: () throws -> Void) throws {
            gate.shut(source)
            defer { gate.open() }
            try write("a", in: spool)
            // A rename is two events.
            for _ in 0...(try Self.queueMax() / 4) {
                try move(spool + "/a", spool + "/b")
                try move(spool + "/b", spool + "/a")
            }
            try finally()
        }

        @Test func queueOfTheKernel_runningOver_asksForALookAtEverything() async throws {
            let folder = try TemporaryFolder()
            let gate = Gate()
            // The reader's own bound is out of reach, so the hint can only come from the kernel's overflow.
            let source = try InotifyEventSource(
                folder: folder.path, options: WatchOptions(reconcileInterval: .seconds(3600), hintsMax: 1_000_000),
                hooks: InotifyHooks(beforeRead: { gate.pass() }))
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            try overflow(source, gate, in: folder.path) {}
            #expect(await reader.upTo(.rescan(.overflow)) != nil)
            #expect(source.statistics.kernelOverflows == 1)
            #expect(source.statistics.collapses == 0)
            #expect(source.statistics.overflows == 1)
            try write("after.md", in: folder.path)
            #expect(await reader.upTo(.appeared(bytes("after.md"))) != nil)
            await source.stop()
        }

        /// The notice that the folder was deleted is among the lost events.
        @Test func folder_deletedDuringAnOverflow_isWatchedAgain() async throws {
            let folder = try TemporaryFolder()
            let spool = try folder.make("spool")
            let gate = Gate()
            let source = try InotifyEventSource(
                folder: spool,
                options: WatchOptions(reconcileInterval: .seconds(3600), retryInterval: .seconds(3600), hintsMax: 1_000_000),
                hooks: InotifyHooks(beforeRead: { gate.pass() }))
            var reader = Reader(source)
            #expect(await reader.next() == .rescan(.start))
            try overflow(source, gate, in: spool) {
                try remove(spool)
                try makeFolder(spool)
            }
            #expect(await reader.upTo(.rescan(.overflow)) != nil)
            try write("after.md", in: spool)
            #expect(await reader.upTo(.appeared(bytes("after.md"))) != nil)
            await source.stop()
        }
    }
}
