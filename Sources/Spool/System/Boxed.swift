// A large value behind one reference.

/// Keeps a large value that is passed on more often than it changes: a copy takes one reference count, and not one for each text in it.
/// A change makes a new box, so copies stay values.
@propertyWrapper struct Boxed<Value: Sendable>: Sendable {
    private final class Box: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private var box: Box

    init(wrappedValue: Value) { box = Box(wrappedValue) }

    var wrappedValue: Value {
        get { box.value }
        set { box = Box(newValue) }
    }
}
