// What a file's stamp says. Anyone can write a stamp: its facts are for people and for carrying stages over, never for
// deciding what may run. A stamp that does not parse, or is larger than a stamp can be, says nothing.

import Foundation
import Yams

/// The facts of a stamp that is in a file.
public struct ExistingStamp: Sendable, Equatable {
    public var version: String?
    public var promptID: String?
    public var promptSHA: String?
    /// How often the prompt was checked, 0 where the stamp does not say; at most 1,000,000.
    public var revision = 0
    public var preflightStatus: String?
    public var execStatus: String?
    public var pipelineStatus: String?

    /// The stamp in `bytes`; nil where there is none that can be read.
    public init?(in bytes: Data) {
        guard let read = Self.read([UInt8](bytes)) else { return nil }
        self = read.stamp
    }

    private init() {}

    struct Reading {
        var stamp: ExistingStamp
        /// Our stages, whole, in file order.
        var stages: [StampValue.Pair]
        var rootKeys: [String?]
    }

    /// Most values that the stages of a stamp may have.
    private static let valuesMax = 2000

    static func read(_ bytes: [UInt8]) -> Reading? {
        guard case .present(let front) = FrontMatter.scan(bytes), holdsKey(bytes[front.yaml]) else { return nil }
        let text = String(decoding: bytes[front.yaml], as: UTF8.self)
        // Whatever is wrong with it: a stamp that cannot be read says nothing.
        guard let root = try? FrontMatterYAML.compose(text, bytesMax: FrontMatterYAML.bytesMax * 2)?.mapping else { return nil }
        guard let flow = root.first(where: { $0.key.text == StampLayout.key })?.value.keys else { return nil }
        var stamp = ExistingStamp()
        stamp.version = flow["version"]?.text
        stamp.promptID = flow["prompt_id"]?.text
        stamp.promptSHA = flow["prompt_sha"]?.text
        let stages = flow["stages"]?.keys
        let preflight = stages?["preflight"]?.keys
        stamp.preflightStatus = preflight?["status"]?.text
        stamp.execStatus = stages?["exec"]?.keys?["status"]?.text
        stamp.pipelineStatus = stages?["pipeline"]?.keys?["status"]?.text
        if let revision = preflight?["revision"]?.text.flatMap({ Int($0) }) { stamp.revision = min(max(revision, 0), 1_000_000) }
        var pairs: [StampValue.Pair] = []
        var left = valuesMax
        for name in StampLayout.ownStages {
            guard let node = stages?[name] else { continue }
            guard let value = value(node, depth: 0, left: &left) else { return Reading(stamp: stamp, stages: [], rootKeys: []) }
            pairs.append(.init(name, value))
        }
        guard stamp.promptID != nil || stamp.promptSHA != nil || !pairs.isEmpty else { return nil }
        return Reading(stamp: stamp, stages: pairs, rootKeys: root.map(\.key.text))
    }

    /// Whether a stamp can be there at all, which for most files spares the parse.
    private static func holdsKey(_ bytes: ArraySlice<UInt8>) -> Bool {
        let key = Array(StampLayout.key.utf8)
        var rest = bytes
        while let start = rest.firstIndex(of: key[0]) {
            rest = rest[start...]
            if rest.starts(with: key) { return true }
            rest.removeFirst()
        }
        return false
    }

    /// nil where the value is larger or deeper than anything that flowspool writes.
    private static func value(_ node: Node, depth: Int, left: inout Int) -> StampValue? {
        left -= 1
        guard left > 0, depth < 6 else { return nil }
        switch node {
        case .scalar(let scalar):
            if node.isNull { return .null }
            if scalar.style == .plain, let number = Int(scalar.string), String(number) == scalar.string { return .number(number) }
            return .text(scalar.string)
        case .mapping(let mapping):
            var pairs: [StampValue.Pair] = []
            for (key, item) in mapping {
                guard let name = key.text, let value = value(item, depth: depth + 1, left: &left) else { return nil }
                pairs.append(.init(name, value))
            }
            return .map(pairs)
        case .sequence(let sequence):
            var items: [StampValue] = []
            for item in sequence {
                guard let value = value(item, depth: depth + 1, left: &left) else { return nil }
                items.append(value)
            }
            return .list(items)
        case .alias:
            return nil
        }
    }
}

extension Stamp {
    /// The preflight revision of the stamp in `bytes`, 0 where there is none. The next check is this plus 1.
    public static func revision(in bytes: Data) -> Int { ExistingStamp(in: bytes)?.revision ?? 0 }
}
