// The rules of `spool.yaml`: one function per section, each key with its bounds. Reading goes on after a fault, so that all of
// them are found in one pass. Unknown keys are faults: a misspelt one would otherwise be a silent default.

/// Judges the tree of a `spool.yaml`.
enum SpoolConfigurationReader {
    private static let keys = [
        "exec_mode", "modes", "jobs", "timeout", "size_limit", "poll", "retention", "notify", "log_limit", "retry_delay",
        "environment", "runners", "allow_hosts", "allow_full", "permissions", "budgets",
    ]
    /// In seconds: ten years, longer than any job.
    private static let secondsMax: Double = 3650 * 86400

    /// What the tree says, as far as it is valid; to be used only where `faults` stayed empty.
    static func read(_ root: ConfigurationNode, _ faults: inout ConfigurationFaults) -> SpoolConfiguration {
        var result = SpoolConfiguration()
        let top = ConfigurationSection(root, path: "$", keys: keys, &faults)
        result.execMode = top.word("exec_mode", ExecMode.self, &faults)
        result.modes = top.words("modes", ExecMode.self, &faults) ?? result.modes
        if let mode = result.execMode, let node = top.node("exec_mode"), !result.modes.contains(mode) {
            faults.add(
                "$.exec_mode", node, allowed: "one of modes: \(result.modes.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        result.jobs = top.int("jobs", 1...256, &faults) ?? result.jobs
        result.timeoutSeconds = top.seconds("timeout", 0.001...secondsMax, shown: "above 0", &faults) ?? result.timeoutSeconds
        result.sizeLimitBytes =
            top.bytes("size_limit", 1...SpoolConfiguration.sizeLimitMax, shown: "from 1 byte to 256 MiB", &faults)
            ?? result.sizeLimitBytes
        result.logLimitBytes =
            top.bytes("log_limit", 4096...(1 << 40), shown: "from 4 KiB to 1024 GiB", &faults) ?? result.logLimitBytes
        result.retryDelaySeconds = top.seconds("retry_delay", 0...secondsMax, shown: "from 0", &faults) ?? 0
        result.poll = readPoll(top, &faults) ?? result.poll
        result.retention = readRetention(top, &faults)
        result.notifiers = readNotifiers(top, &faults)
        result.environment = readEnvironment(top, &faults)
        result.runners = readRunners(top, &faults)
        result.hostsAllowed =
            top.strings("allow_hosts", allowed: "a host name, without scheme and path", &faults, where: isHost) ?? []
        result.allowsFull = top.bool("allow_full", &faults) ?? false
        result.permissions = top.word("permissions", SpoolConfiguration.Permissions.self, &faults)
        result.budgets = readBudgets(top, &faults)
        return result
    }

    private static func readPoll(
        _ top: ConfigurationSection, _ faults: inout ConfigurationFaults
    ) -> SpoolConfiguration.Poll? {
        guard let node = top.node("poll") else { return nil }
        switch node.kind {
        case .string("auto"): return .automatic
        case .bool(false): return .never
        case .bool(true): return .every(seconds: 2)
        default: break
        }
        if let seconds = node.seconds, (0.1...3600).contains(seconds) { return .every(seconds: seconds) }
        faults.add("$.poll", node, allowed: "auto, yes, no, or seconds from 0.1 to 3600")
        return nil
    }

    private static func readRetention(
        _ top: ConfigurationSection, _ faults: inout ConfigurationFaults
    ) -> Retention {
        var result = Retention()
        guard let section = top.section("retention", keys: ["older_than", "keep"], &faults) else { return result }
        if let node = section.node("older_than") {
            // A bare number is refused as on the command line: someone who means days and gets seconds loses every job.
            if case .string(let text) = node.kind, let age = try? Retention.parseAge(text), age > 0 {
                result.olderThanMilliseconds = age
            } else {
                faults.add("$.retention.older_than", node, allowed: "a number with a unit, such as 12h, 30d or 8w")
            }
        }
        result.keep = section.int("keep", 0...Int.max, &faults)
        return result
    }

    /// One mapping, or a list of them.
    private static func readNotifiers(
        _ top: ConfigurationSection, _ faults: inout ConfigurationFaults
    ) -> [Notifier.Configuration] {
        guard let node = top.node("notify") else { return [] }
        switch node.kind {
        case .null: return []
        case .list(let elements):
            return elements.enumerated().compactMap { readNotifier($1, "$.notify[\($0)]", &faults) }
        default:
            return readNotifier(node, "$.notify", &faults).map { [$0] } ?? []
        }
    }

    private static func readNotifier(
        _ node: ConfigurationNode, _ path: String, _ faults: inout ConfigurationFaults
    ) -> Notifier.Configuration? {
        let section = ConfigurationSection(node, path: path, keys: ["command", "events", "timeout"], &faults)
        let command = section.strings("command", allowed: "a text (quote numbers)", &faults) { !$0.utf8.contains(0) }
        if case .map = node.kind, section.node("command") == nil {
            faults.add(section.path("command"), at: node.position, "missing; allowed: a list of the program and its arguments")
        }
        if let list = section.node("command"), let command, command.first?.isEmpty ?? true {
            faults.add(section.path("command"), at: list.position, "no program; allowed: a list of the program and its arguments")
        }
        let events = section.words("events", Notifier.Event.self, &faults)
        let timeout = section.seconds("timeout", 0.1...3600, shown: "from 0.1 to 1h", &faults)
        return command.map {
            var result = Notifier.Configuration(command: $0)
            result.events = events ?? result.events
            result.timeoutSeconds = timeout ?? result.timeoutSeconds
            return result
        }
    }

    private static func readEnvironment(
        _ top: ConfigurationSection, _ faults: inout ConfigurationFaults
    ) -> EnvironmentFilter {
        var result = EnvironmentFilter()
        guard let section = top.section("environment", keys: ["withhold", "pass"], &faults) else { return result }
        let withhold = section.strings("withhold", allowed: "a name in which * and ? stand for others", &faults) {
            isName($0, besides: "*?")
        }
        let pass = section.strings("pass", allowed: "the whole name of a variable", &faults) { isName($0, besides: "") }
        result.withhold = withhold ?? result.withhold
        result.pass = Set(pass ?? [])
        return result
    }

    private static func readRunners(
        _ top: ConfigurationSection, _ faults: inout ConfigurationFaults
    ) -> [String: ConfigurationNode] {
        guard let node = top.node("runners") else { return [:] }
        if case .null = node.kind { return [:] }
        var result: [String: ConfigurationNode] = [:]
        for (name, entry) in node.entries("$.runners", &faults) {
            guard isName(name, besides: ".-"), name.utf8.count <= 64 else {
                faults.add(
                    ConfigurationFaults.path("$.runners", name), at: entry.keyPosition,
                    "not a runner's name; allowed: 1 to 64 letters, digits, '.', '_' and '-'")
                continue
            }
            // Its keys are its own (a duplicate among them is not), so only the shape is judged here.
            _ = entry.value.entries(ConfigurationFaults.path("$.runners", name), &faults)
            result[name] = entry.value
        }
        return result
    }

    private static func readBudgets(
        _ top: ConfigurationSection, _ faults: inout ConfigurationFaults
    ) -> SpoolConfiguration.Budgets {
        var result = SpoolConfiguration.Budgets()
        guard let section = top.section("budgets", keys: ["job", "batch", "day"], &faults) else { return result }
        func budget(_ key: String, _ keys: [String]) -> SpoolConfiguration.Budget {
            var budget = SpoolConfiguration.Budget()
            guard let part = section.section(key, keys: keys, &faults) else { return budget }
            budget.timeSeconds = part.seconds("time", 0.001...secondsMax, shown: "above 0", &faults)
            if keys.contains("idle") { budget.idleSeconds = part.seconds("idle", 1...secondsMax, shown: "from 1", &faults) }
            budget.turns = part.int("turns", 1...Int.max, &faults)
            budget.tokens = part.int("tokens", 1...Int.max, &faults)
            budget.costUSD = part.amount("cost_usd", &faults)
            return budget
        }
        let common = ["time", "turns", "tokens", "cost_usd"]
        result.job = budget("job", ["time", "idle", "turns", "tokens", "cost_usd"])
        result.batch = budget("batch", common)
        result.day = budget("day", common)
        return result
    }

    private static func isName(_ text: String, besides others: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "_") || others.utf8.contains($0) }
    }

    /// A name or an address, with a port or without; brackets are for IPv6.
    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 260 && text.utf8.allSatisfy { $0.isASCIILetterOrDigit || ".-:[]".utf8.contains($0) }
    }
}
