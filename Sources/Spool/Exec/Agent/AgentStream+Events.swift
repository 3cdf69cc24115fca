// The events of each tool, after its documented format: codex `exec --json`, claude `stream-json`, opencode `--format json`,
// gemini's one JSON document, aider's and llm's plain output. Unknown events and keys are let be.

import Foundation

extension JSON {
    /// The value under a path of keys.
    func at(_ keys: String...) -> JSON? {
        var value: JSON? = self
        for key in keys { value = value?[key] }
        return value
    }

    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// A count of usage, whatever form of number it has.
    var count: Int? { number.flatMap(RunUsage.count) }

    /// An amount of money.
    var cost: Double? { number.flatMap(RunUsage.cost) }
}

extension AgentStream {
    mutating func takeEvent(_ event: JSON) {
        switch reader {
        case .codex: takeCodex(event)
        case .claude: takeClaude(event)
        case .opencode: takeOpencode(event)
        case .gemini, .aider, .text: break
        }
    }

    mutating func finishDocument(_ text: String) {
        switch reader {
        case .gemini: finishGemini(text)
        case .aider: finishAider(text)
        default: answer = text
        }
    }

    private mutating func addTokens(_ tokensIn: Int?, _ tokensOut: Int?) {
        if let tokensIn { self.tokensIn = RunUsage.sum(self.tokensIn ?? 0, tokensIn) }
        if let tokensOut { self.tokensOut = RunUsage.sum(self.tokensOut ?? 0, tokensOut) }
    }

    // MARK: codex

    private mutating func takeCodex(_ event: JSON) {
        let type = event["type"]?.stringValue ?? ""
        switch type {
        case "thread.started": session = event["thread_id"]?.stringValue
        case "turn.started": turns = (turns ?? 0) + 1
        case "turn.completed":
            terminal = .success
            addTokens(event.at("usage", "input_tokens")?.count, event.at("usage", "output_tokens")?.count)
        case "turn.failed":
            let reason = event.at("error", "message")?.stringValue ?? event["message"]?.stringValue
            terminal = reason.map { .failure($0) } ?? .unexplained("the turn failed")
        case "error": lastError = event["message"]?.stringValue ?? event.compact
        case "item.completed":
            let kind = event.at("item", "type")?.stringValue ?? event.at("item", "item_type")?.stringValue
            // It went on: what was wrong before is over.
            lastError = nil
            switch kind {
            case "agent_message", "assistant_message": answer = event.at("item", "text")?.stringValue ?? answer
            // Each is one more round trip to the model.
            case "command_execution", "file_change", "mcp_tool_call", "web_search": turns = (turns ?? 0) + 1
            case "error": lastError = event.at("item", "message")?.stringValue
            default: break
            }
        default:
            if type.hasSuffix("approval_request") || type.hasSuffix("approval.requested") { question = "it asks for approval" }
        }
    }

    // MARK: claude

    private mutating func takeClaude(_ event: JSON) {
        session = event["session_id"]?.stringValue ?? session
        switch event["type"]?.stringValue {
        case "system": model = event["model"]?.stringValue ?? model
        case "assistant": takeClaudeMessage(event["message"] ?? .null)
        case "rate_limit_event":
            let info = event["rate_limit_info"]
            if info?["status"]?.stringValue == "rejected", let time = (info?["resetsAt"] ?? info?["resets_at"])?.number {
                resetsAt = Date(timeIntervalSince1970: time > 1e12 ? time / 1000 : time)
            }
        case "control_request":
            if event.at("request", "subtype")?.stringValue == "can_use_tool" {
                question = "it asks to use \(event.at("request", "tool_name")?.stringValue ?? "a tool")"
            }
        case "result": takeClaudeResult(event)
        default: break
        }
    }

    private mutating func takeClaudeMessage(_ message: JSON) {
        let text = (message["content"]?.arrayValue ?? []).filter { $0["type"]?.stringValue == "text" }.compactMap {
            $0["text"]?.stringValue
        }
        if !text.isEmpty { answer = text.joined(separator: "\n") }
        guard let id = message["id"]?.stringValue, let usage = message["usage"] else { return }
        usageOfMessage[id] = (Self.claudeInput(usage) ?? 0, usage["output_tokens"]?.count ?? 0)
        turns = usageOfMessage.count
        tokensIn = usageOfMessage.values.reduce(0) { RunUsage.sum($0, $1.tokensIn) }
        tokensOut = usageOfMessage.values.reduce(0) { RunUsage.sum($0, $1.tokensOut) }
    }

    private static func claudeInput(_ usage: JSON) -> Int? {
        guard let read = usage["input_tokens"]?.count else { return nil }
        return read + (usage["cache_creation_input_tokens"]?.count ?? 0) + (usage["cache_read_input_tokens"]?.count ?? 0)
    }

    private mutating func takeClaudeResult(_ event: JSON) {
        let subtype = event["subtype"]?.stringValue ?? ""
        turns = event["num_turns"]?.count ?? turns
        costUSD = event["total_cost_usd"]?.cost ?? costUSD
        if let usage = event["usage"] {
            tokensIn = Self.claudeInput(usage) ?? tokensIn
            tokensOut = usage["output_tokens"]?.count ?? tokensOut
        }
        denials = event["permission_denials"]?.arrayValue?.count ?? 0
        let errors = (event["errors"]?.arrayValue ?? []).map { $0.stringValue ?? $0.compact }
        let text = event["result"]?.stringValue ?? errors.joined(separator: "; ")
        if subtype == "success", event["is_error"]?.boolValue == false {
            answer = text
            terminal = .success
        } else if subtype.hasPrefix("error_max") {
            terminal = .outOfBudget("it stopped itself: \(subtype)")
        } else {
            let hasReason = text.contains { !$0.isWhitespace }
            terminal = hasReason ? .failure(text) : .unexplained("its result is \(subtype.isEmpty ? "an error" : subtype)")
        }
    }

    // MARK: opencode

    private mutating func takeOpencode(_ event: JSON) {
        session = event["sessionID"]?.stringValue ?? session
        switch event["type"]?.stringValue {
        case "step_start": turns = (turns ?? 0) + 1
        case "text": addAnswer(event.at("part", "text")?.stringValue ?? "")
        case "step_finish":
            let part = event["part"] ?? event
            stepReason = part["reason"]?.stringValue
            addTokens(
                part.at("tokens", "input").map { ($0.count ?? 0) + (part.at("tokens", "cache", "read")?.count ?? 0) },
                part.at("tokens", "output").map { ($0.count ?? 0) + (part.at("tokens", "reasoning")?.count ?? 0) })
            if let cost = part["cost"]?.cost { costUSD = RunUsage.cost((costUSD ?? 0) + cost) ?? costUSD }
        case "error":
            let error = event["error"]
            let reason =
                error?.at("data", "message")?.stringValue ?? error?["message"]?.stringValue ?? error?["name"]?.stringValue
            terminal = reason.map { .failure($0) } ?? .unexplained("it reports an error")
        default: break
        }
    }

    /// The run has ended; what its last step says of that only counts now, because most steps end in a call of a tool.
    mutating func finishSteps() {
        guard terminal == nil, let stepReason else { return }
        switch stepReason {
        case "length":
            terminal = .failure("its answer was cut off at the model's limit of output tokens (reason length)")
        case "tool-calls", "tool_calls":
            terminal = .failure("it ended before its work was done: its last step asked for tools (reason \(stepReason))")
        case "content-filter", "content_filter", "error":
            terminal = .failure("its answer was cut off (reason \(stepReason))")
        default: break
        }
    }

    // MARK: gemini

    /// The document at the end of a text: what begins with `{` at the start of a line and is JSON to the end, or the first that is at all.
    private static func document(in text: String) -> JSON? {
        var tried = 0
        var isLineStart = true
        let bytes = Array(text.utf8)
        for index in bytes.indices {
            defer { isLineStart = bytes[index] == 0x0A }
            // Of a notice it may stand in the middle of a line.
            guard bytes[index] == UInt8(ascii: "{"), isLineStart || tried == 0, tried < 64 else { continue }
            tried += 1
            // Another notice may stand behind it.
            let last = bytes[index...].lastIndex(of: UInt8(ascii: "}")).map { $0 + 1 } ?? bytes.endIndex
            if let document = try? JSON.parse(bytes[index..<last], mends: true), document.objectValue != nil { return document }
        }
        return nil
    }

    private mutating func finishGemini(_ text: String) {
        // Notices may stand before the document.
        guard let document = Self.document(in: text) else {
            stray = text.split(separator: "\n").last { $0.contains { !$0.isWhitespace } }.map(String.init)
            return
        }
        session = document["session_id"]?.stringValue
        for (name, entry) in document.at("stats", "models")?.objectValue ?? [] {
            model = model ?? name
            addTokens(
                entry.at("tokens", "prompt")?.count,
                entry.at("tokens", "candidates").map { ($0.count ?? 0) + (entry.at("tokens", "thoughts")?.count ?? 0) })
            if let requests = entry.at("api", "totalRequests")?.count { turns = RunUsage.sum(turns ?? 0, requests) }
        }
        answer = document["response"]?.stringValue ?? ""
        if let error = document["error"], !error.isNull {
            terminal = .failure(error["message"]?.stringValue ?? error.compact)
        } else if document["response"]?.stringValue != nil {
            terminal = .success
        }
    }

    // MARK: aider

    /// Aider exits 0 whatever happened; what its library reports stands on a line of its own, and `Tokens:` after an answer.
    private mutating func finishAider(_ text: String) {
        answer = text
        var failure: String?
        // What no later answer of the run makes good.
        var givenUp: String?
        var isReport = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            // Reports are wrapped at the terminal's width, and a time may stand in any line of one.
            if isReport, !line.isEmpty, !line.hasPrefix("Tokens: "), !line.hasPrefix("litellm."), let report = failure,
                report.utf8.count < 2000
            {
                failure = report + " " + String(line.trimming(while: \.isWhitespace))
                continue
            }
            isReport = false
            if line.hasPrefix("Tokens: ") {
                failure = nil
                takeAiderUsage(line)
            } else if line.hasPrefix("litellm."), line.contains("Error") || line.contains("Exception") {
                failure = String(line.trimming(while: \.isWhitespace))
                isReport = true
            } else if line.hasPrefix("Unable to ") || line.contains("not able to authenticate you") {
                failure = failure ?? String(line)
            } else if Self.isGivenUp(line, next: index + 1 < lines.count ? lines[index + 1] : "") {
                givenUp = givenUp ?? String(line.trimming(while: \.isWhitespace))
            }
        }
        terminal = (failure ?? givenUp).map { .failure($0) }
    }

    /// Whether aider stopped half-way, or sent what the model could not take. It says so at the beginning of a line; a long name of a
    /// model moves the rest to the next one.
    private static func isGivenUp(_ line: Substring, next: Substring) -> Bool {
        if line.hasPrefix("Only "), line.contains(" reflections allowed, stopping") { return true }
        if line.hasPrefix("Empty response received from LLM") { return true }
        let both = line + " " + next
        if line.hasPrefix("Model "), both.contains(" has hit a token limit") { return true }
        return line.hasPrefix("Your estimated chat context of ") && both.contains(" exceeds the ")
    }

    /// `Tokens: 2.1k sent, 120 received. Cost: $0.01 message, $0.02 session.`
    private mutating func takeAiderUsage(_ line: Substring) {
        turns = (turns ?? 0) + 1
        let words = line.split { $0 == " " || $0 == "," }
        for (number, word) in zip(words, words.dropFirst()) {
            if word.hasPrefix("sent") { addTokens(Self.thousands(number), nil) }
            if word.hasPrefix("received") { addTokens(nil, Self.thousands(number)) }
            if word.hasPrefix("session"), number.hasPrefix("$") {
                costUSD = Double(number.dropFirst()).flatMap(RunUsage.cost) ?? costUSD
            }
        }
    }

    private static func thousands(_ text: Substring) -> Int? {
        let factor = text.hasSuffix("k") ? 1000.0 : text.hasSuffix("M") ? 1e6 : 1
        return Double(factor == 1 ? text : text.dropLast()).flatMap { RunUsage.count($0 * factor) }
    }

    // MARK: Standard error

    /// What tools tell there of usage (llm's `Token usage: 1,234 input, 56 output`), and gemini of its end, in a document of its own.
    mutating func takeErrors(_ text: String) {
        if reader == .gemini, terminal == nil { takeGeminiErrors(text) }
        guard reader == .text else { return }
        for line in text.split(separator: "\n") where line.hasPrefix("Token usage: ") {
            let words = line.dropFirst(13).split { $0 == " " }
            for (number, word) in zip(words, words.dropFirst()) {
                let count = Double(number.filter { $0 != "," }).flatMap(RunUsage.count)
                if word.hasPrefix("input") { addTokens(count, nil) }
                if word.hasPrefix("output") { addTokens(nil, count) }
            }
        }
    }

    private mutating func takeGeminiErrors(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.lastIndex(where: { $0.hasPrefix("{") }) else { return }
        let rest = lines[start...].joined(separator: "\n")
        // What is no document is none of its.
        guard let end = rest.lastIndex(of: "}"), let document = try? JSON.parse(String(rest[...end])),
            let error = document["error"], !error.isNull
        else { return }
        terminal = .failure(error["message"]?.stringValue ?? error.compact)
    }
}
