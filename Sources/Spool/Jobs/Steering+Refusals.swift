// Which changes a job's state allows, and what a person is told where it does not: the state it has, and the next command.

extension Steering {
    /// Why `change` cannot be made to `job`; nil where it can.
    static func refusal(_ change: Change, _ job: Job) -> FlowspoolError? {
        switch change {
        case .approve, .reject:
            if job.state == .held { return nil }
            let verb = change == .approve ? "approve" : "reject"
            return FlowspoolError(
                .invalidInput, "\(job.title) is \(job.state.rawValue), not held: there is nothing to \(verb)",
                hint: "`flowspool list --state held` shows the jobs that wait for a yes or no")
        case .retry:
            if job.state.isTerminal, job.pruned != nil, job.place != .drop {
                return FlowspoolError(
                    .invalidInput, "\(job.title) is \(job.state.rawValue), and `prune` has removed its file",
                    hint: "drop the prompt again")
            }
            if job.state.isTerminal, job.place != .none, PromptName(job.name)?.kind != .prompt {
                return FlowspoolError(
                    .invalidInput, "\(job.title) has no name of a prompt, and would be refused again",
                    hint: "copy its file into the spool under a name that ends in .md, .markdown, .prompt, .prompty or .txt")
            }
            if job.state.isTerminal && job.place != .none || job.state == .deferred { return nil }
            if job.state.isTerminal {
                return FlowspoolError(
                    .invalidInput,
                    "\(job.title) is \(job.state.rawValue) and has no file any more",
                    hint: "drop the prompt again")
            }
            return FlowspoolError(
                .invalidInput,
                "\(job.title) is \(job.state.rawValue): only a job that is deferred, done, failed or cancelled can be tried again",
                hint: job.state == .held
                    ? "`flowspool approve \(job.id)` lets it run" : "`flowspool show \(job.id)` says where it stands")
        case .cancel:
            if !job.state.isTerminal { return nil }
            return FlowspoolError(
                .invalidInput, "\(job.title) is \(job.state.rawValue) already",
                hint: "`flowspool show \(job.id)` says how it ended")
        }
    }

    /// Which states allow `change`, of the jobs that a name may mean; empty: the newest is meant, whatever it is in.
    public static func states(for change: Change) -> Set<JobState> {
        switch change {
        case .approve, .reject: [.held]
        case .cancel: [.queued, .deferred, .held, .active]
        case .retry: []
        }
    }

    static func ambiguous(_ name: String, _ jobs: [Job]) -> FlowspoolError {
        let shown = jobs.prefix(8).map { "\($0.id) (\($0.place.rawValue)/\(printable($0.file)))" }.joined(separator: ", ")
        return FlowspoolError(
            .invalidInput, "“\(printable(name))” is the name of \(jobs.count) jobs: \(shown)\(jobs.count > 8 ? " …" : "")",
            hint: "name one by its number, or by its file as it stands there")
    }

    static func unknown(_ text: String) -> FlowspoolError {
        FlowspoolError(
            .invalidInput, "there is no job “\(printable(text))” in this spool",
            hint: "`flowspool list` shows the jobs; a prompt has none before a runner has seen it (`flowspool watch`)")
    }

    /// Its file waits in the drop folder to be checked anew.
    static func movedBack(_ job: Job) -> FlowspoolError {
        FlowspoolError(
            .invalidInput, "\(job.title): its file was moved back to the drop folder, where it is checked anew",
            hint: "`flowspool watch` does that; `flowspool cancel \(job.id)` ends the job")
    }

    static func gone(_ job: Job, _ spool: SpoolFolder) -> FlowspoolError {
        FlowspoolError(
            .invalidInput, "\(job.title): its file is gone from \(printable(spool.pathOf(job) ?? spool.path))",
            hint: job.state == .held ? "`flowspool cancel \(job.id)` ends the job" : "drop the prompt again")
    }
}
