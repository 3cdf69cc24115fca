import Testing

@testable import Spool

@Suite struct HintInboxTests {
    private func name(_ index: Int) -> SpoolHint { .file(Array("p\(index).md".utf8)) }

    @Test func dispatcher_isToldOnceForAllThatWaits() {
        let inbox = HintInbox()
        #expect(inbox.add(name(0)) == .isFirst)
        #expect(inbox.add(name(1)) == .waits)
        #expect(inbox.add(.everything) == .waits)
        let taken = inbox.take()
        #expect(taken.names == [Array("p0.md".utf8), Array("p1.md".utf8)])
        // Where the folder is polled, that may have been a signal.
        #expect(taken.wantsScan && taken.isSignalled && !taken.isReplaced && taken.overflows == 0)
        #expect(inbox.take().isEmpty)
        #expect(inbox.add(name(2)) == .isFirst)
    }

    @Test func moreNamesThanMayWait_becomeOneLookAtEverything() {
        let inbox = HintInbox()
        for index in 0..<HintInbox.namesMax { _ = inbox.add(name(index)) }
        #expect(inbox.add(name(HintInbox.namesMax)) == .waits)
        let taken = inbox.take()
        #expect(taken.names.count == HintInbox.namesMax)
        #expect(taken.wantsScan)
    }

    @Test func signals_areNoFiles_andStayAmongManyNames() {
        let inbox = HintInbox()
        for index in 0..<(HintInbox.namesMax + 5) { _ = inbox.add(name(index)) }
        _ = inbox.add(.file(Wake.fileBytes))
        _ = inbox.add(.overflow)
        _ = inbox.add(.overflow)
        _ = inbox.add(.replaced)
        let taken = inbox.take()
        #expect(taken.isSignalled && taken.isReplaced && taken.overflows == 2)
        #expect(taken.names.count == HintInbox.namesMax)
    }

    @Test func stateFile_asksForALookAtTheFolderToo() {
        let inbox = HintInbox()
        _ = inbox.add(.file(Wake.stateFile))
        let taken = inbox.take()
        #expect(taken.isSignalled && taken.wantsScan && taken.names.isEmpty)
    }

    /// Mostly the dispatcher itself has moved it. The hold file's going is a signal.
    @Test func promptThatHasGone_wakesNobody() {
        let inbox = HintInbox()
        #expect(inbox.add(.gone(Array("p0.md".utf8))) == .waits && inbox.isEmpty)
        #expect(inbox.add(.gone(Wake.holdFile)) == .isFirst)
        let taken = inbox.take()
        #expect(taken.isSignalled && taken.names.isEmpty)
    }

    /// Begins with each file but those named `no.md`.
    private func order(_ name: [UInt8]) -> Dispatcher.Unnumbered? {
        name == Array("no.md".utf8) ? nil : Dispatcher.Unnumbered(name: name, task: Task {}, permit: nil)
    }

    @Test func standingOrder_isCarriedOutWithTheNextFile_once() {
        let inbox = HintInbox()
        inbox.leave(order)
        #expect(inbox.add(.gone(Array("p0.md".utf8))) == .waits)
        #expect(inbox.add(name(1)) == .carriedOut)
        #expect(inbox.isEmpty)
        #expect(inbox.add(name(2)) == .isFirst)
        #expect(inbox.withdrawOrder()?.name == Array("p1.md".utf8))
        #expect(inbox.withdrawOrder()?.name == nil && inbox.take().names == [Array("p2.md".utf8)])
    }

    @Test(arguments: [
        SpoolHint.everything, .overflow, .replaced, .file(Wake.fileBytes), .gone(Wake.holdFile), .file(Array("no.md".utf8)),
    ])
    func standingOrder_isVoidOnceSomethingElseHasCome(_ hint: SpoolHint) {
        let inbox = HintInbox()
        inbox.leave { Wake.isSignal($0) ? nil : order($0) }
        #expect(inbox.add(hint) == .isFirst)
        #expect(inbox.add(name(1)) == .waits)
        #expect(inbox.withdrawOrder()?.name == nil && !inbox.isEmpty)
    }

    /// Whoever has asked the run to stop and drops a prompt then sees it wait.
    @Test func standingOrder_isNotCarriedOutOnceOrdersAreOver() {
        let inbox = HintInbox()
        inbox.leave(order)
        inbox.endOrders()
        #expect(inbox.add(name(1)) == .isFirst)
        #expect(inbox.withdrawOrder()?.name == nil && inbox.take().names.count == 1)
        inbox.leave(order)
        #expect(inbox.add(name(2)) == .isFirst)
    }

    @Test func endOfOrders_leavesWhatWasBegun() {
        let inbox = HintInbox()
        inbox.leave(order)
        #expect(inbox.add(name(1)) == .carriedOut)
        inbox.endOrders()
        #expect(inbox.withdrawOrder()?.name == Array("p1.md".utf8))
    }

    @Test func standingOrder_isNotLeftWhereAHintWaits_norCarriedOutWhenItIsWithdrawn() {
        let inbox = HintInbox()
        _ = inbox.add(name(0))
        inbox.leave(order)
        #expect(inbox.add(name(1)) == .waits)
        #expect(inbox.take().names.count == 2)
        inbox.leave(order)
        #expect(inbox.withdrawOrder()?.name == nil)
        #expect(inbox.add(name(2)) == .isFirst)
    }
}
