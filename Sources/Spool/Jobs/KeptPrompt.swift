// Whether a prompt that was put back where it stood is still the one that ran. Its file looks as it was left, or (saved, copied
// or checked out anew) holds the same bytes but for the stamp: the id is that of the content, and the id is what counts.

import Foundation

enum KeptPrompt {
    /// Whether the file of a finished job in the drop folder is what the job ran.
    ///
    /// For a failed job only an untouched file is: whoever touches one that failed means it to run again.
    static func isAsItWas(_ job: Job, in root: Directory, sizeMax: Int) throws -> Bool {
        guard let status = try root.status(job.file) else { return false }
        if status.signature == job.fileSignature { return true }
        guard job.status == .success, let sha = job.promptSHA else { return false }
        return try read(job.file, status, in: root, sizeMax: sizeMax)?.sha == sha
    }

    /// By what a finished job's prompt is known from now on, where it was put back: the signature of its file as it was put back. Where
    /// nobody has looked then (the runner died), of the file that stands there now, if it is the prompt that ran; nil where it is another.
    static func signature(of job: Job, in root: Directory) throws -> String? {
        if let known = job.fileSignature { return known }
        guard let sha = job.promptSHA, let status = try root.status(job.file),
            try read(job.file, status, in: root, sizeMax: OpenFile.stampedMax)?.sha == sha
        else { return nil }
        return status.signature
    }

    /// The prompt in the drop folder, or nil where it may not or cannot be read; then its claim will say why.
    static func read(_ name: String, _ status: FileStatus, in root: Directory, sizeMax: Int) throws -> PromptFile? {
        guard Claim.refusal(status, sizeMax: sizeMax) == nil,
            let bytes = try? root.openForReading(name).readAll(bytesMax: sizeMax)
        else { return nil }
        return PromptFile.read(name: name, bytes: bytes)
    }
}

extension LedgerTransaction {
    /// Files stand where the ledger has them; of those that were put back in `root`, it keeps by what they are known from now on.
    func confirmMoves(_ moved: [Job], keptIn root: Directory) throws {
        for job in moved where job.isKept {
            if let signature = try KeptPrompt.signature(of: job, in: root) { try keepSignature(signature, of: job.id) }
        }
        try confirmMoves(moved)
    }

    /// Notes how a file that was put back in its place looks, so that intake can tell it from a changed one.
    private func keepSignature(_ signature: String, of job: Int64) throws {
        try execute(
            "UPDATE jobs SET file_signature = ? WHERE id = ? AND place = 'drop' AND state IN ('done', 'failed', 'cancelled')",
            [signature, job])
    }
}
