// Messages come once each and in order, and a reader that sleeps is woken by each.

import Testing

@testable import Spool

@Suite(.timeLimit(.minutes(1))) struct MailboxTests {
    private func read(_ count: Int, from mailbox: Mailbox<Int>) async -> [Int] {
        await onThread { (0..<count).map { _ in mailbox.next() } }
    }

    @Test func messagesThatWait_comeInOrder() async {
        let mailbox = Mailbox<Int>()
        for number in 0..<5 { mailbox.post(number) }
        #expect(await read(3, from: mailbox) == [0, 1, 2])
        for number in 5..<1000 { mailbox.post(number) }
        #expect(await read(997, from: mailbox) == Array(3..<1000))
    }

    @Test func messagesOfManyWriters_comeOnceEach_andThoseOfOneInOrder() async {
        let mailbox = Mailbox<Int>()
        async let reading = read(4000, from: mailbox)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask { for number in 0..<1000 { mailbox.post(writer * 1000 + number) } }
            }
        }
        let seen = await reading
        #expect(seen.sorted() == Array(0..<4000))
        for writer in 0..<4 { #expect(seen.filter { $0 / 1000 == writer } == Array(writer * 1000..<(writer + 1) * 1000)) }
    }

    /// Each side sleeps until the other has answered: one wake-up lost, and neither goes on.
    @Test func sleepingReader_isWokenByEachMessage() async {
        let (there, back) = (Mailbox<Int>(), Mailbox<Int>())
        async let answered: Void = onThread { for _ in 0..<50_000 { back.post(there.next() + 1) } }
        let answers = await onThread {
            (0..<50_000).map { number in
                there.post(number)
                return back.next()
            }
        }
        await answered
        #expect(answers == Array(1...50_000))
    }

    /// It comes with the next message, in order.
    @Test func messageThatWakesNobody_comesBeforeTheNext() async {
        let mailbox = Mailbox<Int>()
        async let reading = read(3, from: mailbox)
        mailbox.post(1, wakesReader: false)
        mailbox.post(2, wakesReader: false)
        mailbox.post(3)
        #expect(await reading == [1, 2, 3])
    }
}
