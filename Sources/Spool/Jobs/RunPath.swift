// Where an attempt leaves what it printed and did: `runs/<yyyy-mm-dd>/<job>/attempt-<n>/`, readable by the owner only.

enum RunPath {
    /// Relative to the spool. The day is that of the attempt's start, in UTC.
    static func relativePath(job: Int64, attempt: Int, at milliseconds: Int64) -> String {
        "runs/\(utcText(milliseconds).prefix(10))/\(job)/attempt-\(attempt)"
    }

    /// The path of the same attempt and day for another job; empty where there is none.
    static func renumbered(_ relativePath: String, job: Int64) -> String {
        let bytes = relativePath.utf8
        guard let last = bytes.lastIndex(of: UInt8(ascii: "/")), let before = bytes[..<last].lastIndex(of: UInt8(ascii: "/"))
        else {
            return relativePath
        }
        return "\(relativePath[...before])\(job)\(relativePath[last...])"
    }

    /// Makes the folder, step by step from the spool's `runs/`, without following links.
    static func make(_ relativePath: String, in spool: SpoolFolder) throws(SystemCallError) -> Directory {
        var folder = spool.runs
        for component in relativePath.split(separator: "/").dropFirst() { folder = try folder.makeFolder(String(component)) }
        return folder
    }

    /// Opens the folder of an attempt without following links.
    ///
    /// - Throws: `SystemCallError`, also where it is not there any more.
    static func open(_ relativePath: String, in spool: SpoolFolder) throws(SystemCallError) -> Directory {
        var folder = spool.runs
        for component in relativePath.split(separator: "/").dropFirst() { folder = try folder.folder(String(component)) }
        return folder
    }

    /// Removes a folder that was made for an attempt which never started, and the job's folder where nothing else is in it.
    /// What stays (another attempt's folder, trouble with the disk) is harmless.
    static func removeUnused(_ relativePath: String, in spool: SpoolFolder) {
        let parts = relativePath.split(separator: "/").map(String.init)
        guard parts.count == 4, let day = try? spool.runs.folder(parts[1]), let job = try? day.folder(parts[2]) else { return }
        try? job.removeTree(parts[3])
        try? day.removeFolderIfEmpty(parts[2])
    }
}
