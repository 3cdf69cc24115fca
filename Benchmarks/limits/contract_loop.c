// Limit of "drain" with every file and every sync that flowspool promises, and nothing else: no YAML, no checks; with `sqlite` the
// transactions of a ledger, else a record of 200 bytes in place of each. As a runner that knows all the work in advance would do it:
// one thread prepares groups of eight, one for each of WIDTH children starts them and waits, one files groups of those that ended; the
// files of a group are synced at the same time. With `ahead` as well each shell begins while the one before it runs, and waits for its
// script in open(2), which a lease keeps shut until its turn. Prints the seconds that took.
// Usage: contract_loop FOLDER WIDTH [sqlite [ahead]] (FOLDER/active, done, runs, journal and .flowspool are made)
#include "contract.h"
#include <dirent.h>
#include <stdbool.h>

enum { AHEAD = 16 };

// A bounded queue between two threads.
struct queue {
    struct job items[AHEAD];
    int first, count;
    bool closed;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};
static struct queue ready = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static struct queue ended = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

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
    for (int i = 0; i < count; i++) put(&ready, jobs[i]);
}

static void *prepare_all(void *unused) {
    (void)unused;
    struct dirent **names;
    int found = check(scandir(".", &names, NULL, alphasort), "scandir");
    struct job group[GROUP];
    int waiting = 0, number = 0;
    for (int i = 0; i < found; i++) {
        if (names[i]->d_type != DT_REG || names[i]->d_name[0] == '.' || !strncmp(names[i]->d_name, "journal", 7)) continue;
        snprintf(group[waiting].name, sizeof group[waiting].name, "%s", names[i]->d_name);
        group[waiting++].number = ++number;
        if (waiting == GROUP) {
            hand_on(group, waiting);
            waiting = 0;
        }
    }
    if (waiting > 0) hand_on(group, waiting);
    close_queue(&ready);
    return NULL;
}

// A job that runs, or whose shell waits for its script.
struct running {
    struct job job;
    pid_t pid;
    int script;
};
static bool is_ahead;

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
        put(&ended, now.job);
    }
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
    int with_ledger = argc >= 4 && strcmp(argv[3], "sqlite") == 0;
    is_ahead = with_ledger && argc == 5 && strcmp(argv[4], "ahead") == 0;
    if (argc != 3 + with_ledger + is_ahead) {
        fprintf(stderr, "usage: contract_loop FOLDER WIDTH [sqlite [ahead]]\n");
        return 64;
    }
    int width = atoi(argv[2]);
    check(chdir(argv[1]), argv[1]);
    open_contract(with_ledger);
    int64_t began = now_ns();
    pthread_t preparer, filer, *runners = calloc((size_t)width, sizeof *runners);
    pthread_create(&preparer, NULL, prepare_all, NULL);
    pthread_create(&filer, NULL, file_all, NULL);
    for (int i = 0; i < width; i++) pthread_create(&runners[i], NULL, run_all, NULL);
    pthread_join(preparer, NULL);
    for (int i = 0; i < width; i++) pthread_join(runners[i], NULL);
    close_queue(&ended);
    pthread_join(filer, NULL);
    check(fsync(done), "fsync done");
    printf("%.6f\n", (double)(now_ns() - began) / 1e9);
    return 0;
}
