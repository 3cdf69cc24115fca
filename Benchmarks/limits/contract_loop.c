// Limit of "drain" with every file and every sync that flowspool promises, and nothing else: no YAML, no checks; with `sqlite` the
// transactions of a ledger, else a record of 200 bytes in place of each. As a runner that knows all the work in advance would do it:
// one thread prepares groups of eight, one for each of WIDTH children starts them and waits, one files groups of those that ended; the
// files of a group are synced at the same time. Prints the seconds that took.
// Usage: contract_loop FOLDER WIDTH [sqlite] (FOLDER/active, done, runs, journal and .flowspool are made)
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

static void *run_all(void *unused) {
    (void)unused;
    struct job job;
    while (take(&ready, &job, 1) == 1) {
        int status;
        pid_t pid = start(&job, ":");
        check(waitpid(pid, &status, 0), "waitpid");
        if (status != 0) {
            fprintf(stderr, "child %d ended with status %d\n", pid, status);
            exit(1);
        }
        put(&ended, job);
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
    int with_ledger = argc == 4 && strcmp(argv[3], "sqlite") == 0;
    if (argc != 3 && !with_ledger) {
        fprintf(stderr, "usage: contract_loop FOLDER WIDTH [sqlite]\n");
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
