// The systemd units of a schedule (systemd.service(5), systemd.timer(5), systemd.exec(5)). Prompts run as children of these
// services and do what their authors wrote, so hardening takes away what no job may need (kernel, clock, cgroups, new
// privileges) and leaves the files of the user alone.

extension Schedule {
    /// A unit file.
    public struct Unit: Sendable, Hashable {
        /// File name, such as `flowspool-batch.timer`.
        public var name: String
        public var text: String
    }

    /// Whose systemd the units are for.
    public enum Manager: Sendable, Hashable {
        /// `/etc/systemd/system`, run as `user`.
        case system(user: String)
        /// `~/.config/systemd/user`; needs `loginctl enable-linger` to run without a login.
        case user

        var folder: String {
            switch self {
            case .system: "/etc/systemd/system"
            case .user: "~/.config/systemd/user"
            }
        }
    }

    /// The units: service and timer of the batch, service of the watcher. Install the pair or the watcher, not both.
    ///
    /// - Parameters:
    ///   - name: prefix of the unit names, of the characters that systemd allows.
    ///   - drainSeconds: how long a stop may take while running jobs finish; afterwards systemd kills.
    public func systemdUnits(
        _ when: CronExpression, name: String = "flowspool", manager: Manager, drainSeconds: Int = 3630
    ) throws(FlowspoolError) -> [Unit] {
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isUnitNameByte), name.utf8.count <= 200 else {
            throw FlowspoolError(
                .invalidInput, "\(printable(name)) cannot be part of a unit's name", hint: "use letters, digits, -, _ and .")
        }
        if case .system(let user) = manager, !user.utf8.allSatisfy(Self.isUnitNameByte) || user.isEmpty {
            throw FlowspoolError(.invalidInput, "\(printable(user)) cannot stand in User=")
        }
        return [
            Unit(name: "\(name)-batch.service", text: batchService(manager, drainSeconds)),
            Unit(name: "\(name)-batch.timer", text: timer(when)),
            Unit(name: "\(name)-watch.service", text: watchService(manager, drainSeconds)),
        ]
    }

    /// The units as one text, each under a comment that says where it belongs.
    public static func render(_ units: [Unit], manager: Manager) -> String {
        units.map { "# \(manager.folder)/\($0.name)\n\($0.text)" }.joined(separator: "\n")
    }

    private func batchService(_ manager: Manager, _ drainSeconds: Int) -> String {
        """
        [Unit]
        Description=flowspool batch over \(Self.specifier(root))
        Documentation=man:flowspool(1)

        [Service]
        Type=oneshot
        ExecStart=\(Self.command(batchCommand))
        # Another runner has the spool: nothing for anybody to worry about.
        SuccessExitStatus=14
        TimeoutStartSec=infinity
        # TERM goes to flowspool alone, which lets running jobs finish.
        KillMode=mixed
        TimeoutStopSec=\(drainSeconds)
        \(common(manager))

        """
    }

    private func timer(_ when: CronExpression) -> String {
        """
        [Unit]
        Description=flowspool batch over \(Self.specifier(root)), by the clock

        [Timer]
        \(when.onCalendar.map { "OnCalendar=\($0)" }.joined(separator: "\n"))
        Persistent=true

        [Install]
        WantedBy=timers.target

        """
    }

    private func watchService(_ manager: Manager, _ drainSeconds: Int) -> String {
        let target = manager == .user ? "default.target" : "multi-user.target"
        return """
            [Unit]
            Description=flowspool watching \(Self.specifier(root))
            Documentation=man:flowspool(1)

            [Service]
            Type=notify
            NotifyAccess=main
            ExecStart=\(Self.command(watchCommand))
            ExecReload=/bin/kill -HUP $MAINPID
            # TERM goes to flowspool alone, which lets running jobs finish.
            KillMode=mixed
            TimeoutStopSec=\(drainSeconds)
            Restart=on-failure
            RestartSec=5
            # Invalid input, usage, another runner: trying again would not help.
            RestartPreventExitStatus=2 14 64
            \(common(manager))

            [Install]
            WantedBy=\(target)

            """
    }

    private func common(_ manager: Manager) -> String {
        var lines: [String] = []
        if case .system(let user) = manager { lines.append("User=\(user)") }
        lines.append("WorkingDirectory=\(Self.specifier(repoRoot ?? root))")
        if let path { lines.append("Environment=\(Self.word("PATH=\(path)", isCommand: false))") }
        // Seccomp filters, which need no privileges.
        lines += [
            "NoNewPrivileges=yes", "LockPersonality=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes",
            "SystemCallArchitectures=native",
        ]
        // Namespaces and capabilities, which a user's own systemd cannot always give.
        if manager != .user {
            lines += [
                "PrivateTmp=yes", "ProtectSystem=full", "ProtectClock=yes", "ProtectControlGroups=yes", "ProtectHostname=yes",
                "ProtectKernelLogs=yes", "ProtectKernelModules=yes", "ProtectKernelTunables=yes", "CapabilityBoundingSet=",
            ]
        }
        return lines.joined(separator: "\n")
    }

    // MARK: - Quoting

    /// A command line for `ExecStart=`.
    static func command(_ words: [String]) -> String {
        words.enumerated().map { word($1, isCommand: $0 > 0) }.joined(separator: " ")
    }

    /// One word in double quotes where it needs them (systemd.syntax(7), "Quoting").
    ///
    /// - Parameter isCommand: an argument of a command, in which `$` stands for a variable unless doubled; the command's own
    ///   path is taken as it is.
    static func word(_ text: String, isCommand: Bool) -> String {
        var result = ""
        var isPlain = !text.isEmpty
        for scalar in specifier(text).unicodeScalars {
            switch scalar {
            case "\\", "\"":
                isPlain = false
                result += "\\"
                result.unicodeScalars.append(scalar)
            case "$":
                result += isCommand ? "$$" : "$"
            default:
                if scalar == " " || scalar == "'" || scalar == ";" || !scalar.isASCII { isPlain = false }
                result.unicodeScalars.append(scalar)
            }
        }
        return isPlain ? result : "\"\(result)\""
    }

    /// `%` begins a specifier everywhere in a unit (systemd.unit(5), "Specifiers").
    static func specifier(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            if scalar == "%" { result += "%" }
            result.unicodeScalars.append(scalar)
        }
    }

    private static func isUnitNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
