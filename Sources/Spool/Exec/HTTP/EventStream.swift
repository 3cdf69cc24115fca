// Server-sent events (WHATWG HTML, 9.2) as OpenAI-compatible servers send them, and what a model's answer is made of: pieces of
// text, a reason why it ended, usage. Also takes the one document that a server without streaming answers with.

/// Takes an answer apart as its bytes come in.
struct EventStream: Sendable {
    private(set) var model: String?
    private(set) var tokensIn: Int?
    private(set) var tokensOut: Int?
    /// `stop`, `length`, …; nil: the server has not said that the answer is whole.
    private(set) var finishReason: String?
    /// `data: [DONE]` has come.
    private(set) var isDone = false
    /// The server has said why the answer ended and what was used: nothing more is to come.
    var isWhole: Bool { finishReason != nil && tokensOut != nil }
    /// An error that the server sends in the stream.
    private(set) var error: String?
    /// The answer's id at the server.
    private(set) var id: String?
    /// Lines that are neither events nor comments.
    private(set) var garbage: String?
    /// An event that could not be read: what was in it is missing.
    private(set) var damage: String?
    private(set) var pieces = 0
    /// The model thinks, and what it thinks comes in.
    private(set) var isThinking = false

    private var partial: [UInt8] = []
    /// The data of an event that is not whole yet: it may stand in several lines.
    private var pending: [UInt8] = []
    /// Lines that belong to no event, as long as none has come: a document over several lines.
    private var document: [UInt8] = []
    private var hasEvents = false
    private var isFirst = true
    /// As long as an answer that is kept, with its escapes.
    static let lineMax = 24 << 20
    /// A line is longer than `lineMax`.
    private(set) var isTooLong = false

    /// Takes the next bytes, and returns the text in them.
    mutating func take(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                text += takeLine()
                partial.removeAll(keepingCapacity: true)
            } else if partial.count < Self.lineMax {
                partial.append(byte)
            } else {
                isTooLong = true
            }
        }
        return text
    }

    /// The stream has ended: what stands without a line end counts, too.
    mutating func finish() -> String {
        defer { partial = [] }
        let text = takeLine()
        endEvent()
        if hasEvents || document.isEmpty { return text }
        guard let whole = try? JSON.parse(document, bytesMax: Self.lineMax, mends: true), whole.objectValue != nil else {
            return text
        }
        garbage = nil
        return text + takeEvent(whole)
    }

    /// An empty line ends an event.
    private mutating func endEvent() {
        if !pending.isEmpty, damage == nil { damage = excerpt(String(decoding: pending, as: UTF8.self)) }
        pending = []
    }

    private mutating func takeLine() -> String {
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        if isFirst, partial.starts(with: [0xEF, 0xBB, 0xBF]) { partial.removeFirst(3) }
        isFirst = false
        if partial.isEmpty { endEvent() }
        guard !partial.isEmpty, partial.first != UInt8(ascii: ":") else { return "" }
        var data = partial[...]
        let isData = data.starts(with: "data:".utf8)
        if isData {
            hasEvents = true
            data = data.dropFirst(5)
        } else if ["event:", "id:", "retry:"].contains(where: { data.starts(with: $0.utf8) }) {
            return ""
        }
        data = data.drop { $0 == 0x20 }
        if data.elementsEqual("[DONE]".utf8) {
            isDone = true
            return ""
        }
        if let event = try? JSON.parse(data, bytesMax: Self.lineMax, mends: true), event.objectValue != nil {
            endEvent()
            return takeEvent(event)
        }
        guard isData else {
            // Kept as the sample that the message shows.
            if garbage == nil { garbage = excerpt(String(decoding: data, as: UTF8.self)) }
            if !hasEvents, document.count + data.count < Self.lineMax { document += data + [0x0A] }
            return ""
        }
        pending += (pending.isEmpty ? [] : [0x0A]) + data
        guard let event = try? JSON.parse(pending, bytesMax: Self.lineMax, mends: true), event.objectValue != nil else {
            return ""
        }
        pending = []
        return takeEvent(event)
    }

    private mutating func takeEvent(_ event: JSON) -> String {
        if let error = event["error"], !error.isNull {
            self.error = error["message"]?.stringValue ?? error.stringValue ?? error.compact
            return ""
        }
        // vLLM and others put an error in the place of a piece.
        if event["choices"] == nil, let message = event["message"]?.stringValue,
            event["object"]?.stringValue == "error" || event["type"]?.stringValue?.contains("error") == true
                || event["code"] != nil
        {
            self.error = message + (event["code"].map { " (code \($0.stringValue ?? $0.compact))" } ?? "")
            return ""
        }
        model = event["model"]?.stringValue ?? model
        id = event["id"]?.stringValue ?? id
        if let usage = event["usage"], !usage.isNull {
            tokensIn = usage["prompt_tokens"]?.count ?? usage["input_tokens"]?.count ?? tokensIn
            tokensOut = usage["completion_tokens"]?.count ?? usage["output_tokens"]?.count ?? tokensOut
        }
        guard let choice = event["choices"]?.arrayValue?.first else { return "" }
        if let reason = choice["finish_reason"]?.stringValue { finishReason = reason }
        let text =
            choice.at("delta", "content")?.stringValue ?? choice["text"]?.stringValue
            ?? choice.at("message", "content")?.stringValue
        if let text, !text.isEmpty { pieces += 1 }
        if let thought = (choice.at("delta", "reasoning_content") ?? choice.at("delta", "reasoning"))?.stringValue,
            !thought.isEmpty
        {
            isThinking = true
        }
        return text ?? ""
    }
}
