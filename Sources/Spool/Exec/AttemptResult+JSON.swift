// The form in which an attempt's result stands in its run folder, `result.json`. Keys may be added, never renamed. What blocks handed on is not part of it: it may hold secrets.

import Foundation

extension AttemptResult {
    /// The document `result.json`.
    func json(of request: AttemptRequest) -> JSON {
        .object([
            ("job", .int(Int(request.job))), ("attempt", .int(request.attempt)),
            ("prompt_id", .string(request.prompt.id)), ("prompt_sha", .string(request.prompt.sha)),
            ("outcome", .string(outcome.rawValue)), ("failure_class", JSON(failureClass?.rawValue)),
            ("exit_code", JSON(exitCode.map(Int.init))), ("first_block", .int(request.firstBlock)),
            ("failed_block", JSON(failedBlock)), ("last_ok_block", .int(lastOKBlock)),
            ("completion_gate", .string(gate.rawValue)), ("duration_ms", .int(durationMilliseconds)),
            ("message", .string(message)), ("blocks", .array(blocks.map(\.json))), ("usage", usage?.json ?? .null),
        ])
    }
}
