// How the completion gate asks a URL. The probe is a seam: here it is `curl` as a child, which knows TLS, proxies and the
// machine's certificates, is kept by others, and costs the binary nothing where no prompt asks for it.

import Foundation

/// One GET.
public struct HTTPProbeRequest: Sendable {
    public var url: String
    public var timeoutSeconds: Double
    /// Where the probe may leave files.
    public var folder: String
    public var environment: [String: String]
}

/// Status and headers of an answer; of its body nothing is kept.
public struct HTTPProbeAnswer: Sendable {
    public var status: Int
    public var headers: [(name: String, value: String)]
}

/// Why there was no answer, for a person to read.
public struct HTTPProbeFailure: Error, Sendable, Hashable {
    public var text: String
    /// Where it could not be asked: the system call of flowspool's own that failed.
    var cause: SystemCallError?

    public init(text: String) { self.text = text }
}

/// Something that can ask a URL.
public protocol HTTPProbe: Sendable {
    /// Asks once; redirections are answers, not followed.
    func get(_ request: HTTPProbeRequest, on executor: any Executor) async -> Result<HTTPProbeAnswer, HTTPProbeFailure>
}

/// `curl` (Debian: curl), 7.68 or later.
public struct CurlProbe: HTTPProbe {
    private static let headersBytesMax = 256 << 10

    public init() {}

    public func get(_ request: HTTPProbeRequest, on executor: any Executor) async -> Result<HTTPProbeAnswer, HTTPProbeFailure> {
        let scheme = request.url.prefix { $0 != ":" }.lowercased()
        guard scheme == "http" || scheme == "https", request.url.dropFirst(scheme.count).hasPrefix("://") else {
            return .failure(HTTPProbeFailure(text: "not asked, only http and https are"))
        }
        let headersPath = request.folder + "/gate-headers"
        let errorPath = request.folder + "/gate-error.log"
        let command = Command(
            executable: "curl",
            arguments: [
                // First, or it has no effect: the user's ~/.curlrc could change what is asked.
                "--disable",
                // Brackets and braces in a URL would be taken as patterns for many requests.
                "--globoff", "--silent", "--show-error", "--no-buffer", "--dump-header", "-",
                // The answer's headers are all that is wanted: its body, however long, ends the transfer with a write error
                // (full(4)) as soon as it begins.
                "--output", "/dev/full",
                "--proto", "=http,https", "--max-redirs", "0", "--max-time",
                String(request.timeoutSeconds),
                "--url", request.url,
            ],
            environment: request.environment, workingDirectory: request.folder, outputPath: headersPath, errorPath: errorPath,
            timeoutSeconds: request.timeoutSeconds + 1, outputBytesMax: Self.headersBytesMax)
        let result = await executor.run(command)
        let answer = Self.answer(from: headersPath)
        switch result.ending {
        case .notStarted(let why) where result.cause != nil:
            var failure = HTTPProbeFailure(text: "not asked: \(why)")
            failure.cause = result.cause
            return .failure(failure)
        case .notStarted: return .failure(HTTPProbeFailure(text: "not asked: curl is not installed (`apt-get install curl`)"))
        case .cancelled: return .failure(HTTPProbeFailure(text: "cancelled"))
        // 23: there was a body; 28: the time was up, which matters only where no headers came.
        case .exited(0), .exited(23), .exited(28), .timedOut:
            if let answer { return .success(answer) }
            return .failure(HTTPProbeFailure(text: "no answer within \(spelled(seconds: request.timeoutSeconds))"))
        case .exited, .signalled:
            let text = Self.text(errorPath, bytesMax: 4096).split(separator: "\n").first.map(String.init) ?? "curl failed"
            return .failure(HTTPProbeFailure(text: printable(text)))
        }
    }

    /// The last header block of the file: an answer 100 or a proxy's comes before it (RFC 9110, 15.2).
    private static func answer(from path: String) -> HTTPProbeAnswer? {
        var last: HTTPProbeAnswer?
        for line in text(path, bytesMax: headersBytesMax).split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
            if line.hasPrefix("HTTP/") {
                let words = line.split(separator: " ")
                guard words.count > 1, let status = Int(words[1]) else { return nil }
                last = HTTPProbeAnswer(status: status, headers: [])
            } else if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespacesAndNewlines)
                last?.headers.append((String(line[..<colon]), value))
            }
        }
        return last.flatMap { $0.status >= 200 ? $0 : nil }
    }

    private static func text(_ path: String, bytesMax: Int) -> String {
        String(decoding: ProcessTable.read(path, bytesMax: bytesMax) ?? [], as: UTF8.self)
    }
}
