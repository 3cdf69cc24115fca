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
            try read(job.file, status, in: root, sizeMax: .max)?.sha == sha
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
