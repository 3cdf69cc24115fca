// A prompt's bytes and what they say, read once. Nothing here touches the disk.

import Foundation

/// A fenced code block that script execution runs.
public struct Block: Sendable, Hashable {
    public enum Shell: String, Sendable, Codable { case bash, sh, zsh }

    /// Position among the executable blocks, counted from 1.
    public var number: Int
    public var shell: Shell
    /// The block's text as CommonMark gives it, ending in a newline unless empty.
    public var text: String
    /// Line of the prompt file on which `text` begins (the line after the fence), counted from 1.
    public var firstLine: Int
    /// Column by which the file's line is shifted against the block's (an indented fence), 0 for none.
    public var indent: Int
    public var marks: Marks
    /// Where it runs, as its paths are to be judged: an absolute path, or one that leads out of the repository; nil: somewhere in it.
    var folder: String?

    /// What the comments in a block's first five lines ask for (DESIGN "Execution").
    public struct Marks: Sendable, Hashable {
        public var isNoncritical = false
        public var expectedExitCode: Int32?
        public var timeoutSeconds: Double?
        public var isSkipped = false
        public init() {}
    }

    public init(number: Int, shell: Shell, text: String, firstLine: Int, indent: Int = 0, marks: Marks = Marks()) {
        self.number = number
        self.shell = shell
        self.text = text
        self.firstLine = firstLine
        self.indent = indent
        self.marks = marks
    }
}

/// The completion gate that a prompt asks for under `verify`.
public struct GateSpecification: Sendable, Hashable, Codable {
    /// Paths relative to the repo root; each must exist and be non-empty.
    public var filesExist: [String] = []
    /// URLs that must answer 200 within 10 s.
    public var http200: [String] = []
    /// URL and header lines (`Name: value`, or only `Name`) that its answer must carry.
    public var headers: [String: [String]] = [:]
    /// A shell command that must exit 0; preflight judges it like a block.
    public var command: String?
    /// Line of the file on which `command` stands.
    public var commandLine: Int?
    /// The working tree must have changed (`exec_mode: agent`).
    public var requiresDiff = false
    /// A JSON schema that the answer must fit, as JSON text (`exec_mode: agent` and `http`).
    public var schema: String?
    /// A file with such a schema, relative to the repo root.
    public var schemaPath: String?
    public init() {}
    public var isEmpty: Bool {
        filesExist.isEmpty && http200.isEmpty && headers.isEmpty && command == nil && !requiresDiff && schema == nil
            && schemaPath == nil
    }
}

/// The front-matter keys that flowspool reads, typed. Toggles stay text: `PolicyResolver` judges them.
public struct PromptSettings: Sendable, Hashable {
    /// Raw toggle values, as text, from the strongest spelling that is present (DESIGN "The prompt file").
    public var toggles: [Toggle: String] = [:]
    public var priority = 0
    public var cwd: String?
    public var lane: String?
    public var timeoutSeconds: Double?
    public var execMode: String?
    /// nil: not said.
    public var movesToCompleted: Bool?
    /// nil: not said, which allows it.
    public var allowsNoncritical: Bool?
    public var gate = GateSpecification()
    /// Code to reason.
    public var waivers: [String: String] = [:]
    /// For agents and models.
    public var agent = AgentSettings()
    public init() {}
}

/// A prompt, parsed.
public struct PromptFile: Sendable {
    /// File name, without folder.
    public var name: String
    /// The file as it stands on disk, stamp included.
    public var bytes: Data
    /// The author's bytes: `bytes` without the stamp.
    public var authorBytes: Data
    /// SHA-256 of `authorBytes`, 64 hex digits.
    public var sha: String
    /// `<name>--<first 12 hex digits of sha>`.
    public var id: String
    public var hasFrontMatter: Bool
    public var settings: PromptSettings
    /// Text after the front matter; empty when the file is not UTF-8.
    public var body: String
    /// Line on which `body` begins, counted from 1 and without the stamp, as all lines here are: they stay the same when a file
    /// is stamped. `bodyLineShift` leads to the lines of a file that has a stamp.
    public var bodyFirstLine: Int
    public var blocks: [Block]
    /// What reading found wrong (`not_utf8`, `empty`, `front_matter_invalid`, `fence_unclosed` …); never thrown.
    public var findings: [Finding]
    /// Whether a stamp can be written into this file.
    public var canCarryStamp: Bool
    /// Lines that the stamp in `bytes` adds above the body: add them to a line of the body to find it in the file as it stands.
    public var bodyLineShift = 0
    /// Where a stamp goes in `authorBytes`; nil where `read` did not make this value or found no place.
    var stampLayout: StampLayout?

    public init(
        name: String, bytes: Data, authorBytes: Data, sha: String, id: String, hasFrontMatter: Bool,
        settings: PromptSettings, body: String, bodyFirstLine: Int, blocks: [Block], findings: [Finding],
        canCarryStamp: Bool
    ) {
        self.name = name
        self.bytes = bytes
        self.authorBytes = authorBytes
        self.sha = sha
        self.id = id
        self.hasFrontMatter = hasFrontMatter
        self.settings = settings
        self.body = body
        self.bodyFirstLine = bodyFirstLine
        self.blocks = blocks
        self.findings = findings
        self.canCarryStamp = canCarryStamp
    }
}
