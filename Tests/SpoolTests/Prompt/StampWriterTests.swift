import Foundation
import Testing
import Yams

@testable import Spool

@Suite struct StampWriterTests {
    /// Every shape of front matter that can carry a stamp.
    static let carriers: [String] = [
        "hello\n", "hello", "\n", "\u{FEFF}hello\n", "a\r\nb\r\n", "a\rb\r", "---\n\nText\n\n---\nmore\n", "---\nNot yaml", "---",
        "---\n---\n", "---\n---", "---\r\n---\r\nx", "--- \t\nname: x\n---  \nbody", "---\nname: x\n...\nbody\n---\n",
        "---\n\nname: x\n---\n", "---\nname: x\n---\nbody", "\u{FEFF}---\nname: x\n---\nbody\n",
        "---\r\nname: x\r\n---\r\nbody\r\n",
        "---\rname: x\r---\rbody", "---\n# only a comment\n---\n", "---\nname: x # c\n# last\n  # deep\n---\n",
        "---\nbase: &b {k: v}\nuse: *b\n---\n", "---\ntext: |\n  prompt_flow:  # written by flowspool\n    version: v1\n---\nx",
        "---\ntext: |+\n  a\n\n\n---\nx", "---\ntext: >\n  ---\n  b\n---\nx",
        "---\ntext: 'prompt_flow: x'\n---\nbody\n---\nmore\n---\n",
        "---\ntools:\n- a\n- b\n---\n", "---\n  name: x\n  other: y\n---\n", "---\n{\"name\": \"x\", \"n\": [1, 2]}\n---\nx",
        "---\n{}\n---\nx",
        "---\n{name: x,\n other: y\n}\n---\nx", "---\n# c\n { name: x }\n---\nx",
        "---\nprompt_flow:\n  policy:\n    warn_mode: halt\nname: x\n---\n",
        "---\nname: x\nprompt_flow:\n  # mine\n  policy: {warn_mode: halt}\n---\n",
        "---\nprompt_flow:\n  stages:\n    draft:\n      status: ok\n---\nx",
        "---\nprompt_flow:\n  version: v1\n  stages:\n    draft: ok\n---\nx",
        "---\nprompt_flow: {policy: {warn_mode: halt}}\nname: x\n---\n",
        "---\nprompt_flow: {policy: {warn_mode: halt}, stages: {draft: ok}}\n---\n",
        "---\nprompt_flow:\n  stages: {draft: ok}\n  policy: {retry_max: 0}\n---\n",
        "---\n\"prompt_flow\":\n    policy:\n        retry_max: 0\n---\n",
        "---\n'prompt_flow' : { policy: {retry_max: 0} } # c\n---\n", "---\nprompt_flow:\nname: x\n---\n",
        "---\nprompt_flow:\n    # deep comment\n\n# root comment\nname: x\n---\n",
        "---\nprompt_flow:\n  stages:\n      # c\n  policy: {}\n---\n",
        "---\nprompt_flow:\n---\nx", "---\nprompt_flow: {}\n---\nx",
        "---\n{\"prompt_flow\": {\"policy\": {\"retry_max\": 0}}, \"a\": 1}\n---\nx",
        "---\r\nprompt_flow:\r\n  policy:\r\n    retry_max: 0\r\n---\r\nx", "---\r\nprompt_flow: {policy: {}}\r\n---\r\nx",
        "---\nouter:\n  prompt_flow:\n    version: v1\n---\n", "---\nprompt_flow_x: 1\n---\n", "---\npriority: high\n---\n",
        "---\na: 1\n\n\n---\n", "---\na: 1\n   \n---\n", "---\na: \"x\n\n  prompt_flow:\n  y\"\n---\n",
        "---\nprompt_flow:\n  policy: &p\n    retry_max: 0\nother: *p\n---\n", "---\nprompt_flow: &f\n  policy: {}\n---\n",
        "---\nä: ü\nprompt_flow: {ß: 1}\n---\n",
    ]

    @Test(arguments: carriers) func stamp_isTakenOffByteForByte(_ text: String) throws {
        #expect(StampWriter.remove(from: Data(text.utf8)) == Data(text.utf8))
        #expect(try checkStamping(Data(text.utf8), text.debugDescription))
    }

    @Test(arguments: [
        "---\nname: [x\n---\n", "---\nname: x\nname: y\n---\n", "---\n- a\n---\n", "---\nname: x\n", "---\nplain text\n---\n",
        "\u{0}",
        "---\nprompt_flow: yes\n---\n", "---\nbase: &b {x: 1}\nprompt_flow: *b\n---\n", "---\n? prompt_flow\n: {a: 1}\n---\n",
        "---\n&r {a: 1}\n---\n", "---\na: 1\n--- # next\nb: 2\n---\n", "---\n{prompt_flow: ,\n a: b}\n---\n",
        "---\na: \u{1}\n---\n",
        "---\nprompt_flow: {prompt_id: x, stages: {exec: {}}, policy: {}}\n---\n",
    ])
    func stamp_whenFrontMatterCannotCarryIt_isRefused(_ text: String) throws {
        #expect(try !checkStamping(Data(text.utf8), text.debugDescription))
        #expect(read(text).authorBytes == Data(text.utf8))
        #expect(read(text).findings.contains { $0.severity == .error })
    }

    @Test func stamp_ofFileWithoutFrontMatter_isGolden() throws {
        let file = read("# Hello\n", name: "hello.md")
        var preflight = Facts.preflight(
            reason: "1 warning: \"quoted\"\nand a line",
            findings: [
                .init(code: "destructive_fs", line: 12), .init(code: "no_gate", line: nil),
                .init(code: "privilege", line: 3, waiver: "yes"),
            ])
        preflight.resolved.profile = nil
        let stamped = try StampWriter.apply(
            Facts.stamp(for: file, preflight: preflight, exec: Facts.exec(), pipeline: Facts.pipeline()), to: file)
        #expect(stamped.text == Golden.full)
    }

    @Test func stamp_besideAuthorsKeys_isGolden() throws {
        let file = read(
            "---\nname: x\nprompt_flow:\n  policy:\n    warn_gate: no\n  stages:\n    draft: ok\n---\nx\n", name: "hello.md")
        let stamped = try StampWriter.apply(Facts.stamp(for: file, preflight: nil, pipeline: Facts.pipeline()), to: file)
        #expect(stamped.text == Golden.merged)
    }

    @Test func stamp_inFlowStyle_isGolden() throws {
        let file = read("---\nprompt_flow: {policy: {warn_gate: no}}\n---\nx\n", name: "hello.md")
        let stamped = try StampWriter.apply(Facts.stamp(for: file, preflight: nil, pipeline: Facts.pipeline()), to: file)
        #expect(stamped.text == Golden.flow)
    }

    @Test func stamp_readsBackAsTheSameTextInYAML11() throws {
        let nasty = "yes: no # x\u{85}\u{2028}\u{7}\t\"\\ \u{FEFF}é😀 *a &b !c"
        let file = read("x")
        var stamp = Facts.stamp(for: file, preflight: Facts.preflight(reason: nasty), exec: Facts.exec())
        stamp.exec?.source = "on"
        stamp.exec?.runRef = "2026-01-02"
        stamp.exec?.extra = [.init("weird key: x", "1e5"), .init("status", "twice"), .init("weird key: x", "twice")]
        let bytes = try StampWriter.apply(stamp, to: file)
        let yaml = String(bytes.text.dropFirst(4).prefix { _ in true }.components(separatedBy: "\n---\n")[0])
        let root = try #require(try Yams.load(yaml: yaml) as? [String: Any])
        let flow = try #require(root["prompt_flow"] as? [String: Any])
        let stages = try #require(flow["stages"] as? [String: [String: Any]])
        #expect(flow["version"] as? String == "v1")
        #expect(flow["prompt_id"] as? String == file.id)
        #expect(flow["prompt_sha"] as? String == file.sha)
        #expect(stages["preflight"]?["reason"] as? String == nasty)
        #expect(stages["preflight"]?["ready"] as? String == "yes")
        #expect(stages["preflight"]?["revision"] as? Int == 1)
        #expect(stages["preflight"]?["updated_utc"] as? String == "2026-01-02T03:04:05Z")
        #expect((stages["preflight"]?["policy"] as? [String: Any])?["warn_gate"] as? String == "yes")
        #expect((stages["preflight"]?["findings"] as? [Any])?.isEmpty == true)
        #expect(stages["exec"]?["source"] as? String == "on")
        #expect(stages["exec"]?["run_ref"] as? String == "2026-01-02")
        #expect(stages["exec"]?["weird key: x"] as? String == "1e5")
        #expect(stages["exec"]?["status"] as? String == "failed")
    }

    @Test func stamp_withOtherFacts_replacesOnlyTheStagesThatAreSet() throws {
        let file = read("---\nname: x\n---\nx\n")
        let first = try StampWriter.apply(Facts.stamp(for: file, exec: Facts.exec()), to: file)
        let second = try StampWriter.apply(Facts.stamp(for: file, preflight: Facts.preflight(revision: 2)), to: first)
        #expect(Stamp.revision(in: second) == 2)
        #expect(ExistingStamp(in: second)?.execStatus == "failed")
        #expect(second.text.components(separatedBy: "preflight:").count == 2)
    }

    @Test func stamp_withManyFindings_isBounded() throws {
        let file = read("x")
        let marks = (1...5000).map {
            Stamp.Preflight.Mark(code: "destructive_fs", line: $0, waiver: String(repeating: "w", count: 5000))
        }
        let bytes = try StampWriter.apply(Facts.stamp(for: file, preflight: Facts.preflight(findings: marks)), to: file)
        #expect(bytes.count < 128 * 1024)
        #expect(bytes.text.contains("findings_omitted: 4900\n"))
        #expect(StampWriter.remove(from: bytes) == file.bytes)
        #expect(Stamp.revision(in: bytes) == 1)
    }

    @Test func stamp_keepsWhatThePersonAddedBelowIt() throws {
        let file = read("no front matter\n")
        let stamped = try StampWriter.apply(Facts.stamp(for: file), to: file).text
        let edited = stamped.replacingOccurrences(of: "\n---\nno front", with: "\ntimeout: 5m\n---\nno front")
        #expect(edited != stamped)
        #expect(StampWriter.remove(from: Data(edited.utf8)).text == "---\ntimeout: 5m\n---\nno front matter\n")
        #expect(read(edited).settings.timeoutSeconds == 300)
    }

    @Test(arguments: [
        (
            "---\nname: x\nprompt_flow:\n  version: v1\n  prompt_id: a--1\n  prompt_sha: abc\n  stages:\n    preflight:\n      status: ready\n      ready: yes\n---\nx\n",
            "---\nname: x\n---\nx\n"
        ),
        (
            "---\nprompt_flow:\n  prompt_id: a--1\n  stages:\n    draft: ok\n    exec:\n      status: ok\n\n      l:\n      - a\n  policy:\n    retry_max: 0\nname: x\n---\nx\n",
            "---\nprompt_flow:\n  stages:\n    draft: ok\n  policy:\n    retry_max: 0\nname: x\n---\nx\n"
        ),
    ])
    func foreignStamp_isTakenOffAndReplaced(_ stamped: String, _ author: String) throws {
        #expect(StampWriter.remove(from: Data(stamped.utf8)).text == author)
        #expect(read(stamped).sha == read(author).sha)
        #expect(try checkStamping(Data(stamped.utf8), stamped))
    }

    @Test func stamp_thatAnAttackerWrote_decidesNothing() {
        let text = """
            ---
            prompt_flow:  # written by flowspool
              policy:
                warn_gate: no
              exec_mode: agent
            priority: 1
            ---
            x

            """
        let file = read(text)
        #expect(file.settings.toggles.isEmpty)
        #expect(file.settings.priority == 1)
        #expect(file.sha == read("---\npriority: 1\n---\nx\n").sha)
        #expect(file.bodyFirstLine == 4)
        #expect(file.bodyLineShift == 4)
    }

    @Test func utc_isRightAtTheEdges() {
        #expect(Stamp.utc(Date(timeIntervalSince1970: 0)) == "1970-01-01T00:00:00Z")
        #expect(Stamp.utc(Date(timeIntervalSince1970: 951_827_696.9)) == "2000-02-29T12:34:56Z")
        #expect(Stamp.utc(Date(timeIntervalSince1970: 4_107_542_399)) == "2100-02-28T23:59:59Z")
        #expect(Stamp.utc(Date(timeIntervalSince1970: -5)) == "1970-01-01T00:00:00Z")
        #expect(Stamp.utc(.distantFuture) == "4001-01-01T00:00:00Z")
        #expect(Stamp.utc(Date(timeIntervalSince1970: .infinity)) == "9999-12-31T23:59:59Z")
    }
}
