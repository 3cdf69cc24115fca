// How a thread is scheduled that is in no hurry (sched(7)).

import CSystemCalls
import Foundation
import Testing

@testable import Spool

@Suite struct GiveWayTests {
    // As <linux/sched.h> has them; Glibc's module shows the first only.
    private static let (other, batch, idle): (Int32, Int32, Int32) = (SCHED_OTHER, 3, 5)

    @Test func thread_givesWay_untilItTakesTurnsAgain() async {
        let policies = await onThread {
            [sched_getscheduler(0), flowspool_give_way(), sched_getscheduler(0), flowspool_take_turns(), sched_getscheduler(0)]
        }
        #expect(policies == [Self.other, 0, Self.batch, 0, Self.other])
    }

    @Test func policyThatSomebodyHasChosen_stays() async {
        let policies = await onThread {
            var none = sched_param()
            return [
                sched_setscheduler(0, Self.idle, &none), flowspool_give_way(), sched_getscheduler(0), flowspool_take_turns(),
                sched_getscheduler(0),
            ]
        }
        #expect(policies == [0, 0, Self.idle, 0, Self.idle])
    }
}
