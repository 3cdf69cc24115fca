import Foundation
import Testing

/// The configuration of these tests: `poc` sets all toggles, `bare` one.
private let configurationText = """
    {
      "version": 1,
      "active_profile": "poc",
      "top5_toggles": ["warn_mode", "warn_gate", "retry_max", "pipeline_fail_fast_threshold", "pipeline_max_total_failures"],
      "profiles": {
        "poc": {"warn_mode": "autoapprove", "warn_gate": false, "retry_max": "1", "pipeline_fail_fast_threshold": 6,
                "pipeline_max_total_failures": 20},
        "bare": {"retry_max": 0}
      }
    }

    """
private let canonical = "scripts/codex-sprint/prompt_flow.config.json"
private let runtime = "temp/codex-sprint/prompt_flow.config.json"

@Suite struct ProfileCommandTests {
    private func withRepository(_ body: (TemporaryFolder) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(configurationText, to: canonical)
        try await body(folder)
    }

    @Test func show_printsTheContractsKeysAndWhoDecides() async throws {
        try await withRepository { folder in
            let result = try await Binary.run(
                ["profile", "show"], environment: ["PROMPT_EXEC_RETRY_MAX": "0"], cwd: folder.url)
            #expect(result.status == 0)
            #expect(result.stderr == "")
            let sha = "03db3e7b9bf5befbc72ebd8b304b59df099fdbef574b689dd21d1c5ee27f6124"
            #expect(
                result.stdout == """
                    {
                      "repo_root": "\(folder.url.path)",
                      "config_path": "\(folder.url.path)/\(canonical)",
                      "config_source": "file",
                      "config_sha": "\(sha)",
                      "active_profile": "poc",
                      "profile_source": "configuration",
                      "profiles": [
                        "poc",
                        "bare"
                      ],
                      "allow_waivers": false,
                      "top5_toggles": [
                        "warn_mode",
                        "warn_gate",
                        "retry_max",
                        "pipeline_fail_fast_threshold",
                        "pipeline_max_total_failures"
                      ],
                      "profile_raw": {
                        "warn_mode": "autoapprove",
                        "warn_gate": false,
                        "retry_max": "1",
                        "pipeline_fail_fast_threshold": 6,
                        "pipeline_max_total_failures": 20
                      },
                      "profile_normalized": {
                        "warn_mode": "auto-approve",
                        "warn_gate": "no",
                        "retry_max": "1",
                        "pipeline_fail_fast_threshold": "6",
                        "pipeline_max_total_failures": "20"
                      },
                      "deciding": {
                        "warn_mode": {
                          "value": "auto-approve",
                          "source": "profile"
                        },
                        "warn_gate": {
                          "value": "no",
                          "source": "profile"
                        },
                        "retry_max": {
                          "value": "0",
                          "source": "environment"
                        },
                        "pipeline_fail_fast_threshold": {
                          "value": "6",
                          "source": "profile"
                        },
                        "pipeline_max_total_failures": {
                          "value": "20",
                          "source": "profile"
                        }
                      }
                    }

                    """)
        }
    }

    @Test func show_withoutConfigurationSaysThatItIsBuiltIn() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let result = try await Binary.run(["profile", "show", "--profile", "poc"], cwd: folder.url)
        #expect(result.status == 0)
        #expect(result.stdout.contains(#""config_path": null,"#))
        #expect(result.stdout.contains(#""config_source": "built-in""#))
        #expect(result.stdout.contains(#""active_profile": "poc""#))
    }

    @Test func validate_printsTheNormalizedProfile() async throws {
        try await withRepository { folder in
            let result = try await Binary.run(
                ["profile", "validate", "--repo-root", folder.url.path, "--profile", "bare"],
                environment: ["PROMPT_FLOW_RETRY_MAX": "no matter"], cwd: URL(fileURLWithPath: "/"))
            #expect(result.status == 0)
            #expect(
                result.stdout == """
                    {
                      "ok": true,
                      "repo_root": "\(folder.url.path)",
                      "config_path": "\(folder.url.path)/\(canonical)",
                      "profile": "bare",
                      "normalized": {
                        "retry_max": "0"
                      }
                    }

                    """)
        }
    }

    @Test func validate_listsEveryFaultOnStandardErrorAndExitsTwo() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(
            """
            {"active_profile": "gone",
             "profiles": {"p": {"retry_max": 2,
                                "pipeline_fail_fast_threshold": 1.5}}}
            """, to: "c.json")
        let result = try await Binary.run(["profile", "validate", "--config", "c.json"], cwd: folder.url)
        #expect(result.status == 2)
        #expect(result.stdout == "")
        #expect(
            result.stderr == """
                flowspool: \(folder.url.path)/c.json has 3 faults
                  line 1, column 20: $.active_profile: unknown profile "gone"; allowed: p
                  line 2, column 34: $.profiles.p.retry_max: 2 is not allowed; allowed: 0, 1
                  line 3, column 53: $.profiles.p.pipeline_fail_fast_threshold: 1.5 is not allowed; allowed: a whole number from 1 up
                  hint: correct the file, then check it: flowspool profile validate --config \(folder.url.path)/c.json

                """)
    }

    @Test func validate_withoutAnyFileExitsTwo() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let result = try await Binary.run(["profile", "validate"], cwd: folder.url)
        #expect(result.status == 2)
        #expect(
            result.stderr.contains(
                "no configuration: neither \(folder.url.path)/\(canonical) nor \(folder.url.path)/\(runtime) exists"))
    }

    @Test(arguments: ["exec", "preflight", "pipeline", "all", nil])
    func emitEnv_printsLinesInTheOrderOfTheContract(target: String?) async throws {
        try await withRepository { folder in
            let result = try await Binary.run(
                ["profile", "emit-env"] + (target.map { ["--target", $0] } ?? []),
                // The profile is asked for, not what this environment makes of it.
                environment: ["PROMPT_FLOW_WARN_MODE": "halt"], cwd: folder.url)
            let common = """
                PROMPT_FLOW_PROFILE=poc
                PROMPT_FLOW_WARN_MODE=auto-approve
                PROMPT_FLOW_WARN_GATE=no
                PROMPT_FLOW_RETRY_MAX=1

                """
            let thresholds = """
                PROMPT_FLOW_PIPELINE_FAIL_FAST_THRESHOLD=6
                PROMPT_FLOW_PIPELINE_MAX_TOTAL_FAILURES=20

                """
            #expect(result.stdout == (target == "exec" || target == "preflight" ? common : common + thresholds))
            #expect(result.status == 0)
        }
    }

    @Test func emitEnv_leavesOutWhatTheProfileDoesNotSet() async throws {
        try await withRepository { folder in
            let result = try await Binary.run(
                ["profile", "emit-env"], environment: ["PROMPT_FLOW_PROFILE": "bare"], cwd: folder.url)
            #expect(result.stdout == "PROMPT_FLOW_PROFILE=bare\nPROMPT_FLOW_RETRY_MAX=0\n")
        }
    }

    @Test func syncAndDiff_bringTheCopiesInStep() async throws {
        try await withRepository { folder in
            func run(_ verb: String...) async throws -> Binary.Result {
                try await Binary.run(["profile"] + verb, cwd: folder.url)
            }
            let missing = try await run("diff")
            #expect(missing.status == 1)
            #expect(missing.stdout.contains("\(folder.url.path)/\(runtime) (missing)"))

            let synced = try await run("sync")
            #expect(synced.status == 0)
            #expect(synced.stdout.contains(#""changed": true"#))
            #expect(try Data(contentsOf: folder.url.appendingPathComponent(runtime)) == Data(configurationText.utf8))
            let same = try await run("diff")
            #expect(same.status == 0)
            #expect(same.stdout == "")
            #expect(try await run("sync").stdout.contains(#""changed": false"#))

            try folder.write(configurationText.replacingOccurrences(of: "\"poc\",", with: "\"bare\","), to: runtime)
            let different = try await run("diff")
            #expect(different.status == 1)
            #expect(
                different.stdout.hasPrefix(
                    """
                    --- \(folder.url.path)/\(canonical)
                    +++ \(folder.url.path)/\(runtime)
                     {
                       "version": 1,
                    -  "active_profile": "poc",
                    +  "active_profile": "bare",
                       "top5_toggles":
                    """))
            #expect(try await run("diff", "--json").stdout.contains(#""same": false"#))
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/temp/codex-sprint")
            #expect(left == ["prompt_flow.config.json"])
        }
    }

    @Test func sync_neverCopiesAFaultyConfiguration() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let absent = try await Binary.run(["profile", "sync"], cwd: folder.url)
        #expect(absent.status == 2)
        try folder.write("{}", to: canonical)
        let faulty = try await Binary.run(["profile", "sync"], cwd: folder.url)
        #expect(faulty.status == 2)
        #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/temp"))
        #expect(try await Binary.run(["profile", "diff"], cwd: folder.url).status == 1)
    }

    @Test(arguments: [
        (["profile", "show", "--profile", "nope"], 2, "unknown profile \"nope\"; allowed: poc, bare"),
        (["profile", "show", "--repo-root", "nowhere"], 2, "no such folder"),
        (["profile", "show", "--config", "nothing.json"], 2, "nothing.json: open: No such file or directory"),
        (["profile", "emit-env", "--target", "x"], 64, "'exec', 'preflight', 'pipeline' or 'all'"),
        (["profile", "show", "--nonsense"], 64, "--nonsense"),
    ])
    func trouble_goesToStandardErrorWithItsStatus(arguments: [String], status: Int32, words: String) async throws {
        try await withRepository { folder in
            let result = try await Binary.run(arguments, cwd: folder.url)
            #expect(result.status == status)
            #expect(result.stdout == "")
            #expect(result.stderr.contains(words))
        }
    }

    @Test func show_withAnInvalidEnvironmentExitsTwo() async throws {
        try await withRepository { folder in
            let result = try await Binary.run(
                ["profile", "show"],
                environment: ["PROMPT_FLOW_WARN_GATE": "maybe", "PROMPT_FLOW_RETRY_MAX": "0", "PROMPT_EXEC_RETRY_MAX": "1"],
                cwd: folder.url)
            #expect(result.status == 2)
            #expect(
                result.stderr == """
                    flowspool: PROMPT_FLOW_WARN_GATE: "maybe" is not allowed; allowed: yes, no
                    PROMPT_FLOW_RETRY_MAX=0 and its alias PROMPT_EXEC_RETRY_MAX=1 disagree; allowed: one of them, or both alike
                      hint: correct or unset them; nothing has been run

                    """)
        }
    }
}
