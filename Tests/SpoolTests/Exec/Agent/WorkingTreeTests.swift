import Foundation
import Testing

@testable import Spool

/// What becomes of the folders that agents work in: with real git, in a repository of the test's own.
@Suite struct WorkingTreeTests {
    private let bench = AgentBench()
    private let yaml = "runners: {mine: {command: [mine]}}"

    private func prompt(_ yaml: String) -> String { "---\n\(yaml)\n---\n\nFix it.\n" }

    private func branches() async -> [String] {
        await bench.git("branch", "--list", "--format=%(refname:short)", "flowspool/*")
        return bench.scratch.text("git").split(separator: "\n").map(String.init)
    }

    private func commit(_ files: [String: String]) async throws {
        for (name, text) in files {
            let path = bench.repo + "/" + name
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(filePath: path))
        }
        await bench.git("add", "--force", ".")
        await bench.git("commit", "-qm", "more")
    }

    /// A submodule's folder in a new worktree is empty, and git neither looks into it nor spares it.
    private func addSubmodule() async {
        bench.program("git", "exec /usr/bin/git -c protocol.file.allow=always \"$@\"")
        await bench.git("clone", "-q", "--bare", ".", bench.scratch.file("other.git"))
        await bench.git("submodule", "--quiet", "add", bench.scratch.file("other.git"), "sub")
        await bench.git("commit", "-qm", "sub")
    }

    @Test(arguments: [
        "mkdir build; echo report > build/report.txt", "echo report > sub/report.txt", "echo report > info.log",
        "echo report > report.txt; git add .; git commit -qm done; git checkout -q --detach HEAD~",
        "git init -q nested; echo report > nested/report.txt",
    ])
    func fileThatGitDoesNotName_isKeptAllTheSame(_ work: String) async throws {
        await bench.makeRepository()
        try await commit([".gitignore": "build/\n*.log\n"])
        await addSubmodule()
        bench.program("mine", "cat >/dev/null; (\(work)) >&2; echo done")
        let result = try await bench.run(prompt("isolation: worktree"), yaml)
        #expect(result.outcome == .success, "\(result.message)")
        let tree = try #require(result.usage?.worktree)
        #expect(result.message == "mine finished; its changes are in \(tree)")
        #expect(await branches() == ["flowspool/job-1-1"])
        let isThere = try FileManager.default.subpathsOfDirectory(atPath: tree).contains {
            $0.hasSuffix("report.txt") || $0 == "info.log"
        }
        await bench.git("ls-tree", "--name-only", "flowspool/job-1-1")
        #expect(isThere || bench.scratch.text("git").contains("report.txt"))
    }

    /// With all that git leaves out: nothing of it makes a tree that nobody has written to a changed one.
    @Test func worktreeWithoutAnythingNew_isRemovedWithItsBranch() async throws {
        await bench.makeRepository()
        try await commit([".gitignore": "build/\nkept.log\n", "kept.log": "tracked\n"])
        await addSubmodule()
        bench.program("mine", "cat >/dev/null; pwd")
        let result = try await bench.run(prompt("isolation: worktree"), yaml)
        #expect(result.outcome == .success && result.usage?.worktree == nil, "\(result)")
        #expect(await branches() == [])
        #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("runs/1/job-1-1")))
    }

    /// An answer of git that the disk did not take says nothing of changes.
    @Test func worktreeOfWhichGitCannotTell_isKept() async throws {
        await bench.makeRepository()
        try await commit([".gitignore": "*.log\n"])
        bench.program("mine", "cat >/dev/null; echo report > info.log; echo done")
        bench.program("git", "/usr/bin/git \"$@\" || exit; [[ $1 != status ]] || rm $D/runs/1/git.out")
        let result = try await bench.run(prompt("isolation: worktree"), yaml)
        #expect(result.usage?.worktree == bench.scratch.file("runs/1/job-1-1"))
    }

    @Test func spoolMadeAnew_getsItsWorktree_andLeavesNoBranchOfTheOldOne() async throws {
        await bench.makeRepository()
        bench.program("mine", "cat >/dev/null; echo changed > a.txt; pwd")
        let first = try await bench.run(prompt("isolation: worktree"), yaml)
        let tree = try #require(first.usage?.worktree)
        try FileManager.default.removeItem(atPath: bench.scratch.file("runs/1"))
        let second = try await bench.run(prompt("isolation: worktree"), yaml)
        #expect(second.outcome == .success && second.usage?.worktree == tree, "\(second.message)")
        #expect(second.usage?.branch == "flowspool/job-1-1")
        #expect(await branches() == ["flowspool/job-1-1"])
        // Commits are not lost with the folder that they were made in.
        bench.program("mine", "cat >/dev/null; echo more > a.txt; git commit -qam kept; pwd")
        try FileManager.default.removeItem(atPath: bench.scratch.file("runs/1"))
        _ = try await bench.run(prompt("isolation: worktree"), yaml)
        try FileManager.default.removeItem(atPath: bench.scratch.file("runs/1"))
        let last = try await bench.run(prompt("isolation: worktree"), yaml)
        #expect(last.outcome == .success && last.usage?.branch == "flowspool/job-1-1-2", "\(last.message)")
        #expect(await branches() == ["flowspool/job-1-1", "flowspool/job-1-1-2"])
    }

    @Test func worktreeThatCannotBeMade_leavesNoBranch() async throws {
        await bench.makeRepository()
        bench.plays("codex", out: AgentStreams.codexSuccess)
        let hook = bench.repo + "/.git/hooks/post-checkout"
        try Data("#!/bin/sh\nexit 3\n".utf8).write(to: URL(filePath: hook))
        chmod(hook, 0o755)
        let result = try await bench.run(prompt("runner: codex\nisolation: worktree"))
        #expect(result.failureClass == .runner)
        #expect(await branches() == [])
        #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("runs/1/job-1-1")))
    }

    /// The spool in the repository is no part of the diff, however the repository treats it.
    @Test(arguments: [
        ("spool/\n", false), ("spool\n", false), ("*\n", false), ("", false), ("", true), ("spool/\n", true), ("/in/\n", false),
        ("spool/*\n!spool/ledger\n", false),
    ])
    func requiredDiff_whereTheSpoolIsInTheRepository(_ ignored: String, _ isTracked: Bool) async throws {
        await bench.makeRepository()
        let spool = bench.repo + (ignored == "/in/\n" ? "/in/spool" : "/spool")
        try FileManager.default.createDirectory(atPath: spool, withIntermediateDirectories: true)
        try Data("1".utf8).write(to: URL(filePath: spool + "/ledger"))
        if isTracked { await bench.git("add", ".") }
        try await commit([".gitignore": ignored])
        if !isTracked { await bench.git("rm", "-rq", "--cached", "--ignore-unmatch", spool) }
        await bench.git("commit", "-qm", "without")
        bench.program("mine", "cat >/dev/null; date +%N > \(spool)/ledger; date +%N > \(spool)/new; pwd")
        let gate = prompt("verify: {diff: required}")
        let unchanged = try await bench.run(gate, yaml, spool: spool)
        #expect(unchanged.message == "completion gate: the working tree has not changed")
        bench.program("mine", "cat >/dev/null; date +%N > a.txt; pwd")
        let changed = try await bench.run(gate, yaml, job: 2, spool: spool)
        #expect(changed.outcome == .success, "\(changed.message)")
    }
}
