// The ledger that the guarantees name (docs/durability.md), a SQLite database in write-ahead mode with `synchronous=FULL`, by the barest
// means: statements prepared once and bound directly, the columns and indexes that `list`, `show` and the next claim cannot do without.
#pragma once
#include "common.h"
#include <sqlite3.h>

static sqlite3 *ledger;
static sqlite3_stmt *begin_statement, *commit_statement, *claim_statement, *claimed_statement, *attempt_statement, *end_statement,
    *ended_statement, *result_statement;

static inline void check_ledger(int code, const char *what) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(ledger));
    exit(1);
}

static inline sqlite3_stmt *prepared(const char *sql) {
    sqlite3_stmt *statement;
    check_ledger(sqlite3_prepare_v3(ledger, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql);
    return statement;
}

static inline void step(sqlite3_stmt *statement) {
    check_ledger(sqlite3_step(statement), sqlite3_sql(statement));
    check_ledger(sqlite3_reset(statement), sqlite3_sql(statement));
}

static inline void open_ledger(const char *path) {
    check_ledger(sqlite3_open_v2(path, &ledger, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL), path);
    check_ledger(sqlite3_exec(ledger,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT, state TEXT, status TEXT, place TEXT, file TEXT, prompt_sha TEXT,"
        " profile TEXT, policy TEXT, created INTEGER, started INTEGER, finished INTEGER);"
        "CREATE INDEX jobs_by_state ON jobs (state, id);"
        "CREATE INDEX jobs_by_name ON jobs (name, id);"
        "CREATE TABLE attempts (job INTEGER, attempt INTEGER, outcome TEXT, run_dir TEXT, started INTEGER, blocks TEXT,"
        " PRIMARY KEY (job, attempt)) WITHOUT ROWID;"
        "CREATE TABLE transitions (id INTEGER PRIMARY KEY, job INTEGER, at INTEGER, \"from\" TEXT, \"to\" TEXT, why TEXT);"
        "CREATE INDEX transitions_by_job ON transitions (job, id);", NULL, NULL, NULL), "ledger");
    begin_statement = prepared("BEGIN IMMEDIATE");
    commit_statement = prepared("COMMIT");
    claim_statement = prepared("INSERT INTO jobs VALUES (?1, ?2, 'active', NULL, 'active', ?2, ?3, 'poc', ?4, ?5, ?5, NULL)");
    claimed_statement = prepared("INSERT INTO transitions (job, at, \"from\", \"to\", why) VALUES"
        " (?1, ?2, 'dropped', 'queued', 'dropped'), (?1, ?2, 'queued', 'active', 'claimed; attempt 1 is next')");
    attempt_statement = prepared("INSERT INTO attempts VALUES (?1, 1, 'running', ?2, ?3, '[]')");
    end_statement = prepared("UPDATE jobs SET state = 'done', status = 'success', place = 'done', finished = ?2 WHERE id = ?1");
    ended_statement = prepared("INSERT INTO transitions (job, at, \"from\", \"to\", why) VALUES (?1, ?2, 'active', 'done', '')");
    result_statement = prepared("UPDATE attempts SET outcome = 'success', blocks = ?2 WHERE job = ?1 AND attempt = 1");
}

static inline void bind_text(sqlite3_stmt *statement, int at, const char *text) {
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

// Runs a statement whose first three values are a job's number, a text and a moment.
static inline void step_for(sqlite3_stmt *statement, int number, const char *text, int64_t moment) {
    sqlite3_bind_int(statement, 1, number);
    bind_text(statement, 2, text);
    sqlite3_bind_int64(statement, 3, moment);
    step(statement);
}

static inline int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Job, both transitions and the attempt that is about to start.
static inline void record_claim(int number, const char *name) {
    static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char policy[] = "{\"strict_mode\":\"no\",\"warn_gate\":\"no\",\"warn_mode\":\"run\",\"allow_noncritical\":\"yes\",\"move_to_completed\":\"yes\"}";
    char run[48];
    snprintf(run, sizeof run, "runs/2026/01/01/%d/attempt-1", number);
    int64_t now = now_ms();
    sqlite3_bind_int(claim_statement, 1, number);
    bind_text(claim_statement, 2, name);
    bind_text(claim_statement, 3, sha);
    bind_text(claim_statement, 4, policy);
    sqlite3_bind_int64(claim_statement, 5, now);
    step(claim_statement);
    sqlite3_bind_int(claimed_statement, 1, number);
    sqlite3_bind_int64(claimed_statement, 2, now);
    step(claimed_statement);
    step_for(attempt_statement, number, run, now);
}

static inline void record_end(int number, const char *name) {
    (void)name;
    int64_t now = now_ms();
    sqlite3_bind_int(end_statement, 1, number);
    sqlite3_bind_int64(end_statement, 2, now);
    step(end_statement);
    sqlite3_bind_int(ended_statement, 1, number);
    sqlite3_bind_int64(ended_statement, 2, now);
    step(ended_statement);
    sqlite3_bind_int(result_statement, 1, number);
    bind_text(result_statement, 2, "[{\"block\":1,\"exit_code\":0,\"duration_ms\":2,\"log\":\"block-001.log\"}]");
    step(result_statement);
}
