// Which folder is the repository: the anchor for the configuration, for `cwd` and for the completion gate. Found by looking at
// folders only; Git itself is not run.

import Foundation

/// Finds the repo root (DESIGN "Policy").
public enum RepoRoot {
    /// `--repo-root`, `REPO_ROOT`, the Git top level above the working folder, the working folder: the first that there is.
    ///
    /// A `.git` that belongs to somebody else than whoever runs this, or than the owner of the working folder, is passed by:
    /// whoever may write to `/tmp` could otherwise decide the policy of everybody who works below it (as CVE-2022-24765).
    ///
    /// - Returns: an absolute path without links, `.` or `..`.
    /// - Throws: `invalidInput` where the flag or the variable names no folder.
    public static func find(
        flag: String?, environment: [String: String], workingDirectory: String
    ) throws(FlowspoolError) -> String {
        if let flag { return try folder(flag, below: workingDirectory, source: "--repo-root") }
        if let value = environment["REPO_ROOT"] { return try folder(value, below: workingDirectory, source: "REPO_ROOT") }
        guard let start = resolved(workingDirectory) else {
            throw FlowspoolError(
                .invalidInput, "\(printable(workingDirectory)): the working folder does not exist",
                hint: "cd to a folder that does")
        }
        return gitTopLevel(above: start) ?? start
    }

    private static func folder(_ path: String, below base: String, source: String) throws(FlowspoolError) -> String {
        guard !path.isEmpty else {
            throw FlowspoolError(.invalidInput, "\(source) is empty", hint: "set it to a folder, or unset it")
        }
        let absolute = path.hasPrefix("/") ? path : base + "/" + path
        var info = stat()
        guard let found = resolved(absolute), stat(found, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw FlowspoolError(
                .invalidInput, "\(source): \(printable(absolute)): no such folder", hint: "give \(source) an existing folder")
        }
        return found
    }

    private static func gitTopLevel(above start: String) -> String? {
        var info = stat()
        guard stat(start, &info) == 0 else { return nil }
        let owners = [geteuid(), info.st_uid]
        var folder = start
        // A path has at most PATH_MAX bytes, so this ends; the bound is for the reader.
        for _ in 0...Int(PATH_MAX) {
            let git = folder == "/" ? "/.git" : folder + "/.git"
            if lstat(git, &info) == 0, owners.contains(info.st_uid), [S_IFDIR, S_IFREG].contains(info.st_mode & S_IFMT) {
                return folder
            }
            guard folder != "/", let slash = folder.lastIndex(of: "/") else { return nil }
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
        return nil
    }

    /// realpath(3); nil where the path does not lead anywhere.
    private static func resolved(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}
