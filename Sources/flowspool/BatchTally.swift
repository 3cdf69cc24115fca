// What a batch remembers of its events for the summary and for the paragraph on failure; bounded.

import Spool
import Synchronization

final class BatchTally: Sendable {
    struct Facts: Sendable {
        var blocked = 0
        /// File name of the last prompt that ended.
        var last: String?
        /// A line for each of the first failures.
        var failures: [String] = []
        /// Failures that no line is about.
        var others = 0
        /// A line for each of the first prompts that wait for a time.
        var deferred: [String] = []
    }

    private let state = Mutex(Facts())
    private static let linesMax = 10

    var facts: Facts { state.withLock { $0 } }

    func take(_ event: RunEvent) {
        state.withLock { facts in
            switch event {
            case .finished(let job, _):
                facts.last = job.name
                if job.state == .failed { add(job, &facts) }
            case .blocked(let job, _), .refused(let job):
                facts.last = job.name
                facts.blocked += 1
                add(job, &facts)
            case .deferred(let job) where facts.deferred.count < Self.linesMax:
                let until = job.notBefore.map { " until \(utcText($0, fraction: false))" } ?? ""
                facts.deferred.append("job \(job.id) \(printable(job.name)): waits\(until): \(printable(job.reason))")
            default: break
            }
        }
    }

    private func add(_ job: Job, _ facts: inout Facts) {
        if facts.failures.count < Self.linesMax {
            facts.failures.append("job \(job.id) \(printable(job.name)): \(printable(job.reason))")
        } else {
            facts.others += 1
        }
    }
}
