import Testing

@testable import Spool

private let names = ["prompt-03.md", "prompt-01.md", "prompt-02.md"]

private func plan(_ selection: BatchPlan.Selection, names: [String] = names) throws -> [String] {
    try BatchPlan(names: names, roots: ["/spool", "/real/spool"], selection: selection).names
}

private func file(_ text: String) -> BatchPlan.Selection {
    BatchPlan.Selection(promptsFile: .init(path: "list.txt", text: text))
}

@Suite struct BatchPlanTests {
    @Test func order_isThatOfTheBytes() throws {
        let mixed = ["b.md", "B.md", "é.md", "a.md", "10.md", "9.md", "_.md", "e\u{301}.md", "z.md"]
        #expect(
            try plan(.init(), names: mixed).map { Array($0.utf8) }
                == ["10.md", "9.md", "B.md", "_.md", "a.md", "b.md", "e\u{301}.md", "z.md", "é.md"].map { Array($0.utf8) })
    }

    @Test func fromTo_areInclusive() throws {
        #expect(try plan(.init(from: "prompt-02.md", to: "prompt-03.md")) == ["prompt-02.md", "prompt-03.md"])
        #expect(try plan(.init(to: "prompt-01.md")) == ["prompt-01.md"])
        #expect(try plan(.init(from: "prompt-02.md", to: "prompt-02.md")) == ["prompt-02.md"])
    }

    @Test func fromTo_unknownName_isAnErrorThatNamesIt() {
        let error = #expect(throws: FlowspoolError.self) { try plan(.init(from: "prompt-02")) }
        #expect(error?.code == .invalidInput && error?.message.contains("--from prompt-02:") == true)
        #expect(error?.hint == "did you mean prompt-02.md?")
        let other = #expect(throws: FlowspoolError.self) { try plan(.init(to: "/spool/prompt-02.md")) }
        #expect(other?.hint?.contains("without its folder") == true)
    }

    @Test func fromTo_backwards_isAnError() {
        #expect(throws: FlowspoolError.self) { try plan(.init(from: "prompt-03.md", to: "prompt-01.md")) }
    }

    @Test func promptsFile_relativeAbsoluteAndComments() throws {
        let text = "\u{FEFF}# first\r\n\n  ./prompt-03.md  \n/spool/prompt-01.md\n/real//spool/./prompt-01.md\n \t# no\n"
        #expect(try plan(file(text)) == ["prompt-01.md", "prompt-03.md"])
    }

    @Test func promptsFile_andRange_areBothApplied() throws {
        var selection = file("prompt-01.md\nprompt-03.md\n")
        selection.from = "prompt-02.md"
        #expect(try plan(selection) == ["prompt-03.md"])
    }

    @Test func promptsFile_empty_isAnEmptyPlan() throws {
        #expect(try plan(file("# nothing\n")).isEmpty)
    }

    @Test func promptsFile_unknownAndOutside_namesEveryLine() {
        let text = "prompt-01.md\nnope.md\n/etc/passwd\n../prompt-01.md\nsub/prompt-01.md\n/spool/../etc/x\n/spool\n"
        let error = #expect(throws: FlowspoolError.self) { try plan(file(text)) }
        let message = error?.message ?? ""
        #expect(message.contains("line 2: nope.md: no such prompt"))
        for line in ["line 3: /etc/passwd", "line 4: ../prompt-01.md", "line 5: sub/prompt-01.md", "line 6:", "line 7: /spool"] {
            #expect(message.contains(line))
        }
        #expect(!message.contains("line 1:"))
    }

    @Test func promptsFile_manyFaults_showsTen() {
        let error = #expect(throws: FlowspoolError.self) { try plan(file(String(repeating: "x\n", count: 1000))) }
        #expect(error?.message.contains("and 990 more") == true)
    }

    @Test(arguments: hostileNames) func promptsFile_linesOfThePlan_areUnderstood(name: String) throws {
        let line = LineText.encode("/spool/" + name)
        let found = try plan(file(line + "\n"), names: names + [name])
        #expect(found.map { Array($0.utf8) } == [Array(name.utf8)])
    }

    @Test func promptsFile_nameThatLooksEscaped_isTakenAsItStands() throws {
        #expect(try plan(file("a\\nb.md\n"), names: ["a\\nb.md", "a\nb.md"]) == ["a\\nb.md"])
    }

    @Test func promptsFile_hostileLine_isPrintableInTheMessage() {
        let error = #expect(throws: FlowspoolError.self) { try plan(file("\u{1B}[2Jx\n")) }
        #expect(error?.message.contains("\u{1B}") == false)
    }

    @Test func pending_leavesOutWhatIsDone_andCounts() throws {
        let plan = try BatchPlan(names: names, roots: ["/spool"], selection: .init(count: 1))
        #expect(plan.names.count == 3)
        #expect(plan.pending { $0 == "prompt-01.md" } == ["prompt-02.md"])
    }

    @Test func count_negative_isAnError() {
        #expect(throws: FlowspoolError.self) { try plan(.init(count: -1)) }
    }
}
