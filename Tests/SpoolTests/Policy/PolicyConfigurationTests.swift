import Foundation
import Testing

@testable import Spool

/// The messages of the faults in `text`, without the file's name and the hint.
private func faults(_ text: String) -> [String] {
    do {
        _ = try PolicyConfiguration(contents: Data(text.utf8), path: "/c.json")
        return []
    } catch {
        #expect(error.code == .invalidInput)
        #expect(error.hint?.contains("flowspool profile validate --config /c.json") == true)
        let lines = error.message.split(separator: "\n").map(String.init)
        guard lines.count > 1 else { return [String(error.message.dropFirst("/c.json: ".count))] }
        #expect(lines[0] == "/c.json has \(lines.count - 1) faults")
        return lines.dropFirst().map { String($0.dropFirst(2)) }
    }
}

/// A configuration whose profile `p` holds one toggle as given, on line 4.
private func profile(_ member: String) -> String {
    """
    {"version": 1, "active_profile": "p",
     "profiles": {
       "p": {
         \(member)
       }
     }}
    """
}

@Suite struct PolicyConfigurationTests {
    @Test func shippedFile_saysWhatIsBuiltIn() throws {
        let file = repositoryFile("scripts/codex-sprint/prompt_flow.config.json")
        var shipped = try PolicyConfiguration(path: file)
        #expect(shipped.path == file)
        #expect(shipped.sha256?.count == 64)
        shipped.path = nil
        shipped.sha256 = nil
        #expect(shipped == .builtin)
    }

    @Test func sha256_isThatOfTheBytes() throws {
        let configuration = try PolicyConfiguration(
            contents: Data(#"{"active_profile":"p","profiles":{"p":{}}}"#.utf8), path: "/c.json")
        // printf '%s' '{"active_profile":"p","profiles":{"p":{}}}' | sha256sum
        #expect(configuration.sha256 == "394df45d2498e4d174f8a749fcb24e4663371fcf7ee365ea4383ed75d2bb6254")
        #expect(configuration.topToggles == Toggle.allCases)
        #expect(!configuration.allowsWaivers)
    }

    @Test func spellings_areReadFromStringsNumbersAndBooleans() throws {
        let text = profile(
            #""warn_mode": "auto_approve", "warn_gate": true, "retry_max": "1", "pipeline_fail_fast_threshold": "6", "#
                + #""pipeline_max_total_failures": 20"#)
        let configuration = try PolicyConfiguration(contents: Data(text.utf8), path: "/c.json")
        #expect(
            configuration.profile("p")?.values == [
                .warnMode: "auto-approve", .warnGate: "yes", .retryMax: "1", .failFastThreshold: "6", .totalFailuresMax: "20",
            ])
        #expect(configuration.profile("p")?.raw["warn_gate"] == true)
        for (gate, normal) in [("1", "yes"), ("0", "no"), ("\"false\"", "no"), ("false", "no"), ("\"yes\"", "yes")] {
            let read = try PolicyConfiguration(contents: Data(profile("\"warn_gate\": \(gate)").utf8), path: "/c.json")
            #expect(read.profile("p")?.values == [.warnGate: normal])
        }
    }

    @Test(arguments: [
        (#""retry_max": 2"#, "2 is not allowed; allowed: 0, 1"),
        (#""retry_max": true"#, "true is not allowed; allowed: 0, 1"),
        (#""retry_max": null"#, "null is not allowed; allowed: 0, 1"),
        (#""retry_max": [1]"#, "a list is not allowed; allowed: 0, 1"),
        (#""retry_max": {}"#, "a mapping is not allowed; allowed: 0, 1"),
        (#""pipeline_fail_fast_threshold": 0"#, "0 is not allowed; allowed: a whole number from 1 up"),
        (#""pipeline_fail_fast_threshold": -1"#, "-1 is not allowed; allowed: a whole number from 1 up"),
        (#""pipeline_fail_fast_threshold": 1.5"#, "1.5 is not allowed; allowed: a whole number from 1 up"),
        (#""pipeline_max_total_failures": "ten""#, #""ten" is not allowed; allowed: a whole number from 1 up"#),
        (#""warn_mode": "auto""#, #""auto" is not allowed; allowed: ask, auto-approve, halt"#),
        (#""warn_mode": false"#, "false is not allowed; allowed: ask, auto-approve, halt"),
        (#""warn_gate": "maybe""#, #""maybe" is not allowed; allowed: yes, no"#),
        (#""warn_gate": "\u001b[31m""#, #""\u001b[31m" is not allowed; allowed: yes, no"#),
    ])
    func toggle_outOfRange_isNamedByPathLineAndAllowedValues(member: String, message: String) throws {
        let key = try #require(member.split(separator: "\"").first)
        let column = 6 + member.distance(from: member.startIndex, to: try #require(member.firstIndex(of: ":"))) + 2
        #expect(faults(profile(member)) == ["line 4, column \(column): $.profiles.p.\(key): \(message)"])
    }

    private static let toggles = Toggle.allCases.map(\.rawValue).joined(separator: ", ")

    @Test(arguments: [
        ("", "line 1, column 1: $: the file is empty"),
        (" \n\n", "line 3, column 1: $: the file is empty"),
        ("profiles: {}", "line 1, column 1: $: not JSON: expected a value, found 'p'"),
        ("{\n  \"version\": 1,\n}", "line 3, column 1: $: not JSON: expected a key in double quotes, found '}'"),
        ("{} x", "line 1, column 4: $: not JSON: text after the end of the value"),
        ("[]", "line 1, column 1: $: a list is not allowed; allowed: a mapping of keys to values"),
    ])
    func file_thatIsNoConfiguration_isOneFault(text: String, message: String) {
        #expect(faults(text) == [message])
    }

    @Test func everyFault_isListedAtOnceInTheOrderOfTheFile() {
        let text = """
            {
              "version": 7,
              "active_profile": "prod",
              "top5_toggles": ["warn_mode", "wram_gate", 3, "warn_mode"],
              "allow_waivers": "yes",
              "profiles": {
                "poc": {
                  "warn_mode": "halt",
                  "retry_max": 2,
                  "warn_mode": "ask",
                  "colour": "red"
                },
                "pro duction": {"pipeline_max_total_failures": 0},
                "list": []
              },
              "active_profile": "poc"
            }
            """
        #expect(
            faults(text) == [
                "line 2, column 14: $.version: 7 is not allowed; allowed: 1",
                #"line 3, column 21: $.active_profile: unknown profile "prod"; allowed: poc, pro duction, list"#,
                #"line 4, column 33: $.top5_toggles[1]: unknown toggle "wram_gate"; allowed: \#(Self.toggles)"#,
                "line 4, column 46: $.top5_toggles[2]: unknown toggle 3; allowed: \(Self.toggles)",
                #"line 4, column 49: $.top5_toggles[3]: "warn_mode" stands here a second time"#,
                #"line 5, column 20: $.allow_waivers: "yes" is not allowed; allowed: true, false"#,
                "line 9, column 20: $.profiles.poc.retry_max: 2 is not allowed; allowed: 0, 1",
                "line 10, column 7: $.profiles.poc.warn_mode: duplicate key: it stands on line 8 already",
                "line 11, column 7: $.profiles.poc.colour: unknown toggle; allowed: \(Self.toggles)",
                #"line 13, column 5: $.profiles["pro duction"]: not a profile name; allowed: 1 to 64 letters, digits, '.', '_' and '-'"#,
                #"line 13, column 52: $.profiles["pro duction"].pipeline_max_total_failures: 0 is not allowed; "#
                    + "allowed: a whole number from 1 up",
                "line 14, column 13: $.profiles.list: a list is not allowed; allowed: a mapping of keys to values",
                "line 16, column 3: $.active_profile: duplicate key: it stands on line 3 already",
            ])
    }

    @Test func missingKeys_areFaults() {
        #expect(
            faults("{}") == [
                "line 1, column 1: $.profiles: missing; allowed: a mapping of profiles",
                "line 1, column 1: $.active_profile: missing; allowed: the name of a profile",
            ])
        #expect(
            faults(#"{"profiles": {}, "active_profile": 1}"#) == [
                "line 1, column 14: $.profiles: a mapping is not allowed; allowed: at least one profile",
                "line 1, column 36: $.active_profile: 1 is not allowed; allowed: the name of a profile",
            ])
    }

    @Test func documentedExample_isValid() throws {
        let document = try String(contentsOfFile: repositoryFile("docs/policy.md"), encoding: .utf8)
        let example = try #require(document.components(separatedBy: "```json\n").last?.components(separatedBy: "```").first)
        let configuration = try PolicyConfiguration(contents: Data(example.utf8), path: "/c.json")
        #expect(configuration.profile("nightly")?.values == [.warnMode: "halt", .retryMax: "1"])
        #expect(configuration.profile("poc")?.values == PolicyConfiguration.builtin.profile("poc")?.values)
        #expect(configuration.profile("production")?.values == PolicyConfiguration.builtin.profile("production")?.values)
    }

    @Test func locate_prefersFlagThenCanonicalThenRuntime() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        #expect(PolicyConfiguration.locate(flag: nil, repoRoot: folder.path) == nil)
        #expect(try PolicyConfiguration.load(flag: nil, repoRoot: folder.path) == .builtin)
        let runtime = try folder.write("", to: "temp/codex-sprint/prompt_flow.config.json")
        #expect(PolicyConfiguration.locate(flag: nil, repoRoot: folder.path) == runtime)
        let canonical = try folder.write("", to: "scripts/codex-sprint/prompt_flow.config.json")
        #expect(PolicyConfiguration.locate(flag: nil, repoRoot: folder.path) == canonical)
        #expect(PolicyConfiguration.locate(flag: "/none", repoRoot: folder.path) == "/none")
    }

    @Test func load_ofAFolderFIFOOrMissingFile_isAnErrorAndNeverHangs() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        let fifo = folder.path + "/fifo"
        #expect(mkfifo(fifo, 0o600) == 0)
        for (path, message) in [
            (folder.path, "not a regular file"), (fifo, "not a regular file"),
            (folder.path + "/none", "open: No such file or directory"),
        ] {
            let error = #expect(throws: FlowspoolError.self) { try PolicyConfiguration.load(flag: path, repoRoot: "/") }
            #expect(error?.code == .invalidInput)
            #expect(error?.message == "\(path): \(message)")
        }
        // A broken canonical file is never passed over for the runtime copy.
        try folder.write("{", to: "scripts/codex-sprint/prompt_flow.config.json")
        try folder.write(#"{"active_profile":"p","profiles":{"p":{}}}"#, to: "temp/codex-sprint/prompt_flow.config.json")
        #expect(throws: FlowspoolError.self) { try PolicyConfiguration.load(flag: nil, repoRoot: folder.path) }
    }
}
