import Foundation
import Testing

@testable import Spool

/// Runs a program and gives back its exit status and standard output.
private func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}

private let analyzer = "/usr/bin/systemd-analyze"
private let hasAnalyzer = FileManager.default.isExecutableFile(atPath: analyzer)

@Suite struct CronExpressionTests {
    static let translations: [(String, [String])] = [
        ("0 2 * * *", ["*-*-* 02:00:00"]),
        ("*/5 * * * *", ["*-*-* *:00/5:00"]),
        ("15,45 8-18/2 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 08..18/2:15,45:00"]),
        ("0 0 1 jan *", ["*-01-01 00:00:00"]),
        ("30 6 1 * Mon", ["*-*-01 06:30:00", "Mon *-*-* 06:30:00"]),
        ("0 0 */2 * 0", ["Sun *-*-01/2 00:00:00"]),
        ("0 0 * * 0-7", ["*-*-* 00:00:00"]),
        ("0 0 * * 5-7", ["Fri,Sat,Sun *-*-* 00:00:00"]),
        ("0\t2  * * *", ["*-*-* 02:00:00"]),
        ("@daily", ["*-*-* 00:00:00"]),
    ]

    @Test(arguments: translations) func onCalendar_meansTheSameTimes(cron: String, calendar: [String]) throws {
        #expect(try CronExpression(cron).onCalendar == calendar)
    }

    @Test(.enabled(if: hasAnalyzer), arguments: translations) func onCalendar_isTakenBySystemd(cron: String, calendar: [String])
        throws
    {
        for line in try CronExpression(cron).onCalendar {
            #expect(try run(analyzer, ["calendar", line]).status == 0, "\(line)")
        }
    }

    @Test(arguments: [
        ("", "0 fields"), ("* * * *", "4 fields"), ("60 * * * *", "minute"), ("* 24 * * *", "hour"),
        ("* * 0 * *", "day-of-month"),
        ("* * * 13 *", "month"), ("* * * * 8", "day-of-week"), ("5-1 * * * *", "comes after"), ("*/0 * * * *", "step"),
        ("5/10 * * * *", "step"), ("1,,2 * * * *", "minute"), ("a * * * *", "minute"), ("+5 * * * *", "minute"),
        ("-5 * * * *", "minute"), ("@reboot", "1 fields"), ("* * * * *\n* * * * *", "9 fields"),
        ("99999999999999999999 * * * *", "minute"),
    ]) func invalid_isAnErrorThatNamesTheField(cron: String, what: String) {
        let error = #expect(throws: FlowspoolError.self) { try CronExpression(cron) }
        #expect(error?.code == .invalidInput && error?.message.contains(what) == true, "\(error?.message ?? "")")
    }
}

@Suite struct ScheduleTests {
    private func schedule(root: String = "/srv/spool", repoRoot: String? = nil, path: String? = nil) throws -> Schedule {
        try Schedule(executable: "/usr/bin/flowspool", root: root, repoRoot: repoRoot, profile: "production", path: path)
    }

    @Test func crontabLine_isTheGoldenText() throws {
        #expect(
            try schedule().crontabLine(CronExpression("0 2 * * *"))
                == "0 2 * * * /usr/bin/flowspool pipeline --root /srv/spool --profile production")
        #expect(
            try schedule(repoRoot: "/re po", path: "/opt/bin:/usr/bin:/bin").crontabLine(CronExpression("@daily"))
                == "@daily /usr/bin/env 'PATH=/opt/bin:/usr/bin:/bin' /usr/bin/flowspool pipeline --root /srv/spool --repo-root '/re po' --profile production"
        )
    }

    @Test(arguments: hostileNames.filter(LineText.isOneLine)) func crontabLine_throughCronAndShell_givesBackTheArguments(
        name: String
    ) throws {
        let root = "/srv/100%/\(name)"
        let line = try Schedule(executable: "/usr/bin/printf", root: root).crontabLine(CronExpression("0 2 * * *"))
        // What cron does with a line: the command ends at the first bare percent sign; "\%" becomes "%".
        var command = String.UnicodeScalarView()
        var rest = line.dropFirst("0 2 * * * ".count).unicodeScalars[...]
        while let scalar = rest.first, scalar != "%" {
            if scalar == "\\", rest.dropFirst().first == "%" { rest = rest.dropFirst() }
            command.append(rest.removeFirst())
        }
        #expect(rest.isEmpty)
        let shown = String(command).replacingOccurrences(of: "/usr/bin/printf pipeline", with: "printf '%s\\n'")
        #expect(try run("/bin/sh", ["-c", shown]).output.utf8.elementsEqual("--root\n\(root)\n".utf8))
    }

    @Test(arguments: ["relative", "/new\nline", "/tab\t", "/esc\u{1B}"]) func init_pathThatNoScheduleHolds_isAnError(root: String)
    {
        #expect(throws: FlowspoolError.self) { try schedule(root: root) }
    }

    @Test func crontabLine_whatCronCannotCarry_isAnError() throws {
        let when = try CronExpression("0 2 * * *")
        #expect(throws: FlowspoolError.self) { try schedule(root: "/a\\%b").crontabLine(when) }
        #expect(throws: FlowspoolError.self) { try schedule(root: "/" + String(repeating: "x", count: 1000)).crontabLine(when) }
    }

    @Test func systemdUnits_areTheGoldenTexts() throws {
        let units = try schedule(repoRoot: "/srv/repo").systemdUnits(
            CronExpression("30 6 1 * Mon"), manager: .system(user: "spool"))
        #expect(units.map(\.name) == ["flowspool-batch.service", "flowspool-batch.timer", "flowspool-watch.service"])
        #expect(units[0].text == goldenBatch)
        #expect(units[1].text == goldenTimer)
        #expect(units[2].text == goldenWatch)
        #expect(
            Schedule.render(units, manager: .system(user: "spool")).hasPrefix(
                "# /etc/systemd/system/flowspool-batch.service\n[Unit]\n"))
    }

    @Test func word_isQuotedForSystemd() {
        #expect(
            Schedule.command(["/a b", "100%", "$HOME", "say \"hi\"", "back\\slash", "", ";", "plain"])
                == #""/a b" 100%% $$HOME "say \"hi\"" "back\\slash" "" ";" plain"#)
    }

    @Test(.enabled(if: hasAnalyzer), arguments: [Schedule.Manager.system(user: "root"), .user])
    func systemdUnits_hostilePaths_areAcceptedBySystemd(manager: Schedule.Manager) throws {
        let folder = try ContractFolder()
        for (index, name) in hostileNames.filter(LineText.isOneLine).enumerated() {
            let root = folder.path + "/\(index)/" + name
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            let schedule = try Schedule(executable: "/bin/true", root: root, repoRoot: root, path: "/usr/bin:/bin")
            let units = try schedule.systemdUnits(CronExpression("0 2 * * *"), name: "t\(index)", manager: manager)
            let paths = try units.map { unit in
                let path = folder.path + "/" + unit.name
                try Data(unit.text.utf8).write(to: URL(fileURLWithPath: path))
                return path
            }
            let result = try run(analyzer, ["verify", "--man=no", manager == .user ? "--user" : "--system"] + paths)
            #expect(!result.output.contains(folder.path) && !result.output.contains("t\(index)-"), "\(result.output)")
        }
    }

    @Test(arguments: ["", "a b", "../x", "ä"]) func systemdUnits_badName_isAnError(name: String) throws {
        #expect(throws: FlowspoolError.self) {
            try schedule().systemdUnits(CronExpression("@daily"), name: name, manager: .user)
        }
    }
}

private let hardening = """
    User=spool
    WorkingDirectory=/srv/repo
    NoNewPrivileges=yes
    LockPersonality=yes
    RestrictRealtime=yes
    RestrictSUIDSGID=yes
    SystemCallArchitectures=native
    PrivateTmp=yes
    ProtectSystem=full
    ProtectClock=yes
    ProtectControlGroups=yes
    ProtectHostname=yes
    ProtectKernelLogs=yes
    ProtectKernelModules=yes
    ProtectKernelTunables=yes
    CapabilityBoundingSet=
    """

private let goldenBatch = """
    [Unit]
    Description=flowspool batch over /srv/spool
    Documentation=man:flowspool(1)

    [Service]
    Type=oneshot
    ExecStart=/usr/bin/flowspool pipeline --root /srv/spool --repo-root /srv/repo --profile production
    # Another runner has the spool: nothing for anybody to worry about.
    SuccessExitStatus=14
    TimeoutStartSec=infinity
    # TERM goes to flowspool alone, which lets running jobs finish.
    KillMode=mixed
    TimeoutStopSec=3630
    \(hardening)

    """

private let goldenTimer = """
    [Unit]
    Description=flowspool batch over /srv/spool, by the clock

    [Timer]
    OnCalendar=*-*-01 06:30:00
    OnCalendar=Mon *-*-* 06:30:00
    Persistent=true

    [Install]
    WantedBy=timers.target

    """

private let goldenWatch = """
    [Unit]
    Description=flowspool watching /srv/spool
    Documentation=man:flowspool(1)

    [Service]
    Type=notify
    NotifyAccess=main
    ExecStart=/usr/bin/flowspool watch --spool /srv/spool --repo-root /srv/repo --profile production
    ExecReload=/bin/kill -HUP $MAINPID
    # TERM goes to flowspool alone, which lets running jobs finish.
    KillMode=mixed
    TimeoutStopSec=3630
    Restart=on-failure
    RestartSec=5
    # Invalid input, usage, another runner: trying again would not help.
    RestartPreventExitStatus=2 14 64
    \(hardening)

    [Install]
    WantedBy=multi-user.target

    """
