// Stamps as they must stand on disk. Changing one is changing the format of files that users keep.

enum Golden {
    static let full = #"""
        ---
        prompt_flow:  # written by flowspool, with this front matter
          version: v1
          prompt_id: hello.md--90f8ec5669cd
          prompt_sha: "90f8ec5669cd34183b9b0fdf8b94f5efb4c3672876330f4aa76088c2b4ad17be"
          stages:
            preflight:
              source: watch
              status: ready
              ready: "yes"
              reason: "1 warning: \"quoted\"\nand a line"
              revision: 1
              profile: null
              config_sha: "1111111111111111111111111111111111111111111111111111111111111111"
              policy:
                warn_mode: ask
                warn_gate: "yes"
                retry_max: 1
                pipeline_fail_fast_threshold: 3
                pipeline_max_total_failures: 8
              policy_source:
                warn_mode: profile
                warn_gate: profile
                retry_max: profile
                pipeline_fail_fast_threshold: profile
                pipeline_max_total_failures: profile
              findings:
                - {code: destructive_fs, line: 12}
                - {code: no_gate, line: null}
                - {code: privilege, line: 3, waiver: "yes"}
              updated_utc: "2026-01-02T03:04:05Z"
            exec:
              source: watch
              status: failed
              run_ref: runs/2026-01-02/7/attempt-1
              prompt_sha: "0000000000000000000000000000000000000000000000000000000000000000"
              completion_gate: skipped
              failed_block: 2
              failure_class: exit
              last_ok_block: 1
              warning_count: 0
              attempts: 1
              exit_code: 3
              duration_ms: 42
              updated_utc: "2026-01-02T03:04:05Z"
              runner: script
            pipeline:
              source: pipeline
              status: hold
              run_id: "20260102T030405Z"
              attempt: 1
              fail_streak: 2
              fail_total: 2
              policy:
                profile: production
                pipeline_fail_fast_threshold: 2
                pipeline_max_total_failures: 4
              last_event: pipeline_hold
              updated_utc: "2026-01-02T03:04:05Z"
        ---
        # Hello

        """#

    static let merged = #"""
        ---
        name: x
        prompt_flow:
          version: v1  # written by flowspool
          prompt_id: hello.md--112427481d6d  # written by flowspool
          prompt_sha: "112427481d6d8ee06f1e89403638e7b989015c29199e57eb4114ce2583c7952e"  # written by flowspool
          policy:
            warn_gate: no
          stages:
            pipeline:  # written by flowspool
              source: pipeline
              status: hold
              run_id: "20260102T030405Z"
              attempt: 1
              fail_streak: 2
              fail_total: 2
              policy:
                profile: production
                pipeline_fail_fast_threshold: 2
                pipeline_max_total_failures: 4
              last_event: pipeline_hold
              updated_utc: "2026-01-02T03:04:05Z"
            draft: ok
        ---
        x

        """#

    static let flow = #"""
        ---
        prompt_flow: {  # written by flowspool
            "version": "v1",  # written by flowspool
            "prompt_id": "hello.md--803468a8015e",  # written by flowspool
            "prompt_sha": "803468a8015edd75c6060fcde63fe21177a665e2a89e21ab93a69791c81c4218",  # written by flowspool
            "stages": {"pipeline": {"source": "pipeline", "status": "hold", "run_id": "20260102T030405Z", "attempt": 1, "fail_streak": 2, "fail_total": 2, "policy": {"profile": "production", "pipeline_fail_fast_threshold": 2, "pipeline_max_total_failures": 4}, "last_event": "pipeline_hold", "updated_utc": "2026-01-02T03:04:05Z"}},  # written by flowspool
            policy: {warn_gate: no}}
        ---
        x

        """#
}
