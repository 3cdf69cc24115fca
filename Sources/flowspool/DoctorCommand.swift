// `flowspool doctor`: is everything here that a run needs, and what to do where not. Asks `Doctor` and, of what only the watcher
// knows, the watcher; prints; changes nothing.

import ArgumentParser
import Foundation
import Spool
import Watcher

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check that everything is here that a run needs, and say what to do where not.",
        discussion: """
            Each line is ok, warn or fail; below the last two stands the command that mends it. Changes nothing.
            Exit status: 0 nothing failed; 1 something did.

            EXAMPLE
              flowspool doctor
              flowspool doctor --json | jq '.checks[] | select(.level != "ok")'
            """)

    @OptionGroup var spoolOptions: SpoolOptions
    @OptionGroup var profileOptions: DoctorProfileOptions

    @Flag(help: "Take a folder that others may write to for a warning only.")
    var allowShared = false

    @Flag(help: "Print one JSON document.")
    var json = false

    func run() async throws {
        try await reportingErrors {
            let path = spoolOptions.path
            let doctor = Doctor(
                path: path, repoRoot: try profileOptions.findRepoRoot(), configFlag: profileOptions.absoluteConfig,
                allowsShared: allowShared, environment: environment, now: SystemClock().wallMilliseconds())
            let found = [Self.inotify(InotifyLimits.present()), Self.filesystem(path)] + doctor.diagnoses()
            let isWell = !found.contains { $0.level == .fail }
            try json ? StandardOutput.write(Self.document(path, found, isWell)) : StandardOutput.write(Self.text(found))
            if !isWell { throw ExitCode(1) }
        }
    }

    // MARK: What the watcher knows

    /// Below these a busy machine may run out; they are the kernel's own defaults.
    private static let (instancesGood, watchesGood, eventsGood) = (128, 8192, 16_384)

    static func inotify(_ limits: InotifyLimits) -> Diagnosis {
        func text(_ number: Int?) -> String { number.map { "\($0)" } ?? "unknown" }
        let shown =
            "\(text(limits.instances)) instances, \(text(limits.watches)) watches, \(text(limits.queuedEvents)) queued events"
        guard limits.instanceError == 0 else {
            let cause = limits.instanceError == EMFILE ? "all are in use" : String(cString: strerror(limits.instanceError))
            return .fail(
                "inotify", "none to be had: \(cause) (\(shown))", mend: "sudo sysctl fs.inotify.max_user_instances=512")
        }
        let low = [
            (limits.instances, instancesGood, "max_user_instances"), (limits.watches, watchesGood, "max_user_watches"),
            (limits.queuedEvents, eventsGood, "max_queued_events"),
        ].filter { ($0.0 ?? .max) < $0.1 }
        if low.isEmpty { return .ok("inotify", shown) }
        let settings = low.map { "fs.inotify.\($0.2)=\($0.1)" }.joined(separator: " ")
        return .warn("inotify", "\(shown): few", mend: "sudo sysctl \(settings)")
    }

    /// Of the folder, or of the nearest one above it that exists.
    static func filesystem(_ path: String) -> Diagnosis {
        var folder = path
        while folder != "/", access(folder, F_OK) != 0 { folder = (folder as NSString).deletingLastPathComponent }
        do throws(WatcherError) {
            let kind = try FilesystemKind(ofFolder: folder)
            if kind.announcesChanges { return .ok("filesystem", "\(kind.name): inotify announces what changes") }
            return .warn(
                "filesystem", "\(kind.name) does not announce every change: the folder is looked at every 2 s instead",
                mend: "nothing needs mending; a local filesystem is quicker, and `poll:` in spool.yaml sets the time")
        } catch {
            return .fail("filesystem", "\(error)", mend: "ls -ld \(shellQuoted(folder))")
        }
    }

    // MARK: Printing

    static func document(_ path: String, _ found: [Diagnosis], _ isWell: Bool) -> JSON {
        [
            "spool": .string(path), "ok": .bool(isWell),
            "checks": .array(
                found.map {
                    [
                        "name": .string($0.name), "level": .string($0.level.rawValue), "message": .string($0.message),
                        "remedy": JSON($0.remedy),
                    ]
                }),
        ]
    }

    private static func text(_ found: [Diagnosis]) -> String {
        let width = found.map(\.name.count).max() ?? 0
        var text = ""
        for item in found {
            let level = item.level.rawValue.padding(toLength: 6, withPad: " ", startingAt: 0)
            let name = item.name.padding(toLength: width + 2, withPad: " ", startingAt: 0)
            text += "\(level)\(name)\(printable(item.message))\n"
            if let remedy = item.remedy { text += String(repeating: " ", count: width + 8) + "mend: \(printable(remedy))\n" }
        }
        return text
    }
}

/// Which configuration a run would go by.
struct DoctorProfileOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The repository's top folder.", valueName: "dir"))
    var repoRoot: String?

    @Option(help: ArgumentHelp("The profile configuration, instead of the repository's own.", valueName: "file"))
    var config: String?

    func findRepoRoot() throws(FlowspoolError) -> String {
        try RepoRoot.find(
            flag: repoRoot, environment: environment, workingDirectory: FileManager.default.currentDirectoryPath)
    }

    var absoluteConfig: String? { config.map { absolutePath($0) } }
}
