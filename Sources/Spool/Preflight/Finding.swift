// What a check says about a prompt. Codes are the contract (DESIGN "Preflight"): users write them in `allow:`, tools read
// them in JSON and SARIF. Adding one here gives it its severity; nothing else decides that.

/// One thing that preflight found in a prompt.
public struct Finding: Sendable, Hashable, Codable {
    public enum Severity: String, Sendable, Codable, CaseIterable {
        /// Blocks the prompt in every mode.
        case error
        /// Subject to `warn_mode` and `warn_gate`.
        case warning
        /// Recorded, decides nothing.
        case info
    }

    public enum Code: String, Sendable, Codable, CaseIterable {
        case notUTF8 = "not_utf8"
        case empty
        case tooLarge = "too_large"
        case frontMatterInvalid = "front_matter_invalid"
        case frontMatterUnclosed = "front_matter_unclosed"
        case toggleInvalid = "toggle_invalid"
        case nothingToRun = "nothing_to_run"
        case modeNotAllowed = "mode_not_allowed"
        case fenceUnclosed = "fence_unclosed"
        case shellSyntax = "shell_syntax"
        case interpreterMissing = "interpreter_missing"
        case cwdMissing = "cwd_missing"
        case hostNotAllowed = "host_not_allowed"

        case destructiveFS = "destructive_fs"
        case destructiveGit = "destructive_git"
        case destructiveDisk = "destructive_disk"
        case networkFirewall = "network_firewall"
        case serviceDown = "service_down"
        case sensitivePathWrite = "sensitive_path_write"
        case pipeToShell = "pipe_to_shell"
        case privilege
        case secretInPrompt = "secret_in_prompt"
        case interactive
        case placeholderLeft = "placeholder_left"
        case forcePush = "force_push"
        case destructiveDB = "destructive_db"
        case destructiveCluster = "destructive_cluster"
        case agentFullAccess = "agent_full_access"
        /// The shell parser gave no answer; counts as a warning that no waiver lifts.
        case parserFailed = "parser_failed"

        case noFrontMatter = "no_front_matter"
        case sectionMissing = "section_missing"
        case hostPath = "host_path"
        case noGate = "no_gate"
        case toolMissing = "tool_missing"

        /// The severity of this code before any waiver.
        public var severity: Severity {
            switch self {
            case .notUTF8, .empty, .tooLarge, .frontMatterInvalid, .frontMatterUnclosed, .toggleInvalid, .nothingToRun,
                .modeNotAllowed, .fenceUnclosed, .shellSyntax, .interpreterMissing, .cwdMissing, .hostNotAllowed:
                .error
            case .noFrontMatter, .sectionMissing, .hostPath, .noGate, .toolMissing:
                .info
            default:
                .warning
            }
        }
    }

    public var code: Code
    /// `code.severity`, unless a waiver made a warning an info.
    public var severity: Severity
    /// Line of the prompt file, counted from 1; nil where the finding is about the whole file.
    public var line: Int?
    /// Column in that line, counted from 1 in characters; nil where the finding is about the whole line.
    public var column: Int?
    /// What is wrong, in one sentence without a full stop, with the words that caused it.
    public var message: String
    /// What to do about it.
    public var advice: String
    /// The reason that the author gave under `allow:`, when that lifted this finding.
    public var waiver: String?

    public init(
        _ code: Code, line: Int? = nil, column: Int? = nil, message: String, advice: String
    ) {
        self.code = code
        self.severity = code.severity
        self.line = line
        self.column = column
        self.message = message
        self.advice = advice
        self.waiver = nil
    }
}
