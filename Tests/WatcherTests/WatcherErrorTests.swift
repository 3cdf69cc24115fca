// What a user is told when the system has no more to give.

import Glibc
import Testing

@testable import Watcher

@Suite struct WatcherErrorTests {
    @Test func noWatchesLeft_namesTheFolderAndTheLimit() {
        let error = WatcherError.addingWatch("/spool", errno: ENOSPC)
        #expect(error.code == .watchLimit)
        #expect(error.message.contains("/spool"))
        #expect(error.hint?.contains("fs.inotify.max_user_watches") == true)
    }

    @Test(arguments: [EMFILE, ENFILE])
    func noInstancesLeft_namesTheLimit(errno: Int32) {
        let error = WatcherError.initializing(errno: errno)
        #expect(error.code == .instanceLimit)
        #expect(error.hint?.contains("fs.inotify.max_user_instances") == true)
        #expect(error.errno == errno)
    }

    @Test(arguments: [
        (ENOENT, WatcherError.Code.folderMissing), (ENOTDIR, .notAFolder), (EACCES, .notPermitted), (EPERM, .notPermitted),
        (EIO, .system),
    ])
    func otherReasons_keepTheirKind(errno: Int32, code: WatcherError.Code) {
        let error = WatcherError.addingWatch("/spool", errno: errno)
        #expect(error.code == code)
        #expect(error.message.contains("/spool"))
    }
}
