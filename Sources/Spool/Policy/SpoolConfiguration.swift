// A spool's own settings, `.flowspool/spool.yaml` (documented key by key in docs/spool-yaml.md). A value of this type is valid;
// a faulty file never becomes one. Without a file every key has its default.

import Foundation

/// What the owner of a spool has set for it.
public struct SpoolConfiguration: Sendable, Equatable {
    /// How the folder is watched.
    public enum Poll: Sendable, Hashable {
        /// By inotify where the file system has it, else by polling.
        case automatic
        /// By inotify only.
        case never
        /// By looking every so many seconds.
        case every(seconds: Double)
    }

    /// What an agent may do.
    public enum Permissions: String, Sendable, CaseIterable { case read, edit, full }

    /// What may be used up; nil: no limit.
    public struct Budget: Sendable, Hashable {
        public var timeSeconds: Double?
        /// Without output and without processor time. Only for a job.
        public var idleSeconds: Double?
        public var turns: Int?
        public var tokens: Int?
        public var costUSD: Double?
        public init() {}
    }

    public struct Budgets: Sendable, Hashable {
        public var job = Budget()
        public var batch = Budget()
        public var day = Budget()
        public init() {}
    }

    /// The file, or nil where there is none.
    public var path: String?
    /// nil: `script`, unless a flag, the environment or the prompt says otherwise.
    public var execMode: ExecMode?
    /// Modes that prompts may ask for.
    public var modes: Set<ExecMode> = Set(ExecMode.allCases)
    /// Jobs that run at the same time, 1 to 256.
    public var jobs = 1
    /// For one attempt of a job.
    public var timeoutSeconds: Double = 3600
    /// Larger prompts are refused.
    public var sizeLimitBytes = SpoolConfiguration.sizeLimitBytesDefault
    public static let sizeLimitBytesDefault = 1 << 20
    /// The largest that may be set, in bytes.
    static let sizeLimitMax = 256 << 20
    public var poll = Poll.automatic
    /// What `prune` goes by; without limits it takes nothing away.
    public var retention = Retention()
    /// Commands that hear of events.
    public var notifiers: [Notifier.Configuration] = []
    /// What the blocks of one attempt may print before the middle is cut out.
    public var logLimitBytes = 64 << 20
    /// Wait before a failed attempt is tried again.
    public var retryDelaySeconds: Double = 0
    public var environment = EnvironmentFilter()
    /// By name, not judged here.
    var runners: [String: ConfigurationNode] = [:]
    /// Hosts that keys may be sent to.
    public var hostsAllowed: [String] = []
    /// Whether prompts may have `permissions: full`.
    public var allowsFull = false
    public var permissions: Permissions?
    public var budgets = Budgets()

    /// All defaults.
    public init() {}

    public static let fileName = "spool.yaml"

    /// The keys whose values differ from `other` and that a run reads only when it starts.
    public func keysForNextStart(comparedWith other: SpoolConfiguration) -> [String] {
        [
            ("exec_mode", execMode != other.execMode), ("modes", modes != other.modes), ("poll", poll != other.poll),
            ("log_limit", logLimitBytes != other.logLimitBytes), ("runners", runners != other.runners),
            ("allow_hosts", hostsAllowed != other.hostsAllowed), ("allow_full", allowsFull != other.allowsFull),
            ("permissions", permissions != other.permissions), ("budgets", budgets != other.budgets),
        ].compactMap { $1 ? $0 : nil }
    }

    /// The settings of the spool at `spool`; all defaults where it has no file.
    ///
    /// - Throws: `invalidInput`, listing every fault with its line; also where somebody else may write the file, because it
    ///   names commands that run.
    public static func load(spool: String) throws(FlowspoolError) -> SpoolConfiguration {
        let path = spool + "/.flowspool/" + fileName
        var info = stat()
        if lstat(path, &info) != 0, errno == ENOENT || errno == ENOTDIR { return SpoolConfiguration() }
        let contents = try ConfigurationFile.read(path)
        guard stat(path, &info) == 0, info.st_mode & 0o002 == 0, [geteuid(), 0].contains(info.st_uid) else {
            throw FlowspoolError(
                .invalidInput, "\(printable(path)): others may write to this file, and it names commands that run",
                hint: "make it yours alone: chown and chmod 600 it")
        }
        return try SpoolConfiguration(contents: contents, path: path)
    }

    /// Reads a file's bytes; `path` is for messages.
    init(contents: Data, path: String) throws(FlowspoolError) {
        var faults = ConfigurationFaults()
        var configuration = SpoolConfiguration()
        do throws(JSONSyntaxError) {
            configuration = SpoolConfigurationReader.read(try ConfigurationNode(yaml: contents), &faults)
        } catch {
            faults.add("$", at: error.position, error.message)
        }
        guard faults.isEmpty else {
            throw faults.error(file: path, hint: "docs/spool-yaml.md has every key; without the file the defaults apply")
        }
        configuration.path = path
        self = configuration
    }
}
