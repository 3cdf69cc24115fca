import Foundation
import Testing

@testable import Spool

private func read(_ text: String) throws -> SpoolConfiguration {
    try SpoolConfiguration(contents: Data(text.utf8), path: "/s/spool.yaml")
}

/// The messages of the faults in `text`, without the file's name and the hint.
private func faults(_ text: String) -> [String] {
    do {
        _ = try SpoolConfiguration(contents: Data(text.utf8), path: "/y")
        return []
    } catch {
        #expect(error.code == .invalidInput)
        let lines = error.message.split(separator: "\n").map(String.init)
        guard lines.count > 1 else { return [String(error.message.dropFirst("/y: ".count))] }
        #expect(lines[0] == "/y has \(lines.count - 1) faults")
        return lines.dropFirst().map { String($0.dropFirst(2)) }
    }
}

@Suite struct SpoolConfigurationTests {
    @Test(arguments: ["", "# nothing\n", "---\n", "{}", "retention:\nnotify:\nenvironment:\nrunners:\nbudgets:\n"])
    func fileWithoutContent_isAllDefaults(text: String) throws {
        var configuration = try read(text)
        configuration.path = nil
        #expect(configuration == SpoolConfiguration())
        #expect(configuration.timeoutSeconds == 3600)
        #expect(configuration.sizeLimitBytes == 1_048_576)
        #expect(configuration.jobs == 1)
        #expect(configuration.modes == [.script, .agent, .http])
    }

    @Test func documentedExample_isReadKeyByKey() throws {
        let document = try String(contentsOfFile: repositoryFile("docs/spool-yaml.md"), encoding: .utf8)
        let example = try #require(document.components(separatedBy: "```yaml\n").last?.components(separatedBy: "```").first)
        let configuration = try read(example)
        #expect(configuration.path == "/s/spool.yaml")
        #expect(configuration.execMode == .script)
        #expect(configuration.modes == [.script, .agent])
        #expect(configuration.jobs == 4)
        #expect(configuration.timeoutSeconds == 900)
        #expect(configuration.sizeLimitBytes == 512 * 1024)
        #expect(configuration.poll == .automatic)
        #expect(configuration.retryDelaySeconds == 30)
        #expect(configuration.logLimitBytes == 16 << 20)
        #expect(configuration.retention.olderThanMilliseconds == 2_592_000_000)
        #expect(configuration.retention.keep == 1000)
        #expect(
            configuration.notifiers == [
                .init(
                    command: ["mail", "-s", "flowspool", "ops@example.org"], events: [.jobFailed, .spoolHold], timeoutSeconds: 20)
            ])
        #expect(configuration.environment.withholds("PGPASSFILE"))
        #expect(!configuration.environment.withholds("CI_TOKEN"))
        #expect(configuration.runners["local"]?.json == ["model": "small"])
        #expect(configuration.hostsAllowed == ["api.example.org", "10.0.0.7:8080"])
        #expect(!configuration.allowsFull)
        #expect(configuration.permissions == .edit)
        var job = SpoolConfiguration.Budget()
        job.timeSeconds = 1800
        job.idleSeconds = 600
        job.turns = 50
        job.tokens = 200_000
        job.costUSD = 2.5
        #expect(configuration.budgets.job == job)
        #expect(configuration.budgets.batch.costUSD == 20)
        #expect(configuration.budgets.day.timeSeconds == 28_800)
    }

    @Test(arguments: [
        ("poll: yes", SpoolConfiguration.Poll.every(seconds: 2)), ("poll: no", .never), ("poll: false", .never),
        ("poll: auto", .automatic), ("poll: 0.5", .every(seconds: 0.5)), ("poll: 10s", .every(seconds: 10)),
    ])
    func poll_isAutomaticNeverOrAnInterval(text: String, poll: SpoolConfiguration.Poll) throws {
        #expect(try read(text).poll == poll)
    }

    @Test func notify_mayBeSeveral() throws {
        let configuration = try read("notify:\n- command: [a]\n- {command: [b, \"1\"], events: job_held}\n")
        #expect(configuration.notifiers.map(\.command) == [["a"], ["b", "1"]])
        #expect(configuration.notifiers.map(\.events) == [Set(Notifier.Event.allCases), [.jobHeld]])
        #expect(configuration.notifiers[0].timeoutSeconds == 10)
    }

    @Test func everyFault_isListedAtOnceWithItsLine() {
        let text = """
            exec_mode: shell
            modes: [script, magic]
            jobs: 0
            timeout: soon
            size_limit: 2TB
            poll: 0
            retention: {older_then: 30d, keep: -1}
            notify:
              command: mail ops
              events: [job_done]
            environment:
              withhold: "*_TOKEN"
              pass: ["*_KEY"]
            log_limit: 1
            retry_delay: -5
            allow_hosts: ["https://x/"]
            allow_full: maybe
            permissions: all
            budgets:
              job: {cost_usd: 0}
              batch: {idle: 3}
            runners: {"a b": {}, c: 1}
            job: 3
            """
        let all =
            "exec_mode, modes, jobs, timeout, size_limit, poll, retention, notify, log_limit, retry_delay, environment, runners, "
            + "allow_hosts, allow_full, permissions, budgets"
        let duration = "seconds, or a number with s, m, h, d or w"
        let size = "bytes, or a number with KiB, MiB or GiB"
        #expect(
            faults(text) == [
                #"line 1, column 12: $.exec_mode: "shell" is not allowed; allowed: script, agent, http"#,
                #"line 2, column 17: $.modes[1]: "magic" is not allowed; allowed: script, agent, http"#,
                "line 3, column 7: $.jobs: 0 is not allowed; allowed: a whole number from 1 to 256",
                #"line 4, column 10: $.timeout: "soon" is not allowed; allowed: \#(duration); above 0"#,
                #"line 5, column 13: $.size_limit: "2TB" is not allowed; allowed: \#(size); from 1 byte to 256 MiB"#,
                "line 6, column 7: $.poll: 0 is not allowed; allowed: auto, yes, no, or seconds from 0.1 to 3600",
                "line 7, column 13: $.retention.older_then: unknown key; allowed: older_than, keep",
                "line 7, column 36: $.retention.keep: -1 is not allowed; allowed: a whole number from 0 up",
                #"line 9, column 12: $.notify.command: "mail ops" is not allowed; allowed: a list; each a text (quote numbers)"#,
                #"line 10, column 12: $.notify.events[0]: "job_done" is not allowed; allowed: job_failed, job_held, spool_hold, batch_done"#,
                #"line 12, column 13: $.environment.withhold: "*_TOKEN" is not allowed; "#
                    + "allowed: a list; each a name in which * and ? stand for others",
                #"line 13, column 10: $.environment.pass[0]: "*_KEY" is not allowed; allowed: the whole name of a variable"#,
                "line 14, column 12: $.log_limit: 1 is not allowed; allowed: \(size); from 4 KiB to 1024 GiB",
                "line 15, column 14: $.retry_delay: -5 is not allowed; allowed: \(duration); from 0",
                #"line 16, column 15: $.allow_hosts[0]: "https://x/" is not allowed; allowed: a host name, without scheme and path"#,
                #"line 17, column 13: $.allow_full: "maybe" is not allowed; allowed: yes, no"#,
                #"line 18, column 14: $.permissions: "all" is not allowed; allowed: read, edit, full"#,
                "line 20, column 19: $.budgets.job.cost_usd: 0 is not allowed; allowed: a number above 0",
                "line 21, column 11: $.budgets.batch.idle: unknown key; allowed: time, turns, tokens, cost_usd",
                #"line 22, column 11: $.runners["a b"]: not a runner's name; allowed: 1 to 64 letters, digits, '.', '_' and '-'"#,
                "line 22, column 25: $.runners.c: 1 is not allowed; allowed: a mapping of keys to values",
                "line 23, column 1: $.job: unknown key; allowed: \(all)",
            ])
    }

    @Test(arguments: [
        ("- a", "line 1, column 1: $: a list is not allowed; allowed: a mapping of keys to values"),
        ("jobs: 1\njobs: 2", "line 1, column 1: $: duplicate key: jobs"),
        ("jobs: [1", "line 2, column 1: $: not valid YAML: did not find expected ',' or ']'"),
        ("a: \u{1}", "line 1, column 1: $: not valid YAML: control characters are not allowed"),
        ("jobs:", "line 1, column 6: $.jobs: null is not allowed; allowed: a whole number from 1 to 256"),
        ("modes: []", "line 1, column 8: $.modes: an empty list; allowed: script, agent, http"),
        (
            "notify: {events: job_held}",
            "line 1, column 9: $.notify.command: missing; allowed: a list of the program and its arguments"
        ),
        (
            "notify: {command: []}",
            "line 1, column 19: $.notify.command: no program; allowed: a list of the program and its arguments"
        ),
        (
            "modes: [http]\nexec_mode: script",
            "line 2, column 12: $.exec_mode: \"script\" is not allowed; allowed: one of modes: http"
        ),
    ])
    func fault_isNamedByLine(text: String, message: String) {
        #expect(faults(text) == [message])
    }

    @Test func aliases_thatMeanAHugeTree_areRefused() {
        var text = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
        for (name, previous) in zip("bcdefgh", "abcdefg") {
            text += "\(name): &\(name) [" + Array(repeating: "*\(previous)", count: 9).joined(separator: ", ") + "]\n"
        }
        #expect(faults(text).first?.contains("more than 10000 values") == true)
    }

    @Test func nesting_beyondMeasure_isAFaultAndNoCrash() {
        #expect(faults("a: " + String(repeating: "[", count: 100_000)).count == 1)
        #expect(faults(String(repeating: "- ", count: 60_000)).count == 1)
    }

    @Test func bytesThatAreNoText_areAFault() {
        let error = #expect(throws: FlowspoolError.self) { try SpoolConfiguration(contents: Data([0x6A, 0xFF]), path: "/y") }
        #expect(error?.message == "/y: line 1, column 1: $: the text is not UTF-8")
    }

    /// Whatever is done to a file, it is read or refused with faults; the seed is fixed, so that a failure comes back.
    @Test func damagedFiles_areReadOrRefused() throws {
        let document = try String(contentsOfFile: repositoryFile("docs/spool-yaml.md"), encoding: .utf8)
        let example = try #require(document.components(separatedBy: "```yaml\n").last?.components(separatedBy: "```").first)
        let pieces = [
            ":", "-", "[", "]", "{", "}", "&a ", "*a", "!!x ", "|\n", "\n", "\t", "---\n", "...\n", "%", "\"", "'", "#", "? ",
            "<<: *a",
        ]
        var state: UInt64 = 20_261_124
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var refused = 0
        for _ in 0..<1500 {
            var bytes = Array(example.utf8)
            for _ in 0...random(4) {
                let at = random(bytes.count)
                switch random(3) {
                case 0: bytes.insert(contentsOf: Array(pieces[random(pieces.count)].utf8), at: at)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random(20)))
                default: bytes[at] = UInt8(random(256))
                }
            }
            do {
                _ = try SpoolConfiguration(contents: Data(bytes), path: "/y")
            } catch {
                refused += 1
                #expect(error.code == .invalidInput && error.message.contains("line "))
            }
        }
        #expect(refused > 700)
    }

    @Test func load_readsTheSpoolsOwnFileAndRefusesOneThatOthersMayWrite() throws {
        let folder = try TestFolder()
        defer { folder.remove() }
        #expect(try SpoolConfiguration.load(spool: folder.path) == SpoolConfiguration())
        let file = try folder.write("jobs: 3\n", to: ".flowspool/spool.yaml")
        #expect(try SpoolConfiguration.load(spool: folder.path).jobs == 3)
        #expect(chmod(file, 0o666) == 0)
        let error = #expect(throws: FlowspoolError.self) { try SpoolConfiguration.load(spool: folder.path) }
        #expect(error?.code == .invalidInput)
        #expect(error?.message == "\(file): others may write to this file, and it names commands that run")
    }
}

@Suite struct QuantityTests {
    @Test(arguments: [
        ("90", 90.0), ("1.5", 1.5), ("90s", 90), ("15m", 900), ("2h", 7200), ("30d", 2_592_000), ("1w", 604_800), ("250ms", 0.25),
        ("0", 0),
    ])
    func seconds_readsEachUnit(text: String, seconds: Double) {
        #expect(Quantity.seconds(text) == seconds)
    }

    @Test(arguments: [
        ("1048576", 1 << 20), ("1MiB", 1 << 20), ("512KiB", 512 << 10), ("1.5GiB", 3 << 29), ("2MB", 2_000_000), ("1kB", 1000),
        ("7B", 7),
    ])
    func bytes_readsEachUnit(text: String, bytes: Int) {
        #expect(Quantity.bytes(text) == bytes)
    }

    @Test(arguments: ["", "s", "-1s", "+1", "1 s", "1y", "1e3", ".5", "5.", "1.2.3", "inf", "nan", "0x10", "1_000", "٣", "1M"])
    func anythingElse_isNoQuantity(text: String) {
        if text != "1M" { #expect(Quantity.seconds(text) == nil) }
        #expect(Quantity.bytes(text) == nil)
        #expect(Quantity.bytes("0.3B") == nil)
        #expect(Quantity.bytes("99999999999GiB") == nil)
    }
}

@Suite struct EnvironmentFilterTests {
    @Test func defaultPatterns_withholdWhatNamesItselfSecret() {
        let environment = [
            "PATH": "p", "HOME": "h", "GITHUB_TOKEN": "x", "AWS_REGION": "x", "DB_PASSWORD": "x", "API_KEY": "x", "A_SECRET": "x",
            "TOKENS": "y", "_KEY": "x", "AWS": "y", "KEY_": "y", "aws_x": "y",
        ]
        #expect(
            EnvironmentFilter()(environment) == ["PATH": "p", "HOME": "h", "TOKENS": "y", "AWS": "y", "KEY_": "y", "aws_x": "y"])
        #expect(EnvironmentFilter(pass: ["GITHUB_TOKEN"])(environment)["GITHUB_TOKEN"] == "x")
        #expect(EnvironmentFilter(withhold: [])(environment) == environment)
    }

    @Test(arguments: [
        ("*", "", true), ("*", "ANY", true), ("A*B*C", "AxBxBxC", true), ("A*B*C", "AxBxC_", false), ("A?C", "ABC", true),
        ("A?C", "AC", false), ("A.C", "ABC", false), ("ABC", "ABCD", false), ("*AB", "AAB", true), ("a**", "a", true),
    ])
    func patterns_standForWholeNames(pattern: String, name: String, matches: Bool) {
        #expect(EnvironmentFilter(withhold: [pattern]).withholds(name) == matches)
    }

    @Test func patterns_withManyStarsTakeNoExponentialTime() {
        let pattern = String(repeating: "A*", count: 50) + "B"
        #expect(!EnvironmentFilter(withhold: [pattern]).withholds(String(repeating: "A", count: 5000)))
    }
}
