// `$name`, `${name…}`: values of variables and what the operators make of them.

extension ShellEvaluator {
    func isList(_ parameter: ShellParameter) -> Bool {
        if parameter.isLength || parameter.isIndirect { return false }
        if parameter.name == "@" { return true }
        return parameter.index?.plainText == "@"
    }

    /// Alternatives of fields; unquoted splitting is left to the caller.
    func expand(_ parameter: ShellParameter, isQuoted: Bool) -> [[ShellValue]] {
        if let index = parameter.index { _ = expandWhole(index) }
        if parameter.isLength || parameter.isNames || parameter.name == "#" || parameter.name == "?" || parameter.name == "$" {
            return [[.unknown("$\(parameter.name)")]]
        }
        var (alternatives, mayBeUnset) = lookup(parameter)
        if parameter.isIndirect { alternatives = alternatives.flatMap { indirect($0) } }
        if let operation = parameter.operation {
            alternatives = apply(operation, parameter, alternatives, mayBeUnset: &mayBeUnset)
        }
        if let replacement = parameter.replacement { alternatives = replace(alternatives, replacement) }
        if let slice = parameter.slice { alternatives = cut(alternatives, slice, isList: isList(parameter)) }
        let joins = isQuoted && !isList(parameter)
        return joins ? alternatives.map { $0.count == 1 ? $0 : [Self.spaced($0)] } : alternatives
    }

    static func spaced(_ values: [ShellValue]) -> ShellValue {
        var result = ShellValue()
        for (index, value) in values.enumerated() {
            if index > 0 { result.append(.text(" ")) }
            result.append(value)
        }
        return result
    }

    /// What a variable may hold, and whether it may come from outside the block.
    private func lookup(_ parameter: ShellParameter) -> ([[ShellValue]], Bool) {
        let name = parameter.name
        switch name {
        case "@", "*":
            guard let values = environment.positional else { return ([[.unknown("$@")]], true) }
            return ([values], values.isEmpty)
        case "0": return ([[environment.scriptName ?? .unknown("$0")]], false)
        case "!": return ([[.unknown("$!", .own)]], false)
        case "HOME" where environment.variables[name] == nil: return ([[ShellValue([.home])]], false)
        case "PWD" where environment.variables[name] == nil:
            return ([[environment.folder ?? ShellValue(".")]], false)
        default: break
        }
        if let number = Int(name) {
            guard let values = environment.positional else { return ([[.unknown("$\(name)")]], true) }
            guard number >= 1, number <= values.count else { return ([[ShellValue()]], true) }
            return ([[values[number - 1]]], false)
        }
        guard let variable = environment.variables[name] else { return ([[.unknown("$\(name)")]], true) }
        var alternatives = variable.alternatives
        if variable.mayBeOuter { alternatives.append([.unknown("$\(name)")]) }
        return (elements(alternatives, parameter), variable.mayBeOuter || alternatives.isEmpty)
    }

    private func elements(_ alternatives: [[ShellValue]], _ parameter: ShellParameter) -> [[ShellValue]] {
        guard let index = parameter.index else {
            return alternatives.map { [$0.first ?? ShellValue()] }
        }
        let text = index.plainText ?? ""
        if text == "@" || text == "*" { return alternatives }
        if let number = Int(text) {
            return alternatives.map { list in
                let at = number < 0 ? list.count + number : number
                return list.indices.contains(at) ? [list[at]] : [ShellValue()]
            }
        }
        // A key of an associative array, or a computed index: any element.
        return alternatives.flatMap { $0.isEmpty ? [[ShellValue()]] : $0.map { [$0] } }
    }

    private func indirect(_ names: [ShellValue]) -> [[ShellValue]] {
        guard let name = names.first?.literal, environment.variables[name] != nil else {
            return [[.unknown("${!…}")]]
        }
        return lookup(ShellParameter(name: name)).0
    }

    private func apply(
        _ operation: ShellParameter.Operation, _ parameter: ShellParameter, _ alternatives: [[ShellValue]],
        mayBeUnset: inout Bool
    ) -> [[ShellValue]] {
        let operands = parameter.operand.map { expandWhole($0) } ?? [ShellValue()]
        let mayBeEmpty = mayBeUnset || alternatives.contains { $0.allSatisfy(\.isEmpty) }
        switch operation {
        case .fallback, .fallbackNull, .assign, .assignNull:
            guard mayBeEmpty else { return alternatives }
            let isOuter = alternatives.contains { $0.contains { $0.hasUnknown } } || !mayBeUnset
            let kept = alternatives.filter { !$0.allSatisfy(\.isEmpty) }
            let result = (isOuter ? kept : []) + operands.map { [$0] }
            if operation == .assign || operation == .assignNull {
                assign(parameter.name, ShellVariable(alternatives: result))
            }
            return result
        case .alternate, .alternateNull:
            let isCertain = !mayBeEmpty && environment.variables[parameter.name] != nil
            return operands.map { [$0] } + (isCertain ? [] : [[]])
        case .error, .errorNull: return alternatives
        case .upperAll: return map(alternatives) { $0.uppercased() }
        case .lowerAll: return map(alternatives) { $0.lowercased() }
        case .upperFirst: return map(alternatives) { $0.prefix(1).uppercased() + $0.dropFirst() }
        case .lowerFirst: return map(alternatives) { $0.prefix(1).lowercased() + $0.dropFirst() }
        case .transform: return alternatives
        case .shortSuffix, .longSuffix, .shortPrefix, .longPrefix:
            return strip(operation, alternatives, operands.first ?? ShellValue())
        }
    }

    private func map(_ alternatives: [[ShellValue]], _ change: (String) -> String) -> [[ShellValue]] {
        alternatives.map { list in list.map { value in value.literal.map { ShellValue(change($0)) } ?? value } }
    }

    private func strip(
        _ operation: ShellParameter.Operation, _ alternatives: [[ShellValue]], _ pattern: ShellValue
    ) -> [[ShellValue]] {
        let glob = pattern.text
        return alternatives.map { list in
            list.map { value in
                guard let text = value.literal else {
                    // `${tmp%/}`: what is left of an unknown is as unknown; its origin no longer vouches for it.
                    if glob == "/" || glob == "*/" && !operation.isSuffix { return value }
                    return ShellValue(
                        value.pieces.map { piece in
                            if case .unknown(let name, let taints) = piece { return .unknown(name, taints.subtracting(.scratch)) }
                            return piece
                        })
                }
                // Each way to cut the text is held against the pattern.
                let ways = text.utf8.count.multipliedReportingOverflow(by: text.utf8.count * (1 + glob.utf8.count) / 8)
                guard !ways.overflow, budget.spend(bytes: ways.partialValue) else { return ShellValue() }
                return ShellValue(Self.strip(operation, text, glob))
            }
        }
    }

    static func strip(_ operation: ShellParameter.Operation, _ text: String, _ glob: String) -> String {
        let characters = Array(text)
        var cuts = Array(0...characters.count)
        // Shortest removal first for % and #, longest first for %% and ##.
        if operation == .shortSuffix || operation == .longPrefix { cuts.reverse() }
        for cut in cuts {
            let removed = operation.isSuffix ? String(characters[cut...]) : String(characters[..<cut])
            if GlobPattern.matches(glob, removed) {
                return operation.isSuffix ? String(characters[..<cut]) : String(characters[cut...])
            }
        }
        return text
    }

    private func replace(
        _ alternatives: [[ShellValue]], _ replacement: (all: Bool, pattern: ShellWord?, with: ShellWord?)
    ) -> [[ShellValue]] {
        let pattern = replacement.pattern.map { expandWhole($0) }?.first?.text ?? ""
        let with = replacement.with.map { expandWhole($0) }?.first ?? ShellValue()
        return alternatives.map { list in
            list.map { value in
                guard let text = value.literal, let new = with.literal, !pattern.isEmpty,
                    !pattern.contains(where: { "*?[".contains($0) })
                else { return value.literal == nil ? value : .unknown("${…/…}") }
                let growth = (text.utf8.count / pattern.utf8.count).multipliedReportingOverflow(by: new.utf8.count)
                guard !growth.overflow, budget.spend(bytes: text.utf8.count + growth.partialValue) else { return .cut() }
                if replacement.all { return ShellValue(text.replacing(pattern, with: new)) }
                return ShellValue(text.replacing(pattern, with: new, maxReplacements: 1))
            }
        }
    }

    private func cut(
        _ alternatives: [[ShellValue]], _ slice: (offset: ShellWord?, length: ShellWord?), isList: Bool
    ) -> [[ShellValue]] {
        for word in [slice.offset, slice.length].compactMap(\.self) where word.plainText == nil { _ = expandWhole(word) }
        let offset = slice.offset?.plainText.flatMap { Int($0) }
        let length = slice.length?.plainText.flatMap { Int($0) }
        return alternatives.map { list in
            if isList {
                // "${@:2}" counts from 1, "${a[@]:1}" from 0; either way nothing outside the list can appear.
                guard let offset, offset >= 0 else { return list }
                return Array(list.dropFirst(offset > 0 ? offset - (environment.positional == list ? 1 : 0) : 0))
            }
            return list.map { value in
                guard let text = value.literal, let offset, offset >= 0 else { return value }
                let rest = text.dropFirst(offset)
                return ShellValue(String(length.map { rest.prefix(max($0, 0)) } ?? rest))
            }
        }
    }
}

extension ShellParameter.Operation {
    var isSuffix: Bool { self == .shortSuffix || self == .longSuffix }
}

/// Shell wildcards: `*`, `?`, `[…]`.
enum GlobPattern {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        matches(Array(pattern)[...], Array(text)[...])
    }

    private static func matches(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
        var pattern = pattern
        var text = text
        // The place to come back to when the text after a `*` does not fit.
        var retry: (pattern: ArraySlice<Character>, text: ArraySlice<Character>)?
        while true {
            if let next = pattern.first {
                if next == "*" {
                    pattern = pattern.dropFirst()
                    retry = (pattern, text)
                    continue
                }
                if let character = text.first {
                    if next == "[", let close = pattern.dropFirst(2).firstIndex(of: "]") {
                        if matches(class: pattern[(pattern.startIndex + 1)..<close], character) {
                            pattern = pattern[(close + 1)...]
                            text = text.dropFirst()
                            continue
                        }
                    } else if next == "?" || next == character {
                        pattern = pattern.dropFirst()
                        text = text.dropFirst()
                        continue
                    }
                }
            } else if text.isEmpty {
                return true
            }
            guard let again = retry, !again.text.isEmpty else { return false }
            pattern = again.pattern
            text = again.text.dropFirst()
            retry = (pattern, text)
        }
    }

    private static func matches(class members: ArraySlice<Character>, _ character: Character) -> Bool {
        var members = members
        var isNegated = false
        if members.first == "!" || members.first == "^" {
            isNegated = true
            members = members.dropFirst()
        }
        let list = Array(members)
        var index = 0
        var isMember = false
        while index < list.count {
            if index + 2 < list.count, list[index + 1] == "-" {
                if list[index] <= character, character <= list[index + 2] { isMember = true }
                index += 3
            } else {
                if list[index] == character { isMember = true }
                index += 1
            }
        }
        return isMember != isNegated
    }
}
