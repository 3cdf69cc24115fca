import Testing

@testable import Spool

@Suite struct ShellTextTests {
    @Test(arguments: [
        ("plain-1.2_3/x,y:z@a+b", "plain-1.2_3/x,y:z@a+b"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#), ("~", "'~'"),
        ("a=b", "'a=b'"), ("*", "'*'"), ("é", "'é'"),
    ]) func quote_isOneWord(text: String, quoted: String) {
        #expect(ShellText.quote(text) == quoted)
    }

    /// “'” and an accent are one Character, and a search for the Character “'” does not find it.
    @Test func quote_accentAfterAQuote_doesNotEndTheQuotes() {
        #expect(ShellText.quote("'\u{301}; id").utf8.elementsEqual("''\\''\u{301}; id'".utf8))
        #expect(shellQuoted("'\u{301}; id").utf8.elementsEqual("''\\''\u{301}; id'".utf8))
    }
}
