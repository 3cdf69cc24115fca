// The ledger's tables. Migrations only grow: one that has shipped is never edited, because a user's spool has run it.

import GRDB

extension Ledger {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 jobs") { db in
            try db.execute(sql: jobsSQL)
            try db.execute(sql: countsSQL)
            try db.execute(sql: historySQL)
            try db.execute(sql: spoolSQL)
        }
        migrator.registerMigration("2 usage") { try $0.execute(sql: usageSQL) }
        migrator.registerMigration("3 prunes") { try $0.execute(sql: prunesSQL) }
        migrator.registerMigration("4 finished") { try $0.execute(sql: finishedSQL) }
        migrator.registerMigration("5 held") { try $0.execute(sql: heldSQL) }
        migrator.registerMigration("6 approvals") { try $0.execute(sql: approvalsSQL) }
        return migrator
    }

    private static let usageSQL = """
        ALTER TABLE jobs ADD COLUMN runner TEXT;
        -- Of all attempts together.
        ALTER TABLE jobs ADD COLUMN tokens INTEGER;
        ALTER TABLE jobs ADD COLUMN cost_usd REAL;
        ALTER TABLE attempts ADD COLUMN runner TEXT;
        ALTER TABLE attempts ADD COLUMN model TEXT;
        ALTER TABLE attempts ADD COLUMN tokens_in INTEGER;
        ALTER TABLE attempts ADD COLUMN tokens_out INTEGER;
        ALTER TABLE attempts ADD COLUMN cost_usd REAL;
        ALTER TABLE attempts ADD COLUMN turns INTEGER;
        ALTER TABLE attempts ADD COLUMN session TEXT;
        ALTER TABLE attempts ADD COLUMN worktree TEXT;
        ALTER TABLE attempts ADD COLUMN branch TEXT;
        CREATE INDEX attempts_usage ON attempts (started) WHERE runner IS NOT NULL;
        -- Runners whose account has reached a limit: their jobs wait until then, in milliseconds.
        CREATE TABLE runner_limits (
          runner TEXT PRIMARY KEY, until INTEGER NOT NULL, strikes INTEGER NOT NULL, why TEXT NOT NULL
        ) WITHOUT ROWID;
        """

    private static let prunesSQL = """
        -- When the file and the run folders of a finished job were given up by `prune`, in milliseconds.
        ALTER TABLE jobs ADD COLUMN pruned INTEGER;
        -- Jobs whose file and run folders are being removed; a crash leaves them here for the next prune.
        CREATE TABLE prunes (job INTEGER PRIMARY KEY);
        """

    private static let finishedSQL = """
        -- As before, with another condition of the same meaning. SQLite makes a table in memory for each list of more than two, each
        -- time that it asks whether a row belongs in the index: a dozen for each job.
        DROP INDEX jobs_by_file;
        DROP INDEX jobs_kept;
        CREATE INDEX jobs_by_file ON jobs (file, id) WHERE (state = 'done' OR state = 'failed' OR state = 'cancelled');
        CREATE INDEX jobs_kept ON jobs (file) WHERE place = 'drop' AND (state = 'done' OR state = 'failed' OR state = 'cancelled');
        """

    private static let approvalsSQL = """
        -- The kinds of warnings that whoever said yes was shown, with blanks between; NULL: all, of an older version.
        ALTER TABLE approvals ADD COLUMN codes TEXT;
        """

    private static let heldSQL = """
        CREATE INDEX jobs_held ON jobs (file) WHERE state = 'held';
        """

    private static let jobsSQL = """
        CREATE TABLE jobs (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT NOT NULL,
          state TEXT NOT NULL,
          status TEXT,
          reason TEXT NOT NULL DEFAULT '',
          place TEXT NOT NULL,
          file TEXT NOT NULL,
          from_place TEXT,
          from_file TEXT,
          arrival INTEGER NOT NULL DEFAULT 0,
          priority INTEGER NOT NULL DEFAULT 0,
          lane TEXT,
          batch INTEGER,
          prompt_id TEXT,
          prompt_sha TEXT,
          mode TEXT,
          profile TEXT,
          policy TEXT,
          policy_source TEXT,
          revision INTEGER NOT NULL DEFAULT 0,
          attempts INTEGER NOT NULL DEFAULT 0,
          budget_used INTEGER NOT NULL DEFAULT 0,
          next_block INTEGER NOT NULL DEFAULT 1,
          carried TEXT,
          not_before INTEGER,
          delay INTEGER,
          keeps_place INTEGER NOT NULL DEFAULT 0,
          file_signature TEXT,
          created INTEGER NOT NULL,
          started INTEGER,
          finished INTEGER,
          duration INTEGER
        );
        -- The order in which jobs are claimed.
        CREATE INDEX jobs_waiting ON jobs (priority DESC, arrival, name) WHERE state = 'queued';
        CREATE INDEX jobs_deferred ON jobs (not_before) WHERE state = 'deferred';
        -- A waiting file is one job.
        CREATE UNIQUE INDEX jobs_drop_file ON jobs (file) WHERE state IN ('queued', 'deferred');
        CREATE INDEX jobs_by_state ON jobs (state, id);
        CREATE INDEX jobs_by_name ON jobs (name, id);
        -- Which job a file that was filed or put back belongs to.
        CREATE INDEX jobs_by_file ON jobs (file, id) WHERE state IN ('done', 'failed', 'cancelled');
        CREATE INDEX jobs_kept ON jobs (file) WHERE place = 'drop' AND state IN ('done', 'failed', 'cancelled');
        CREATE INDEX jobs_moving ON jobs (from_file) WHERE from_place IS NOT NULL;
        CREATE INDEX jobs_by_finish ON jobs (finished) WHERE finished IS NOT NULL;
        """

    private static let countsSQL = """
        -- Jobs by state, kept by the triggers so that `status` costs the same at a million jobs.
        CREATE TABLE counts (state TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO counts VALUES
          ('queued', 0), ('deferred', 0), ('active', 0), ('held', 0), ('done', 0), ('failed', 0), ('cancelled', 0);
        CREATE TRIGGER jobs_count_insert AFTER INSERT ON jobs BEGIN
          UPDATE counts SET n = n + 1 WHERE state = new.state;
        END;
        CREATE TRIGGER jobs_count_delete AFTER DELETE ON jobs BEGIN
          UPDATE counts SET n = n - 1 WHERE state = old.state;
        END;
        CREATE TRIGGER jobs_count_update AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
          UPDATE counts SET n = n - 1 WHERE state = old.state;
          UPDATE counts SET n = n + 1 WHERE state = new.state;
        END;
        """

    private static let historySQL = """
        CREATE TABLE attempts (
          job INTEGER NOT NULL,
          attempt INTEGER NOT NULL,
          outcome TEXT NOT NULL,
          failure_class TEXT,
          exit_code INTEGER,
          failed_block INTEGER,
          last_ok_block INTEGER NOT NULL DEFAULT 0,
          gate TEXT NOT NULL DEFAULT 'skipped',
          run_dir TEXT NOT NULL,
          message TEXT NOT NULL DEFAULT '',
          started INTEGER NOT NULL,
          duration INTEGER,
          blocks TEXT NOT NULL DEFAULT '[]',
          PRIMARY KEY (job, attempt)
        ) WITHOUT ROWID;
        CREATE INDEX attempts_running ON attempts (job) WHERE outcome = 'running';
        CREATE TABLE findings (
          job INTEGER NOT NULL,
          number INTEGER NOT NULL,
          code TEXT NOT NULL,
          severity TEXT NOT NULL,
          line INTEGER,
          "column" INTEGER,
          message TEXT NOT NULL,
          advice TEXT NOT NULL,
          waiver TEXT,
          PRIMARY KEY (job, number)
        ) WITHOUT ROWID;
        CREATE TABLE transitions (
          id INTEGER PRIMARY KEY,
          job INTEGER NOT NULL,
          at INTEGER NOT NULL,
          "from" TEXT NOT NULL,
          "to" TEXT NOT NULL,
          why TEXT NOT NULL
        );
        CREATE INDEX transitions_by_job ON transitions (job, id);
        """

    private static let spoolSQL = """
        CREATE TABLE batches (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          run_id TEXT NOT NULL,
          kind TEXT NOT NULL,
          profile TEXT NOT NULL,
          started INTEGER NOT NULL,
          finished INTEGER,
          status TEXT,
          reason TEXT NOT NULL DEFAULT '',
          ran INTEGER NOT NULL DEFAULT 0,
          fail_streak INTEGER NOT NULL DEFAULT 0,
          fail_total INTEGER NOT NULL DEFAULT 0
        );
        -- The spool is on hold while a row has no `lifted`.
        CREATE TABLE holds (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          since INTEGER NOT NULL,
          kind TEXT NOT NULL,
          reason TEXT NOT NULL,
          run_id TEXT,
          last_prompt TEXT,
          fail_streak INTEGER NOT NULL,
          fail_total INTEGER NOT NULL,
          threshold INTEGER,
          file_written INTEGER NOT NULL DEFAULT 0,
          lifted INTEGER,
          lifted_why TEXT
        );
        CREATE INDEX holds_open ON holds (id) WHERE lifted IS NULL;
        -- What a person asked of a job that a runner has in hand.
        CREATE TABLE requests (
          id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL
        );
        -- A yes to a prompt's warnings, for as long as its bytes are the same.
        CREATE TABLE approvals (prompt_sha TEXT PRIMARY KEY, at INTEGER NOT NULL, job INTEGER NOT NULL) WITHOUT ROWID;
        -- Shell analysis by block digest; may be emptied at any time.
        CREATE TABLE shell_reports (digest TEXT PRIMARY KEY, report TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE facts (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """
}

extension LedgerTransaction {
    /// That a job is finished, word for word as the indexes `jobs_by_file` and `jobs_kept` say it: only so does a question use them.
    static let isOver = "(state = 'done' OR state = 'failed' OR state = 'cancelled')"
}
