import Testing

@testable import Spool

private let day: Int64 = 86_400_000
private let now = 100 * day

/// Job n finished n days ago.
private func done(_ jobs: ClosedRange<Int64>, state: JobState = .done) -> [Retention.Item] {
    jobs.map { Retention.Item(job: $0, state: state, finishedMilliseconds: now - $0 * day) }
}

@Suite struct RetentionTests {
    @Test func selection_byAge_isOldestFirst() {
        #expect(Retention(olderThanMilliseconds: 3 * day).selection(from: done(1...5), now: now) == [5, 4])
    }

    @Test func selection_byRank_keepsTheNewest() {
        #expect(Retention(keep: 2).selection(from: done(1...5), now: now) == [5, 4, 3])
        #expect(Retention(keep: 9).selection(from: done(1...5), now: now).isEmpty)
        #expect(Retention(keep: 0).selection(from: done(1...2), now: now) == [2, 1])
    }

    @Test func selection_byBoth_takesOnlyWhatNeitherProtects() {
        #expect(Retention(olderThanMilliseconds: 3 * day, keep: 4).selection(from: done(1...5), now: now) == [5])
        #expect(Retention(olderThanMilliseconds: 4 * day, keep: 1).selection(from: done(1...5), now: now) == [5])
    }

    @Test func selection_withoutLimits_isNothing() {
        #expect(Retention().selection(from: done(1...5), now: now).isEmpty)
    }

    @Test(arguments: JobState.allCases) func selection_takesOnlyFinishedJobs(state: JobState) {
        let selected = Retention(keep: 0).selection(from: done(1...1, state: state), now: now)
        #expect(selected == ([.done, .failed, .cancelled].contains(state) ? [1] : []))
    }

    @Test func selection_unknownOrFutureEnd_stays() {
        let items = [
            Retention.Item(job: 1, state: .done, finishedMilliseconds: nil),
            Retention.Item(job: 2, state: .done, finishedMilliseconds: now + day),
        ]
        #expect(Retention(olderThanMilliseconds: 0).selection(from: items, now: now).isEmpty)
    }

    @Test func selection_sameInstant_isByJob() {
        let items = [3, 1, 2].map { Retention.Item(job: $0, state: .failed, finishedMilliseconds: 5) }
        #expect(Retention(keep: 1).selection(from: items, now: now) == [1, 2])
    }

    static let ages: [(String, Int64)] = [
        ("90s", 90_000), ("15m", 900_000), ("12h", 43_200_000), ("30d", 30 * day), ("8w", 56 * day), ("0d", 0),
        ("1.5d", 36 * 3_600_000),
    ]

    @Test(arguments: ages)
    func parseAge_isInMilliseconds(text: String, milliseconds: Int64) throws {
        #expect(try Retention.parseAge(text) == milliseconds)
    }

    @Test(arguments: ["", "d", "30", "-1d", "+1d", "30 d", "30D", "99999999999999999999d", "36526d", "٣d", "1y"])
    func parseAge_anythingElse_isAnError(text: String) {
        let error = #expect(throws: FlowspoolError.self) { try Retention.parseAge(text) }
        #expect(error?.code == .invalidInput)
    }
}
