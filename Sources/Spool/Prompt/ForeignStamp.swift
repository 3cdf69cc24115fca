// Stamps that carry no marks: written by older tools, by hand, or by a YAML editor that dropped the comments. `prompt_id`, `prompt_sha`
// and the three stages under `prompt_flow` are the stamp's in whatever form, so they are taken out of the identity too; only
// whole lines are cut, and only where Yams says that each key starts its own line.

import Yams

enum ForeignStamp {
    /// `bytes` without the stamp's keys; nil where there are none.
    ///
    /// - Throws: where they are written in flow style, which lines cannot take apart.
    static func remove(from bytes: [UInt8], _ front: FrontMatter, root: Node.Mapping) throws(FrontMatterProblem) -> [UInt8]? {
        guard let flow = root.first(where: { $0.key.text == StampLayout.key }), let entries = flow.value.mapping else {
            return nil
        }
        let stages = entries.first { $0.key.text == "stages" }
        let isStamped = entries.contains { $0.key.text == "prompt_id" || $0.key.text == "prompt_sha" }
        var keys = isStamped ? entries.filter { ["version", "prompt_id", "prompt_sha"].contains($0.key.text) }.map(\.key) : []
        let stageKeys = stages?.value.mapping?.filter { StampLayout.ownStages.contains($0.key.text ?? "") }.map(\.key) ?? []
        if let stages, let all = stages.value.mapping, !stageKeys.isEmpty, stageKeys.count == all.count {
            keys.append(stages.key)
        } else {
            keys += stageKeys
        }
        guard !keys.isEmpty else { return nil }
        let onlyStages = keys.count - (keys.contains { $0.text == "stages" } ? 0 : stageKeys.count)
        if onlyStages == entries.count { keys = [flow.key] }

        let locator = MarkLocator(bytes, front)
        var cuts: [Range<Int>] = []
        for key in keys {
            guard let mark = key.mark, let text = key.text, let cut = locator.entry(text, at: mark) else {
                throw FrontMatterProblem(
                    line: key.mark?.line, message: "`prompt_flow` holds a stamp that cannot be taken off",
                    advice: "Remove `prompt_id`, `prompt_sha` and the stages preflight, exec and pipeline from it")
            }
            cuts.append(cut)
        }
        var result: [UInt8] = []
        var position = 0
        for cut in cuts.sorted(by: { $0.lowerBound < $1.lowerBound }) where cut.lowerBound >= position {
            result += bytes[position..<cut.lowerBound]
            position = cut.upperBound
        }
        return result + bytes[position...]
    }
}
