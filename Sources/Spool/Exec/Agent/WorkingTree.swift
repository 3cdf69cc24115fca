// The folder that an agent works in: the prompt's own, a fresh git worktree on a branch of its own, or an empty scratch folder.
// Also answers whether anything in it has changed. git gets arguments, never a line of text, and its output stays in the run folder.

import Foundation

/// Runs git for one attempt.
struct Git: Sendable {
    let executor: any Executor
    let environment: [String: String]
    /// For the output of git.
    let folder: RunFolder

    struct Failed: Error, CustomStringConvertible {
        var description: String
        /// What the system refused, where git did not begin for that.
        var cause: SystemCallError?
    }

    /// What git prints, without the final newline.
    ///
    /// - Parameter lock: a folder that is locked (flock(1)) while git runs, however many runners there are.
    @discardableResult
    func callAsFunction(
        _ arguments: [String], in directory: String, adding more: [String: String] = [:], lock: String? = nil
    ) async throws(Failed) -> String {
        var text = String(
            decoding: try await bytes(arguments, in: directory, adding: more, lock: lock).prefix(8 << 20), as: UTF8.self)
        while text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    /// What git prints, to the byte, up to the bound of a log.
    func bytes(
        _ arguments: [String], in directory: String, adding more: [String: String] = [:], lock: String? = nil
    ) async throws(Failed) -> [UInt8] {
        var environment = environment.merging(more) { $1 }
        // A status must not write to the index of the user.
        environment["GIT_OPTIONAL_LOCKS"] = "0"
        environment["GIT_TERMINAL_PROMPT"] = "0"
        environment["LC_ALL"] = "C"
        let output = folder.path + "/git.out"
        let errors = folder.path + "/git.err"
        // What a hook of git leaves running does not keep the lock.
        let words = lock.map { ["flock", "--close", $0, "git"] } ?? ["git"]
        let result = await executor.run(
            Command(
                executable: words[0], arguments: words.dropFirst() + arguments, environment: environment,
                workingDirectory: directory, outputPath: output, errorPath: errors, timeoutSeconds: 300))
        guard result.ending == .exited(0) else {
            var text = String(decoding: ProcessTable.read(errors, bytesMax: 8 << 20) ?? [], as: UTF8.self)
            while text.hasSuffix("\n") { text.removeLast() }
            let verb = arguments.first { !$0.hasPrefix("-") } ?? "git"
            throw Failed(
                description: "git \(verb): \(text.isEmpty ? "\(result.ending)" : printable(text))", cause: result.cause)
        }
        // Half an answer must not pass for “no changes”: what has changes is kept.
        guard result.outputTrouble == nil, let text = ProcessTable.read(output, bytesMax: OutputLog.bytesMaxDefault) else {
            throw Failed(description: "git: \(result.outputTrouble ?? "its output cannot be read")")
        }
        return text
    }

    /// Takes away what git printed.
    func clean() {
        // What cannot be removed stays in the run folder, which is harmless.
        for name in ["git.out", "git.err", "git.index"] { try? folder.directory.remove(name) }
        try? FileManager.default.removeItem(atPath: folder.path + "/git.objects")
    }
}

/// Where one attempt of an agent works.
struct WorkingTree: Sendable {
    /// What takes the place of the repo root.
    var root: String
    /// The agent's working folder.
    var directory: String
    /// Of a worktree made for this attempt.
    var branch: String?
    /// The commit it began at.
    var base: String?
    /// The repository that it belongs to.
    var repository: Repository?

    /// A git repository that has worktrees.
    struct Repository: Sendable {
        /// Its own working tree, or the worktree that was asked.
        let top: String
        /// What all its worktrees share, usually `.git`.
        let commonDirectory: String

        /// Runs a git command that reads or writes the list of worktrees. git locks that list nowhere: one `worktree add` that meets
        /// the half-written entry of another one fails ("failed to read .git/worktrees/…/commondir: Success").
        @discardableResult
        func alone(_ git: Git, _ arguments: [String]) async throws(Git.Failed) -> String {
            try await git(arguments, in: top, lock: commonDirectory)
        }

        /// Takes a worktree off the list whose folder is gone, as it is where somebody has removed the spool, and its branch, unless that
        /// has commits of its own. Until then git makes no other one at its path.
        func forget(_ path: String, _ git: Git) async throws(Git.Failed) {
            for entry in try await alone(git, ["worktree", "list", "--porcelain"]).split(separator: "\n\n") {
                let lines = entry.split(separator: "\n")
                guard lines.contains(where: { $0 == "worktree " + path }) else { continue }
                try await alone(git, ["worktree", "remove", path])
                let branch = lines.first { $0.hasPrefix("branch refs/heads/flowspool/") }
                // It stays where its commits are nowhere else.
                if let branch { _ = try? await alone(git, ["branch", "--quiet", "-d", String(branch.dropFirst(18))]) }
            }
        }
    }

    /// The nearest folder at or above `path` that holds `.git`, links resolved; nil outside of a repository.
    static func top(above path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        var folder = String(cString: resolved)
        while true {
            if access(folder + (folder == "/" ? "" : "/") + ".git", F_OK) == 0 { return folder }
            guard folder != "/", let slash = folder.lastIndex(of: "/") else { return nil }
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
    }

    /// How the worktree of an attempt is named: after nothing that a prompt says. A number follows where there is one of that name.
    static func worktreeName(job: Int64, attempt: Int) -> String { "job-\(job)-\(attempt)" }

    /// Makes a worktree of the repository around `directory`, at its present commit, on a new branch.
    ///
    /// - Parameters:
    ///   - parent: an existing folder for worktrees.
    ///   - note: told of its name there and of its branch before it is made.
    static func makeWorktree(
        around directory: String, in parent: String, job: Int64, attempt: Int, git: Git,
        note: (_ name: String, _ branch: String) -> Void = { _, _ in }
    ) async throws(Git.Failed) -> WorkingTree {
        guard let top = top(above: directory) else {
            throw Git.Failed(description: "isolation: worktree needs a git repository, and \(printable(directory)) is in none")
        }
        let base = try await git(["rev-parse", "--verify", "HEAD"], in: top)
        let repository = Repository(
            top: top, commonDirectory: try await git(["rev-parse", "--path-format=absolute", "--git-common-dir"], in: top))
        // Unique even where a ledger was begun anew.
        let first = worktreeName(job: job, attempt: attempt)
        var name = first
        var number = 2
        while access(parent + "/" + name, F_OK) == 0, number < 1000 {
            name = "\(first)-\(number)"
            number += 1
        }
        var branch = "flowspool/" + name
        let path = parent + "/" + name
        try await repository.forget((realPath(parent) ?? parent) + "/" + name, git)
        let taken = try await git(["for-each-ref", "--format=%(refname:short)", "refs/heads/flowspool/"], in: top)
        let names = Set(taken.split(separator: "\n").map(String.init))
        number = 2
        while names.contains(branch) {
            branch = "flowspool/\(name)-\(number)"
            number += 1
        }
        note(name, branch)
        do throws(Git.Failed) {
            try await repository.alone(git, ["worktree", "add", "--quiet", "-b", branch, path, base])
        } catch {
            // git makes the branch first, and a hook can fail when all is there. Not even a cancelled attempt leaves them behind.
            await Task { [branch] in
                // Nothing of them has to be there.
                _ = try? await repository.alone(git, ["worktree", "remove", path])
                _ = try? await repository.alone(git, ["branch", "--quiet", "-d", branch])
            }.value
            throw error
        }
        let below = (realPath(directory) ?? directory).dropFirst(top.count)
        var info = stat()
        let inside = path + below
        let isThere = stat(inside, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
        let tree = WorkingTree(root: path, directory: isThere ? inside : path, branch: branch, base: base, repository: repository)
        guard isThere else {
            _ = try? await tree.settle(git)  // It stays where that fails, with nothing in it.
            throw Git.Failed(
                description: "the working folder \(printable(String(below))) is in no commit, so a worktree has none")
        }
        return tree
    }

    /// Removes a worktree in which nothing was written, with its branch; one that has changes is kept. No file and no commit that is
    /// nowhere else goes with it: one that git ignores is one, too.
    ///
    /// - Returns: whether it was kept.
    func settle(_ git: Git) async throws(Git.Failed) -> Bool {
        guard let branch, let base, let repository else { return false }
        let asked = ["status", "--porcelain", "--ignored", "--untracked-files=normal", "--ignore-submodules=none"]
        if try await !git(asked, in: root).isEmpty { return true }
        for name in ["HEAD", "refs/heads/" + branch] where try await git(["rev-parse", "--verify", name], in: root) != base {
            return true
        }
        if try await hasFilesInSubmodules(git) { return true }
        if try await hasFilesThatGitPassesOver(git) { return true }
        // What was committed and left again is named by the worktree's own log alone.
        let seen = try await git(["reflog", "show", "--format=%H", "HEAD"], in: root)
        if seen.split(separator: "\n").contains(where: { $0 != base }) { return true }
        try await repository.alone(git, ["worktree", "remove", root])
        try await repository.alone(git, ["branch", "--quiet", "-D", branch])
        return false
    }

    /// Files that git was told to take for unchanged, or to leave out, and that are there: they may be other ones by now.
    private func hasFilesThatGitPassesOver(_ git: Git) async throws(Git.Failed) -> Bool {
        let entries = try await git.bytes(["ls-files", "-v", "-z"], in: root)
        guard entries.count < OutputLog.bytesMaxDefault / 2 else { return true }
        return entries.split(separator: 0).contains { entry in
            guard let tag = entry.first, entry.count > 2 else { return false }
            if (97...122).contains(tag) { return true }
            guard tag == UInt8(ascii: "S") else { return false }
            var info = stat()
            return lstat(root + "/" + String(decoding: entry.dropFirst(2), as: UTF8.self), &info) == 0
        }
    }

    /// A new worktree has the folders of submodules, empty. git looks into none of them, neither for changes nor before it removes them.
    private func hasFilesInSubmodules(_ git: Git) async throws(Git.Failed) -> Bool {
        let entries = try await git.bytes(["ls-files", "--stage", "-z"], in: root)
        guard entries.count < OutputLog.bytesMaxDefault / 2 else {
            throw Git.Failed(description: "git ls-files: \(printable(root)) has too many files to look for submodules")
        }
        return entries.split(separator: 0).contains { entry in
            guard entry.starts(with: "160000 ".utf8), let tab = entry.firstIndex(of: UInt8(ascii: "\t")) else { return false }
            let path = root + "/" + String(decoding: entry[(tab + 1)...], as: UTF8.self)
            var info = stat()
            guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return false }
            // One that cannot be looked into may hold anything.
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else { return true }
            return !names.isEmpty
        }
    }

    /// The state of all files of a working tree, ignored ones apart, as one name: equal names, equal trees.
    ///
    /// A copy of the index takes the files in, and the objects go to the run folder, so nothing of the repository is touched.
    static func snapshot(of directory: String, excluding spool: String?, git: Git) async throws(Git.Failed) -> String {
        guard let top = top(above: directory) else {
            throw Git.Failed(description: "verify.diff needs a git repository, and \(printable(directory)) is in none")
        }
        let index = git.folder.path + "/git.index"
        let own = try await git(["rev-parse", "--path-format=absolute", "--git-path", "index"], in: top)
        let objects = try await git(["rev-parse", "--path-format=absolute", "--git-path", "objects"], in: top)
        let scratch = git.folder.path + "/git.objects"
        mkdir(scratch, 0o700)
        // Without an index yet, git begins an empty one.
        if let bytes = ProcessTable.read(own, bytesMax: 512 << 20) {
            do throws(SystemCallError) {
                try git.folder.write("git.index", Data(bytes))
            } catch {
                throw Git.Failed(description: "\(error)", cause: error)
            }
        }
        let environment = ["GIT_INDEX_FILE": index, "GIT_OBJECT_DIRECTORY": scratch, "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects]
        var paths = ["add", "--all", "--", "."]
        if let spool = spool.flatMap(realPath), spool.hasPrefix(top + "/") {
            let spool = String(spool.dropFirst(top.count + 1))
            // What is tracked of it is in neither of two states.
            let forget = ["rm", "-r", "--force", "--quiet", "--cached", "--ignore-unmatch", "--", ":(top,literal)" + spool]
            try await git(forget, in: top, adding: environment)
            // git refuses to leave out what its ignore files leave out already. Exit 1 says that they do not.
            let isIgnored = ["check-ignore", "--quiet", "--no-index", "--", spool]
            if (try? await git(isIgnored, in: top, adding: environment)) == nil { paths.append(":(exclude,top,literal)" + spool) }
        }
        _ = try await git(paths, in: top, adding: environment)
        let tree = try await git(["write-tree"], in: top, adding: environment)
        let head = (try? await git(["rev-parse", "--verify", "HEAD"], in: top)) ?? ""  // No commit yet is a state, too.
        return head + " " + tree
    }

    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
