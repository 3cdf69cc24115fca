import Testing

@testable import Spool

@Suite struct HintInboxTests {
    private func name(_ index: Int) -> SpoolHint { .file(Array("p\(index).md".utf8)) }

    @Test func dispatcher_isToldOnceForAllThatWaits() {
        let inbox = HintInbox()
        #expect(inbox.add(name(0)))
        #expect(!inbox.add(name(1)))
        #expect(!inbox.add(.everything))
        let taken = inbox.take()
        #expect(taken.names == [Array("p0.md".utf8), Array("p1.md".utf8)])
        #expect(taken.wantsScan && !taken.isSignalled && !taken.isReplaced && taken.overflows == 0)
        #expect(inbox.take().isEmpty)
        #expect(inbox.add(name(2)))
    }

    @Test func moreNamesThanMayWait_becomeOneLookAtEverything() {
        let inbox = HintInbox()
        for index in 0..<HintInbox.namesMax { _ = inbox.add(name(index)) }
        #expect(!inbox.add(name(HintInbox.namesMax)))
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
        #expect(!inbox.add(.gone(Array("p0.md".utf8))) && inbox.isEmpty)
        #expect(inbox.add(.gone(Wake.holdFile)))
        let taken = inbox.take()
        #expect(taken.isSignalled && taken.names.isEmpty)
    }
}
