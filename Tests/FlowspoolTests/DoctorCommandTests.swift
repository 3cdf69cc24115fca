// `doctor` with real faults: each is made, told with what mends it, and where a command mends it, mended.

import Foundation
import Spool
import Testing

@Suite struct DoctorCommandTests {
    private func with(_ body: (SpoolSandbox) async throws -> Void) async throws {
        let sandbox = try await SpoolSandbox()
        defer { sandbox.remove() }
        try await body(sandbox)
    }

    /// Level and remedy of one check.
    private func check(_ name: String, _ result: Binary.Result) throws -> (level: String?, remedy: String?, message: String?) {
        let checks = try JSON.parse(result.stdout)["checks"]?.arrayValue ?? []
        let found = checks.last { $0["name"]?.stringValue == name }
        return (found?["level"]?.stringValue, found?["remedy"]?.stringValue, found?["message"]?.stringValue)
    }

    @Test func soundSpool_exits0AndEveryLineHasALevel() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.good, "a.md")
            #expect(try await sandbox.drain().status == 0)
            let result = try await sandbox.run("doctor", "--repo-root", ".")
            #expect(result.status == 0 && result.stderr == "", "\(result.stdout)")
            let lines = result.stdout.split(separator: "\n")
            #expect(lines.allSatisfy { $0.hasPrefix("ok ") || $0.hasPrefix("warn ") || $0.contains("mend: ") })
            for name in ["inotify", "filesystem", "shfmt", "space", "leases", "ledger", "contract", "hold", "runner", "clock"] {
                #expect(lines.contains { $0.dropFirst(6).hasPrefix(name) }, "\(name)")
            }
            #expect(result.stdout.contains("sound, 1 job"))
        }
    }

    @Test func folderThatIsNoSpool_saysSoAndStaysAsItWas() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            let before = try folder.listing()
            let result = try await folder.run("doctor", "--spool", "work", "--repo-root", ".", "--json")
            #expect(result.status == 0)
            let found = try check("spool", result)
            #expect(found.level == "warn" && found.remedy?.contains("flowspool init") == true)
            #expect(try await folder.run("doctor", "--spool", "nowhere", "--repo-root", ".").stdout.contains("does not exist"))
            #expect(try folder.listing() == before)
        }
    }

    @Test func folderThatOthersMayWriteTo_fails_unlessAllowed() async throws {
        try await with { sandbox in
            let path = sandbox.folder.url.path + "/spool"
            try #require(chmod(path, 0o777) == 0)
            let refused = try await sandbox.run("doctor", "--json")
            #expect(refused.status == 1)
            let found = try check("permissions", refused)
            #expect(found.level == "fail" && found.remedy == "chmod go-w \(path)")
            let allowed = try await sandbox.run("doctor", "--json", "--allow-shared")
            #expect(try allowed.status == 0 && check("permissions", allowed).level == "warn")
        }
    }

    @Test func missingProgram_failsWithThePackage() async throws {
        try await with { sandbox in
            let result = try await sandbox.run("doctor", "--json", environment: ["PATH": sandbox.folder.url.path])
            #expect(result.status == 1)
            let shfmt = try check("shfmt", result)
            #expect(shfmt.level == "fail" && shfmt.remedy == "sudo apt-get install shfmt")
            #expect(try check("bash", result).level == "fail")
            #expect(try check("curl", result).level == "warn")
        }
    }

    @Test func damagedLedger_failsAndIsNotTouched_andTheRemedyMendsIt() async throws {
        try await with { sandbox in
            try sandbox.drop(SpoolSandbox.good, "a.md")
            #expect(try await sandbox.drain().status == 0)
            let url = sandbox.folder.url.appending(path: "spool/.flowspool/ledger.sqlite")
            var bytes = try Data(contentsOf: url)
            bytes.replaceSubrange(4096..<12_288, with: Data(repeating: 0xA5, count: 8192))
            try bytes.write(to: url)
            let result = try await sandbox.run("doctor", "--json")
            #expect(result.status == 1)
            let found = try check("ledger", result)
            #expect(found.level == "fail")
            #expect(try Data(contentsOf: url) == bytes)
            // What the remedy quotes is a command of the shell.
            let remedy = found.remedy ?? ""
            let command = remedy.split(separator: "`").first { $0.hasPrefix("mkdir") }.map(String.init) ?? remedy
            let shell = Process()
            shell.executableURL = URL(filePath: "/bin/sh")
            shell.arguments = ["-c", command]
            try shell.run()
            shell.waitUntilExit()
            #expect(shell.terminationStatus == 0, "\(command)")
            #expect(try await sandbox.run("init").status == 0)
            #expect(try await sandbox.run("doctor").status == 0)
        }
    }

    @Test func configurationFault_copiesThatDiffer_holdAndContractFault_areTold() async throws {
        try await BatchFolder.with(["a.md": "true"]) { folder async throws in
            #expect(try await folder.batch().status == 0)
            func doctor() async throws -> Binary.Result {
                try await folder.run("doctor", "--spool", "work", "--repo-root", ".", "--json")
            }
            let configuration = "scripts/codex-sprint/prompt_flow.config.json"
            try folder.folder.write(BatchFolder.configuration + "\n", to: "temp/codex-sprint/prompt_flow.config.json")
            #expect(try await folder.run("hold", "--spool", "work", "new disk").status == 0)
            let warned = try await doctor()
            #expect(warned.status == 0)
            let copies = try check("copies", warned)
            #expect(copies.level == "warn" && copies.remedy?.contains("flowspool profile sync") == true)
            let hold = try check("hold", warned)
            #expect(hold.level == "warn" && hold.message?.contains("new disk") == true)
            #expect(hold.remedy?.hasPrefix("flowspool resume --spool ") == true)

            try folder.folder.write("{\"version\": 1", to: configuration)
            try folder.folder.write("not an id\n", to: "work/.prompt-pipeline.state")
            let failed = try await doctor()
            #expect(failed.status == 1)
            #expect(try check("config", failed).level == "fail")
            let contract = try check("contract", failed)
            #expect(contract.level == "fail" && contract.message?.contains("line 1") == true)
            #expect(try folder.contract(.state) == "not an id\n")
        }
    }
}
