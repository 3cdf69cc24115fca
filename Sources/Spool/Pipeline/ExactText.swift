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
