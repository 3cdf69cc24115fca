// How a command tells a running spool that something changed: it makes and removes a hidden file in the spool folder, which
// the watcher sees. The hold file and the state file, which people make and remove by hand, are signals of the same kind.

import Foundation
import Glibc

public enum Wake {
    static let file = ".flowspool-wake"
    static let fileBytes = Array(file.utf8)
    static let holdFile = Array(ContractFile.hold.name.utf8)
    static let stateFile = Array(ContractFile.state.name.utf8)

    /// Whether a hint about this name means that the ledger or the hold should be looked at.
    static func isSignal(_ name: [UInt8]) -> Bool {
        name.starts(with: fileBytes) || name == holdFile || name == stateFile
    }

    /// Wakes the runner of `spool`, if there is one. Without one nothing is lost: the next runner reads the ledger.
    public static func runner(of spool: SpoolFolder) throws(SystemCallError) {
        do {
            try touch(file, in: spool)
        } catch {
            // Somebody has put something else there.
            guard error.errno == EISDIR || error.errno == EPERM else { throw error }
            try touch("\(file)-\(getpid())", in: spool)
        }
    }

    private static func touch(_ name: String, in spool: SpoolFolder) throws(SystemCallError) {
        try spool.root.remove(name)
        do {
            _ = try spool.root.create(name)
        } catch {
            // Somebody else wakes it at this moment.
            guard error.errno == EEXIST else { throw error }
        }
        try spool.root.remove(name)
    }
}
