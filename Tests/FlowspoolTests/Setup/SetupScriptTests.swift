// `scripts/setup` on machines that lack this or that. It is the first thing a newcomer runs, so each message is checked.

import Testing

@Suite struct SetupScriptTests {
    static let build = ["curl", "libcmark-dev", "libinotifytools0-dev", "libmd-dev", "libsqlite3-dev", "shfmt"]

    @Test func setup_whenNothingIsMissing_printsNothingAndCallsNothing() throws {
        let machine = try FakeMachine(installed: Self.build)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 0)
        #expect(result.output == "")
        #expect(try machine.calls == [])
    }

    @Test func setup_asRoot_installsExactlyWhatIsMissing() throws {
        let machine = try FakeMachine(installed: ["curl", "libcmark-dev", "libmd-dev", "shfmt"])
        defer { machine.remove() }
        let result = try machine.setup("build")
        #expect(result.status == 0)
        let calls = try machine.calls
        #expect(calls.count == 1)
        #expect(calls.first?.hasSuffix("install --no-install-recommends libinotifytools0-dev libsqlite3-dev") == true)
        #expect(result.output.contains("installing: libinotifytools0-dev libsqlite3-dev"))
    }

    @Test func setup_repeated_isQuietTheSecondTime() throws {
        let machine = try FakeMachine()
        defer { machine.remove() }
        #expect(try machine.setup().status == 0)
        let calls = try machine.calls
        let again = try machine.setup()
        #expect(again.status == 0)
        #expect(again.output == "")
        #expect(try machine.calls == calls)
    }

    @Test func setup_withSudoThatAsksNothing_installsThroughIt() throws {
        let machine = try FakeMachine(privilege: .sudo)
        defer { machine.remove() }
        #expect(try machine.setup().status == 0)
        let calls = try machine.calls
        #expect(calls.count == 2)
        #expect(calls.first?.hasPrefix("sudo env DEBIAN_FRONTEND=noninteractive apt-get") == true)
    }

    @Test func setup_withoutRootAndSudo_namesPackagesAndCommandAndStops() throws {
        let machine = try FakeMachine(installed: ["curl", "libcmark-dev", "libmd-dev", "libsqlite3-dev"], privilege: .none)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 1)
        #expect(
            result.output == """
                setup: missing packages: libinotifytools0-dev shfmt
                setup: install them with: sudo apt-get update && sudo apt-get install --no-install-recommends libinotifytools0-dev shfmt

                """)
        #expect(try machine.calls == [])
    }

    @Test func setup_check_installsNothingEvenAsRoot() throws {
        let machine = try FakeMachine(installed: Self.build)
        defer { machine.remove() }
        let result = try machine.setup("--check", "test")
        #expect(result.status == 1)
        #expect(result.output.contains("missing packages: cron "))
        #expect(!result.output.contains("libcmark-dev"))
        #expect(try machine.calls == [])
    }

    @Test func setup_withoutPackageLists_updatesOnceBeforeInstalling() throws {
        let machine = try FakeMachine(listed: false)
        defer { machine.remove() }
        #expect(try machine.setup().status == 0)
        let calls = try machine.calls
        #expect(calls.count == 2)
        #expect(calls.first?.hasSuffix("update") == true)
        #expect(calls.last?.contains("install") == true)
    }

    @Test func setup_whenAptSucceedsWithoutInstalling_fails() throws {
        let machine = try FakeMachine(installs: false)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 1)
        #expect(result.output.contains("still missing are: \(Self.build.joined(separator: " "))"))
    }

    @Test(arguments: [
        (nil, "Swift is missing; install Swift 6.2 or later from https://www.swift.org/install/linux/"),
        ("Swift version 5.10.1 (swift-5.10.1-RELEASE)", "Swift 5.10 is too old; install Swift 6.2 or later"),
        ("Swift version 6.1 (swift-6.1-RELEASE)", "Swift 6.1 is too old; install Swift 6.2 or later"),
        ("command not understood", "does not say which Swift this is"),
    ])
    func setup_withoutTheRightSwift_saysWhichOne(version: String?, message: String) throws {
        let machine = try FakeMachine(installed: Self.build, swift: version)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 1)
        #expect(result.output.contains(message))
    }

    @Test(arguments: ["Swift version 6.2 (swift-6.2-RELEASE)", "Swift version 6.10.1-dev", "Swift version 10.0 (x)"])
    func setup_withLaterSwift_goesOn(version: String) throws {
        let machine = try FakeMachine(installed: Self.build, swift: version)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 0)
        #expect(result.output == "")
    }

    @Test func setup_withoutGit_saysSo() throws {
        let machine = try FakeMachine(installed: Self.build, git: false)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 1)
        #expect(result.output.contains("git is missing"))
    }

    @Test func setup_whereDebianIsNot_listsWhatIsNeededAndTheWayRound() throws {
        let machine = try FakeMachine(dpkg: false)
        defer { machine.remove() }
        let result = try machine.setup()
        #expect(result.status == 1)
        #expect(result.output.contains("FLOWSPOOL_SKIP_SETUP=1"))
        #expect(result.output.contains("libinotifytools0-dev"))
        #expect(try machine.setup(environment: ["FLOWSPOOL_SKIP_SETUP": "1"]).status == 0)
    }

    @Test func setup_unknownArgument_isAUsageError() throws {
        let machine = try FakeMachine()
        defer { machine.remove() }
        let result = try machine.setup("tests")
        #expect(result.status == 64)
        #expect(result.output.contains("unknown argument 'tests'"))
    }
}
