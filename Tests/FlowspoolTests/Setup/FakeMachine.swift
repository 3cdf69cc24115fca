// A machine that exists only as a folder of small programs: the package manager, sudo, id, swift and git that `scripts/setup`
// meets. Nothing real is asked or installed. What was called is in `calls`; what is installed changes as apt-get is called.

import Foundation

/// What `scripts/setup` finds, and what it did to it.
struct FakeMachine {
    enum Privilege: String { case root, sudo, none }

    let root: URL

    /// - Parameters:
    ///   - installed: packages that dpkg calls installed at the start.
    ///   - listed: whether the package lists are there (a fresh container has none until `apt-get update`).
    ///   - installs: whether `apt-get install` does what it says.
    init(
        installed: [String] = [], privilege: Privilege = .root, swift: String? = "Swift version 6.3.1 (swift-6.3.1-RELEASE)",
        git: Bool = true, dpkg: Bool = true, listed: Bool = true, installs: Bool = true
    ) throws {
        root = FileManager.default.temporaryDirectory.appending(path: "flowspool-setup-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root.appending(path: "bin"), withIntermediateDirectories: true)
        for tool in ["bash", "sh", "env", "sed", "head", "sort", "grep", "cat"] {
            try FileManager.default.createSymbolicLink(
                atPath: root.appending(path: "bin/\(tool)").path, withDestinationPath: "/usr/bin/\(tool)")
        }
        try write("installed", installed.map { $0 + "\n" }.joined())
        try write("calls", "")
        if listed { try write("lists", "") }
        try program("id", "echo \(privilege == .root ? 0 : 1000)")
        if privilege != .root {
            try program(
                "sudo",
                privilege == .sudo ? #"shift; [ "$1" = true ] && exit 0; echo "sudo $*" >>calls; exec "$@""# : "exit 1")
        }
        if let swift { try program("swift", "echo '\(swift)'") }
        if git { try program("git", ":") }
        if dpkg {
            try program(
                "dpkg-query", #"for last; do :; done; grep -qx -- "$last" installed || exit 1; printf installed"#)
        }
        try program("apt-cache", "[ -e lists ]")
        try program(
            "apt-get",
            """
            echo "apt-get $*" >>calls
            case "$*" in *update) : >lists; exit 0;; esac
            [ -e lists ] || exit 100
            for word; do case $word in -*|DPkg*|install) ;; *) \(installs ? #"echo "$word" >>installed"# : ":") ;; esac; done
            """)
    }

    func remove() { try? FileManager.default.removeItem(at: root) }  // A folder in /tmp that stays is no failure.

    var calls: [String] {
        get throws {
            try String(contentsOf: root.appending(path: "calls"), encoding: .utf8).split(separator: "\n").map(String.init)
        }
    }

    /// Runs `scripts/setup` here and returns its exit status and everything that it printed.
    func setup(_ arguments: String..., environment: [String: String] = [:]) throws -> (status: Int32, output: String) {
        let output = root.appending(path: "output")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/bash")
        process.arguments = [Self.script.path] + arguments
        process.currentDirectoryURL = root
        process.environment = ["PATH": root.appending(path: "bin").path].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let handle = try FileHandle(forWritingTo: output)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: output, encoding: .utf8))
    }

    static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "scripts/setup")

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: root.appending(path: name))
    }

    private func program(_ name: String, _ body: String) throws {
        try write("bin/\(name)", "#!/usr/bin/bash\n\(body)\n")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: root.appending(path: "bin/\(name)").path)
    }
}
