// Findings as SARIF 2.1.0 (OASIS), the form that code-scanning tools read. One run, one rule per code, one result per finding.
// A waived finding is a suppressed result, so that tools show it as accepted and not as gone.

import Foundation

/// Writes the SARIF document of a preflight run.
public struct SARIFReport: Sendable {
    /// One prompt's findings.
    public struct Entry: Sendable {
        /// Path as the user gave it; written as a relative URI reference, or `file:` for an absolute one.
        public var path: String
        public var findings: [Finding]
        public init(path: String, findings: [Finding]) {
            self.path = path
            self.findings = findings
        }
    }

    /// Version of flowspool, as it names itself.
    public var version: String

    public init(version: String) {
        self.version = version
    }

    public func document(_ entries: [Entry]) -> JSON {
        let codes = Finding.Code.allCases
        let rules = codes.map { code -> JSON in
            [
                "id": .string(code.rawValue),
                "shortDescription": ["text": .string(Self.title(code))],
                "defaultConfiguration": ["level": .string(Self.level(code.severity))],
            ]
        }
        let results = entries.flatMap { entry in entry.findings.map { result($0, entry.path, codes) } }
        return [
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                [
                    "tool": [
                        "driver": [
                            "name": "flowspool", "version": .string(version), "rules": .array(rules),
                        ]
                    ],
                    "columnKind": "unicodeCodePoints",
                    "results": .array(results),
                ]
            ],
        ]
    }

    private func result(_ finding: Finding, _ path: String, _ codes: [Finding.Code]) -> JSON {
        var location: [(String, JSON)] = [("artifactLocation", ["uri": .string(Self.uri(path))])]
        if let line = finding.line, line >= 1 {
            var region: [(String, JSON)] = [("startLine", .int(line))]
            if let column = finding.column, column >= 1 { region.append(("startColumn", .int(column))) }
            location.append(("region", .object(region)))
        }
        var members: [(String, JSON)] = [
            ("ruleId", .string(finding.code.rawValue)),
            ("ruleIndex", .int(codes.firstIndex(of: finding.code) ?? -1)),
            ("level", .string(Self.level(finding.code.severity))),
            ("message", ["text": .string("\(finding.message). \(finding.advice).")]),
            ("locations", [["physicalLocation": .object(location)]]),
        ]
        if let waiver = finding.waiver {
            members.append(("suppressions", [["kind": "inSource", "justification": .string(waiver)]]))
        }
        return .object(members)
    }

    private static func level(_ severity: Finding.Severity) -> String {
        switch severity {
        case .error: "error"
        case .warning: "warning"
        case .info: "note"
        }
    }

    /// `destructive_fs` as "Destructive fs": what a tool shows as the rule's title.
    private static func title(_ code: Finding.Code) -> String {
        let words = code.rawValue.replacing("_", with: " ")
        return words.prefix(1).uppercased() + words.dropFirst()
    }

    /// A path as a URI reference (RFC 3986): every byte that is no unreserved character, and no `/`, percent-encoded. A first
    /// part with a colon would read as a scheme and gets `./` before it.
    static func uri(_ path: String) -> String {
        var out = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
                out.append(Character(Unicode.Scalar(byte)))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                out += "%" + (digits.count == 1 ? "0" + digits : digits)
            }
        }
        return path.hasPrefix("/") ? "file://" + out : out
    }
}
