// A run that watches, told by a test which names events bring, and told what to do next by what became of each job.

import Foundation

@testable import Spool

struct WatchingRun {
    let spool: TestSpool
    let dispatcher: Dispatcher
    private let hints: AsyncStream<SpoolHint>
    private let input: AsyncStream<SpoolHint>.Continuation
    private let seen: AsyncStream<RunEvent>

    init(
        _ spool: TestSpool, profile: String = "poc", calls: SystemCalls = .live, clock: any SpoolClock = SystemClock(),
        observe: @escaping @Sendable (RunEvent) -> Void = { _ in }, adjust: (inout RunSettings) -> Void = { _ in }
    ) throws {
        self.spool = spool
        (hints, input) = AsyncStream.makeStream(of: SpoolHint.self)
        let (seen, events) = AsyncStream.makeStream(of: RunEvent.self)
        self.seen = seen
        dispatcher = try spool.dispatcher(
            profile: profile, calls: calls, clock: clock,
            observe: {
                observe($0)
                events.yield($0)
            }
        ) {
            $0.drains = false
            adjust(&$0)
        }
    }

    func hint(_ hint: SpoolHint) { input.yield(hint) }

    /// Runs; `next` is called once at the beginning and whenever a job is over, and gives the names to tell of, or nil to stop.
    func run(_ next: (Job?) throws -> [String]?) async throws -> RunEnding {
        async let ending = dispatcher.run(hints: hints)
        for await event in seen {
            let names: [String]?
            switch event {
            case .started: names = try next(nil)
            case .finished(let job, _), .blocked(let job, _), .refused(let job), .held(let job, _): names = try next(job)
            default: continue
            }
            guard let names else {
                dispatcher.drain()
                break
            }
            for name in names { hint(.file(Array(name.utf8))) }
        }
        return try await ending
    }
}

extension TestSpool {
    /// Moves a filed prompt back to the drop folder, as its author does. Its filing comes after the event that told of its end, so it is
    /// waited for.
    func moveBack(_ file: String) throws {
        while rename(path + "/" + file, path + "/" + URL(fileURLWithPath: file).lastPathComponent) != 0 {
            try Task.checkCancellation()
            sched_yield()
        }
    }
}
