// The mini experiment and the gate that asks for it, over a copy of what this repository ships.

import Foundation
import Spool
import Testing

@Suite struct MiniCommandTests {
    private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let configuration = "scripts/codex-sprint/prompt_flow.config.json"

    /// A repository with the shipped configuration and experiment, and one prompt in `work/`.
    private func with(_ body: (BatchFolder) async throws -> Void) async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let text = try String(contentsOf: Self.repository.appending(path: Self.configuration), encoding: .utf8)
            try folder.folder.write(text, to: Self.configuration)
            for name in ["prompts", "canary"] {
                let target = folder.folder.url.appending(path: "deployment_pipeline")
                try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    at: Self.repository.appending(path: "deployment_pipeline/\(name)"), to: target.appending(path: name))
            }
            try await body(folder)
        }
    }

    @Test func withoutAPass_aBatchUnderProductionExits15AndChangesNothing() async throws {
        try await with { folder in
            let before = try folder.listing()
            for extra in [[], ["--json"], ["--dry-run"], ["--require-go", "nosuch"]] {
                let result = try await Binary.run(
                    ["pipeline", "--root", "work", "--repo-root", ".", "--profile", "production"] + extra, cwd: folder.folder.url)
                #expect(result.status == 15 && result.stdout == "")
                #expect(result.stderr.contains("flowspool mini"), "\(result.stderr)")
                #expect(try folder.listing() == before)
            }
            #expect(try await folder.batch("--profile", "production", "--skip-mini").status == 0)
            #expect(try folder.summary()["mini_skipped"] == true)
            #expect(folder.ran == ["a.md"])
            // Other profiles need no pass.
            #expect(try await folder.batch("--profile", "poc").status == 0)
            #expect(try folder.summary()["mini_skipped"] == false)
        }
    }

    /// Somebody's own spool stands where the experiment's would.
    @Test(arguments: ["", "done/", "failed/"]) func aSpoolWithOtherPrompts_isNotWiped(_ place: String) async throws {
        try await with { folder in
            let spool = "deployment_pipeline/spool"
            #expect(try await folder.run("init", spool).status == 0)
            try folder.folder.write("# Mine\n\n```bash\ntrue\n```\n", to: "\(spool)/\(place)mine.md")
            try folder.folder.write("x", to: "deployment_pipeline/artifacts/x")
            let before = try folder.listing()
            let refused = try await folder.run("mini", "--repo-root", ".")
            #expect(refused.status == 2 && refused.stderr.contains("\(place)mine.md"), "\(refused.stderr)")
            #expect(try folder.listing() == before)
            // One of the experiment's own, and whatever is put into it.
            try FileManager.default.removeItem(at: folder.folder.url.appending(path: "\(spool)/\(place)mine.md"))
            for _ in 0..<2 {
                #expect(try await folder.run("mini", "--repo-root", ".").status == 0)
                try folder.folder.write("# Mine\n\n```bash\ntrue\n```\n", to: "\(spool)/\(place)mine.md")
            }
        }
    }

    /// What is refused leaves the pass that was.
    @Test func mini_whileItsSpoolIsRun_changesNothing() async throws {
        try await with { folder in
            #expect(try await folder.run("mini", "--repo-root", ".").status == 0)
            let spool = try SpoolFolder.open(at: folder.folder.url.path + "/deployment_pipeline/spool")
            let lock = try RunnerLock(spool, command: "watch", now: 1)
            let before = try folder.listing()
            #expect(try await folder.run("mini", "--repo-root", ".").status == 14)
            #expect(try folder.listing() == before)
            withExtendedLifetime(lock) {}
            #expect(try await folder.batch("--profile", "production").status == 0)
        }
    }

    /// A canary that is tried again halts as well.
    @Test func mini_withARetryUnderProduction_passes() async throws {
        try await with { folder in
            let text = try String(contentsOf: folder.folder.url.appending(path: Self.configuration), encoding: .utf8)
            let changed = text.replacingOccurrences(of: "\"retry_max\": 0", with: "\"retry_max\": 1")
            try #require(changed != text)
            try folder.folder.write(changed, to: Self.configuration)
            let mini = try await folder.run("mini", "--repo-root", ".")
            #expect(mini.status == 0, "\(mini.stdout)\(mini.stderr)")
        }
    }

    @Test func aPass_letsBatchesRun_untilAToggleOrAPromptChanges() async throws {
        try await with { folder in
            let mini = try await folder.run("mini", "--repo-root", ".")
            #expect(mini.status == 0, "\(mini.stdout)\(mini.stderr)")
            let rows = mini.stdout.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(rows.first == ["phase", "prompts", "result", "seconds"])
            #expect(
                rows.dropFirst().map { Array($0.prefix(3)) } == [
                    ["production", "2", "pass"], ["poc", "2", "pass"], ["canary", "1", "pass"],
                ])
            #expect(try await folder.batch("--profile", "production").status == 0)

            let url = folder.folder.url.appending(path: Self.configuration)
            let text = try String(contentsOf: url, encoding: .utf8)
            let changed = text.replacingOccurrences(
                of: "\"pipeline_max_total_failures\": 4", with: "\"pipeline_max_total_failures\": 5")
            try #require(changed != text)
            try Data(changed.utf8).write(to: url)
            #expect(try await folder.batch("--profile", "production").status == 15)
            try Data(text.utf8).write(to: url)
            #expect(try await folder.batch("--profile", "production").status == 0)

            try folder.folder.write("# Other\n\n```bash\ntrue\n```\n", to: "deployment_pipeline/prompts/prompt-02-mini.md")
            #expect(try await folder.batch("--profile", "production").status == 15)
        }
    }
    /// A script's variable that is not set names no folder.
    @Test func emptyOptions_areRefused() async throws {
        try await with { folder in
            let mini = try await folder.run("mini", "--root", "")
            let watch = try await folder.run("watch", "--exec-mode", "", "--spool", "work")
            #expect(mini.status == 64 && watch.status == 64, "\(mini) \(watch)")
        }
    }

    /// A signal ends it: no phase after the one that it met begins, and nothing is said of a pass.
    @Test func signal_endsTheExperiment() async throws {
        try await with { folder in
            let ready = try Pipe(folder.folder.url.path + "/ready")
            try folder.folder.write(
                "# A\n\n```bash\necho >> \"$REPO_ROOT/ran0\"\necho > \"$REPO_ROOT/ready\"\nsleep 600\n```\n",
                to: "deployment_pipeline/prompts/prompt-00.md")
            let mini = try RunningBinary(["mini", "--repo-root", "."], cwd: folder.folder.url)
            _ = await ready.read()
            mini.signal(SIGTERM)
            #expect(await mini.hasSaid("a second signal ends it"))
            mini.signal(SIGTERM)
            let result = try await mini.ending()
            #expect(result.status == 75 && result.stderr.contains("was stopped in its phase"), "\(result)")
            #expect(try String(contentsOf: folder.folder.url.appending(path: "ran0"), encoding: .utf8) == "\n")
        }
    }

    /// What no spool takes for a prompt is none of the experiment's; what a person has held is not wiped.
    @Test func leftovers_areNoPrompts_andAHoldIsKept() async throws {
        try await with { folder in
            for name in ["prompts/prompt-01.md~", "prompts/x.tmp", "canary/.x.swp"] {
                try folder.folder.write("left over", to: "deployment_pipeline/" + name)
            }
            let result = try await folder.run("mini", "--repo-root", ".")
            #expect(result.status == 0, "\(result)")
            let spool = folder.folder.url.appending(path: "deployment_pipeline/spool")
            try FileManager.default.removeItem(at: spool)
            #expect(try await folder.run("init", "deployment_pipeline/spool").status == 0)
            #expect(try await folder.run("hold", "--spool", "deployment_pipeline/spool", "mine").status == 0)
            let held = try await folder.run("mini", "--repo-root", ".")
            #expect(held.status == 2 && held.stderr.contains("would be wiped"), "\(held)")
        }
    }
}
