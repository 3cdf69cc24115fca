import Testing

@testable import Spool

@Suite struct SecretPatternsTests {
    @Test(arguments: [
        "AKIAFAKE1234FAKE5678", "token ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake0001", "sk-proj-FAKE1234fake5678FAKE1234",
        "postgres://app:hunter2@db/x", "redis://:hunter2@cache", "--password=hunter22", "PGPASSWORD=letmein psql",
        "MYSQL_PWD='let me in' mysql", "curl -u admin:hunter2 https://x.dev", "mysql -u root -phunter2 shop",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n",
    ])
    func credential_isFound(_ text: String) {
        #expect(SecretPatterns.find(in: text).count == 1)
    }

    @Test(arguments: [
        "AKIA[0-9A-Z]{16}", "ghp_[A-Za-z0-9]{36}", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxx", "postgres://app:$PW@db/x",
        "postgres://app:${PW}@db", "postgres://USER:PASSWORD@HOST/db", "--password=\"$PW\"", "--password=<PASSWORD>",
        "--password=CHANGEME", "PGPASSWORD=$(pass show x)", "--password-stdin", "docker run -u 1000:1000 app",
        "-----BEGIN PRIVATE KEY-----", "mysql -p shop", "mysql -P 3306", "risk-assessment-of-2024-q1-report", "PASSWORD=",
        "://[^:]+:[^@]+@", "https://user@host:8080/a",
    ])
    func whatOnlyLooksLikeOne_isNot(_ text: String) {
        #expect(SecretPatterns.find(in: text) == [])
    }

    @Test func match_hasItsPlace_andHidesTheSecret() throws {
        let match = try #require(SecretPatterns.find(in: "a\n  key = AKIAFAKE1234FAKE5678\n").first)
        #expect(match.line == 2)
        #expect(match.column == 9)
        #expect(match.shown == "AKIA…")
    }
}
