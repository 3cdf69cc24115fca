// Judges paths: which folders may be deleted without a warning, which must not be written. It knows names only; the disk is
// never asked, so that a verdict depends on the block alone.

/// A word read as a path, the working folder taken into account.
struct ShellPath: Sendable {
    /// `/a/b`, `~/a`, `a/b`; `ShellValue.hole` for each unknown. `.` and empty parts are gone, `..` is resolved where it can be.
    let text: String
    let components: [String]
    /// `text` with the name of each unknown in its place: tells one unknown path from another.
    let key: String
    let isScratch: Bool
    /// Below `$REPO_ROOT`, which flowspool sets.
    let isInRepo: Bool
    /// A slash stands at the end: where it is a link, what is behind that is meant.
    let leadsThroughItself: Bool
    private let hasGlob: Bool
    /// Index of the first component that holds a wildcard or an unknown.
    private let firstOpen: Int

    var isAbsolute: Bool { text.hasPrefix("/") }
    var isRoot: Bool { isAbsolute && components.isEmpty }
    var isHome: Bool { text.hasPrefix("~") }
    var isRelative: Bool { !isAbsolute && !isHome && !startsUnknown }
    var startsUnknown: Bool { text.first == ShellValue.hole }
    var hasWildcard: Bool { hasGlob }

    /// Longer paths name nothing: no system call takes them (PATH_MAX).
    private static let bytesMax = 8 << 10
    /// Components of a made folder that are looked at.
    static let depthMax = 64

    /// - Parameter folder: the working folder, nil for the one that the block starts in.
    init(_ value: ShellValue, in folder: ShellValue? = nil) {
        var whole = value
        var isAnchored = false
        switch value.pieces.first {
        case .text(let text)?: isAnchored = text.hasPrefix("/")
        case .home?, .unknown?: isAnchored = true
        default: break
        }
        if !isAnchored, let folder { whole = folder + ShellValue("/") + value }
        if whole.size > Self.bytesMax { whole = .unknown("a path of \(whole.size) bytes") }
        if case .unknown(_, let taints)? = whole.pieces.first { isScratch = taints.contains(.scratch) } else { isScratch = false }
        if case .unknown("$REPO_ROOT", _)? = whole.pieces.first { isInRepo = true } else { isInRepo = false }
        hasGlob = whole.hasGlob
        leadsThroughItself =
            value.pieces.last.map { if case .text(let text) = $0 { text.hasSuffix("/") } else { false } } ?? false
        let raw = whole.text
        var parts: [String] = []
        for part in raw.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != "..", last != "~", !last.contains(ShellValue.hole) {
                parts.removeLast()
            } else if part == "..", parts.isEmpty, raw.hasPrefix("/") {
                continue
            } else {
                parts.append(String(part))
            }
        }
        components = parts
        text = (raw.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
        var names = whole.pieces.compactMap { if case .unknown(let name, _) = $0 { name } else { nil } }[...]
        key =
            names.isEmpty
            ? text : text.reduce(into: "") { $0 += $1 == ShellValue.hole ? names.popFirst() ?? "?" : String($1) }
        firstOpen =
            parts.firstIndex { $0.contains { $0 == ShellValue.hole || $0 == "*" || $0 == "?" || $0 == "[" } } ?? parts.count
    }

    /// What tells this path from another where the repo root is the folder that relative paths begin in.
    var keyInRepo: String { isInRepo ? components.dropFirst().joined(separator: "/") : key }

    /// Folders that tools make and remake: deleting one of them is no loss.
    static let buildFolders: Set<String> = [
        "build", "dist", "out", "target", "node_modules", "coverage", "htmlcov", "obj", "_build", "_site", "site", ".build",
        ".cache", ".next", ".nuxt", ".output", ".svelte-kit", ".parcel-cache", ".turbo", ".vite", ".gradle", ".tox", ".nox",
        ".eggs", ".nyc_output", ".pytest_cache", ".mypy_cache", ".ruff_cache", "__pycache__", ".dart_tool", ".angular",
        ".webpack", ".docusaurus", "cmake-build-debug", "cmake-build-release", "storybook-static", "DerivedData",
        ".coverage", ".ipynb_checkpoints", ".venv", "venv", "bazel-bin", "bazel-out",
    ]

    /// Whether what is at this path may be deleted without a warning.
    /// - Parameter made: literal `/tmp/NAME` folders that the block made before.
    func isDisposable(made: Set<String>) -> Bool {
        if components.contains("..") { return false }
        if isScratch { return true }
        if isAbsolute {
            guard components.first == "tmp", components.count >= 2 else { return false }
            if made.contains(key) { return !text.contains { "*?[".contains($0) } }
            for count in 2...min(components.count, Self.depthMax)
            where made.contains("/" + components.prefix(count).joined(separator: "/")) {
                return count <= firstOpen || !components[..<count].contains { $0.contains { "*?[".contains($0) } }
            }
            return false
        }
        // What is known of a path below the repo root begins behind that.
        let known = components[(isInRepo ? 1 : 0)...]
        guard isRelative || isInRepo, !known.contains(where: { $0.contains(ShellValue.hole) }) else { return false }
        guard let index = known.firstIndex(where: { Self.buildFolders.contains($0) }) else { return false }
        return !known[...index].contains { $0.contains { "*?[".contains($0) } }
    }

    private static let systemFolders: Set<String> = [
        "etc", "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "boot", "var", "root", "sys", "proc",
    ]

    /// At or below a folder of the system: `/etc`, `/usr`, `/var` (not `/var/tmp`).
    var isSystem: Bool {
        guard isAbsolute, let first = components.first else { return isAbsolute && components.isEmpty }
        if first == "var", components.count > 1, components[1] == "tmp" { return false }
        if first == "proc", components.count > 1, components[1] == "self" { return false }
        return Self.systemFolders.contains(first)
    }

    private static let homeSecrets: Set<String> = [
        ".ssh", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zprofile",
        ".zshenv", ".zlogin", ".kshrc", ".cshrc", ".tcshrc", ".login", ".xprofile", ".xsessionrc", ".pam_environment",
        ".gnupg", ".aws", ".kube", ".netrc", ".pgpass", ".git-credentials",
    ]

    /// A file in the home folder that decides what runs at login, or who may log in.
    var isHomeSecret: Bool {
        var rest = components[...]
        if isHome {
            rest = rest.dropFirst()
        } else if isAbsolute, rest.first == "home", rest.count > 2 {
            rest = rest.dropFirst(2)
        } else if isAbsolute, rest.first == "root" {
            rest = rest.dropFirst()
        } else {
            return false
        }
        guard let first = rest.first else { return false }
        if first == ".config", rest.count > 1 { return rest.dropFirst().first == "fish" || rest.dropFirst().first == "autostart" }
        return Self.homeSecrets.contains(first)
    }

    /// What decides how the spool runs the next prompt: its settings, its ledger, the profile, the word that holds it.
    var isSpoolControl: Bool {
        guard let last = components.last else { return false }
        return components.contains(".flowspool") || last.hasPrefix(".prompt-pipeline.") || last == "prompt_flow.config.json"
            || last == "spool.yaml"
    }

    /// Writing here changes the system, how someone logs in, or what the spool does with the next prompt.
    var isSensitive: Bool { isSystem || isHomeSecret || isSpoolControl && !isHold }

    /// Whoever writes it only holds the spool, which anybody may; taking it away is another thing.
    private var isHold: Bool { components.last == ".prompt-pipeline.HOLD" }

    /// The folders that the path leads through, itself left out.
    var parents: [String] {
        guard components.count > 1 else { return [] }
        return (1..<min(components.count, Self.depthMax)).map {
            (isAbsolute ? "/" : "") + components.prefix($0).joined(separator: "/")
        }
    }

    private static let harmlessDevices: Set<String> = [
        "null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "tty", "console", "ptmx", "fd", "shm", "tcp",
        "udp", "pts", "kmsg", "log", "mqueue",
    ]

    /// A device that holds data: below `/dev` and none of the harmless ones.
    var isDevice: Bool {
        guard isAbsolute, components.first == "dev", components.count > 1 else { return false }
        let name = components[1]
        return !Self.harmlessDevices.contains(name) && !name.hasPrefix("tty") && !name.hasPrefix("video")
    }

    /// A name below `/dev/fd`, which stands for a process substitution or an open file.
    var isDescriptor: Bool { text.hasPrefix("/dev/fd/") || text == "/dev/stdin" }
}
