import Testing

@testable import Spool

@Suite struct ToggleTests {
    @Test(arguments: [
        (Toggle.warnMode, "ask", "ask"), (.warnMode, "auto-approve", "auto-approve"), (.warnMode, "auto_approve", "auto-approve"),
        (.warnMode, "autoapprove", "auto-approve"), (.warnMode, "halt", "halt"),
        (.warnGate, "yes", "yes"), (.warnGate, "true", "yes"), (.warnGate, "1", "yes"),
        (.warnGate, "no", "no"), (.warnGate, "false", "no"), (.warnGate, "0", "no"),
        (.retryMax, "0", "0"), (.retryMax, "1", "1"),
        (.failFastThreshold, "1", "1"), (.totalFailuresMax, "20", "20"),
    ])
    func normalize_acceptsEachSpelling(toggle: Toggle, text: String, normal: String) {
        #expect(toggle.normalize(text) == normal)
    }

    @Test(arguments: [
        (Toggle.warnMode, ["", "Ask", "auto approve", "yes", " ask", "ask\n"]),
        (.warnGate, ["", "YES", "on", "2", "y", "-1"]),
        (.retryMax, ["", "2", "-1", "01", "true", "yes", "1.0"]),
        (.failFastThreshold, ["", "0", "-1", "1.5", "ten", "+3", "03", "1e3", "99999999999999999999", "٣"]),
        (.totalFailuresMax, ["0", "-1", "1.5", "ten"]),
    ])
    func normalize_refusesAnythingElse(toggle: Toggle, texts: [String]) {
        for text in texts { #expect(toggle.normalize(text) == nil, "\(toggle.rawValue): \(text)") }
    }

    @Test func normalize_keepsItsOwnOutput() {
        for (toggle, text) in Policy.builtin.normalized { #expect(toggle.normalize(text) == text) }
    }

    @Test func environmentNames_areThoseOfTheContract() {
        let names = Toggle.allCases.map(\.environmentNames)
        #expect(
            names.map(\.name) == [
                "PROMPT_FLOW_WARN_MODE", "PROMPT_FLOW_WARN_GATE", "PROMPT_FLOW_RETRY_MAX",
                "PROMPT_FLOW_PIPELINE_FAIL_FAST_THRESHOLD", "PROMPT_FLOW_PIPELINE_MAX_TOTAL_FAILURES",
            ])
        #expect(
            names.map(\.alias) == [
                "PROMPT_EXEC_WARN_MODE", "PROMPT_EXEC_WARN_GATE", "PROMPT_EXEC_RETRY_MAX",
                "PIPELINE_FAIL_FAST_THRESHOLD", "PIPELINE_MAX_TOTAL_FAILURES",
            ])
    }
}
