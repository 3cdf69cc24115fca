// The steps that flowspool promises for each job, by the barest means: files opened by folder, a lease, a stamp written aside and
// synced, a record for each transition, renames, a run folder with log and result. No YAML, no checks; a database only where one is
// asked for (`open_contract`), else 200 bytes stand for what a transaction writes.
#pragma once
#include "common.h"
#include "flowspool_ledger.h"
#include <pthread.h>

enum { GROUP = 8, FOLDER_SYNC_EACH = 64 };

// What makes claims and ends durable.
enum records {
    RECORDS_OF_200_BYTES,
    // The least that the guarantees can do with (ledger.h).
    SMALL_LEDGER,
    // flowspool's own tables and rows (flowspool_ledger.h). Starts and ends are recorded by contract_loop, and not with claims and filing.
    FLOWSPOOL_LEDGER,
};

struct job {
    char name[256];
    int number, log;
};

static int top, active, done, runs, journal, log_file, state_file;
static enum records records;
// The connection does one thing at a time.
static pthread_mutex_t ledger_turn = PTHREAD_MUTEX_INITIALIZER;

static inline void *sync_one(void *fd) {
    check(fsync((int)(intptr_t)fd), "fsync");
    return NULL;
}

static inline void append_records(int count) {
    static _Thread_local char records[GROUP][200];
    memset(records, 'r', sizeof records);
    check((int)write(journal, records, sizeof records[0] * (size_t)count), "append");
    check(fdatasync(journal), "fdatasync");
}

typedef void (*record)(int number, const char *name);

static inline void begin_commit(void) {
    pthread_mutex_lock(&ledger_turn);
    step(begin_statement);
}

static inline void end_commit(void) {
    step(commit_statement);
    pthread_mutex_unlock(&ledger_turn);
}

static inline void record_each(const struct job *jobs, int count, record record) {
    for (int i = 0; i < count; i++) record(jobs[i].number, jobs[i].name);
}

// Makes what is to be recorded of each job durable (`record`, or nothing), while the files of the group are synced by as many threads.
static inline void commit(const struct job *jobs, int *files, int count, record record) {
    pthread_t threads[GROUP];
    for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, sync_one, (void *)(intptr_t)files[i]);
    if (!ledger) {
        append_records(count);
    } else if (record) {
        begin_commit();
        record_each(jobs, count, record);
        end_commit();
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        close(files[i]);
    }
}

// `content` and `added` bytes of a stamp, in a new file aside.
static inline int write_aside(int folder, const char *name, const char *content, size_t length, size_t added) {
    static char stamp[4096];
    char aside[300];
    snprintf(aside, sizeof aside, ".%s.new", name);
    int fd = check(openat(folder, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), aside);
    char all[70000];
    memcpy(all, content, length);
    memcpy(all + length, stamp, added);
    check((int)write(fd, all, length + added), "write stamp");
    return fd;
}

static inline size_t read_all(int fd, char *content, size_t most) {
    return (size_t)check((int)read(fd, content, most), "read");
}

// Makes what a job writes to.
static inline void make_run(struct job *job) {
    char path[64];
    snprintf(path, sizeof path, "%d", job->number);
    check(mkdirat(runs, path, 0700), path);
    snprintf(path, sizeof path, "%d/attempt-1", job->number);
    check(mkdirat(runs, path, 0700), path);
    snprintf(path, sizeof path, "%d/attempt-1/block-001.log", job->number);
    job->log = check(openat(runs, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), path);
}

// Claims and stamps a group.
static inline void prepare(struct job *jobs, int count) {
    char content[65536];
    int files[GROUP];
    for (int i = 0; i < count; i++) {
        // Nobody writes to it while it is claimed.
        int fd = check(openat(top, jobs[i].name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), jobs[i].name);
        check(fcntl(fd, F_SETLEASE, F_RDLCK), "lease");
        struct stat status;
        check(fstat(fd, &status), "fstat");
        size_t length = read_all(fd, content, sizeof content);
        close(fd);
        files[i] = write_aside(active, jobs[i].name, content, length, 1200);
    }
    commit(jobs, files, count, records == FLOWSPOOL_LEDGER ? record_own_claim : record_claim);
    for (int i = 0; i < count; i++) {
        char aside[300];
        snprintf(aside, sizeof aside, ".%s.new", jobs[i].name);
        check(renameat(top, jobs[i].name, active, jobs[i].name), "claim");
        check(renameat(active, aside, active, jobs[i].name), "stamp");
    }
}

// Stamps and files a group that has ended.
static inline void file(struct job *jobs, int count) {
    static int filed;
    char content[65536], path[300], line[160];
    int files[GROUP];
    memset(line, 'l', sizeof line);
    for (int i = 0; i < count; i++) {
        close(jobs[i].log);
        snprintf(path, sizeof path, "%d/attempt-1/result.json", jobs[i].number);
        int result = check(openat(runs, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), path);
        memset(content, 'j', 560);
        check((int)write(result, content, 560), "result");
        close(result);
        int fd = check(openat(active, jobs[i].name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), jobs[i].name);
        size_t length = read_all(fd, content, sizeof content);
        close(fd);
        files[i] = write_aside(active, jobs[i].name, content, length, 800);
        // Four events a job, and its id.
        for (int event = 0; event < 3; event++) check((int)write(log_file, line, 110), "log");
        check((int)write(state_file, line, 30), "state");
    }
    commit(jobs, files, count, records == FLOWSPOOL_LEDGER ? NULL : record_end);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, ".%s.new", jobs[i].name);
        check(renameat(active, path, active, jobs[i].name), "stamp");
        check(renameat(active, jobs[i].name, done, jobs[i].name), "file");
        if (++filed % FOLDER_SYNC_EACH == 0) {
            check(fsync(done), "fsync done");
            check(fsync(active), "fsync active");
            check(fsync(top), "fsync drop folder");
        }
    }
}

// Starts a shell with its output in the log.
static inline pid_t start_shell(const struct job *job, char *const arguments[]) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, job->log, 1);
    posix_spawn_file_actions_adddup2(&actions, job->log, 2);
    pid_t pid;
    int error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    if (error != 0) {
        fprintf(stderr, "posix_spawnp: %s\n", strerror(error));
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static inline pid_t start(const struct job *job, const char *command) {
    return start_shell(job, (char *[]){"bash", "-c", (char *)command, NULL});
}

// Makes and opens what stands in the working folder; flowspool's ledger has to be there.
static inline void open_contract(enum records wanted) {
    records = wanted;
    // The names of the files are skipped when prompts are listed.
    journal = check(open("journal", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), "journal");
    log_file = check(open(".log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), ".log");
    state_file = check(open(".state", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), ".state");
    const char *folders[] = {"active", "done", "runs"};
    int *places[] = {&active, &done, &runs};
    for (int i = 0; i < 3; i++) {
        if (mkdir(folders[i], 0700) != 0 && errno != EEXIST) check(-1, folders[i]);
        *places[i] = check(open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC), folders[i]);
    }
    if (records == SMALL_LEDGER) {
        check(mkdir(".flowspool", 0700), ".flowspool");
        open_ledger(".flowspool/ledger.sqlite");
    } else if (records == FLOWSPOOL_LEDGER) {
        open_own_ledger(".flowspool/ledger.sqlite");
    }
    top = check(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ".");
}
