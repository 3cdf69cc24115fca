// What judging one block may cost, all in all: steps of the walk, bytes of the values that it makes, and one deadline for
// shfmt and the walk. A few lines of shell can ask for endless work (`x='eval "$x"'`), so everything that loops or grows
// spends from here, and stops where nothing is left. A block whose budget is short is not judged, never passed.

import Foundation

/// Seconds on a clock that never goes back (CLOCK_MONOTONIC).
typealias SecondsClock = @Sendable () -> Double

func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Bounds on the analysis of one block.
struct ShellLimits: Sendable {
    /// Statements and commands that the walk runs.
    var stepsMax = 60_000
    /// Bytes of all values that the walk makes, whether they are kept or not.
    var valueBytesMax = 64 << 20
    /// Seconds from the start of shfmt to the end of the walk.
    var seconds = 5.0
    var clock: SecondsClock = monotonicSeconds
}

/// The budget of one block. Not Sendable: the thread that judges the block owns it.
final class ShellBudget {
    /// What there was too little of.
    enum Shortage: Sendable {
        case steps, values, time
        /// A string that is run was nested too deeply to follow; the rest is judged.
        case depth
    }

    let limits: ShellLimits
    private(set) var shortage: Shortage?
    private var steps = 0
    private var bytes = 0
    private var deadline: Double
    /// Payments until the clock is looked at again: reading it costs more than most steps do.
    private var untilLook = ShellBudget.paymentsPerLook
    private static let paymentsPerLook = 64
    /// As many bytes are worth a look at the clock, too.
    private static let bytesPerLook = 64 << 10
    /// What a value takes beside its text.
    static let valueOverhead = 64
    /// What the walk has at least, however long shfmt took.
    static let walkSecondsMin = 1.0

    init(_ limits: ShellLimits = ShellLimits()) {
        self.limits = limits
        deadline = limits.clock() + limits.seconds
    }

    /// What to say of the block, where the budget was too short for it.
    var failure: ShellParserFailure? {
        switch shortage {
        case nil: nil
        case .steps: .tooManySteps(limits.stepsMax)
        case .values: .tooManyValues(bytes: limits.valueBytesMax)
        case .time: .tooSlow(seconds: limits.seconds)
        case .depth: .tooDeepToFollow
        }
    }

    /// Nothing more is to be done for this block.
    var isSpent: Bool { shortage != nil && shortage != .depth }

    /// shfmt has answered. A runner that was stopped meanwhile (SIGSTOP, a paused machine) finds the time over however quick
    /// everything was; the walk is given its share all the same.
    func beginWalk() { deadline = max(deadline, limits.clock() + Self.walkSecondsMin) }

    /// - Returns: whether there was enough left.
    func spendStep() -> Bool {
        steps += 1
        if steps > limits.stepsMax { end(.steps) }
        look(1)
        return !isSpent
    }

    /// - Parameter count: bytes of values that are about to be made or read.
    /// - Returns: whether there was enough left.
    @discardableResult
    func spend(bytes count: Int) -> Bool {
        bytes += count
        if bytes > limits.valueBytesMax { end(.values) }
        look(1 + count / (Self.bytesPerLook / Self.paymentsPerLook))
        return !isSpent
    }

    func end(_ shortage: Shortage) {
        if !isSpent { self.shortage = shortage }
    }

    private func look(_ payments: Int) {
        untilLook -= payments
        guard untilLook <= 0 else { return }
        untilLook = Self.paymentsPerLook
        if limits.clock() > deadline { end(.time) }
    }
}

// MARK: paying for values

/// What the walk makes and pays for.
protocol ShellCosted {
    var cost: Int { get }
    /// It has become too large just now.
    var isCut: Bool { get }
}

extension ShellValue: ShellCosted {
    var cost: Int { size + ShellBudget.valueOverhead }
    /// A value that is cut begins anew with nothing but the mark of it.
    var isCut: Bool {
        if case .unknown(_, let taints)? = pieces.first { return taints.contains(.cut) }
        return false
    }
}

extension [ShellValue]: ShellCosted {
    var cost: Int { reduce(0) { $0 + $1.cost } }
    var isCut: Bool { last?.isCut ?? false }
}

extension ShellBudget {
    /// - Returns: whether there was enough left.
    @discardableResult
    func pay(for values: some ShellCosted) -> Bool {
        if values.isCut { end(.values) }
        return spend(bytes: values.cost)
    }

    /// Joins each alternative of `left` with each of `right`; at most `countMax` are kept.
    func extend<A: ShellCosted, B: ShellCosted>(
        _ left: inout [A], by right: [B], countMax: Int, _ append: (inout A, B) -> Void
    ) {
        if right.count == 1 {
            // The usual case, and a cheap one: what is there already stays where it is.
            for index in left.indices where pay(for: right[0]) {
                append(&left[index], right[0])
                if left[index].isCut { end(.values) }
            }
            return
        }
        var result: [A] = []
        for first in left {
            for second in right where result.count < countMax && pay(for: first) && pay(for: second) {
                var joined = first
                append(&joined, second)
                if joined.isCut { end(.values) }
                result.append(joined)
            }
        }
        left = result
    }

    /// The value as unquoted expansion gives it: many small ones, which are paid for before they are made.
    func fields(of value: ShellValue) -> [ShellValue] {
        spend(bytes: value.size * Self.valueOverhead / 2) ? value.fields() : []
    }

    func lines(of value: ShellValue) -> [ShellValue] {
        spend(bytes: value.size * Self.valueOverhead / 4) ? value.lines() : []
    }
}
