import Synchronization

/// What was made for a name, kept. For names out of a table: those of a prompt would let it grow without bound.
final class Memo<Value: Sendable>: Sendable {
    private let values = Mutex<[String: Value]>([:])

    func value(for name: String, _ make: () -> Value) -> Value {
        if let value = values.withLock({ $0[name] }) { return value }
        let value = make()
        values.withLock { $0[name] = value }
        return value
    }
}

extension String {
    /// The pieces between an ASCII character, without empty ones. Works on bytes: `split` finds each character's bounds first.
    func asciiSplit(_ separator: Unicode.Scalar) -> [String] {
        utf8.split(separator: UInt8(ascii: separator)).map { String(Substring($0)) }
    }
}
