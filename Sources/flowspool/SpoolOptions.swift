// Which spool a command is about: `--spool`, `FLOWSPOOL_SPOOL`, the nearest spool at or above the working folder, `./spool`.

import ArgumentParser
import Foundation
import Spool

struct SpoolOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The spool's folder (default: FLOWSPOOL_SPOOL, the nearest spool above, ./spool).", valueName: "dir"))
    var spool: String?

    func validate() throws { try Self.refuseEmpty(spool, "--spool") }

    /// An empty value comes from a variable that is not set; taken as it is, it would mean the working folder.
    static func refuseEmpty(_ value: String?, _ flag: String) throws {
        if value?.isEmpty ?? false { throw ValidationError("\(flag) is empty: is the variable set that gives it?") }
    }

    /// The path of the spool, which need not exist.
    var path: String { Self.path(flag: spool) }

    static func path(flag spool: String?) -> String {
        if let spool { return absolutePath(spool) }
        if let named = environment["FLOWSPOOL_SPOOL"], !named.isEmpty { return absolutePath(named) }
        var folder = absolutePath(".")
        while true {
            if SpoolFolder.isSpool(folder) { return folder }
            if folder == "/" { return absolutePath("spool") }
            folder = (folder as NSString).deletingLastPathComponent
        }
    }

    /// Opens the spool, which must exist.
    func open() throws -> (SpoolFolder, Ledger) {
        let folder = try SpoolFolder.open(at: path)
        return (folder, try Ledger(path: folder.ledgerPath))
    }
}
