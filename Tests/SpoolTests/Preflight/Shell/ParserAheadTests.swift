// The parser's child that is started before its block is known: it takes the first block and no other, and none is left where no
// block comes.

import Foundation
import Synchronization
import Testing

@testable import Spool

@Suite(.enabled(if: hasShfmt), .timeLimit(.minutes(1))) struct ParserAheadTests {
    private let folder: TestFolder
    private let real: String

    init() throws {
        folder = try TestFolder()
        real = try ShellParser(searchPath: "/usr/local/bin:/usr/bin:/bin").path
        mkfifo(folder.path + "/started", 0o600)
    }

    /// A program that adds its process id to `starts`, and then runs `body`.
    private func program(_ body: String) throws -> String {
        let program = folder.path + "/shfmt"
        try "#!/bin/bash\necho $$ >> '\(folder.path)/starts'\n\(body)\n".write(toFile: program, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        return program
    }

    private func starts() throws -> [pid_t] {
        try String(contentsOfFile: folder.path + "/starts", encoding: .utf8).split(separator: "\n").compactMap { pid_t($0) }
    }

    /// Waits until a child that tells of it in the fifo has started.
    private func startedChild() throws -> pid_t { try #require(Self.firstNumber(in: folder.path + "/started")) }

    private static func firstNumber(in fifo: String) -> pid_t? {
        let bytes = try? FileHandle(forReadingAtPath: fifo)?.readToEnd()
        return bytes.flatMap { pid_t(String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .newlines)) }
    }

    @Test func firstBlock_goesToTheChildThatWaits_andTheNextToOneOfItsOwn() throws {
        defer { folder.remove() }
        let parser = try ShellParser(path: try program("echo $$ > '\(folder.path)/started'; exec \(real) \"$@\""), searchPath: "")
        parser.startAhead()
        let waiting = try startedChild()
        let plain = try ShellParser(path: real, searchPath: "")
        let text = "a | b && c >d\n"
        #expect(String(describing: parser.parse(text)) == String(describing: plain.parse(text)))
        #expect(try starts() == [waiting])
        #expect(kill(waiting, 0) == -1 && errno == ESRCH)
        let reader = open(folder.path + "/started", O_RDWR | O_CLOEXEC)
        defer { close(reader) }
        guard case .tree = parser.parse("e\n") else {
            Issue.record("no tree")
            return
        }
        #expect(try starts().count == 2)
    }

    @Test func childThatNoBlockCameFor_isEnded() throws {
        defer { folder.remove() }
        let parser = try ShellParser(path: try program("echo $$ > '\(folder.path)/started'; exec cat"), searchPath: "")
        parser.startAhead()
        let waiting = try startedChild()
        #expect(kill(waiting, 0) == 0)
        parser.endAhead()
        #expect(kill(waiting, 0) == -1 && errno == ESRCH)
    }

    /// Nobody calls `endAhead` where a parser is forgotten.
    @Test func childOfAForgottenParser_isEnded() throws {
        defer { folder.remove() }
        var parser: ShellParser? = try ShellParser(
            path: try program("echo $$ > '\(folder.path)/started'; exec cat"), searchPath: "")
        parser?.startAhead()
        let waiting = try startedChild()
        parser = nil
        #expect(kill(waiting, 0) == -1 && errno == ESRCH)
    }

    @Test(arguments: ["exit 3", "exec 0<&-; exec sleep 600", "exec sleep 600"])
    func childThatEndsOrHangs_isABlockThatWasNotJudged_andIsEnded(_ body: String) throws {
        defer { folder.remove() }
        let parser = try ShellParser(
            path: try program("[[ -e '\(folder.path)/once' ]] && exit 4; touch '\(folder.path)/once'; \(body)"), searchPath: "",
            timeoutSeconds: 0.5)
        parser.startAhead()
        guard case .failed = parser.parse("echo '" + String(repeating: "a", count: 400_000) + "'\n") else {
            Issue.record("it was judged")
            return
        }
        for child in try starts() { #expect(kill(child, 0) == -1 && errno == ESRCH) }
    }

    @Test func analysisAhead_isWhatTheCacheHolds_andTakesOneStartForOneBlock() async throws {
        defer { folder.remove() }
        let analyzer = try ShellAnalyzer(shfmtPath: try program("exec \(real) \"$@\""), isProvenFirst: false)
        await ShellAnalyzer.analyzeAhead(by: { analyzer }) { [block("sudo id\n")] }?.value
        let report = await analyzer.analyze(block("sudo id\n"))
        #expect(report.isCached && report.findings.map(\.code.rawValue) == ["privilege"])
        #expect(try starts().count == 1)
    }

    @Test func analysisAheadOfNoBlocks_leavesNoChild() async throws {
        defer { folder.remove() }
        let analyzer = try ShellAnalyzer(
            shfmtPath: try program("echo $$ > '\(folder.path)/started'; exec cat"), isProvenFirst: false)
        let waits = folder.path + "/started"
        let child = Mutex<pid_t>(0)
        let analysis = try #require(
            ShellAnalyzer.analyzeAhead(by: { analyzer }) {
                child.withLock { $0 = Self.firstNumber(in: waits) ?? 0 }
                return []
            })
        await analysis.value
        let started = child.withLock { $0 }
        #expect(started > 0 && kill(started, 0) == -1 && errno == ESRCH)
    }
}
