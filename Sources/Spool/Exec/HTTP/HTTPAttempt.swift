// One attempt at an endpoint: request, answer as it streams, verdict, gates. Used once.

import AsyncHTTPClient
import Foundation
import NIOCore

/// The state of one attempt.
struct HTTPAttempt {
    private let runner: HTTPRunner
    private let request: AttemptRequest
    private let plan: AgentPlan
    private let target: HTTPTarget
    private let folder: RunFolder
    private let executor: any Executor
    private let begin: MonotonicTime
    /// Of the key that is sent.
    let secrets: SecretMask
    private var usage: RunUsage
    private var result = AttemptResult(outcome: .success)

    /// Why the exchange ended without an answer.
    private struct Failure: Error {
        var failure: FailureClass
        var message: String
        var retryAt: Date?
        /// What the system refused, where for that nothing was asked.
        var cause: SystemCallError?
    }

    init(
        runner: HTTPRunner, request: AttemptRequest, plan: AgentPlan, target: HTTPTarget, folder: RunFolder,
        executor: any Executor,
        begin: MonotonicTime
    ) {
        self.runner = runner
        self.request = request
        self.plan = plan
        self.target = target
        self.folder = folder
        self.executor = executor
        self.begin = begin
        secrets = SecretMask([target.keyName.flatMap { runner.context.environment[$0] }].compactMap(\.self))
        usage = RunUsage(runner: plan.preset.name)
        usage.model = plan.model
    }

    mutating func run() async -> AttemptResult {
        if let text = runner.meter.usedUp() { return fail(.budget, text + "; nothing was started") }
        if let missing = plan.missing.first { return fail(.runner, "{{\(missing.name)}} has no value") }
        if let path = request.prompt.settings.agent.output {
            do throws(AnswerFile.Refused) {
                try AnswerFile.check(path, below: request.repoRoot)
            } catch {
                return fail(.gate, error.text + "; nothing was started")
            }
        }
        var isAsked = false
        do {
            try folder.write(AgentAttempt.promptName, Data(plan.text.utf8))
            try folder.write(AgentAttempt.answerName, Data())
            isAsked = true
            let limit = max(0.001, min(request.timeoutSeconds - begin.seconds, plan.budget.timeSeconds ?? .infinity))
            let text = try await limited(limit) { [self] in try await exchange() }
            usage = text.usage
            finishMeter()
            if result.outcome == .success { await ask(text.answer) }
        } catch let failure as Failure {
            usage = lastUsage.value
            finishMeter()
            _ = fail(failure.failure, failure.message)
            result.retryAt = failure.retryAt
            result.refuse(failure.cause)
        } catch is CancellationError {
            usage = lastUsage.value
            finishMeter()
            result.outcome = .cancelled
            result.message = "cancelled while \(plan.preset.name) answered"
        } catch {
            finishMeter()
            _ = fail(.runner, "\(error)")
            if !isAsked { result.refuse(error) }
        }
        result.exitCode = result.outcome == .success ? 0 : nil
        result.lastOKBlock = result.outcome == .success || result.failureClass == .gate ? 1 : 0
        result.failedBlock = result.outcome == .failed && result.failureClass != .gate ? 1 : nil
        result.blocks = [
            BlockResult(
                block: 1, exitCode: result.exitCode, durationMilliseconds: begin.milliseconds, log: AgentAttempt.answerName,
                failureClass: result.failureClass)
        ]
        result.usage = usage
        return result
    }

    private func finishMeter() { runner.meter.finish(request.job, usage.total(seconds: begin.seconds)) }

    /// What was known of usage when the exchange was cut off.
    private let lastUsage = UsageBox()
    private let progress = ExchangeProgress()

    // MARK: The exchange

    private struct Exchanged: Sendable {
        var answer: String
        var usage: RunUsage
    }

    private func exchange() async throws -> Exchanged {
        lastUsage.value = usage
        let client = HTTPClients.shared.client(connectSeconds: plan.preset.connectSeconds)
        let response: HTTPClientResponse
        do {
            response = try await client.execute(try makeRequest(), deadline: .distantFuture, logger: nil)
        } catch let error as HTTPClientError {
            if error == .cancelled { throw CancellationError() }
            throw Failure(
                failure: error == .connectTimeout ? .timeout : .runner,
                message: "\(target.endpoint.hostAndPort): \(error.shortDescription)")
        } catch let error as Failure {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let host = target.endpoint.hostAndPort
            throw Failure(
                failure: .runner, message: "\(host): \(Self.shortText(error))", cause: Self.connectionError(error, to: host))
        }
        guard (200..<300).contains(response.status.code) else { throw try await refusal(response) }
        return try await stream(response.body)
    }

    private func makeRequest() throws -> HTTPClientRequest {
        let settings = request.prompt.settings.agent
        let chat = ChatRequest(
            api: settings.api ?? plan.preset.api, model: plan.model ?? "default", system: plan.system, text: plan.text,
            messages: plan.messages,
            temperature: settings.temperature ?? plan.preset.temperature, tokensMax: settings.tokensMax ?? plan.preset.tokensMax)
        var message = HTTPClientRequest(url: target.endpoint.url + chat.path)
        message.method = .POST
        message.headers.add(name: "Content-Type", value: "application/json")
        message.headers.add(name: "Accept", value: "text/event-stream")
        message.headers.add(name: "User-Agent", value: "flowspool")
        if let name = target.keyName {
            guard let key = runner.context.environment[name], !key.isEmpty else {
                throw Failure(failure: .runner, message: "the variable \(name), which should hold the key, is not set")
            }
            guard key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Failure(failure: .runner, message: "the variable \(name) holds characters that no key has")
            }
            message.headers.add(name: "Authorization", value: "Bearer \(key)")
        }
        message.body = .bytes(ByteBuffer(string: chat.body.compact))
        return message
    }

    /// Seconds that the text of a refusal is waited for; the status is there.
    private static let refusalSeconds = 5.0

    private func refusalText(_ response: HTTPClientResponse) async throws -> String {
        try await withThrowingTaskGroup(of: String?.self) { group in
            // Where it cannot be read, the status says enough.
            group.addTask { (try? await response.body.collect(upTo: 64 << 10)).map { String(buffer: $0) } ?? "" }
            group.addTask {
                try await Task.sleep(for: .seconds(Self.refusalSeconds))
                return nil
            }
            defer { group.cancelAll() }
            let text = try await group.next() ?? nil
            if Task.isCancelled { throw CancellationError() }
            return text ?? ""
        }
    }

    /// An answer that is no 2xx.
    private func refusal(_ response: HTTPClientResponse) async throws -> Failure {
        let body = try await refusalText(response)
        let parsed = try? JSON.parse(body)
        let text =
            parsed?.at("error", "message")?.stringValue ?? parsed?["error"]?.stringValue ?? parsed?["message"]?.stringValue
            ?? body
        let code = response.status.code
        let message = "\(target.endpoint.hostAndPort) answered \(code)" + (text.isEmpty ? "" : ": \(excerpt(secrets(text)))")
        let now = Date(timeIntervalSince1970: Double(runner.clock.wallMilliseconds()) / 1000)
        let headers = response.headers.map { (name: $0.name, value: $0.value) }
        // 529 is what overloaded endpoints answer; 503 counts where it says when to come again.
        let isPaid = body.contains("insufficient_quota")
        if (code == 429 && !isPaid) || code == 529 || (code == 503 && headers.contains { $0.name.lowercased() == "retry-after" })
        {
            return Failure(
                failure: .rateLimited, message: message,
                retryAt: RetryHeaders.retryAt(headers, now: now) ?? LimitText.resetTime(in: body, now: now, timeZone: .gmt))
        }
        return Failure(failure: .exit, message: message)
    }

    private func stream(_ body: HTTPClientResponse.Body) async throws -> Exchanged {
        var events = EventStream()
        var answer = ""
        var part = body.makeAsyncIterator()
        while true {
            let bytes: ByteBuffer?
            do {
                bytes = try await part.next()
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                if Task.isCancelled { throw CancellationError() }
                note(events)
                throw Failure(failure: .runner, message: "the answer was cut off: \(Self.shortText(error))")
            }
            guard let bytes else { break }
            let text = events.take(bytes.readableBytesView)
            answer += text
            progress.note(hasAnswer: events.pieces > 0 || events.isThinking)
            try write(text)
            try check(events, answer)
            // Nothing comes behind it, and a server may keep the connection.
            if events.isDone || events.isWhole { break }
        }
        let rest = events.finish()
        answer += rest
        try write(rest)
        try check(events, answer)
        guard events.isDone || events.finishReason != nil else {
            let why = events.garbage.map { "it sent “\($0)”" } ?? "it ended without saying that it is whole"
            throw Failure(failure: .exit, message: "the answer was cut off: \(why)")
        }
        if let damage = events.damage {
            throw Failure(failure: .exit, message: "the answer was damaged on its way: “\(damage)” could not be read")
        }
        if let reason = events.finishReason, let text = Self.cutOff(reason) {
            let name = plan.preset.name
            throw Failure(failure: .exit, message: "\(name)'s answer was cut off: \(text) (finish_reason \(excerpt(reason)))")
        }
        guard answer.contains(where: { !$0.isWhitespace }) else {
            let api = request.prompt.settings.agent.api ?? plan.preset.api
            let hint = api == .chat ? "; for a base model set api: completions" : ""
            throw Failure(failure: .exit, message: "\(plan.preset.name) answered nothing\(hint)")
        }
        var used = note(events)
        used.turns = 1
        return Exchanged(answer: answer, usage: used)
    }

    /// What a reason that is no whole answer's means; nil: the answer is whole. Servers write it in several ways.
    private static func cutOff(_ reason: String) -> String? {
        switch reason.lowercased() {
        case "length", "max_tokens", "model_length":
            "the limit of tokens was reached; set max_tokens higher, or the server's own limit"
        case "content_filter", "safety": "the server's filter of contents stopped it"
        case "error": "the server ended it with an error"
        default: nil
        }
    }

    private func write(_ text: String) throws {
        guard !text.isEmpty else { return }
        do throws(SystemCallError) {
            let file = try folder.directory.openForAppending(AgentAttempt.answerName)
            try file.write(Data(text.utf8))
        } catch {
            throw Failure(failure: .runner, message: "\(error)")
        }
    }

    private func check(_ events: EventStream, _ answer: String) throws {
        let used = note(events)
        if let error = events.error {
            let now = Date(timeIntervalSince1970: Double(runner.clock.wallMilliseconds()) / 1000)
            if LimitText.isLimit(error) {
                throw Failure(
                    failure: .rateLimited, message: excerpt(secrets(error)),
                    retryAt: LimitText.resetTime(in: error, now: now, timeZone: .gmt))
            }
            throw Failure(failure: .exit, message: "the server reports: \(excerpt(secrets(error)))")
        }
        if events.isTooLong || answer.utf8.count > AgentStream.answerMax {
            throw Failure(failure: .budget, message: "the answer is longer than \(AgentStream.answerMax >> 20) MiB")
        }
        let total = used.total(seconds: begin.seconds)
        if let text = UsageMeter.exceeded(total, plan.budget, of: "the job", strictly: true)
            ?? runner.meter.note(request.job, total)
        {
            throw Failure(failure: .budget, message: "\(plan.preset.name) was ended: \(text)")
        }
    }

    @discardableResult
    private func note(_ events: EventStream) -> RunUsage {
        var used = usage
        used.model = events.model ?? usage.model
        used.tokensIn = events.tokensIn
        // Before the server tells, a piece is about a token.
        used.tokensOut = events.tokensOut ?? (events.pieces > 0 ? events.pieces : nil)
        used.session = events.id
        used.price(plan.preset.price)
        lastUsage.value = used
        return used
    }

    /// Runs `body`, which is called off when the time is up: of the whole, until the first piece, or without anything new.
    private func limited<R: Sendable>(_ seconds: Double, _ body: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask { [self] in
                while true {
                    let (left, failure) = timeLeft(of: seconds)
                    if left <= 0 { throw failure }
                    // The first piece may come meanwhile, and silence is counted from then.
                    try await Task.sleep(for: .seconds(min(left, plan.budget.idleSeconds ?? 86_400)))
                }
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else { throw CancellationError() }
            return value
        }
    }

    private func timeLeft(of seconds: Double) -> (Double, Failure) {
        let name = plan.preset.name
        var left = seconds - progress.begin.seconds
        var failure = Failure(
            failure: .timeout, message: "\(name) was ended: the time limit of \(spelled(seconds: seconds)) was reached")
        let state = progress.state
        if !state.hasAnswer {
            let first = plan.preset.firstTokenSeconds
            if first - progress.begin.seconds < left {
                left = first - progress.begin.seconds
                failure.message = "\(name) was ended: no answer began within \(spelled(seconds: first))"
            }
        } else if let idle = plan.budget.idleSeconds, idle - state.last.seconds < left {
            left = idle - state.last.seconds
            failure = Failure(failure: .idle, message: "\(name) was ended: its answer stood still for \(spelled(seconds: idle))")
        }
        return (left, failure)
    }

    /// The errno of a connection that failed (NIO's IOError); nil where another thing did.
    static func connectionError(_ error: any Error, to host: String) -> SystemCallError? {
        (error as? IOError).map { SystemCallError(call: .socket, path: host, errno: $0.errnoCode) }
    }

    /// NIO's own text names its functions.
    static func shortText(_ error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? excerpt("\(error)")
    }

    // MARK: Gates

    private mutating func ask(_ answer: String) async {
        if let path = request.prompt.settings.agent.output {
            do throws(AnswerFile.Refused) {
                try AnswerFile.write(answer, to: path, below: request.repoRoot)
            } catch {
                _ = fail(.gate, error.text)
                return
            }
        }
        let specification = request.prompt.settings.gate
        result.message = "\(plan.preset.name) answered \(answer.utf8.count) bytes"
        guard !specification.isEmpty else { return }
        let environment = request.environment.merging(ScriptAttempt.names(for: request)) { $1 }
        let cwd = request.prompt.settings.cwd.map { $0.hasPrefix("/") ? $0 : request.repoRoot + "/" + $0 }
        var problems = await runner.gate.ask(
            specification, repoRoot: request.repoRoot, folder: folder.path, environment: environment, executor: executor,
            timeLeftSeconds: max(0, request.timeoutSeconds - begin.seconds), workingDirectory: cwd
        ).problems
        if let problem = SchemaGate.problem(answer, specification, repoRoot: request.repoRoot) { problems.append(problem) }
        if Task.isCancelled {
            result.outcome = .cancelled
            result.message = "cancelled in the completion gate"
            return
        }
        result.gate = problems.isEmpty ? .pass : .fail
        if !problems.isEmpty { _ = fail(.gate, "completion gate: " + problems.joined(separator: "; ")) }
    }

    private mutating func fail(_ failure: FailureClass, _ message: String) -> AttemptResult {
        result.outcome = .failed
        result.failureClass = failure
        result.message = message
        result.usage = usage
        return result
    }
}
