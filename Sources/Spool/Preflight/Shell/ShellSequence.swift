// The blocks of one prompt, one after another: each is a process of its own, but finds the files that those before it have written, the
// folders and containers that they have made, and the variables that they have handed on. A block whose report is kept is not walked
// again; what those before an unknown one leave is worked out once it is needed.

import Synchronization

/// What a block leaves for the blocks after it.
struct ShellLeavings: Sendable, Equatable {
    var files: [String: [ShellValue]] = [:]
    var made: Set<String> = []
    var links: Set<String> = []
    var ownContainers: Set<String> = []
    var descriptors = 0
    /// `NAME=value` lines in the file `$FLOWSPOOL_ENV`.
    var variables: [String: ShellVariable] = [:]

    /// Behind a block that may have ended early, and after which the prompt goes on all the same: each of its files may be what it was.
    func joined(with before: ShellLeavings) -> ShellLeavings {
        var result = self
        (result.made, result.ownContainers) = (before.made, before.ownContainers)
        result.links.formUnion(before.links)
        for (path, texts) in before.files {
            var all = result.files[path] ?? []
            for text in texts where !all.contains(text) && all.count < 8 { all.append(text) }
            result.files[path] = all
        }
        return result
    }

    /// The key of the file behind `$FLOWSPOOL_ENV`.
    static let handOnKey = "$FLOWSPOOL_ENV"
}

/// Judges the blocks of one prompt. Used by one task at a time.
final class ShellSequence: ShellSequenceChecking {
    private let analyzer: ShellAnalyzer
    private let state = Mutex(State())

    private struct State {
        var earlier: [Block] = []
        /// Tells what these blocks leave from all else; empty where they leave nothing.
        var digest = ""
        /// What the first `known` of them leave.
        var leavings = ShellLeavings()
        var known = 0
    }

    init(_ analyzer: ShellAnalyzer) { self.analyzer = analyzer }

    func check(_ block: Block) async -> ShellCheckResult { ShellCheckResult(await analyzer.analyze(block, in: self)) }

    /// The digest of the next block, behind those that were judged.
    func digest(of block: Block) -> String { analyzer.digest(of: block, behind: state.withLock(\.digest)) }

    /// A report of the next block is known.
    func pass(_ block: Block, _ digest: String, _ report: CachedReport) {
        state.withLock { state in
            state.earlier.append(block)
            if report.leavesTraces { state.digest = digest }
        }
    }

    /// What the blocks before the next one leave, walked as far as they were not. On a thread with a deep stack.
    func leavings(_ walk: (Block, ShellLeavings) -> ShellLeavings) -> ShellLeavings {
        var (earlier, known, leavings) = state.withLock { ($0.earlier, $0.known, $0.leavings) }
        while known < earlier.count {
            leavings = walk(earlier[known], leavings)
            known += 1
        }
        let result = leavings
        state.withLock { ($0.leavings, $0.known) = (result, $0.earlier.count) }
        return result
    }

    /// The next block was walked, from what `leavings` gave.
    func take(_ block: Block, _ digest: String, _ leavings: ShellLeavings) {
        state.withLock { state in
            state.earlier.append(block)
            if leavings != state.leavings { state.digest = digest }
            state.leavings = leavings
            state.known = state.earlier.count
        }
    }
}

extension ShellEvaluator {
    /// Begins where the blocks before this one have left off.
    func begin(with leavings: ShellLeavings, _ shell: Block.Shell) {
        (files, made, links) = (leavings.files, leavings.made, leavings.links)
        ownContainers = leavings.ownContainers
        descriptors = leavings.descriptors
        for (name, variable) in leavings.variables { environment.variables[name] = variable }
        guard shell == .bash, leavings.variables["BASH_ENV"] != nil else { return }
        // bash(1), "INVOCATION": read before the script.
        for file in variableValues("BASH_ENV") { runCode(content(of: file) ?? [], as: "BASH_ENV") }
    }

    /// What the blocks after this one find.
    func leavings(after before: ShellLeavings) -> ShellLeavings {
        var result = before
        result.files = files.filter { !$0.key.hasPrefix("/dev/fd/") }
        (result.made, result.links) = (made, links)
        result.ownContainers = ownContainers
        result.descriptors = descriptors
        for text in files[ShellLeavings.handOnKey] ?? [] {
            for line in budget.lines(of: text) {
                let line = line.trimmingNewlines()
                let known = line.text
                guard let equals = known.firstIndex(of: "="), equals != known.startIndex,
                    known[..<equals].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }),
                    let value = line.dropping(known.distance(from: known.startIndex, to: equals) + 1)
                else { continue }
                let name = String(known[..<equals])
                // What was handed on by another way through the block counts as well.
                var variable = ShellVariable.scalar([value])
                if let other = result.variables[name] { variable.add(other) }
                result.variables[name] = variable
            }
        }
        return result
    }
}
