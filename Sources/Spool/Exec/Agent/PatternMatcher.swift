// The regular expressions of `pattern` in a JSON schema, in the subset that JSON Schema recommends. Our own because a pattern
// and the text it meets both come from outside, and a library's backtracking may then run for years: this one simulates all
// ways at once (Thompson), so its time is bounded by the lengths of pattern and text.

/// A pattern, compiled: literals, `.`, `[…]`, `\d \w \s` and their opposites, `^ $`, `( )`, `(?: )`, `|`, `* + ?`, `{m,n}`.
struct PatternMatcher {
    private enum Step {
        case any
        case set([ClosedRange<UInt32>], isNegated: Bool)
        case start, end
        case split(Int, Int)
        case jump(Int)
        case match
    }
    private indirect enum Part {
        case one(Step)
        case sequence([Part])
        case either([Part])
        case repeated(Part, least: Int, most: Int?)
    }

    private var steps: [Step] = []
    private static let stepsMax = 5000

    /// nil where the text is no pattern of the subset, or one that is too large.
    init?(_ text: String) {
        var parser = Parser(text)
        guard let part = parser.parse() else { return nil }
        emit(part)
        guard steps.count < Self.stepsMax else { return nil }
        steps.append(.match)
    }

    /// Whether the pattern matches anywhere in `text`. What is longer than 64 Ki characters does not: a part of it would tell nothing.
    func isFound(in text: String) -> Bool {
        let scalars = Array(text.unicodeScalars.prefix(64 << 10 + 1))
        guard scalars.count <= 64 << 10 else { return false }
        var current: [Int] = []
        var marks = [Int](repeating: -1, count: steps.count)
        for position in 0...scalars.count {
            // A match may begin at every place.
            var next = current
            current = []
            next.append(0)
            var isMatched = false
            var pending = Array(next.reversed())
            while let index = pending.popLast() {
                guard marks[index] != position else { continue }
                marks[index] = position
                switch steps[index] {
                case .match: isMatched = true
                case .jump(let target): pending.append(target)
                case .split(let a, let b):
                    pending.append(b)
                    pending.append(a)
                case .start: if position == 0 { pending.append(index + 1) }
                case .end: if position == scalars.count { pending.append(index + 1) }
                case .any, .set: current.append(index)
                }
            }
            if isMatched { return true }
            guard position < scalars.count else { break }
            current = current.filter { Self.takes(steps[$0], scalars[position].value) }.map { $0 + 1 }
        }
        return false
    }

    private static func takes(_ step: Step, _ value: UInt32) -> Bool {
        switch step {
        case .any: value != 10 && value != 13
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(value) } != isNegated
        default: false
        }
    }

    private mutating func emit(_ part: Part) {
        guard steps.count < Self.stepsMax else { return }
        switch part {
        case .one(let step): steps.append(step)
        case .sequence(let parts): parts.forEach { emit($0) }
        case .either(let parts):
            var jumps: [Int] = []
            for (index, part) in parts.enumerated() {
                guard index < parts.count - 1 else { emit(part); break }
                let split = steps.count
                steps.append(.match)
                emit(part)
                jumps.append(steps.count)
                steps.append(.match)
                steps[split] = .split(split + 1, steps.count)
            }
            for jump in jumps { steps[jump] = .jump(steps.count) }
        case .repeated(let part, let least, let most):
            for _ in 0..<least { emit(part) }
            if let most {
                var splits: [Int] = []
                for _ in least..<max(least, most) {
                    guard steps.count < Self.stepsMax else { return }
                    splits.append(steps.count)
                    steps.append(.match)
                    emit(part)
                }
                for split in splits { steps[split] = .split(split + 1, steps.count) }
            } else {
                let split = steps.count
                steps.append(.match)
                emit(part)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
            }
        }
    }

    // MARK: Parsing

    private struct Parser {
        private var rest: Substring.UnicodeScalarView
        private var depth = 0

        init(_ text: String) { rest = Substring(text).unicodeScalars }

        mutating func parse() -> Part? {
            guard let part = alternatives(), rest.isEmpty else { return nil }
            return part
        }

        private mutating func alternatives() -> Part? {
            var branches: [Part] = []
            while true {
                var parts: [Part] = []
                while let scalar = rest.first, scalar != "|", scalar != ")" {
                    guard let atom = atom(), let part = quantified(atom) else { return nil }
                    parts.append(part)
                }
                branches.append(.sequence(parts))
                guard rest.first == "|" else { break }
                rest.removeFirst()
            }
            return branches.count == 1 ? branches[0] : .either(branches)
        }

        private mutating func atom() -> Part? {
            guard let scalar = rest.popFirst() else { return nil }
            switch scalar {
            case "^": return .one(.start)
            case "$": return .one(.end)
            case ".": return .one(.any)
            case "[": return set()
            case "\\": return rest.popFirst().flatMap(Self.escape).map { .one(.set($0.0, isNegated: $0.1)) }
            case "*", "+", "?": return nil
            case "(":
                depth += 1
                guard depth < 50 else { return nil }
                if rest.starts(with: "?:".unicodeScalars) { rest.removeFirst(2) } else if rest.first == "?" { return nil }
                guard let part = alternatives(), rest.popFirst() == ")" else { return nil }
                depth -= 1
                return part
            default: return .one(.set([scalar.value...scalar.value], isNegated: false))
            }
        }

        private mutating func quantified(_ part: Part) -> Part? {
            var result = part
            switch rest.first {
            case "*": result = .repeated(part, least: 0, most: nil)
            case "+": result = .repeated(part, least: 1, most: nil)
            case "?": result = .repeated(part, least: 0, most: 1)
            case "{":
                guard let close = rest.firstIndex(of: "}") else { return nil }
                let inside = String(rest[rest.index(after: rest.startIndex)..<close])
                let numbers = inside.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
                guard let least = numbers[0], (0...1000).contains(least), numbers.count <= 2 else { return nil }
                let hasNoEnd = numbers.count == 2 && inside.hasSuffix(",")
                let most = numbers.count == 1 ? least : numbers[1]
                guard hasNoEnd || (most.map { (least...1000).contains($0) } ?? false) else { return nil }
                rest = rest[close...]
                result = .repeated(part, least: least, most: hasNoEnd ? nil : most)
            default: return part
            }
            rest.removeFirst()
            if rest.first == "?" { rest.removeFirst() }
            return result
        }

        private mutating func set() -> Part? {
            var ranges: [ClosedRange<UInt32>] = []
            let isNegated = rest.first == "^"
            if isNegated { rest.removeFirst() }
            while let scalar = rest.popFirst() {
                if scalar == "]" { return .one(.set(ranges, isNegated: isNegated)) }
                var low = scalar.value
                if scalar == "\\" {
                    guard let (found, isOpposite) = rest.popFirst().flatMap(Self.escape), !isOpposite else { return nil }
                    guard found.count == 1, found[0].count == 1 else {
                        ranges += found
                        continue
                    }
                    low = found[0].lowerBound
                }
                var high = low
                if rest.first == "-", rest.dropFirst().first != "]", rest.count > 1 {
                    rest.removeFirst()
                    guard let end = rest.popFirst(), end != "\\", end.value >= low else { return nil }
                    high = end.value
                }
                ranges.append(low...high)
            }
            return nil
        }

        private static func escape(_ scalar: Unicode.Scalar) -> ([ClosedRange<UInt32>], Bool)? {
            let digits: [ClosedRange<UInt32>] = [48...57]
            let word: [ClosedRange<UInt32>] = [48...57, 65...90, 95...95, 97...122]
            let space: [ClosedRange<UInt32>] = [9...13, 32...32, 0xA0...0xA0, 0x2028...0x2029]
            switch scalar {
            case "d": return (digits, false)
            case "D": return (digits, true)
            case "w": return (word, false)
            case "W": return (word, true)
            case "s": return (space, false)
            case "S": return (space, true)
            case "n": return ([10...10], false)
            case "r": return ([13...13], false)
            case "t": return ([9...9], false)
            case "a"..."z", "A"..."Z", "0"..."9": return nil
            default: return ([scalar.value...scalar.value], false)
            }
        }
    }
}
