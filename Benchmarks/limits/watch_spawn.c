// Limit of "drop-to-start": waits for files that are renamed into FOLDER and starts PROGRAM once for each, by way of bash, as a
// block would. With `durable` the durable steps come first, with `contract` all that flowspool promises before a start, with
// `contract-sqlite` the same with a ledger's transactions; what is promised behind the end is done then. Ends after COUNT files.
// Usage: watch_spawn FOLDER COUNT plain|durable|contract|contract-sqlite PROGRAM [ARGUMENT]
#include "contract.h"
#include <sys/inotify.h>

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: watch_spawn FOLDER COUNT plain|durable|contract|contract-sqlite PROGRAM [ARGUMENT]\n");
        return 64;
    }
    long left = atol(argv[2]);
    int is_durable = strcmp(argv[3], "durable") == 0, with_ledger = strcmp(argv[3], "contract-sqlite") == 0;
    int is_contract = with_ledger || strcmp(argv[3], "contract") == 0;
    check(chdir(argv[1]), argv[1]);
    open_contract(with_ledger ? SMALL_LEDGER : RECORDS_OF_200_BYTES);
    int notify = check(inotify_init1(IN_CLOEXEC), "inotify_init1");
    check(inotify_add_watch(notify, ".", IN_MOVED_TO), "inotify_add_watch");
    // The run folder of the next job is made while nothing is to be done.
    struct job job = {.number = 1};
    if (is_contract) make_run(&job);
    char command[8192];
    // `exec` is left out on purpose: a block's shell stays while its program runs.
    snprintf(command, sizeof command, "%s %s\n:", argv[4], argc > 5 ? argv[5] : "");
    char *const arguments[] = {"bash", "-c", command, NULL};
    puts("ready");
    fflush(stdout);
    static char events[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (left > 0) {
        ssize_t length = read(notify, events, sizeof events);
        check((int)length, "read inotify");
        for (char *at = events; at < events + length && left > 0;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            at += sizeof *event + event->len;
            if (event->len == 0 || strncmp(event->name, "p", 1) != 0 || strstr(event->name, ".new")) continue;
            left--;
            if (is_contract) {
                snprintf(job.name, sizeof job.name, "%s", event->name);
                prepare(&job, 1);
                start(&job, command);
                reap();
                file(&job, 1);
                job.number++;
                make_run(&job);
                continue;
            }
            char target[4096];
            snprintf(target, sizeof target, "done/%s", event->name);
            if (is_durable) durable_steps(event->name, target, journal);
            spawn(arguments);
            reap();
        }
    }
    return 0;
}
