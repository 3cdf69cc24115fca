// flowspool's own ledger, as flowspool has made it, and the rows that it writes there for a job of a drain, statement by statement: admission,
// claim, start with its findings, end. Nothing is looked up before, and no move is confirmed afterwards.
#pragma once
#include "ledger.h"

static sqlite3_stmt *admit_own, *move_own, *claim_own, *start_own, *findings_own, *attempt_own, *result_own, *end_own;

static inline void open_own_ledger(const char *path) {
    check_ledger(sqlite3_open_v2(path, &ledger, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL), path);
    check_ledger(sqlite3_exec(ledger, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000", NULL, NULL, NULL), path);
    begin_statement = prepared("BEGIN IMMEDIATE");
    commit_statement = prepared("COMMIT");
    admit_own = prepared("INSERT INTO jobs (id, name, state, place, file, arrival, priority, lane, batch, created)"
        " VALUES (?1, ?2, 'queued', 'drop', ?2, 1, 0, NULL, NULL, ?3)");
    move_own = prepared("INSERT INTO transitions (job, at, \"from\", \"to\", why) VALUES (?1, ?2, ?3, ?4, ?5)");
    claim_own = prepared("UPDATE jobs SET state = 'active', place = 'active', from_place = 'drop', from_file = ?2,"
        " file_signature = '65024:16351298', started = ?3 WHERE id = ?1 AND state = 'queued'");
    start_own = prepared("UPDATE jobs SET from_place = NULL, from_file = NULL, prompt_id = ?2, prompt_sha = ?3, mode = 'script',"
        " profile = 'poc', policy = ?4, policy_source = ?5, revision = 1, attempts = 1, budget_used = 1 WHERE id = ?1 AND state = 'active'");
    findings_own = prepared("INSERT INTO findings VALUES"
        " (?1, 1, 'no_gate', 'info', NULL, NULL, 'no completion gate: exit codes alone decide',"
        "  'name what must exist afterwards under verify.files_exist', NULL),"
        " (?1, 2, 'section_missing', 'info', NULL, NULL, 'no heading says what the prompt is for',"
        "  'begin with a line such as \"# What this does\"', NULL),"
        " (?1, 3, 'no_front_matter', 'info', 1, NULL, 'the prompt has no front matter',"
        "  'nothing to do; toggles come from the profile', NULL)");
    attempt_own = prepared("INSERT INTO attempts (job, attempt, outcome, run_dir, started) VALUES (?1, 1, 'running', ?2, ?3)");
    result_own = prepared("UPDATE attempts SET outcome = 'success', failure_class = NULL, exit_code = 0, failed_block = NULL,"
        " last_ok_block = 1, gate = 'skipped', message = '1 block ran', duration = 2, blocks = ?2, started = coalesce(?3, started)"
        " WHERE job = ?1 AND attempt = 1");
    end_own = prepared("UPDATE jobs SET state = 'done', status = 'success', place = 'done', from_place = 'active', from_file = ?2,"
        " next_block = 2, carried = '{}', file_signature = NULL, finished = ?3, duration = 2 WHERE id = ?1 AND state = 'active'");
}

static inline void record_move(int number, int64_t now, const char *from, const char *to, const char *why) {
    sqlite3_bind_int(move_own, 1, number);
    sqlite3_bind_int64(move_own, 2, now);
    bind_text(move_own, 3, from);
    bind_text(move_own, 4, to);
    bind_text(move_own, 5, why);
    step(move_own);
}

static inline void record_own_admission(int number, const char *name) {
    int64_t now = now_ms();
    step_for(admit_own, number, name, now);
    record_move(number, now, "dropped", "queued", "dropped");
}

static inline void record_own_claim(int number, const char *name) {
    int64_t now = now_ms();
    step_for(claim_own, number, name, now);
    record_move(number, now, "queued", "active", "claimed");
}

// What the preflight found, and the attempt that is about to start.
static inline void record_own_start(int number, const char *name) {
    static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char policy[] = "{\"warn_mode\":\"auto-approve\",\"warn_gate\":\"no\",\"retry_max\":\"1\","
        "\"pipeline_fail_fast_threshold\":\"6\",\"pipeline_max_total_failures\":\"20\"}";
    static const char source[] = "{\"warn_mode\":\"profile\",\"warn_gate\":\"profile\",\"retry_max\":\"profile\","
        "\"pipeline_fail_fast_threshold\":\"profile\",\"pipeline_max_total_failures\":\"profile\"}";
    char id[300], run[48];
    snprintf(id, sizeof id, "%.255s--%.12s", name, sha);
    snprintf(run, sizeof run, "runs/2026-01-01/%d/attempt-1", number);
    int64_t now = now_ms();
    sqlite3_bind_int(start_own, 1, number);
    bind_text(start_own, 2, id);
    bind_text(start_own, 3, sha);
    bind_text(start_own, 4, policy);
    bind_text(start_own, 5, source);
    step(start_own);
    record_move(number, now, "active", "active", "attempt 1 starts");
    sqlite3_bind_int(findings_own, 1, number);
    step(findings_own);
    step_for(attempt_own, number, run, now);
}

static inline void record_own_end(int number, const char *name) {
    int64_t now = now_ms();
    step_for(result_own, number,
        "[{\"block\":1,\"exit_code\":0,\"duration_ms\":2,\"log\":\"block-001.log\",\"mark\":null,\"failure_class\":null}]", now);
    step_for(end_own, number, name, now);
    record_move(number, now, "active", "done", "done");
}
