// What is sent to an OpenAI-compatible endpoint, as JSON: `/chat/completions` with messages, or `/completions` with one text.

/// One request to a model.
struct ChatRequest: Sendable, Hashable {
    var api: AgentSettings.API
    var model: String
    var system: String?
    var text: String
    /// The text, divided where its author has divided it.
    var messages: [Message]
    var temperature: Double?
    var tokensMax: Int?

    var path: String { api == .chat ? "/chat/completions" : "/completions" }

    var body: JSON {
        var members: [(String, JSON)] = [("model", .string(model))]
        switch api {
        case .chat:
            let messages = (system.map { [Message(role: "system", content: $0)] } ?? []) + messages
            members.append(("messages", .array(messages.map { ["role": .string($0.role), "content": .string($0.content)] })))
        case .completions:
            members.append(("prompt", .string(system.map { "\($0)\n\n\(text)" } ?? text)))
        }
        if let temperature { members.append(("temperature", .double(temperature))) }
        if let tokensMax { members.append(("max_tokens", .int(tokensMax))) }
        members.append(("stream", true))
        members.append(("stream_options", ["include_usage": true]))
        return .object(members)
    }

    struct Message: Sendable, Hashable {
        var role: String
        var content: String
    }

    /// Prompty's `system:` lines and Dotprompt's `{{role "system"}}` divide a text into messages; without them it is the user's.
    ///
    /// - Parameter fill: fills the placeholders of one message. After the text was divided: no value makes a message.
    static func messages(system: String?, text: String, fill: (String) -> String = { $0 }) -> [Message] {
        var messages: [Message] = []
        var role = "user"
        var lines: [Substring] = []
        var fence: (mark: UInt8, count: Int)?
        func close() {
            let content = lines.joined(separator: "\n")
            if content.contains(where: { !$0.isWhitespace }) {
                messages.append(Message(role: role, content: String(content.trimming(while: \.isNewline))))
            }
            lines = []
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let run = PromptTemplate.fenceRun(Array(line.utf8)[...])
            let isFenced = fence != nil
            if let open = fence {
                if let run, run.mark == open.mark, run.count >= open.count, run.isBare { fence = nil }
            } else if let run {
                fence = (run.mark, run.count)
            }
            if !isFenced, run == nil, let next = marker(line) {
                close()
                role = next.role
                if !next.rest.isEmpty { lines.append(next.rest) }
            } else {
                lines.append(line)
            }
        }
        close()
        // One message is the text itself, to the byte.
        if messages.count == 1, messages[0].role == "user" { messages = [Message(role: "user", content: text)] }
        messages = messages.map { Message(role: $0.role, content: fill($0.content)) }
        if let system { messages.insert(Message(role: "system", content: system), at: 0) }
        return messages
    }

    private static func marker(_ line: Substring) -> (role: String, rest: Substring)? {
        let bare = line.trimming(while: \.isWhitespace)
        // At the beginning of a line: in a list or a quote it is text.
        for role in ["system", "user", "assistant"] where bare == "\(role):" && line.hasPrefix(role) { return (role, "") }
        guard bare.hasPrefix("{{role \""), let close = bare.range(of: "\"}}") else { return nil }
        let name = bare[bare.index(bare.startIndex, offsetBy: 8)..<close.lowerBound]
        let roles = ["system": "system", "user": "user", "model": "assistant", "assistant": "assistant"]
        return roles[String(name)].map { ($0, bare[close.upperBound...]) }
    }
}
