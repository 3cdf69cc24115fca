// The checks before anything runs. A prompt comes in as bytes that were read once; findings, the policy in force and the
// verdict go out. Nothing is executed here, and nothing that a prompt says can switch a check off, except a waiver that the
// configuration allows.

import Foundation

/// What preflight needs to know of the surroundings; the same for every prompt of a run.
public struct PreflightContext: Sendable {
    public var repoRoot: String
    /// The `PATH` that children will have.
    public var searchPath: String
    /// Modes that `spool.yaml` allows.
    public var modesAllowed: Set<ExecMode>
    /// From flag or environment: stronger than front matter.
    public var modeOverride: ExecMode?
    /// From `spool.yaml`: weaker than front matter.
    public var modeDefault: ExecMode
    /// Largest prompt, in bytes.
    public var sizeMax: Int
    /// Seconds that the blocks of one prompt may take, all in all.
    var blocksSecondsMax = 20.0
    var clock: SecondsClock = monotonicSeconds
    /// The runners for agents and models; nil: none, and their modes are not checked further.
    public var runners: RunnerContext?

    public init(
        repoRoot: String, searchPath: String, modesAllowed: Set<ExecMode> = Set(ExecMode.allCases), modeOverride: ExecMode? = nil,
        modeDefault: ExecMode = .script, sizeMax: Int = 1 << 20
    ) {
        self.repoRoot = repoRoot
        self.searchPath = searchPath
        self.modesAllowed = modesAllowed
        self.modeOverride = modeOverride
        self.modeDefault = modeDefault
        self.sizeMax = sizeMax
    }
}

/// What preflight says about one prompt.
public struct PreflightReport: Sendable {
    /// In the order of their lines; errors first among those without one.
    public var findings: [Finding]
    public var resolved: ResolvedPolicy
    public var mode: ExecMode
    /// Name of the runner, in the modes `agent` and `http`.
    public var runner: String?
    /// The lane of a prompt that names none: an agent has its working tree for itself.
    public var lane: String?
    /// What the machine refused, where a block could not be judged for that reason: the prompt is to be checked again.
    var refusal: SystemCallError?

    public var errors: [Finding] { findings.filter { $0.severity == .error } }
    public var warnings: [Finding] { findings.filter { $0.severity == .warning } }

    /// What to do with the prompt (DESIGN "Policy", the matrix).
    ///
    /// - Parameter isApproved: somebody said yes to this prompt's very bytes.
    public func verdict(isApproved: Bool) -> Verdict {
        if let error = errors.first {
            let more = errors.count > 1 ? " (and \(errors.count - 1) more)" : ""
            return Verdict(status: .blocked, reason: "\(error.code.rawValue): \(error.message)\(more)")
        }
        guard !warnings.isEmpty else { return Verdict(status: .ready, reason: "no warnings") }
        let codes = Set(warnings.map(\.code.rawValue)).sorted().joined(separator: ", ")
        guard resolved.policy.warnGate else { return Verdict(status: .warned, reason: "warnings recorded, gate off: \(codes)") }
        switch resolved.policy.warnMode {
        case .autoApprove: return Verdict(status: .warned, reason: "approved by policy: \(codes)")
        case .halt: return Verdict(status: .blocked, reason: "warnings under warn_mode=halt: \(codes)")
        case .ask where isApproved: return Verdict(status: .warned, reason: "approved by a person: \(codes)")
        case .ask: return Verdict(status: .held, reason: "warnings wait for a yes: \(codes)")
        }
    }

    public struct Verdict: Sendable, Hashable {
        public var status: Stamp.Preflight.Status
        public var reason: String
        public var isReady: Bool { status == .ready || status == .warned }
    }
}

/// Runs the checks.
public struct Preflight: Sendable {
    public internal(set) var context: PreflightContext
    public let resolver: PolicyResolver
    /// nil only in tests that are not about shell code.
    public let shell: (any ShellChecking)?
    private let programs = ProgramFinder()

    public init(context: PreflightContext, resolver: PolicyResolver, shell: (any ShellChecking)?) {
        self.context = context
        self.resolver = resolver
        self.shell = shell
    }

    /// Checks one prompt.
    public func check(_ prompt: PromptFile) async -> PreflightReport {
        var findings = prompt.findings
        let (resolved, toggleFindings) = resolver.resolve(frontMatter: prompt.settings.toggles)
        findings += toggleFindings
        let mode = chooseMode(prompt, &findings)
        if mode != .script {
            // An agent reads the text as it is; where a block ends matters to nobody but a shell.
            for index in findings.indices where findings[index].code == .fenceUnclosed { findings[index].severity = .info }
        }
        if prompt.bytes.count > context.sizeMax {
            findings.append(
                Finding(
                    .tooLarge, message: "the prompt has more than \(context.sizeMax) bytes, which is the limit",
                    advice: "make it smaller, or raise size_limit in spool.yaml"))
        }
        // A file that cannot be read as text has nothing more to say.
        var refusal: SystemCallError?
        let isReadable = !findings.contains { $0.code == .notUTF8 || $0.code == .empty || $0.code == .tooLarge }
        if isReadable {
            findings += PromptChecks.notes(prompt, mode: mode)
            findings += PromptChecks.secrets(prompt, mode: mode)
            findings += workingFolder(prompt)
            if mode == .script { findings += await script(prompt, &refusal) }
            findings += await verification(prompt, mode, &refusal)
        }
        var agent = AgentChecks.Result()
        if isReadable, mode != .script, let runners = context.runners {
            agent = AgentChecks.check(prompt, mode: mode, runners: runners, context: context)
            findings += agent.findings
        }
        return PreflightReport(
            findings: Waivers.apply(prompt.settings.waivers, to: ordered(findings), isAllowed: resolver.allowsWaivers),
            resolved: resolved,
            mode: mode, runner: agent.runner, lane: agent.lane, refusal: refusal)
    }

    /// What `verify` asks for and this mode cannot tell; and `verify.command`, which is judged like a block.
    private func verification(
        _ prompt: PromptFile, _ mode: ExecMode, _ refusal: inout SystemCallError?
    ) async -> [Finding] {
        let gate = prompt.settings.gate
        var findings: [Finding] = []
        if gate.requiresDiff, mode != .agent {
            findings.append(
                Finding(
                    .frontMatterInvalid, message: "verify.diff is for exec_mode agent, not \(mode.rawValue)",
                    advice: "take it out, or name what must exist under verify.files_exist"))
        }
        // Prompts of other tools describe their answer; without one there is nothing to hold against it.
        if gate.schemaPath != nil, mode == .script {
            findings.append(
                Finding(
                    .frontMatterInvalid, message: "verify.schema is for the answer of an agent or a model, and a script has none",
                    advice: "take it out, or set exec_mode: agent or http"))
        }
        guard let command = gate.command, let shell else { return findings }
        var block = Block(number: 0, shell: .bash, text: command + "\n", firstLine: gate.commandLine ?? 1)
        // Of a script it is run in the repo root; of others, where the prompt says that they work.
        if mode != .script { block.folder = Self.folder(prompt.settings.cwd, in: context.repoRoot) }
        let result = await shell.check(block)
        refusal = refusal ?? result.refusal
        return findings + result.findings
    }

    private func chooseMode(_ prompt: PromptFile, _ findings: inout [Finding]) -> ExecMode {
        var mode = context.modeOverride ?? context.modeDefault
        if context.modeOverride == nil, let text = prompt.settings.execMode {
            if let asked = ExecMode(rawValue: text) {
                mode = asked
            } else {
                findings.append(
                    Finding(
                        .modeNotAllowed, message: "exec_mode is “\(printable(text))”",
                        advice: "use one of: \(ExecMode.allCases.map(\.rawValue).joined(separator: ", "))"))
            }
        }
        if !context.modesAllowed.contains(mode) {
            findings.append(
                Finding(
                    .modeNotAllowed, message: "exec_mode \(mode.rawValue) is not allowed in this spool",
                    advice:
                        "allowed: \(context.modesAllowed.map(\.rawValue).sorted().joined(separator: ", ")) (modes in spool.yaml)")
            )
        }
        return mode
    }

    private func workingFolder(_ prompt: PromptFile) -> [Finding] {
        guard let cwd = prompt.settings.cwd else { return [] }
        let path = cwd.hasPrefix("/") ? cwd : context.repoRoot + "/" + cwd
        var info = stat()
        if stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR { return [] }
        return [
            Finding(
                .cwdMissing, message: "the working folder \(printable(path)) does not exist",
                advice: "make it, or correct cwd (relative paths start at the repo root)")
        ]
    }

    private func script(_ prompt: PromptFile, _ refusal: inout SystemCallError?) async -> [Finding] {
        let blocks = prompt.blocks.filter { !$0.marks.isSkipped }
        guard !blocks.isEmpty else {
            if prompt.findings.contains(where: { $0.severity == .error }) { return [] }
            return [
                Finding(
                    .nothingToRun, message: "there is no shell block to run",
                    advice: "put the commands in a fenced block marked bash, or set exec_mode: agent")
            ]
        }
        var findings: [Finding] = []
        var missing: [String: Int] = [:]
        for shellName in Set(blocks.map(\.shell)) where !isOnPath(shellName.rawValue) {
            let line = blocks.first { $0.shell == shellName }.map { $0.firstLine - 1 }
            findings.append(
                Finding(
                    .interpreterMissing, line: line, message: "\(shellName.rawValue) is not on PATH",
                    advice: "install it, or mark the block for another shell"))
        }
        guard let shell else { return findings }
        let folder = Self.folder(prompt.settings.cwd, in: context.repoRoot)
        let deadline = context.clock() + context.blocksSecondsMax
        let sequence = shell.sequence()
        for block in blocks {
            guard context.clock() < deadline else {
                findings.append(
                    Finding(
                        .parserFailed, line: block.firstLine - 1,
                        message: "the blocks from here on could not be judged: those before took more than "
                            + "\(context.blocksSecondsMax.formatted()) s",
                        advice: "Make several prompts of it; it counts as a warning that no waiver lifts"))
                break
            }
            var block = block
            block.folder = folder
            let result = await sequence.check(block)
            refusal = refusal ?? result.refusal
            findings += result.findings
            for name in result.commands where missing[name] == nil && !isOnPath(name) { missing[name] = block.firstLine }
        }
        for (name, line) in missing.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            findings.append(
                Finding(
                    .toolMissing, line: line, message: "\(printable(name)) is not on PATH here",
                    advice: "install it where the prompt runs, if the block does not bring it"))
        }
        return findings
    }

    /// The working folder, as the paths of a block are to be judged: from one in the repository they are as in its root, but that
    /// deeper is further from what lies outside.
    private static func folder(_ cwd: String?, in repoRoot: String) -> String? {
        guard let cwd else { return nil }
        func path(_ text: String) -> String { ShellPath(ShellValue(text)).text }
        let root = path(repoRoot)
        let folder = path(cwd.hasPrefix("/") ? cwd : repoRoot + "/" + cwd)
        if folder == root { return nil }
        // Relative: what a build folder is, and what lies outside, is told by how a path begins.
        return folder.hasPrefix(root + "/") ? String(folder.dropFirst(root.count + 1)) : folder
    }

    private func isOnPath(_ name: String) -> Bool {
        name.utf8.contains(UInt8(ascii: "/")) || programs.find(name, in: context.searchPath) != nil
    }

    private func ordered(_ findings: [Finding]) -> [Finding] {
        let rank: [Finding.Severity: Int] = [.error: 0, .warning: 1, .info: 2]
        return findings.enumerated().sorted { a, b in
            let left = (a.element.line ?? 0, rank[a.element.severity] ?? 3, a.offset)
            let right = (b.element.line ?? 0, rank[b.element.severity] ?? 3, b.offset)
            return left < right
        }.map(\.element)
    }
}
