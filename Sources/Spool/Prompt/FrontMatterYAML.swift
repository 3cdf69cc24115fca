// Front matter through Yams, with bounds that Yams does not have: length, and the work that anchors can multiply. Scalars keep
// their text (no YAML 1.1 `no` → false): whoever reads a key decides what its text means. Nothing here is ever thrown further
// than `PromptFile.read`, which makes a finding of it.

import Yams

/// Why front matter cannot be read.
struct FrontMatterProblem: Error, Equatable {
    /// Line within the YAML text, counted from 1.
    var line: Int?
    var column: Int?
    var message: String
    var advice: String
}

enum FrontMatterYAML {
    /// Longest front matter that is read, in bytes.
    static let bytesMax = 128 * 1024
    /// Most nodes that aliases may stand for. Yams shares aliased nodes, but it hashes keys by content, and a key may be an alias.
    static let expansionsMax = 10_000.0

    /// Parses `text`; nil when it holds no document (only comments, or nothing).
    static func compose(_ text: String, bytesMax: Int = bytesMax) throws(FrontMatterProblem) -> Node? {
        guard text.utf8.count <= bytesMax else {
            throw FrontMatterProblem(
                message: "front matter is longer than \(bytesMax / 1024) KiB", advice: "Move the text into the body")
        }
        guard expansionsBound(text) <= expansionsMax else {
            throw FrontMatterProblem(
                message: "front matter uses too many anchors and aliases", advice: "Write the repeated values out")
        }
        do {
            // The encoding is given: Yams would otherwise read the environment on every call, and print what it finds there.
            // Nodes are all that is asked for: nothing is constructed of them.
            return try Parser(yaml: text, resolver: .basic, constructor: Constructor([:], [:], [:]), encoding: .utf8).singleRoot()
        } catch let error as YamlError {
            throw problem(error)
        } catch {
            throw FrontMatterProblem(message: "front matter is not valid YAML", advice: "Check it with a YAML linter")
        }
    }

    /// An upper bound of how many nodes one node may stand for: with A anchors and B aliases, (1 + B/A)^A.
    private static func expansionsBound(_ text: String) -> Double {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return 1 }
        var anchors = 0.0
        var aliases = 0.0
        var previous = UInt8(ascii: "\n")
        for byte in text.utf8 {
            let canStart: Bool =
                switch previous {
                case 0x0A, 0x0D, 0x20, 0x09, UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ":"),
                    UInt8(ascii: "?"),
                    0x85, 0xA8, 0xA9:  // last bytes of NEL, LS and PS, which end a line in YAML 1.1
                    true
                default: false
                }
            if canStart, byte == UInt8(ascii: "&") { anchors += 1 }
            if canStart, byte == UInt8(ascii: "*") { aliases += 1 }
            previous = byte
        }
        guard anchors > 0 else { return 1 }
        var bound = 1.0
        for _ in 0..<Int(anchors) where bound <= expansionsMax { bound *= 1 + aliases / anchors }
        return bound
    }

    private static func problem(_ error: YamlError) -> FrontMatterProblem {
        let advice = "Mend the YAML there; quote values that hold `: ` or ` #`, or that start with a special character"
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let text = context.map { "\($0.text) in line \($0.mark.line + 1): \(problem)" } ?? problem
            return FrontMatterProblem(
                line: mark.line, column: mark.column, message: "front matter is not valid YAML: \(text)", advice: advice)
        case .duplicatedKeysInMapping(let duplicates, let context):
            // Of keys that are no text, Yams takes the first of a hash table, which is another each time: then it is not said where.
            let mark = duplicates.contains("<uncovertable>") ? nil : context.mark
            let names = duplicates.sorted().prefix(3).map { "`\(excerpt($0))`" }.joined(separator: ", ")
            return FrontMatterProblem(
                line: mark?.line, column: mark?.column, message: "front matter has the key \(names) twice",
                advice: "Keep one of them")
        case .reader(let problem, let offset, _, let yaml):
            let line = offset.map { 1 + yaml.prefix($0).reduce(into: 0) { if $1.isNewline { $0 += 1 } } }
            return FrontMatterProblem(
                line: line, message: "front matter is not valid YAML: \(problem)",
                advice: "Remove the control characters from it")
        default:
            return FrontMatterProblem(message: "front matter is not valid YAML", advice: advice)
        }
    }
}

/// At most 80 Unicode scalars of text from a file, safe to print.
func excerpt(_ text: String) -> String {
    let short = text.unicodeScalars.prefix(80)
    return printable(short.endIndex == text.endIndex ? text : String(short) + "…")
}
