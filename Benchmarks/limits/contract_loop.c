// Limit of "drain" with every file and every sync that flowspool promises, and nothing else: no YAML, no checks; with `sqlite` the
// transactions of a small ledger, else a record of 200 bytes in place of each. As a runner that knows all the work in advance would do it:
// one thread prepares groups of eight, one for each of WIDTH children starts them and waits, one files groups of those that ended; the
// files of a group are synced at the same time. With `flowspool` the ledger is the one that flowspool has made in FOLDER, with its rows: all
// jobs are admitted in one transaction first, and another thread commits the ends that there are, with the starts of as many that come
// next: only a few attempts that have not begun are on record as started, and no end waits for another. With `ahead` as well each shell
// begins while the one before it runs, and waits for its script in open(2), which a lease keeps shut until its turn. Prints the seconds
// that took.
// Usage: contract_loop FOLDER WIDTH [sqlite|flowspool [ahead]] (FOLDER/active, done, runs, journal and, for sqlite, .flowspool are made)
#include "contract.h"
#include <dirent.h>
#include <stdbool.h>

enum {
    AHEAD = 16,
    // Attempts on record as started, for each slot. With two a drain took a twentieth longer, with eight a fifteenth less.
    STARTED_EACH = 4,
};

// A bounded queue between two threads.
struct queue {
    struct job items[AHEAD];
    int first, count;
    bool closed;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};
#define EMPTY_QUEUE {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}
// Claimed, started on record, over, over on record: with flowspool's ledger all four, else the second and the last.
static struct queue claimed = EMPTY_QUEUE, ready = EMPTY_QUEUE, over = EMPTY_QUEUE, ended = EMPTY_QUEUE;
// Where jobs that are prepared go, and those that have run.
static struct queue *prepared_to = &ready, *ran_to = &ended;
static int width;
static bool is_ahead;

static void put(struct queue *queue, struct job job) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == AHEAD) pthread_cond_wait(&queue->changed, &queue->lock);
    queue->items[(queue->first + queue->count++) % AHEAD] = job;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

// Takes what is there, at most `most`; waits for the first. 0: closed and empty.
static int take(struct queue *queue, struct job *jobs, int most) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed) pthread_cond_wait(&queue->changed, &queue->lock);
    int count = 0;
    while (count < most && queue->count > 0) {
        jobs[count++] = queue->items[queue->first];
        queue->first = (queue->first + 1) % AHEAD;
        queue->count--;
    }
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return count;
}

static void close_queue(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

static void hand_on(struct job *jobs, int count) {
    for (int i = 0; i < count; i++) make_run(&jobs[i]);
    prepare(jobs, count);
    for (int i = 0; i < count; i++) put(prepared_to, jobs[i]);
}

static int is_prompt(const struct dirent *entry) {
    return entry->d_type == DT_REG && entry->d_name[0] != '.' && strncmp(entry->d_name, "journal", 7) != 0;
}

static void *prepare_all(void *unused) {
    (void)unused;
    struct dirent **names;
    int found = check(scandir(".", &names, is_prompt, alphasort), "scandir");
    struct job group[GROUP];
    int waiting = 0, number = 0;
    if (records == FLOWSPOOL_LEDGER) {
        begin_commit();
        for (int i = 0; i < found; i++) record_own_admission(i + 1, names[i]->d_name);
        end_commit();
    }
    for (int i = 0; i < found; i++) {
        snprintf(group[waiting].name, sizeof group[waiting].name, "%s", names[i]->d_name);
        group[waiting++].number = ++number;
        if (waiting == GROUP) {
            hand_on(group, waiting);
            waiting = 0;
        }
    }
    if (waiting > 0) hand_on(group, waiting);
    close_queue(prepared_to);
    return NULL;
}

// A job that runs, or whose shell waits for its script.
struct running {
    struct job job;
    pid_t pid;
    int script;
};

static struct running begin(struct job job) {
    struct running running = {.job = job, .script = -1};
    if (!is_ahead) {
        running.pid = start(&job, ":");
        return running;
    }
    char path[64];
    snprintf(path, sizeof path, "runs/%d/attempt-1/block-001.sh", job.number);
    running.script = check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), path);
    // The signal that tells of the shell's arrival is one that is ignored.
    check(fcntl(running.script, F_SETSIG, SIGURG), "F_SETSIG");
    check(fcntl(running.script, F_SETLEASE, F_WRLCK), "lease");
    running.pid = start_shell(&job, (char *[]){"bash", path, NULL});
    return running;
}

static void release(const struct running *running) {
    if (running->script < 0) return;
    check((int)write(running->script, ":\n", 2), "script");
    // With it the lease ends.
    close(running->script);
}

static void *run_all(void *unused) {
    (void)unused;
    struct job job;
    struct running next = {.pid = 0};
    while (next.pid != 0 || take(&ready, &job, 1) == 1) {
        struct running now = next.pid != 0 ? next : begin(job);
        next.pid = 0;
        release(&now);
        if (is_ahead && take(&ready, &job, 1) == 1) next = begin(job);
        int status;
        check(waitpid(now.pid, &status, 0), "waitpid");
        if (status != 0) {
            fprintf(stderr, "child %d ended with status %d\n", now.pid, status);
            exit(1);
        }
        put(ran_to, now.job);
    }
    return NULL;
}

// Puts the starts of up to `most` jobs on record, and with them the ends of those that are over, in one transaction.
static int record_starts(int most, const struct job *ends, int end_count) {
    struct job starts[GROUP];
    int count = take(&claimed, starts, most < GROUP ? most : GROUP);
    if (count + end_count > 0) {
        begin_commit();
        record_each(ends, end_count, record_own_end);
        record_each(starts, count, record_own_start);
        end_commit();
    }
    for (int i = 0; i < count; i++) put(&ready, starts[i]);
    return count;
}

static void *record_all(void *unused) {
    (void)unused;
    struct job group[GROUP];
    // Those that run, and enough that nobody waits for this thread's commit.
    int free = width * STARTED_EACH, started = 0, taken;
    while (free > 0 && (taken = record_starts(free, NULL, 0)) > 0) {
        free -= taken;
        started += taken;
    }
    while (started > 0) {
        int count = take(&over, group, GROUP);
        free += count;
        started -= count;
        taken = record_starts(free, group, count);
        if (taken == 0) close_queue(&ready);
        free -= taken;
        started += taken;
        for (int i = 0; i < count; i++) put(&ended, group[i]);
    }
    close_queue(&ready);
    return NULL;
}

static void *file_all(void *unused) {
    (void)unused;
    struct job group[GROUP];
    int count;
    while ((count = take(&ended, group, GROUP)) > 0) file(group, count);
    return NULL;
}

int main(int argc, char **argv) {
    enum records wanted = argc < 4 ? RECORDS_OF_200_BYTES : strcmp(argv[3], "flowspool") == 0 ? FLOWSPOOL_LEDGER : SMALL_LEDGER;
    is_ahead = argc == 5 && strcmp(argv[4], "ahead") == 0;
    if (argc < 3 || argc != 3 + (wanted != RECORDS_OF_200_BYTES) + is_ahead || (wanted == SMALL_LEDGER && strcmp(argv[3], "sqlite") != 0)) {
        fprintf(stderr, "usage: contract_loop FOLDER WIDTH [sqlite|flowspool [ahead]]\n");
        return 64;
    }
    width = atoi(argv[2]);
    check(chdir(argv[1]), argv[1]);
    open_contract(wanted);
    int64_t began = now_ns();
    pthread_t preparer, recorder, filer, *runners = calloc((size_t)width, sizeof *runners);
    if (wanted == FLOWSPOOL_LEDGER) {
        prepared_to = &claimed;
        ran_to = &over;
    }
    pthread_create(&preparer, NULL, prepare_all, NULL);
    if (wanted == FLOWSPOOL_LEDGER) pthread_create(&recorder, NULL, record_all, NULL);
    pthread_create(&filer, NULL, file_all, NULL);
    for (int i = 0; i < width; i++) pthread_create(&runners[i], NULL, run_all, NULL);
    pthread_join(preparer, NULL);
    for (int i = 0; i < width; i++) pthread_join(runners[i], NULL);
    if (wanted == FLOWSPOOL_LEDGER) pthread_join(recorder, NULL);
    close_queue(&ended);
    pthread_join(filer, NULL);
    check(fsync(done), "fsync done");
    printf("%.6f\n", (double)(now_ns() - began) / 1e9);
    return 0;
}
