// What agents and models use up, counted while they run: one meter for a run of the spool, shared by all its runners, so that
// jobs side by side cannot each spend what is left. The ledger gives the day's beginning; a day is one of UTC.

import Foundation
import Synchronization

/// Totals of a batch and of a day.
public final class UsageMeter: Sendable {
    /// What was used, in the units of a budget.
    public struct Total: Sendable, Hashable {
        public var seconds = 0.0
        public var turns = 0
        public var tokens = 0
        public var costUSD = 0.0
        public init() {}

        static func + (a: Total, b: Total) -> Total {
            var sum = a
            sum.seconds += b.seconds
            sum.turns += b.turns
            sum.tokens += b.tokens
            sum.costUSD += b.costUSD
            return sum
        }
    }

    private struct State {
        var day: Int64
        var today: Total
        var batch = Total()
        var running: [Int64: Total] = [:]
    }

    let limits = RepeatedLimits()
    private let budgets: SpoolConfiguration.Budgets
    private let clock: any SpoolClock
    private let state: Mutex<State>

    /// - Parameter today: what the ledger says was used since midnight UTC.
    public init(budgets: SpoolConfiguration.Budgets = .init(), today: Total = Total(), clock: any SpoolClock = SystemClock()) {
        self.budgets = budgets
        self.clock = clock
        state = Mutex(State(day: clock.wallMilliseconds() / 86_400_000, today: today))
    }

    /// Notes what `job` has used so far in its attempt, and says which budget of batch or day that exceeds; nil: none.
    func note(_ job: Int64, _ total: Total) -> String? {
        state.withLock {
            $0.running[job] = total
            return exceeded($0, strictly: true)
        }
    }

    /// The attempt of `job` is over.
    func finish(_ job: Int64, _ total: Total) {
        let day = clock.wallMilliseconds() / 86_400_000
        state.withLock {
            $0.running[job] = nil
            if $0.day != day {
                $0.day = day
                $0.today = Total()
            }
            $0.today = $0.today + total
            $0.batch = $0.batch + total
        }
    }

    /// The budget that is used up before anything starts; nil: there is room.
    func usedUp() -> String? {
        let day = clock.wallMilliseconds() / 86_400_000
        return state.withLock {
            if $0.day != day {
                $0.day = day
                $0.today = Total()
            }
            return exceeded($0, strictly: false)
        }
    }

    private func exceeded(_ state: State, strictly: Bool) -> String? {
        let running = state.running.values.reduce(Total(), +)
        return Self.exceeded(state.batch + running, budgets.batch, of: "the batch", strictly: strictly)
            ?? Self.exceeded(state.today + running, budgets.day, of: "the day", strictly: strictly)
    }

    /// - Parameter strictly: more than the budget, not all of it.
    static func exceeded(_ total: Total, _ budget: SpoolConfiguration.Budget, of whose: String, strictly: Bool) -> String? {
        func isOver<T: Comparable>(_ used: T, _ limit: T?) -> Bool { limit.map { strictly ? used > $0 : used >= $0 } ?? false }
        if isOver(total.costUSD, budget.costUSD), let limit = budget.costUSD {
            return "the cost budget of \(whose) is used up (\(dollars(total.costUSD)) of \(dollars(limit)))"
        }
        if isOver(total.tokens, budget.tokens), let limit = budget.tokens {
            return "the token budget of \(whose) is used up (\(total.tokens) of \(limit))"
        }
        if isOver(total.turns, budget.turns), let limit = budget.turns {
            return "the turn budget of \(whose) is used up (\(total.turns) of \(limit))"
        }
        if whose != "the job", isOver(total.seconds, budget.timeSeconds), let limit = budget.timeSeconds {
            return "the time budget of \(whose) is used up (\(spelled(seconds: total.seconds)) of \(spelled(seconds: limit)))"
        }
        return nil
    }

    /// `$0.0123`: four decimals, because one answer often costs less than a cent.
    public static func dollars(_ amount: Double) -> String {
        let parts = Int64((min(amount, 1e12) * 10_000).rounded())
        let rest = String(parts % 10_000)
        return "$\(parts / 10_000).\(String(repeating: "0", count: 4 - rest.count))\(rest)"
    }
}

extension RunUsage {
    /// Fills in a cost that the tool did not tell, where the runner's price is known.
    mutating func price(_ price: RunnerPreset.Price?) {
        guard costUSD == nil, let price, tokensIn != nil || tokensOut != nil else { return }
        costUSD = (Double(tokensIn ?? 0) * price.input + Double(tokensOut ?? 0) * price.output) / 1_000_000
    }

    func total(seconds: Double) -> UsageMeter.Total {
        var total = UsageMeter.Total()
        total.seconds = seconds
        total.turns = turns ?? 0
        total.tokens = tokens
        total.costUSD = costUSD ?? 0
        return total
    }
}
