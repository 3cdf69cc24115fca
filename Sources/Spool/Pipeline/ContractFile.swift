// The names of the pipeline's contract files, and nothing else. Other tools read and delete these files by name, so a name
// never changes; adding a case here makes the file appear in the summary's `state_files`.

/// One of the files in a spool's root by which the pipeline and the world outside talk (DESIGN "Pipeline").
public enum ContractFile: String, Sendable, Hashable, CaseIterable {
    /// Ids of the prompts that are done, one a line.
    case state = ".prompt-pipeline.state"
    /// Ids of the prompts that failed, one a line.
    case failed = ".prompt-pipeline.failed"
    /// Absolute paths of the batch's prompts, in the order in which they run.
    case plan = ".prompt-pipeline.plan.txt"
    /// File names of the prompts that this batch would start, in order.
    case pendingPreview = ".prompt-pipeline.pending.preview.txt"
    /// What happened, one JSON object a line; only ever appended to.
    case log = ".prompt-pipeline.log.jsonl"
    /// How the last batch went, or goes: one JSON object.
    case summary = ".prompt-pipeline.summary.json"
    /// What a shell needs to go on where the batch stopped.
    case resume = ".prompt-pipeline.resume.env"
    /// While it exists, nothing starts.
    case hold = ".prompt-pipeline.HOLD"
    /// Locked by the one runner of the spool; its content means nothing.
    case lock = ".prompt-pipeline.lock"

    /// The file's name in the root.
    public var name: String { rawValue }

    /// The key under which the summary's `state_files` lists the file.
    public var summaryKey: String {
        switch self {
        case .state: "state"
        case .failed: "failed"
        case .plan: "plan"
        case .pendingPreview: "pending_preview"
        case .log: "log"
        case .summary: "summary"
        case .resume: "resume"
        case .hold: "hold"
        case .lock: "lock"
        }
    }

    /// Its absolute path in `root`, itself absolute.
    public func path(in root: String) -> String {
        root.hasSuffix("/") ? root + name : root + "/" + name
    }
}
