// Messages come once each, in order, and on the reader's own executor.

import Testing

@testable import Spool

@Suite(.timeLimit(.minutes(1))) struct MailboxTests {
    private actor Reader {
        let mailbox = Mailbox<Int>()
        var seen: [Int] = []

        func read(_ count: Int) async -> [Int] {
            for _ in 0..<count {
                seen.append(await mailbox.next())
                // Stops the test where the reader came back off its actor.
                self.preconditionIsolated()
            }
            return seen
        }
    }

    @Test func messagesThatWait_comeInOrder() async {
        let reader = Reader()
        for number in 0..<5 { reader.mailbox.post(number) }
        #expect(await reader.read(3) == [0, 1, 2])
        for number in 5..<1000 { reader.mailbox.post(number) }
        #expect(await reader.read(997) == Array(0..<1000))
    }

    @Test func messagesOfManyWriters_comeOnceEach_andThoseOfOneInOrder() async {
        let reader = Reader()
        async let read = reader.read(4000)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask { for number in 0..<1000 { reader.mailbox.post(writer * 1000 + number) } }
            }
        }
        let seen = await read
        #expect(seen.sorted() == Array(0..<4000))
        for writer in 0..<4 { #expect(seen.filter { $0 / 1000 == writer } == Array(writer * 1000..<(writer + 1) * 1000)) }
    }
}
