// The folder of the mini experiment, `deployment_pipeline/`: its spool and artefacts are wiped and filled anew for each phase.
// What always holds: nothing but `spool/` and `artifacts/` in that folder is ever removed, and if one of these is a link, the
// link is, never what it leads to; and no spool in which somebody's own prompts stand, unless it was made here. What can go
// wrong: files of another owner, which stop the experiment with an error.

import Foundation

/// `deployment_pipeline/`, open.
public struct MiniFolder: Sendable {
    public static let spoolName = "spool"
    public static let artefactsName = "artifacts"
    /// In the control folder of a spool that was made for the experiment.
    private static let markName = "mini"

    public let directory: Directory

    /// - Throws: `FlowspoolError(.invalidInput)` where `path` is no folder, or has no prompts for a phase.
    public init(path: String, calls: SystemCalls = .live) throws {
        do {
            directory = try Directory(path: path, calls: calls)
        } catch {
            guard error.errno == ENOENT || error.errno == ENOTDIR else { throw error }
            throw FlowspoolError(
                .invalidInput, "\(printable(path)) is no folder, so there is no mini experiment to run",
                hint: "it needs prompts/ and canary/; `--root DIR` names another folder")
        }
        for source in Set(MiniExperiment.Phase.allCases.map { MiniExperiment.expectation(of: $0).source }).sorted() {
            guard try directory.status(source)?.kind == .folder, try !Self.names(in: directory.folder(source)).isEmpty else {
                throw FlowspoolError(
                    .invalidInput, "\(printable(directory.pathOf(source))) holds no prompts for the mini experiment")
            }
        }
    }

    /// Where the spool of the experiment stands.
    public var spoolPath: String { directory.pathOf(Self.spoolName) }

    /// Removes spool and artefacts. Nobody may be running that spool.
    ///
    /// - Throws: as `requireOwnSpool`, with nothing removed.
    public func wipe() throws {
        try requireOwnSpool()
        for name in [Self.spoolName, Self.artefactsName] { try directory.removeTree(name) }
        try directory.sync()
    }

    /// - Throws: `FlowspoolError(.invalidInput)` where there is a spool that was not made for the experiment and holds anything that is
    ///   not the experiment's: another prompt, one of its prompts with other content, settings, a folder.
    public func requireOwnSpool() throws {
        guard let stranger = try stranger() else { return }
        throw FlowspoolError(
            .invalidInput,
            "\(printable(spoolPath)) would be wiped, and holds \(printable(stranger)), which is not of the experiment",
            hint: "move that spool away, or keep the experiment elsewhere: `flowspool mini --root DIR`")
    }

    /// A file in the spool as it stands, which nobody has made for the experiment; relative to the spool.
    private func stranger() throws -> String? {
        switch try directory.status(Self.spoolName)?.kind {
        // A link goes as one, and leads nowhere that is touched.
        case nil, .symlink: return nil
        case .folder: break
        default: return "a file, no spool"
        }
        let spool = try directory.folder(Self.spoolName)
        if try spool.status(SpoolFolder.controlName)?.kind == .folder,
            try spool.folder(SpoolFolder.controlName).status(Self.markName) != nil
        {
            // The experiment's own hold is a threshold's; this is somebody's word.
            return try HoldFile.read(in: spool)?.kind == .byHand ? ContractFile.hold.name : nil
        }
        if try HoldFile.exists(in: spool) { return ContractFile.hold.name }
        let sources = Set(MiniExperiment.Phase.allCases.map { MiniExperiment.expectation(of: $0).source })
        var own: Set<String> = []
        for source in sources {
            let folder = try directory.folder(source)
            own.formUnion(try Self.names(in: folder).compactMap { try Self.digest(of: $0, in: folder) })
        }
        for name in try Self.entries(of: spool) where !name.hasPrefix(".prompt-pipeline.") && name != Wake.file {
            guard try spool.status(name)?.kind == .folder else {
                if try Self.digest(of: name, in: spool).map(own.contains) != true { return name }
                continue
            }
            // What is in there are traces of the prompts that stand elsewhere.
            if name == "runs" { continue }
            guard name == SpoolFolder.controlName || SpoolFolder.placeNames.contains(name) else { return name }
            let folder = try spool.folder(name)
            let stranger = try Self.entries(of: folder).first { entry in
                if name == SpoolFolder.controlName { return !SpoolFolder.isOwnControlFile(entry) }
                return try !entry.hasSuffix(".why.txt") && Self.digest(of: entry, in: folder).map(own.contains) != true
            }
            if let stranger { return "\(name)/\(stranger)" }
        }
        return nil
    }

    /// All that stands in a folder, in byte order.
    private static func entries(of folder: Directory) throws -> [String] {
        var names: [String] = []
        try folder.forEachEntry { bytes, _ in
            names.append(String(decoding: bytes, as: UTF8.self))
            return true
        }
        return names.sorted(by: BatchPlan.precedes)
    }

    /// By what a prompt is known, stamped or not; nil for what is no regular file that can be read.
    private static func digest(of name: String, in folder: Directory) throws -> String? {
        guard let status = try folder.status(name) else { return nil }
        return try KeptPrompt.read(name, status, in: folder, sizeMax: OpenFile.stampedMax)?.sha
    }

    /// Makes the spool of the experiment, which may be wiped whatever comes to stand in it.
    public func makeSpool() throws -> SpoolFolder {
        let spool = try SpoolFolder.make(at: spoolPath)
        try spool.control.replace(Self.markName, with: Data(), mode: 0o600)
        return spool
    }

    /// Copies a phase's prompts into `spool`, byte for byte.
    ///
    /// - Returns: their names, in the order in which they will run.
    public func fill(_ spool: Directory, for phase: MiniExperiment.Phase) throws -> [String] {
        let source = try directory.folder(MiniExperiment.expectation(of: phase).source)
        let names = try Self.names(in: source)
        for name in names {
            guard let data = try source.readContract(name, bytesMax: MiniRecord.bytesMax) else { continue }
            try spool.replace(name, with: data, mode: 0o644, syncsFolder: false)
        }
        try spool.sync()
        return names
    }

    /// The prompts, in byte order.
    private static func names(in folder: Directory) throws -> [String] {
        var names: [String] = []
        try folder.forEachEntry { bytes, _ in
            if let name = PromptName(bytes: Array(bytes)), name.isText, name.kind == .prompt { names.append(name.text) }
            return true
        }
        return try names.filter { try folder.status($0)?.kind == .regular }.sorted(by: BatchPlan.precedes)
    }
}
