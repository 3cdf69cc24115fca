// `.prompt-pipeline.resume.env`: what a shell needs to go on where the batch stopped (`. ./.prompt-pipeline.resume.env`).
// What always holds: sourcing it assigns five variables and does nothing else, whatever bytes the values hold. Pure.

/// The resume file's content.
public struct ResumeEnvironment: Sendable, Equatable {
    public var runID: String
    /// File name of the first prompt that was planned and not started; nil: none is left.
    public var nextPrompt: String?
    /// Absolute path of the root.
    public var root: String
    public var profile: String?
    /// As in the summary.
    public var reason: String

    public init(runID: String, nextPrompt: String?, root: String, profile: String?, reason: String) {
        self.runID = runID
        self.nextPrompt = nextPrompt
        self.root = root
        self.profile = profile
        self.reason = reason
    }

    /// Comments and assignments, for POSIX shells.
    public var text: String {
        let go = nextPrompt == nil ? "Nothing of what this batch was asked to run is left." : "Go on with:"
        let command =
            "#   flowspool resume --spool \"$PROMPT_PIPELINE_ROOT\"\n"
            + "#   flowspool pipeline --root \"$PROMPT_PIPELINE_ROOT\" --from=\"$PROMPT_PIPELINE_NEXT_PROMPT\""
            + (profile == nil ? "" : " --profile \"$PROMPT_PIPELINE_PROFILE\"") + "\n"
        let assignments = [
            ("RUN_ID", runID), ("NEXT_PROMPT", nextPrompt ?? ""), ("ROOT", root), ("PROFILE", profile ?? ""),
            ("REASON", reason),
        ]
        return "# Written by flowspool at the end of a batch; read it with `.` in a shell. \(go)\n"
            + (nextPrompt == nil ? "" : command)
            + assignments.map { "PROMPT_PIPELINE_\($0)=\(ShellText.quoteAlways($1))\n" }.joined()
    }
}
