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

    /// Only the length of its turns is another.
    @Test func thread_takesShortTurns_andKeepsPolicyAndPriority() async {
        let seen = await onThread {
            let (process, thread) = (__priority_which_t(PRIO_PROCESS.rawValue), id_t(flowspool_thread_id()))
            setpriority(process, thread, 5)
            func state() -> [Int32] { [sched_getscheduler(0), getpriority(process, thread)] }
            return [[flowspool_take_short_turns(1)], state(), [flowspool_take_short_turns(0)], state()]
        }
        #expect(seen == [[0], [Self.other, 5], [0], [Self.other, 5]])
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
