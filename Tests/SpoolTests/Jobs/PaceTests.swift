import Foundation
import Testing

@testable import Spool

@Suite struct PaceTests {
    private func pace(_ took: Int64...) -> Pace {
        var pace = Pace()
        for milliseconds in took { pace.note(milliseconds: milliseconds) }
        return pace
    }

    @Test func ahead_beforeAnyJobHasEnded_isOneForEachSlot() {
        #expect(pace().ahead(slots: 1, usesLanes: false) == 1)
        #expect(pace().ahead(slots: 4, usesLanes: false) == 4)
    }

    @Test func ahead_isWhatRunsInAnInstant() {
        #expect(pace(0).ahead(slots: 1, usesLanes: false) == 8)
        #expect(pace(10).ahead(slots: 1, usesLanes: false) == 3)
        #expect(pace(33).ahead(slots: 1, usesLanes: false) == 1)
        #expect(pace(10).ahead(slots: 2, usesLanes: false) == 6)
        #expect(pace(1).ahead(slots: 4, usesLanes: false) == 16)
        // Never fewer than one for each slot.
        #expect(pace(1).ahead(slots: 20, usesLanes: false) == 20)
    }

    @Test func note_aLongJob_countsAtOnce_andShortOnesAfterAWhile() {
        #expect(pace(1, 1, 1, 1000).ahead(slots: 1, usesLanes: false) == 1)
        #expect(pace(1000, 1).ahead(slots: 1, usesLanes: false) == 1)
        var long = pace(1000)
        for _ in 0..<20 { long.note(milliseconds: 1) }
        #expect(long.ahead(slots: 1, usesLanes: false) == 7)
    }

    @Test func noteAgent_isOneForEachSlot_howeverShortItsTurn() {
        var pace = pace(1)
        pace.noteAgent()
        #expect(pace.ahead(slots: 1, usesLanes: false) == 1)
    }

    @Test func ahead_whereLanesAreUsed_isOneForEachSlot() {
        #expect(pace(1).ahead(slots: 2, usesLanes: true) == 2)
    }
}
