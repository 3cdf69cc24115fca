import Foundation
import Synchronization
import Testing

@testable import Spool

/// The n-th file-system call of a run fails, for every n: the run ends, and once the fault is gone everything is in its place,
/// nothing was lost and nothing ran beyond its budget.
@Suite struct FaultSweepTests {
    /// Fails one call, the n-th, and counts them all.
    private final class OneFault: Sendable {
        private let state: Mutex<(count: Int, hit: String?)> = Mutex((0, nil))
        let target: Int
        let code: Int32
        init(target: Int, code: Int32) {
            self.target = target
            self.code = code
        }
        var count: Int { state.withLock { $0.count } }
        var hit: String? { state.withLock { $0.hit } }
        var calls: SystemCalls {
            SystemCalls { [self] call, path in
                state.withLock { state in
                    state.count += 1
                    guard state.count == target else { return nil }
                    state.hit = "\(call.rawValue) \(path.suffix(60))"
                    return code
                }
            }
        }
    }

    /// Prompts of every kind that the way of a prompt knows: done, failed, blocked, kept in place, refused, of no valid name.
    private func fill(_ spool: TestSpool) throws -> [String: Data] {
        try spool.drop("ok.md", "echo ok >> $OUT/trace")
        try spool.drop("bad.md", "echo bad >> $OUT/trace; exit 3")
        try spool.drop("two.md", "echo two >> $OUT/trace", "true", front: "priority: 2")
        try spool.drop("kept.md", "echo kept >> $OUT/trace", front: "move_to_completed: no")
        try Data("---\na: [\n---\n```bash\necho yaml >> $OUT/trace\n```\n".utf8).write(
            to: URL(fileURLWithPath: spool.path + "/yaml.md"))
        try Data("a,b\n".utf8).write(to: URL(fileURLWithPath: spool.path + "/data.csv"))
        var bytes: [String: Data] = [:]
        for name in spool.list("") { bytes[name] = try Data(contentsOf: URL(fileURLWithPath: spool.path + "/" + name)) }
        let raw =
            spool.path.utf8.map { CChar(bitPattern: $0) } + [CChar(0x2F), CChar(bitPattern: 0xFF)]
            + ".md".utf8.map { CChar(bitPattern: $0) } + [0]
        let descriptor = open(raw, O_CREAT | O_WRONLY, 0o600)
        #expect(write(descriptor, "raw", 3) == 3)
        close(descriptor)
        bytes["%FF.md"] = Data("raw".utf8)
        return bytes
    }

    private func sweep(_ code: Int32, step: Int = 1, profile: String) async throws -> Int {
        var target = 1
        while true {
            let fault = OneFault(target: target, code: code)
            let spool = try TestSpool()
            defer { spool.remove() }
            let dropped = try fill(spool)
            let events = EventList()
            let note = "\(profile), errno \(code), call \(target)"
            // A run that hangs would hang the tests, and nothing could tell at which call: it ends them with a word.
            let watchdog = Task.detached {
                try await Task.sleep(for: .seconds(120))
                fatalError("\(note): hung for two minutes")
            }
            defer { watchdog.cancel() }
            // A run that cannot begin says so, and the next one can.
            do {
                try await spool.drain(profile: profile, events: events, calls: fault.calls)
            } catch let error as FlowspoolError {
                #expect(error.code == .unavailable, "\(note): \(error)")
            } catch let error as SystemCallError {
                #expect(error.errno == code, "\(note): \(error)")
            }
            if fault.hit == nil { return target - 1 }
            try await spool.drain(profile: profile, events: events)
            try verify(spool, dropped, profile: profile, "\(note): \(fault.hit ?? "")\n\(events.troubles)")
            target += step
        }
    }

    private func verify(_ spool: TestSpool, _ dropped: [String: Data], profile: String, _ note: String) throws {
        let check = SpoolCheck(spool: try SpoolFolder.open(at: spool.path), ledger: try spool.ledger())
        let found = try check.violations()
        #expect(found.isEmpty, "\(note): \(found)")
        let wanted = [
            "ok.md": "done", "two.md": "done", "bad.md": "failed", "yaml.md": "failed", "data.csv": "failed", "kept.md": "",
            "%FF.md": "failed",
        ]
        var refused: Set<String> = []
        for (name, place) in wanted {
            let places = ["", "active", "held", "done", "failed"].filter { spool.list($0).contains(name) }
            // A prompt that may not be opened when its turn comes is refused, and has not run.
            if try spool.job(name)?.reason.hasPrefix("unreadable") == true {
                #expect(places == ["failed"], "\(note): \(name) is in \(places)")
                refused.insert(String(name.prefix { $0 != "." }))
            } else {
                #expect(places == [place], "\(note): \(name) is in \(places)")
            }
            if let place = places.first {
                let now = try Data(contentsOf: URL(fileURLWithPath: spool.path + "/\(place)/" + name))
                #expect(StampWriter.remove(from: now) == dropped[name], "\(note): \(name) has other bytes")
            }
        }
        let lines = try String(contentsOfFile: spool.folder.path + "/trace", encoding: .utf8).split(separator: "\n").map(
            String.init)
        for (name, most) in ["ok": 1, "two": 1, "kept": 1, "bad": profile == "production" ? 1 : 2, "yaml": 0] {
            let runs = lines.count { $0 == name }
            #expect(runs <= most, "\(note): \(name) ran \(runs) times")
            #expect(runs >= (refused.contains(name) ? 0 : min(most, 1)), "\(note): \(name) never ran")
            if refused.contains(name) { #expect(runs == 0, "\(note): \(name) was refused and ran") }
        }
        #expect(try spool.ledger().read { try $0.page(nil, after: 0, limit: 100) }.count == wanted.count, "\(note): jobs")
    }

    /// `make torture`: each call of each errno. Without it some of them, so that the tests stay short.
    private static let isLong = ProcessInfo.processInfo.environment["FLOWSPOOL_TORTURE"] != nil

    @Test func everyCallThatFailsOnce_withEIO() async throws {
        let calls = try await sweep(EIO, step: Self.isLong ? 1 : 11, profile: "poc")
        #expect(calls > 60)
    }

    @Test(arguments: [ENOSPC, EACCES, EMFILE, EINTR])
    func everyFewCalls_thatFailOnce(_ code: Int32) async throws {
        // All of them in the long form; here each errno takes calls of its own, so that together they meet many.
        let calls = try await sweep(code, step: Self.isLong ? 1 : 41, profile: "poc")
        #expect(calls > 60)
    }
}
