// One mapping of a configuration file with a fixed set of keys, read key by key. Every reader returns nil for a key that is not
// there and for a faulty one, and records the fault, so that reading goes on and finds the others.

/// A mapping whose keys are known.
struct ConfigurationSection {
    let path: String
    private let entries: [String: ConfigurationNode.Entry]

    /// - Parameter keys: all that may stand here; any other is a fault.
    init(_ node: ConfigurationNode, path: String, keys: [String], _ faults: inout ConfigurationFaults) {
        self.path = path
        entries = node.entries(path, &faults)
        for entry in entries.values where !keys.contains(entry.key) {
            faults.add(
                ConfigurationFaults.path(path, entry.key), at: entry.keyPosition,
                "unknown key; allowed: \(keys.joined(separator: ", "))")
        }
    }

    func path(_ key: String) -> String { ConfigurationFaults.path(path, key) }

    func node(_ key: String) -> ConfigurationNode? { entries[key]?.value }

    /// A mapping below `key`; one without content is as good as none.
    func section(_ key: String, keys: [String], _ faults: inout ConfigurationFaults) -> ConfigurationSection? {
        guard let node = node(key) else { return nil }
        if case .null = node.kind { return nil }
        return ConfigurationSection(node, path: path(key), keys: keys, &faults)
    }

    func bool(_ key: String, _ faults: inout ConfigurationFaults) -> Bool? {
        guard let node = node(key) else { return nil }
        if case .bool(let value) = node.kind { return value }
        faults.add(path(key), node, allowed: "yes, no")
        return nil
    }

    func int(_ key: String, _ range: ClosedRange<Int>, _ faults: inout ConfigurationFaults) -> Int? {
        guard let node = node(key) else { return nil }
        if case .int(let value) = node.kind, range.contains(value) { return value }
        let allowed = range.upperBound == .max ? "from \(range.lowerBound) up" : "from \(range.lowerBound) to \(range.upperBound)"
        faults.add(path(key), node, allowed: "a whole number \(allowed)")
        return nil
    }

    /// An amount of money: a number above 0.
    func amount(_ key: String, _ faults: inout ConfigurationFaults) -> Double? {
        guard let node = node(key) else { return nil }
        switch node.kind {
        case .int(let value) where value > 0: return Double(value)
        case .double(let value) where value > 0: return value
        default:
            faults.add(path(key), node, allowed: "a number above 0")
            return nil
        }
    }

    /// - Parameter range: in seconds; `shown` is how a message says it.
    func seconds(
        _ key: String, _ range: ClosedRange<Double>, shown: String, _ faults: inout ConfigurationFaults
    ) -> Double? {
        guard let node = node(key) else { return nil }
        if let value = node.seconds, range.contains(value) { return value }
        faults.add(path(key), node, allowed: "seconds, or a number with s, m, h, d or w; \(shown)")
        return nil
    }

    func bytes(_ key: String, _ range: ClosedRange<Int>, shown: String, _ faults: inout ConfigurationFaults) -> Int? {
        guard let node = node(key) else { return nil }
        let value: Int? =
            switch node.kind {
            case .int(let value): value
            case .string(let text): Quantity.bytes(text)
            default: nil
            }
        if let value, range.contains(value) { return value }
        faults.add(path(key), node, allowed: "bytes, or a number with KiB, MiB or GiB; \(shown)")
        return nil
    }

    func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Word.Type, _ faults: inout ConfigurationFaults
    ) -> Word? where Word.RawValue == String {
        node(key).flatMap { Self.word($0, path(key), type, &faults) }
    }

    /// A list of words, not empty; a single word is a list of one.
    func words<Word: RawRepresentable & CaseIterable & Hashable>(
        _ key: String, _ type: Word.Type, _ faults: inout ConfigurationFaults
    ) -> Set<Word>? where Word.RawValue == String {
        guard let node = node(key) else { return nil }
        guard case .list(let elements) = node.kind else {
            return Self.word(node, path(key), type, &faults).map { [$0] }
        }
        if elements.isEmpty { faults.add(path(key), at: node.position, "an empty list; allowed: \(Self.names(type))") }
        return Set(
            elements.enumerated().compactMap { index, element in
                Self.word(element, "\(path(key))[\(index)]", type, &faults)
            })
    }

    /// A list of texts, each of which `isValid`; numbers and yes/no count as the text they were written as would.
    func strings(
        _ key: String, allowed: String, _ faults: inout ConfigurationFaults, where isValid: (String) -> Bool
    ) -> [String]? {
        guard let node = node(key) else { return nil }
        guard case .list(let elements) = node.kind else {
            faults.add(path(key), node, allowed: "a list; each \(allowed)")
            return nil
        }
        return elements.enumerated().compactMap { index, element in
            if case .string(let text) = element.kind, isValid(text) { return text }
            faults.add("\(path(key))[\(index)]", element, allowed: allowed)
            return nil
        }
    }

    private static func word<Word: RawRepresentable & CaseIterable>(
        _ node: ConfigurationNode, _ path: String, _ type: Word.Type, _ faults: inout ConfigurationFaults
    ) -> Word? where Word.RawValue == String {
        if case .string(let text) = node.kind, let word = Word(rawValue: text) { return word }
        faults.add(path, node, allowed: names(type))
        return nil
    }

    private static func names<Word: RawRepresentable & CaseIterable>(_ type: Word.Type) -> String where Word.RawValue == String {
        Word.allCases.map(\.rawValue).joined(separator: ", ")
    }
}

extension ConfigurationNode {
    /// The duration that this means, in seconds; nil where it means none.
    var seconds: Double? {
        switch kind {
        case .int(let value): Double(value)
        case .double(let value): value
        case .string(let text): Quantity.seconds(text)
        default: nil
        }
    }
}
