// Blocks run in the folder that the front matter names: their paths are judged from there.

import Foundation
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt)) struct WorkingFolderTests {
    private func codes(_ frontMatter: String, _ block: String) async throws -> [String] {
        let folder = try TestFolder()
        defer { folder.remove() }
        try FileManager.default.createDirectory(atPath: folder.path + "/sub/build", withIntermediateDirectories: true)
        let context = PreflightContext(repoRoot: folder.path, searchPath: "/usr/bin:/bin")
        let preflight = Preflight(context: context, resolver: try TestSpool.resolver(), shell: try ShellAnalyzer())
        let text = "---\n\(frontMatter)\n---\n# x\n\n```bash\n\(block)\n```\n"
        let report = await preflight.check(PromptFile.read(name: "a.md", bytes: Data(text.utf8)))
        return report.findings.filter { $0.severity != .info }.map(\.code.rawValue)
    }

    @Test(arguments: [
        ("cwd: /etc", "sed -i 's/x/y/' ssh/sshd_config", "sensitive_path_write"),
        ("cwd: /etc", "echo x > hosts", "sensitive_path_write"),
        ("cwd: /dev", "dd if=/dev/zero of=sda bs=1M", "destructive_disk"),
        ("cwd: /var/lib", "rm -f dpkg/status", "destructive_fs"),
        ("cwd: /", "rm -rf build", "destructive_fs"),
        ("cwd: ../..", "rm -rf build", "destructive_fs"),
        ("working_directory: /usr/local", "cp x bin/x", "sensitive_path_write"),
        ("cwd: /etc", "cd /tmp\ncd -\nrm -f passwd", "destructive_fs"),
    ])
    func pathsFromAFolderOutside_areJudgedThere(_ frontMatter: String, _ block: String, _ code: String) async throws {
        #expect(try await codes(frontMatter, block) == [code])
    }

    @Test(arguments: ["cwd: sub", "cwd: ./sub/", "cwd: .", "cwd: sub/.."])
    func folderInTheRepository_changesNothing(_ frontMatter: String) async throws {
        #expect(try await codes(frontMatter, "rm -rf build\nrm -f a\necho x > b") == [])
        #expect(try await codes(frontMatter, "rm -rf src") == ["destructive_fs"])
    }

    /// An absolute path to the repository is no other folder than a relative one.
    @Test func absoluteFolderInTheRepository_isSeenFromItsRoot() async throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        var context = PreflightContext(repoRoot: folder.path, searchPath: "/usr/bin:/bin")
        context.modeDefault = .script
        let preflight = Preflight(context: context, resolver: try TestSpool.resolver(), shell: try ShellAnalyzer())
        let text = "---\ncwd: \(folder.path)\n---\n# x\n\n```bash\nrm -rf build\n```\n"
        let report = await preflight.check(PromptFile.read(name: "a.md", bytes: Data(text.utf8)))
        #expect(report.warnings.isEmpty && report.errors.isEmpty)
    }

    @Test func sameBlockInAnotherFolder_isAnotherBlock() throws {
        let analyzer = try ShellAnalyzer()
        var elsewhere = block("rm -rf build\n")
        elsewhere.folder = "/"
        #expect(analyzer.digest(of: elsewhere) != analyzer.digest(of: block("rm -rf build\n")))
    }
}
