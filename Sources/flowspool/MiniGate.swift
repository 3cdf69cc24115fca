// Whether a batch under `production` may run: in a repository with a `deployment_pipeline/`, the mini experiment must have
// passed with this very configuration, these prompts and this version.

import Foundation
import Spool

enum MiniGate {
    /// - Throws: `FlowspoolError.miniNotCurrent`, exit 15.
    static func check(_ facts: RunFacts) throws {
        guard facts.resolver.base.profile == "production" else { return }
        let path = facts.repoRoot + "/" + MiniRecord.folderName
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return }
        let folder = try Directory(path: path)
        try MiniRecord.requireCurrent(try MiniRecord.read(in: folder), present: try present(in: folder, facts.resolver))
    }

    /// What a pass of today would speak for.
    static func present(in folder: Directory, _ resolver: PolicyResolver) throws -> MiniRecord {
        MiniRecord(
            version: FlowspoolVersion.text, configSHA: resolver.base.configSHA, prompts: try MiniRecord.digests(in: folder))
    }
}
