// What `flowspool schedule` prints: a crontab line, or systemd units, for one spool. Text only; nothing is installed. What
// always holds: every path is absolute and quoted for its reader (sh and crontab here, systemd in the extension), so that no
// name can add a command. What can go wrong: a path that the format cannot hold, which is an error.

/// A spool's schedule.
public struct Schedule: Sendable, Hashable {
    /// The flowspool binary, absolute.
    public var executable: String
    /// The spool, absolute.
    public var root: String
    /// Where prompts run, absolute; nil leaves it to the command.
    public var repoRoot: String?
    public var profile: String?
    /// The profile configuration, absolute; nil: the one that the command finds.
    public var config: String?
    /// The `PATH` that prompts get; nil leaves cron's bare one.
    public var path: String?

    /// - Throws: `FlowspoolError(.invalidInput)` for a relative path or one with control characters, which neither crontab
    ///   nor a unit file can hold.
    public init(
        executable: String, root: String, repoRoot: String? = nil, profile: String? = nil, config: String? = nil,
        path: String? = nil
    ) throws(FlowspoolError) {
        self.executable = executable
        self.root = root
        self.repoRoot = repoRoot
        self.profile = profile
        self.config = config
        self.path = path
        let paths =
            [("the path of flowspool", executable), ("the spool's path", root)] + (repoRoot.map { [("the repo root", $0)] } ?? [])
            + (config.map { [("the path of the configuration", $0)] } ?? [])
        for (what, value) in paths where value.utf8.first != UInt8(ascii: "/") {
            throw FlowspoolError(.invalidInput, "\(what) \(printable(value)) is not absolute")
        }
        for (what, value) in paths + [("the profile", profile ?? ""), ("PATH", path ?? "")] where !LineText.isOneLine(value) {
            throw FlowspoolError(
                .invalidInput, "\(what) \(printable(value)) holds a control character, which no schedule can carry",
                hint: "rename it, or call flowspool from a script of your own")
        }
    }

    /// The batch, as an argument vector. Safe beside another runner: the spool's lock makes the second one exit 14.
    var batchCommand: [String] {
        var words = [executable, "pipeline", "--root", root]
        if let repoRoot { words += ["--repo-root", repoRoot] }
        if let profile { words += ["--profile", profile] }
        if let config { words += ["--config", config] }
        return words
    }

    var watchCommand: [String] {
        var words = [executable, "watch", "--spool", root]
        if let repoRoot { words += ["--repo-root", repoRoot] }
        if let profile { words += ["--profile", profile] }
        if let config { words += ["--config", config] }
        return words
    }

    /// Debian's cron refuses longer commands (MAX_COMMAND, cron(8)).
    private static let commandBytesMax = 998

    /// A line for `crontab -e`, without newline.
    ///
    /// In a crontab `%` ends the command unless a backslash stands before it (crontab(5)); cron takes that backslash off
    /// before the shell sees the line, also inside quotes.
    public func crontabLine(_ when: CronExpression) throws(FlowspoolError) -> String {
        var words = batchCommand
        if let path { words = ["/usr/bin/env", "PATH=\(path)"] + words }
        let command = ShellText.join(words)
        var escaped = ""
        var previous: Unicode.Scalar?
        for scalar in command.unicodeScalars {
            // A backslash of ours before a percent sign would be taken for cron's; sh has no other spelling inside quotes.
            guard scalar != "%" || previous != "\\" else {
                throw FlowspoolError(
                    .invalidInput, "\(printable(command)) holds \\%, which a crontab line cannot carry",
                    hint: "rename the folder, or use --systemd")
            }
            if scalar == "%" { escaped += "\\" }
            escaped.unicodeScalars.append(scalar)
            previous = scalar
        }
        guard escaped.utf8.count <= Self.commandBytesMax else {
            throw FlowspoolError(
                .invalidInput, "the command is \(escaped.utf8.count) bytes long, and cron takes \(Self.commandBytesMax)",
                hint: "use shorter paths, or --systemd")
        }
        return "\(when.text) \(escaped)"
    }
}
