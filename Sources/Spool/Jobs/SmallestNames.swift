// The k smallest of many names, in constant memory: a max-heap whose root is the largest kept. Order is that of the bytes
// (C locale), which is how SQLite's BINARY collation and `LC_ALL=C sort` order them too.

import Foundation

/// Keeps the smallest names offered.
struct SmallestNames {
    private let capacity: Int
    private var heap: [String] = []

    init(capacity: Int) {
        self.capacity = capacity
    }

    mutating func offer(_ name: String) {
        if heap.count < capacity {
            heap.append(name)
            siftUp(heap.count - 1)
        } else if let largest = heap.first, precedes(name, largest) {
            heap[0] = name
            siftDown(0)
        }
    }

    /// The names kept, in order.
    func sorted() -> [String] { heap.sorted(by: precedes) }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(heap[parent], heap[child]) else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var largest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[largest], heap[child]) {
                largest = child
            }
            if largest == parent { return }
            heap.swapAt(parent, largest)
            parent = largest
        }
    }
}

/// Whether `a` comes before `b` in the order of their UTF-8 bytes.
func precedes(_ a: String, _ b: String) -> Bool {
    // Both are native UTF-8 here, so the fast path is always taken; the other is for bridged strings.
    a.utf8.withContiguousStorageIfAvailable { left in
        b.utf8.withContiguousStorageIfAvailable { right in
            guard let first = left.baseAddress, let second = right.baseAddress else { return left.count < right.count }
            let order = memcmp(first, second, min(left.count, right.count))
            return order != 0 ? order < 0 : left.count < right.count
        } ?? a.utf8.lexicographicallyPrecedes(b.utf8)
    } ?? a.utf8.lexicographicallyPrecedes(b.utf8)
}
