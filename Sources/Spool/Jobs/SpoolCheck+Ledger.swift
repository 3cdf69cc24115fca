// What the ledger alone can be asked: each question is one query whose answer is empty in a sound spool. One query sees one state;
// two may see different ones while a runner lives, which is why `SpoolCheck` then asks again.

import GRDB

struct LedgerCheck {
    let tx: LedgerTransaction
    let isRunning: Bool

    func violations() throws -> [Violation] {
        var found = try damage()
        // The tables of a damaged file answer nothing that could be trusted.
        guard found.isEmpty else { return found }
        found += try places()
        found += try history()
        found += try attempts()
        found += try budgets()
        found += try counts()
        return found
    }

    private func damage() throws -> [Violation] {
        let lines = try String.fetchAll(tx.db, sql: "PRAGMA quick_check(20)")
        if lines == ["ok"] { return [] }
        return lines.map {
            Violation(.ledgerDamaged, path: "\(SpoolFolder.controlName)/\(Ledger.fileName)", "the ledger is damaged: \($0)")
        }
    }

    /// Two jobs that claim to own one file; moves that nobody is making any more.
    private func places() throws -> [Violation] {
        var found = try each(
            """
            SELECT place, file, count(*), max(id) FROM jobs WHERE place <> 'none' AND (pruned IS NULL OR place = 'drop')
            GROUP BY place, file HAVING count(*) > 1 AND NOT (place = 'drop' AND sum(state IN ('queued', 'deferred')) <= 1)
            """
        ) { row in
            Violation(.twoJobs, job: row[3], path: path(row[0], row[1]), "\(row[2] as Int) jobs claim this file")
        }
        guard !isRunning else { return found }
        found += try each("SELECT id, from_place, from_file, place, file FROM jobs WHERE from_place IS NOT NULL") { row in
            Violation(
                .moveUnfinished, job: row[0], path: path(row[3], row[4]),
                "its move from \(printable(path(row[1], row[2]))) is not confirmed, and no runner lives")
        }
        return found
    }

    /// Each change of a job begins where the one before it ended, and the last one ended where the job stands.
    private func history() throws -> [Violation] {
        var found = try each(
            """
            SELECT job, "from", "to", before FROM
              (SELECT job, "from", "to", lag("to") OVER (PARTITION BY job ORDER BY id) AS before FROM transitions)
            WHERE before IS NOT NULL AND before <> "from"
            """
        ) { row in
            Violation(
                .historyBroken, job: row[0],
                "its history goes from \(row[1] as String) to \(row[2] as String), but it was \(row[3] as String)")
        }
        found += try each(
            """
            SELECT jobs.id, jobs.state, last."to" FROM jobs
            LEFT JOIN transitions AS last ON last.id = (SELECT max(id) FROM transitions WHERE job = jobs.id)
            WHERE last."to" IS NOT jobs.state
            """
        ) { row in
            let end = (row[2] as String?) ?? "nothing"
            return Violation(.historyBroken, job: row[0], "it is \(row[1] as String), but its history ends with \(end)")
        }
        return found
    }

    private func attempts() throws -> [Violation] {
        var found = try each(
            """
            SELECT id FROM jobs WHERE state = 'done' AND NOT EXISTS (SELECT 1 FROM attempts
              WHERE attempts.job = jobs.id AND attempts.attempt = jobs.attempts AND outcome = 'success')
            """
        ) { Violation(.doneWithoutSuccess, job: $0[0], "it is done, but its last attempt did not succeed") }
        found += try each(
            """
            SELECT DISTINCT job FROM attempts WHERE NOT EXISTS
              (SELECT 1 FROM transitions WHERE transitions.job = attempts.job AND "to" = 'active' AND "from" <> 'active')
            """
        ) { Violation(.attemptWithoutClaim, job: $0[0], "it has an attempt, but was never claimed") }
        found += try each(
            """
            SELECT jobs.id, jobs.attempts, count(attempts.job), coalesce(max(attempts.attempt), 0) FROM jobs
            LEFT JOIN attempts ON attempts.job = jobs.id GROUP BY jobs.id
            HAVING count(attempts.job) <> jobs.attempts OR coalesce(max(attempts.attempt), 0) <> jobs.attempts
            """
        ) { row in
            Violation(.attemptsMismatch, job: row[0], "it counts \(row[1] as Int) attempts, but \(row[2] as Int) are recorded")
        }
        found += try each(
            """
            SELECT attempts.job, attempts.attempt FROM attempts JOIN jobs ON jobs.id = attempts.job
            WHERE outcome = 'running' AND (?1 = 0 OR jobs.state <> 'active' OR attempts.attempt <> jobs.attempts)
            """, [isRunning]
        ) { Violation(.attemptRunning, job: $0[0], "attempt \($0[1] as Int) is recorded as running, and nobody is making it") }
        if !isRunning {
            found += try each("SELECT id, place, file FROM jobs WHERE state = 'active'") { row in
                Violation(.activeWithoutRunner, job: row[0], path: path(row[1], row[2]), "it is active, and no runner lives")
            }
        }
        return found
    }

    /// A rate limit gives its attempt back, so `budget_used`, not the number of attempts, is what the policy bounds.
    private func budgets() throws -> [Violation] {
        try tx.jobs("WHERE policy IS NOT NULL AND budget_used > 1 LIMIT \(SpoolCheck.violationsMax)").compactMap { job in
            let values = job.policyJSON.flatMap { try? JSON.parse($0) }  // Unreadable counts as 0, as it does at recovery.
            let retries = values?[Toggle.retryMax.rawValue]?.stringValue.flatMap(Int.init) ?? 0
            guard job.budgetUsed > retries + 1 else { return nil }
            return Violation(
                .overBudget, job: job.id, "it has run \(job.budgetUsed) times; retry_max=\(retries) allows \(retries + 1)")
        }
    }

    private func counts() throws -> [Violation] {
        var found = try each(
            """
            SELECT counts.state, counts.n, (SELECT count(*) FROM jobs WHERE jobs.state = counts.state) AS real FROM counts
            WHERE counts.n <> real
            """
        ) { Violation(.countsWrong, "counts say \($0[1] as Int) \($0[0] as String), but there are \($0[2] as Int)") }
        let failures = try tx.failureCounts()
        if failures.streak < 0 || failures.total < failures.streak {
            found.append(
                Violation(.failuresWrong, "failures: \(failures.streak) in a row cannot go with \(failures.total) in all"))
        }
        return found
    }

    private func each(_ sql: String, _ arguments: StatementArguments = [], _ make: (Row) -> Violation) throws -> [Violation] {
        try Row.fetchAll(tx.db, sql: sql + " LIMIT \(SpoolCheck.violationsMax)", arguments: arguments).map(make)
    }

    private func path(_ place: String, _ file: String) -> String { place == Place.drop.rawValue ? file : "\(place)/\(file)" }
}
