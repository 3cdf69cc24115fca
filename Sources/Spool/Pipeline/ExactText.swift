// Swift compares strings by what they mean (“é” as one scalar equals “e” with an accent); the file system compares bytes. Sets
// and comparisons of file names and prompt ids go through here, so that two files are never taken for one.

/// A string that equals another only if their bytes are the same.
struct ExactText: Hashable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: Self, right: Self) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        let isDone: Void? = text.utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        if isDone == nil { for byte in text.utf8 { hasher.combine(byte) } }
    }
}

/// What stands for a text in a large set: 128 bits in place of the text itself. Two different texts have one key with a chance of
/// 2⁻¹²⁸, and nobody can look for such texts, because the hash has a key of its own in each process (SipHash, `Hasher`).
struct TextKey: Hashable, Sendable {
    private let halves: (UInt64, UInt64)

    /// - Parameter utf8: the text's bytes.
    init(utf8: UnsafeRawBufferPointer) {
        halves = (Self.hash(0, utf8), Self.hash(1, utf8))
    }

    init(_ text: String) {
        var text = text
        self = text.withUTF8 { TextKey(utf8: UnsafeRawBufferPointer($0)) }
    }

    private static func hash(_ half: UInt8, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(half)
        hasher.combine(bytes: bytes)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    static func == (left: Self, right: Self) -> Bool { left.halves == right.halves }
    func hash(into hasher: inout Hasher) { hasher.combine(halves.0) }
}
