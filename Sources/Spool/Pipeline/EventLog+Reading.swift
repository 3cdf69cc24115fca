// The log read back: for the mini experiment, for `status` and for tests. Tolerant: other programs may have written lines of
// their own, and a line may just be being written; such lines are left out, never an error.

import Foundation

extension EventLog {
    /// One line of the log.
    public struct Entry: Sendable, Hashable {
        /// As written, RFC 3339.
        public var time: String
        /// An `Event`'s raw value, or a word that only a later version knows.
        public var event: String
        /// Empty where the event is about no prompt.
        public var prompt: String
        public var detail: String

        public init(time: String, event: String, prompt: String, detail: String) {
            self.time = time
            self.event = event
            self.prompt = prompt
            self.detail = detail
        }

        /// Whether the event is about one prompt.
        var isPromptEvent: Bool { event.hasPrefix("prompt_") }
    }

    /// The log of `root`, oldest first; empty where there is none.
    ///
    /// - Parameter last: so many entries at most, the newest.
    public static func read(in root: Directory, last: Int = .max) throws -> [Entry] {
        guard let data = try root.readContract(ContractFile.log.name, bytesMax: 1 << 30) else { return [] }
        var entries: [Entry] = []
        for line in data.split(separator: UInt8(ascii: "\n")).reversed() where entries.count < last {
            // A line that is no JSON object of ours is somebody else's.
            guard let value = try? JSON.parse(line), let event = value["event"]?.stringValue else { continue }
            entries.append(
                Entry(
                    time: value["ts"]?.stringValue ?? "", event: event, prompt: value["prompt"]?.stringValue ?? "",
                    detail: value["detail"]?.stringValue ?? ""))
        }
        return entries.reversed()
    }
}
