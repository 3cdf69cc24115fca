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
    /// An error that the server sends in the stream.
    private(set) var error: String?
    /// The answer's id at the server.
    private(set) var id: String?
    /// Lines that are neither events nor comments.
    private(set) var garbage: String?
    private(set) var pieces = 0

    private var partial: [UInt8] = []
    static let lineMax = 4 << 20
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
        return takeLine()
    }

    private mutating func takeLine() -> String {
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        guard !partial.isEmpty, partial.first != UInt8(ascii: ":") else { return "" }
        var data = partial[...]
        if data.starts(with: "data:".utf8) {
            data = data.dropFirst(5)
        } else if ["event:", "id:", "retry:"].contains(where: { data.starts(with: $0.utf8) }) {
            return ""
        }
        data = data.drop { $0 == 0x20 }
        if data.elementsEqual("[DONE]".utf8) {
            isDone = true
            return ""
        }
        guard let event = try? JSON.parse(data, bytesMax: Self.lineMax), event.objectValue != nil else {
            // Kept as the sample that the message shows.
            if garbage == nil { garbage = excerpt(String(decoding: data, as: UTF8.self)) }
            return ""
        }
        return takeEvent(event)
    }

    private mutating func takeEvent(_ event: JSON) -> String {
        if let error = event["error"], !error.isNull {
            self.error = error["message"]?.stringValue ?? error.stringValue ?? error.compact
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
        return text ?? ""
    }
}
