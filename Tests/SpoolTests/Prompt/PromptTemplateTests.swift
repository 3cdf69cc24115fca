import Testing

@testable import Spool

@Suite struct PromptTemplateTests {
    private func fill(_ text: String, _ values: [String: String] = [:], inputs: [String] = [], variables: [String: String] = [:])
        -> PromptTemplate.Filled
    {
        var settings = AgentSettings()
        settings.values = values
        settings.inputs = inputs
        return PromptTemplate(settings, variables: variables).fill(text)
    }

    @Test func placeholder_withValue_isFilledOnceAndNeverAgain() {
        #expect(fill("Hi {{name}}, {{ name }}!", ["name": "{{other}}", "other": "x"]).text == "Hi {{other}}, {{other}}!")
    }

    @Test func placeholder_withoutValue_isMissingWithItsLine() {
        let filled = fill("a\nb {{who}}\n")
        #expect(filled.missing == [.init(name: "who", line: 2)])
        #expect(filled.text == "a\nb {{who}}\n")
    }

    @Test func names_inOtherSpellings_areOne() {
        #expect(fill("{{firstName}} {{first_name}}", ["first-name": "Jo"]).text == "Jo Jo")
        #expect(fill("{{topic}}", ["topic": "a"], variables: PromptTemplate.variables(["FLOWSPOOL_VAR_TOPIC": "b"])).text == "b")
    }

    @Test func code_keepsUnknownPlaceholders_butFillsKnownOnes() {
        let text = "Use `{{var}}` and {{a}}.\n```yaml\nx: {{ var }}\ny: {{a}}\n```\n"
        let filled = fill(text, ["a": "1"])
        #expect(filled.missing.isEmpty)
        #expect(filled.text == "Use `{{var}}` and 1.\n```yaml\nx: {{ var }}\ny: 1\n```\n")
    }

    @Test func declaredInput_withoutValue_isMissingInCodeToo() {
        #expect(fill("`{{code}}`", inputs: ["code"]).missing.map(\.name) == ["code"])
    }

    @Test(arguments: [
        "${{ github.sha }}", "${{ x }}", "{{ .Values.x }}", "{{matrix.os}}", "{{#each a}}", "{{else}}", "{{{raw}}}", "{{ a b }}",
        "{{}}", "{{",
    ])
    func otherLanguages_stay(_ text: String) {
        #expect(fill(text).text == text)
        #expect(fill(text).missing.isEmpty)
    }

    @Test func inputsOfOtherTools_areFilled() {
        #expect(fill("Fix $ARGUMENTS in ${input:folder:where}", ["arguments": "#3", "folder": "src"]).text == "Fix #3 in src")
        #expect(fill("${input:folder}").missing.map(\.name) == ["folder"])
        #expect(fill("echo $ARGUMENTS").missing.isEmpty)
        let other = fill("For $ARGUMENTS:\n`$ARGUMENTS` {{#if a}}x{{/if}}\n{% for x in y %}\n```\n{{#each z}}{%\n```\n$ARGUMENTS")
        #expect(other.missing.isEmpty)
        #expect(
            other.foreign == [
                .init(name: "ARGUMENTS", line: 1), .init(name: "{{#if …}}", line: 2), .init(name: "{% … %}", line: 3),
            ])
    }

    @Test func date_isNoStatement() { #expect(fill("archive-{%Y-%m-%d}.tar and {%}").foreign.isEmpty) }

    @Test func filling_thatGrowsWithoutBound_stops() {
        let filled = fill(String(repeating: "{{a}}", count: 200_000), ["a": String(repeating: "x", count: 1000)])
        #expect(filled.isTooLong)
    }
}
